"""MX's webhooks (docs.mx.com: webhooks). MX signs nothing: an agreed Authorization value proves them.

They are set up in MX's dashboard alone. Families differ in shape: aggregation and connection status
are flat, object webhooks hold the object under its own name with an `action`. MX repeats for about
a day what was not taken, in no order.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Self

from pydantic import SecretStr

from orchestrator.domain import ErrorClass, ErrorScope

from .error_table import ErrorRule
from .mx_errors import DISABLED_RULES, MEMBER_STATUSES, SETTLED
from .options import choice
from .payload import Payload
from .registry import AdapterConfig
from .webhooks import (
    News,
    WebhookDelivery,
    WebhookNotice,
    check_authorization,
    ids_by_body,
    named_text,
    object_in,
    text_in,
)

__all__ = ["MxWebhooks"]

_REPEATED_FOR_S: Final = 86_400.0
_GATHERED: Final = frozenset({"AGGREGATION", "BALANCE", "HISTORY"})
_PARTS: Final = ("account", "transaction")
_TIMES: Final = ("updated_at", "successfully_aggregated_at", "aggregated_at")
_LARGEST_REVISION: Final = 999_999


class MxWebhooks:
    """Reads MX's webhooks.

    Args:
        authorization: the `Authorization` value agreed with MX, None where none is.
        statuses: a member's `connection_status` → what it means.

    """

    def __init__(
        self, authorization: SecretStr | None, statuses: Mapping[str, ErrorRule] = MEMBER_STATUSES
    ) -> None:
        self._authorization = authorization
        self._statuses = statuses

    @classmethod
    def of(cls, config: AdapterConfig) -> Self:
        """By an adapter's settings.

        Raises:
            ConfigurationError: the option `disabled_scope` is none of its values.

        """
        disabled = choice(
            {"disabled_scope": "connection", **config.options},
            "disabled_scope",
            DISABLED_RULES,
            provider="mx",
        )
        return cls(config.webhook_auth, {**MEMBER_STATUSES, "DISABLED": DISABLED_RULES[disabled]})

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        check_authorization(delivery, self._authorization)
        payload = object_in(delivery)
        news, login_keys, told = self._news(payload)
        return WebhookNotice(
            news=news,
            login_keys=login_keys,
            event_ids=ids_by_body(delivery, repeated_for_s=_REPEATED_FOR_S),
            as_of=_as_of(told),
        )

    def _news(self, payload: Payload) -> tuple[News, tuple[str, ...], Payload]:
        """The news, whose it is, and the part of the payload that tells when it happened."""
        kind = text_in(payload, "type")
        if kind in _GATHERED:
            return News.FRESH_DATA, (named_text(payload, "member_guid"),), payload
        if kind == "CONNECTION_STATUS":
            return self._standing(payload), (named_text(payload, "member_guid"),), payload
        member = payload.get("member")
        if isinstance(member, dict):
            deleted = payload.get("action") == "deleted"
            news = News.GONE if deleted else self._standing(member)
            return news, (named_text(member, "guid"),), member
        for name in _PARTS:
            part = payload.get(name)
            if isinstance(part, dict):
                return News.FRESH_DATA, (named_text(part, "member_guid"),), part
        return News.NOTHING, (), payload

    def _standing(self, row: Payload) -> News:
        status = text_in(row, "connection_status")
        if status in SETTLED:
            return News.RECOVERED
        if status == "CLOSED":
            return News.GONE
        rule = self._statuses.get(status or "")
        if rule is None or rule.error_class is not ErrorClass.AUTH:
            return News.NOTHING
        return News.NEEDS_USER if rule.scope is ErrorScope.CONNECTION else News.NOTHING


def _as_of(row: Payload) -> float | None:
    """When the object came to be so; revisions order what happened within one second."""
    at = max((_number(row, name) for name in _TIMES), default=0.0)
    if not at:
        return None
    return at + min(_number(row, "revision"), _LARGEST_REVISION) / 1e6


def _number(row: Payload, name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return 0.0
    return float(value) if 0 < value < 1e12 else 0.0

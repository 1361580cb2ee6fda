"""Plaid's Items: finding them, what they say of themselves, their end, their address for webhooks.

Source: Plaid's OpenAPI 2020-09-14.
"""

from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from .banks import BANKS
from .connections import Connection
from .faults import FaultKind
from .plaid_bodies import body_fields, invalid, text
from .plaid_errors import error_object, refuse, shows_on_the_item
from .plaid_pulls import Pulled, pulled
from .plaid_shapes import PlaidIds, item_json
from .plaid_webhooks import ITEM, PlaidWebhooks, fields_of
from .vendor import Shared, Vendor
from .wire import Answer, Call, JsonObject, rfc3339

__all__ = ["PlaidItems", "checked_url"]

_LOGIN_REQUIRED: Final = "ITEM_LOGIN_REQUIRED"
_OF_TRANSACTIONS: Final = frozenset({"SYNC_UPDATES_AVAILABLE", "RECURRING_TRANSACTIONS_UPDATE"})
_OF_OTHER_PRODUCTS: Final = frozenset(
    {"SMS_MICRODEPOSITS_VERIFICATION", "AUTHORIZATION_GRANTED", "PRODUCT_READY", "ERROR"}
)
_WEBHOOK_CODES: Final = frozenset(
    {"DEFAULT_UPDATE", "NEW_ACCOUNTS_AVAILABLE", "USER_PERMISSION_REVOKED", "USER_ACCOUNT_REVOKED"}
    | {"PENDING_DISCONNECT", "LOGIN_REPAIRED"}
    | _OF_TRANSACTIONS
    | _OF_OTHER_PRODUCTS
)
_WEBHOOK_TYPES: Final = frozenset(
    {"AUTH", "HOLDINGS", "INVESTMENTS_TRANSACTIONS", "ITEM", "LIABILITIES", "TRANSACTIONS"}
    | {"ASSETS"}
)
_REMOVAL_REASONS: Final = frozenset(
    {"FRAUD_FIRST_PARTY", "FRAUD_FALSE_IDENTITY", "FRAUD_ABUSE", "FRAUD_OTHER"}
    | {"CONNECTION_IS_NON_FUNCTIONAL", "OTHER"}
)
_LONGEST_NOTE: Final = 512


def checked_url(call: Call, where: JsonObject, name: str) -> str:
    """A field that holds an http or https URL; empty where it is absent.

    Raises:
        Refusal: it is there and none.

    """
    value = text(call, where, name)
    if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
        raise invalid(call, f"{name} must be a URL")
    return value


class PlaidItems(Vendor):
    """Items, and what they report."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.reports = PlaidWebhooks(self.world.seed, shared.webhooks)

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        return self.connections.by_secret(self.name, call.body.get("access_token"))

    def _item(self, call: Call, *, may_be_broken: bool = False) -> Connection:
        text(call, call.body, "access_token")
        connection = self.connection_of(call)
        if connection is None:
            raise refuse(call, "INVALID_ACCESS_TOKEN", "unknown access_token")
        if connection.removed:
            raise refuse(call, "ITEM_NOT_FOUND", "this item has been removed")
        if connection.broken and not may_be_broken:
            raise refuse(call, connection.broken)
        return connection

    def _item_row(self, call: Call, connection: Connection) -> JsonObject:
        code = connection.broken
        if call.kind is FaultKind.AUTH:
            code = _LOGIN_REQUIRED
        elif call.error_code is not None and shows_on_the_item(call.error_code):
            code = call.error_code
        return item_json(
            connection, BANKS[connection.bank_key], error_object(call, code) if code else None
        )

    def _ids(self, connection: Connection) -> PlaidIds:
        return PlaidIds(self.world.seed, connection.connection_id)

    def _pulled(self, call: Call, connection: Connection) -> Pulled:
        return pulled(call, connection, self.options)

    def _item_get(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call, may_be_broken=True)
        at = self._pulled(call, connection).at
        known = connection.attributes
        last_webhook = None
        # Times in one form order as texts do; one that is still to be sent does not show.
        if known.get("webhook_sent_at", "~") <= rfc3339(call.now):
            last_webhook = {"sent_at": known["webhook_sent_at"], "code_sent": known["webhook_code"]}
        return Answer(
            200,
            {
                "item": self._item_row(call, connection)
                | {"created_at": rfc3339(connection.linked_at)},
                "status": {
                    "transactions": {
                        "last_successful_update": (
                            None if at is None else rfc3339(self.as_of(call, at))
                        ),
                        "last_failed_update": None,
                    },
                    "last_webhook": last_webhook,
                },
                "request_id": call.request_id,
            },
        )

    def _item_remove(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("reason_code", "reason_note"))
        reason = text(call, call.body, "reason_code")
        if reason and reason not in _REMOVAL_REASONS:
            raise invalid(call, "reason_code must be a documented value")
        if len(text(call, call.body, "reason_note")) > _LONGEST_NOTE:
            raise invalid(call, "reason_note is too long")
        connection = self._item(call, may_be_broken=True)
        connection.removed = True
        self.connections.save(connection)
        return Answer(200, {"request_id": call.request_id})

    def _webhook_update(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("webhook",))
        url = checked_url(call, call.body, "webhook")
        connection = self._item(call, may_be_broken=True)
        connection.attributes["webhook"] = url
        self.reports.send(
            connection, ITEM, "WEBHOOK_UPDATE_ACKNOWLEDGED", call.now, new_webhook_url=url
        )
        self.connections.save(connection)
        return Answer(
            200, {"item": self._item_row(call, connection), "request_id": call.request_id}
        )

    def _invalidate(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call, may_be_broken=True)
        self.connections.replace_secret(connection, f"access-sandbox-{uuid4()}")
        return Answer(200, {"new_access_token": connection.secret, "request_id": call.request_id})

    def _reset_login(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call, may_be_broken=True)
        connection.broken = _LOGIN_REQUIRED
        self.reports.send(connection, ITEM, "ERROR", call.now, error=_reported(call))
        self.connections.save(connection)
        return Answer(200, {"reset_login": True, "request_id": call.request_id})

    def _fire_webhook(self, call: Call) -> Answer:
        body_fields(call, required=("access_token", "webhook_code"), allowed=("webhook_type",))
        code = text(call, call.body, "webhook_code")
        webhook_type = text(call, call.body, "webhook_type")
        if code not in _WEBHOOK_CODES or webhook_type not in {*_WEBHOOK_TYPES, ""}:
            raise invalid(call, "webhook_code and webhook_type must be documented values")
        connection = self._item(call, may_be_broken=True)
        of_transactions = code in _OF_TRANSACTIONS or (
            code == "DEFAULT_UPDATE" and webhook_type in ("", "TRANSACTIONS")
        )
        products = connection.attributes.get("products", "transactions").split(",")
        needs_another = code in _OF_OTHER_PRODUCTS or (
            code == "DEFAULT_UPDATE" and not of_transactions
        )
        if needs_another or (of_transactions and "transactions" not in products):
            raise refuse(call, "SANDBOX_PRODUCT_NOT_ENABLED")
        account = self._ids(connection).account(self.login(connection).accounts[0].kind)
        fields = fields_of(code, call.now, account)
        sent_as = "TRANSACTIONS" if of_transactions else ITEM
        if not self.reports.send(connection, sent_as, code, call.now, **fields):
            raise refuse(call, "SANDBOX_WEBHOOK_INVALID", "this item has no webhook")
        self.connections.save(connection)
        return Answer(200, {"webhook_fired": True, "request_id": call.request_id})

    def _webhook_key(self, call: Call) -> Answer:
        body_fields(call, required=("key_id",))
        if text(call, call.body, "key_id") != self.reports.key_id:
            raise refuse(call, "INVALID_WEBHOOK_VERIFICATION_KEY_ID", "no such key")
        return Answer(200, {"key": self.reports.public_key_json(), "request_id": call.request_id})


def _reported(call: Call) -> JsonObject:
    """The error of a broken login as a webhook tells it: with its status, without a request."""
    told = error_object(call, _LOGIN_REQUIRED)
    del told["request_id"]
    return told | {"status": 400}

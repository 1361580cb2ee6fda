"""Vendors' errors as data: one row a code, never a match on a message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure

__all__ = ["ErrorRule", "ErrorTable", "rule"]

_CODE_SHAPE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What one vendor code means for us.

    `elsewhere`: may `createLink` go on to another provider although the class is not retryable.
    `meaning` is told to callers; `user_action` says what the end user must do, where they must.
    """

    error_class: ErrorClass
    scope: ErrorScope
    meaning: str
    elsewhere: bool = False
    user_action: str | None = None


def rule(
    error_class: str,
    scope: str,
    meaning: str,
    *,
    elsewhere: bool = False,
    user_action: str | None = None,
) -> ErrorRule:
    """An `ErrorRule` from the words of the fact sheets ("item" is our "connection")."""
    return ErrorRule(
        ErrorClass(error_class),
        ErrorScope("connection" if scope == "item" else scope),
        meaning,
        elsewhere,
        user_action,
    )


_BY_STATUS: Final[Mapping[int, ErrorRule]] = {
    401: rule("auth", "client", "the provider refuses our keys", elsewhere=True),
    403: rule("auth", "client", "the provider does not allow us this call", elsewhere=True),
    404: rule("validation", "request", "the provider does not know what was asked for"),
    408: rule("provider_down", "provider", "the provider gave up waiting", elsewhere=True),
    420: rule("rate_limit", "client", "the provider asks us to slow down", elsewhere=True),
    429: rule("rate_limit", "client", "the provider asks us to slow down", elsewhere=True),
}
_SERVER_ERROR: Final = rule("provider_down", "provider", "the provider is failing", elsewhere=True)
_CLIENT_ERROR: Final = rule("validation", "request", "the provider refuses the request")


class ErrorTable:
    """One vendor's codes, with fall-backs: by code, then by type, then by HTTP status.

    Args:
        codes: vendor code → rule.
        types: vendor error type → rule, for codes that are new since the table was written.
        statuses: HTTP status → rule, over the common ones.

    """

    def __init__(
        self,
        codes: Mapping[str, ErrorRule],
        types: Mapping[str, ErrorRule] | None = None,
        statuses: Mapping[int, ErrorRule] | None = None,
    ) -> None:
        self.codes = dict(codes)
        self.types = dict(types or {})
        self.statuses = {**_BY_STATUS, **(statuses or {})}

    def rule_for(self, *, code: str | None, error_type: str | None, http_status: int) -> ErrorRule:
        """The narrowest rule that knows this error."""
        if code is not None and code in self.codes:
            return self.codes[code]
        if error_type is not None and error_type in self.types:
            return self.types[error_type]
        if http_status in self.statuses:
            return self.statuses[http_status]
        return _SERVER_ERROR if http_status >= 500 else _CLIENT_ERROR

    def failure(
        self,
        *,
        code: str | None,
        http_status: int,
        error_type: str | None = None,
        retry_after_s: float | None = None,
        provider_request_id: str | None = None,
    ) -> ProviderFailure:
        """The classified failure of an answer that reports an error.

        Args:
            code: the vendor's code, None where the body could not be read.
            http_status: of the answer.
            error_type: the vendor's wider type, where it has one.
            retry_after_s: the pause the vendor asks for.
            provider_request_id: for the vendor's support.

        """
        row = self.rule_for(code=code, error_type=error_type, http_status=http_status)
        shown = code if code is not None and _CODE_SHAPE.fullmatch(code) else None
        return ProviderFailure(
            Failure(
                error_class=row.error_class,
                scope=row.scope,
                code=shown or f"HTTP_{http_status}",
                message=row.meaning,
                elsewhere=row.elsewhere,
                http_status=http_status,
                retry_after_s=retry_after_s,
                user_action=row.user_action,
                provider_request_id=provider_request_id,
            )
        )

"""MX's errors and connection statuses as data (docs.mx.com: errors, member statuses).

MX mostly tells the truth by HTTP status; the `type` of its error body refines a 400. A member's
`connection_status` says what no status code does: old data stay readable while it is bad.
"""

from collections.abc import Mapping
from typing import Final

from .error_table import ErrorRule, ErrorTable, rule
from .user_actions import LINK_AGAIN, RECONNECT

__all__ = [
    "DISABLED_RULES",
    "GATHERING",
    "MEMBER_STATUSES",
    "MX_ERRORS",
    "MX_KNOWN_MEMBER_ERRORS",
    "SETTLED",
]


def _user(meaning: str) -> ErrorRule:
    return rule("auth", "item", meaning, user_action=RECONNECT)


def _trouble(meaning: str) -> ErrorRule:
    # Said of one member: no evidence against the whole institution, so it opens nothing.
    return rule("provider_down", "item", meaning, elsewhere=True)


_CODES: Final[Mapping[str, ErrorRule]] = {
    "institution_maintenance_error": rule(
        "provider_down", "institution", "the bank is being maintained", elsewhere=True
    ),
    "institution_unavailable_error": rule(
        "provider_down", "institution", "the bank is down", elsewhere=True
    ),
    "institution_prevented_error": rule(
        "validation", "institution", "the bank cannot be linked there", elsewhere=True
    ),
    "institution_prevent_new_error": rule(
        "validation", "institution", "the bank takes no new links there", elsewhere=True
    ),
    "institution_prevent_verification_error": rule(
        "validation", "institution", "the bank cannot be verified there", elsewhere=True
    ),
}

_STATUSES: Final[Mapping[int, ErrorRule]] = {
    400: rule("validation", "request", "the provider does not accept the call"),
    401: rule("auth", "client", "our keys are refused", elsewhere=True),
    403: rule("auth", "client", "our address or contract is not allowed there", elsewhere=True),
    404: rule("validation", "request", "the provider does not know what was asked for"),
    405: rule("validation", "request", "there is no such call"),
    406: rule("validation", "request", "the version that the call names does not exist"),
    409: rule("provider_down", "item", "another job of this connection is running"),
    422: rule("validation", "request", "the provider does not accept the call"),
    429: rule("rate_limit", "client", "too many calls", elsewhere=True),
    500: rule("provider_down", "provider", "the provider is failing", elsewhere=True),
    502: rule("provider_down", "provider", "the provider is failing", elsewhere=True),
    503: rule("provider_down", "provider", "the provider is being updated", elsewhere=True),
    504: rule("provider_down", "provider", "the provider is failing", elsewhere=True),
}

MX_ERRORS: Final = ErrorTable(codes=_CODES, statuses=_STATUSES)
"""Of calls about users and members that may not exist."""

MX_KNOWN_MEMBER_ERRORS: Final = ErrorTable(
    codes=_CODES,
    statuses={
        **_STATUSES,
        404: rule("auth", "item", "the connection no longer exists", user_action=LINK_AGAIN),
    },
)
"""Of calls about a member that existed before."""

MEMBER_STATUSES: Final[Mapping[str, ErrorRule]] = {
    "CHALLENGED": _user("the bank asks the user a further question"),
    "DENIED": _user("the bank refuses the user's credentials"),
    "REJECTED": _user("the bank refuses the user's answer"),
    "EXPIRED": _user("the user did not answer the bank in time"),
    "IMPAIRED": _user("the bank wants other credentials of the user"),
    "IMPEDED": _user("the bank wants the user to do something on its own site"),
    "LOCKED": _user("the bank has locked the user's login"),
    "PREVENTED": _user("the bank refused the credentials too often to try on"),
    "DEGRADED": _trouble("the connection to the bank has been failing for a while"),
    "DISCONNECTED": _trouble("the connection to the bank has been failing for long"),
    "FAILED": _trouble("the last reading of the bank failed"),
    "DISCONTINUED": rule(
        "validation", "institution", "the bank is no longer served there", elsewhere=True
    ),
    "CLOSED": rule("validation", "item", "the connection is closed for good", elsewhere=True),
}
"""`connection_status` values under which data are old, and why."""

DISABLED_RULES: Final[Mapping[str, ErrorRule]] = {
    "connection": _user("the connection is disabled there"),
    "client": rule("auth", "client", "our access there is disabled", elsewhere=True),
}
"""What `DISABLED` is about; MX does not say, so the option `disabled_scope` does."""

GATHERING: Final = frozenset({"CREATED", "DELAYED", "UPDATED", "RESUMED", "PENDING"})
"""`connection_status` values of a job under way."""

SETTLED: Final = frozenset({"CONNECTED", "RECONNECTED", "IMPORTED"})
"""`connection_status` values of a connection that is well."""

"""Belvo's error codes as data (developers.belvo.com: API errors).

Error bodies are arrays of objects with a `code`. A bank that is down is a 400 there.
"""

from collections.abc import Mapping
from typing import Final

from .error_table import ErrorRule, ErrorTable, rule
from .user_actions import LINK_AGAIN, RECONNECT

__all__ = ["BELVO_ERRORS", "BELVO_KNOWN_LINK_ERRORS", "BROKEN_LINKS"]


def _user(meaning: str) -> ErrorRule:
    return rule("auth", "item", meaning, user_action=RECONNECT)


_GIVE_CODE: Final = (
    "the bank asks the user for a one-time code: createLink with connectionId opens a widget that "
    "takes it, then exchangeToken"
)


def _our_bug(meaning: str) -> ErrorRule:
    return rule("validation", "request", meaning)


_CODES: Final[Mapping[str, ErrorRule]] = {
    "authentication_failed": rule("auth", "client", "our keys are refused", elsewhere=True),
    "access_to_resource_denied": rule(
        "auth", "client", "our contract does not allow this call", elsewhere=True
    ),
    "token_required": rule(
        "auth", "item", "the bank asks the user for a one-time code", user_action=_GIVE_CODE
    ),
    "login_error": _user("the bank refuses the user's credentials"),
    "invalid_link": _user("the bank no longer accepts the user's credentials"),
    "unconfirmed_link": _user("the user never finished the bank's second factor"),
    "session_expired": _user("the user answered the bank too late"),
    "too_many_sessions": rule(
        "provider_down", "item", "another session with the same login is open"
    ),
    "institution_down": rule("provider_down", "institution", "the bank is down", elsewhere=True),
    "institution_unavailable": rule(
        "provider_down", "institution", "the bank is being maintained", elsewhere=True
    ),
    "institution_inactive": rule(
        "validation", "institution", "the bank is no longer served there", elsewhere=True
    ),
    "unsupported_operation": rule(
        "validation", "institution", "the bank does not offer this there", elsewhere=True
    ),
    "invalid_access_mode_switch": _our_bug("the link cannot change its access mode"),
    "invalid_period": _our_bug("the dates of the call are not accepted"),
    "required": _our_bug("a field is missing in the call"),
    "invalid": _our_bug("a field of the call has a value that is not accepted"),
    "null": _our_bug("a field of the call may not be null"),
    "blank": _our_bug("a field of the call may not be blank"),
    "does_not_exist": _our_bug("a field of the call names what does not exist"),
    "not_found": rule("validation", "request", "the provider does not know what was asked for"),
    "method_not_allowed": _our_bug("there is no such call"),
    "conflict": _our_bug("the call contradicts the state there"),
    "request_timeout": rule(
        "provider_down", "institution", "the bank was slower than the provider waits"
    ),
    "unexpected_error": rule(
        "provider_down", "provider", "the provider is failing", elsewhere=True
    ),
}

_STATUSES: Final[Mapping[int, ErrorRule]] = {
    405: _CODES["method_not_allowed"],
    408: _CODES["request_timeout"],
    409: _CODES["conflict"],
    428: _CODES["token_required"],
}

_GONE: Final = rule("auth", "item", "the connection no longer exists", user_action=LINK_AGAIN)

BELVO_ERRORS: Final = ErrorTable(codes=_CODES, statuses=_STATUSES)
"""Of calls about links that may not exist."""

BELVO_KNOWN_LINK_ERRORS: Final = ErrorTable(
    codes={**_CODES, "not_found": _GONE}, statuses={**_STATUSES, 404: _GONE}
)
"""Of calls about a link that existed before."""

BROKEN_LINKS: Final[Mapping[str, str]] = {
    "invalid": "invalid_link",
    "unconfirmed": "unconfirmed_link",
    "token_required": "token_required",
}
"""A link's `status` under which its stored data are old → the error code that says the same."""

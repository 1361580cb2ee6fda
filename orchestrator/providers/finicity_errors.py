"""Finicity's error and aggregation codes as data (Mastercard Open Finance US: errors, statuses).

The code decides, never the HTTP status: aggregation problems, the user's and the bank's, come as
HTTP 500, or as a field of an account in a 200. Codes 400, 403 and 500 in a body are such codes too.
"""

from collections.abc import Mapping
from typing import Final

from .error_table import ErrorRule, ErrorTable, rule
from .user_actions import LINK_AGAIN, RECONNECT

__all__ = [
    "ACCOUNTS_OWN",
    "FINICITY_AGGREGATION",
    "FINICITY_ERRORS",
    "FINICITY_KNOWN_LOGIN_ERRORS",
    "KEYS_REFUSED",
    "PARTNER_LOCKED",
    "TOKEN_CODES",
    "USERNAME_TAKEN",
    "WAITING",
]


def _rows(codes: str, row: ErrorRule) -> dict[str, ErrorRule]:
    return dict.fromkeys(codes.split(), row)


def _user(meaning: str) -> ErrorRule:
    return rule("auth", "item", meaning, user_action=RECONNECT)


def _our_keys(meaning: str) -> ErrorRule:
    return rule("auth", "client", meaning, elsewhere=True)


def _our_bug(meaning: str) -> ErrorRule:
    return rule("validation", "request", meaning)


KEYS_REFUSED: Final = _our_keys("our keys are refused; five refusals lock the partner")
"""Of an authentication that was refused, whatever code or status said so."""

TOKEN_CODES: Final = frozenset({"10022", "10023", "10024"})
"""The app token is invalid, has expired or is missing: renewed, and the call repeated once."""

PARTNER_LOCKED: Final = "24302"

USERNAME_TAKEN: Final = "110002"

WAITING: Final = frozenset({"325", "5006", "18001", "44002"})
"""Something is under way at the vendor; what is stored can be read meanwhile."""

ACCOUNTS_OWN: Final = frozenset({"169", "400", "403", "913", "914"})
"""Aggregation codes about one account, which say nothing of the others of its login."""

_UNREADABLE_ACCOUNT: Final = rule(
    "auth", "item", "the bank no longer knows this account", user_action=LINK_AGAIN
)
_BANK_NOT_SERVED: Final = rule(
    "validation", "institution", "the bank is not served there", elsewhere=True
)
_UNKNOWN_THING: Final = rule("validation", "item", "the provider does not know what was asked for")
_GONE: Final = rule("auth", "item", "the connection no longer exists", user_action=LINK_AGAIN)

_HANDLES: Final = "14001 14003 14016 38003 38007 24553"
"""A customer, account, login or transaction that is not there."""

_REQUESTS: Final[Mapping[str, ErrorRule]] = {
    **_rows("10022 10023 10024", _our_keys("the provider refuses a token that it has just given")),
    **_rows("10001 10021 10026 10027", _our_keys("our keys are refused")),
    PARTNER_LOCKED: _our_keys("our keys are refused, or the partner is locked"),
    **_rows("10405 10406", _our_keys("our contract does not allow this call")),
    **_rows(
        "10005 10010 10020 10025 10100 14020 14023 41002 41003 41004",
        _our_bug("a parameter of the call is missing or not accepted"),
    ),
    "20000": _our_bug("the provider cannot answer in the form that was asked for"),
    **_rows(_HANDLES, _UNKNOWN_THING),
    "14006": rule("validation", "institution", "the bank is not known there", elsewhere=True),
    USERNAME_TAKEN: _our_bug("the customer's name is taken"),
    "110039": _our_bug("the customer's name is not of the form that is accepted"),
    "18001": rule("provider_down", "item", "another job of this connection is running"),
    **_rows("325 5006", rule("provider_down", "item", "the bank is being read at this moment")),
    "331": _user("the user answered the bank too late"),
    "977": rule("rate_limit", "institution", "too many calls to this bank", elsewhere=True),
    "981": _our_bug("the call is malformed"),
    "44002": rule("provider_down", "item", "the provider asks us to try again later"),
    "3300001": rule("rate_limit", "client", "too many calls", elsewhere=True),
    "1003": _our_bug("the provider did not expect the call"),
}

_AGGREGATION: Final[Mapping[str, ErrorRule]] = {
    "103": _user("the bank refuses the user's credentials"),
    "108": _user("the bank wants the user to do something on its own site"),
    "109": _user("the bank wants the user to change the password"),
    "185": _user("the bank asks the user a further question"),
    "187": _user("the bank refuses the user's answer"),
    "931": _user("the bank asks the user for a one-time code"),
    "936": _user("the bank wants the user to change a language setting"),
    "945": _user("the user has not agreed to the bank's new way of signing in"),
    "946": _user("the account was not found after the bank's move to a new way of signing in"),
    "947": _user("the bank's consent has expired"),
    "948": _user("the bank has moved to a new way of signing in"),
    "169": rule("validation", "item", "the account is there twice"),
    **_rows("400 403", _UNREADABLE_ACCOUNT),
    "913": rule("validation", "item", "the account is closed"),
    "914": rule("validation", "item", "the account is not available"),
    **_rows("920 921 922 923 924 925 926 927 928 929 976", _BANK_NOT_SERVED),
    **_rows(
        "900 901 903 904 915 916",
        rule("provider_down", "institution", "the way to the bank is being built", elsewhere=True),
    ),
    **_rows(
        "905 906 907 910 911",
        rule("provider_down", "institution", "the way to the bank is down", elsewhere=True),
    ),
    **_rows(
        "171 179 194 197 204 417 500 525 11000",
        rule("provider_down", "institution", "the bank is in trouble", elsewhere=True),
    ),
    **_rows(
        "990 991 992 993 994 995 996 997 998",
        rule("provider_down", "provider", "the provider is failing", elsewhere=True),
    ),
}

_CODES: Final[Mapping[str, ErrorRule]] = {**_REQUESTS, **_AGGREGATION}

_STATUSES: Final[Mapping[int, ErrorRule]] = {
    406: _CODES["20000"],
    409: _our_bug("the call contradicts the state there"),
}

FINICITY_ERRORS: Final = ErrorTable(codes=_CODES, statuses=_STATUSES)
"""Of calls about customers and logins that may not exist."""

FINICITY_KNOWN_LOGIN_ERRORS: Final = ErrorTable(
    codes={**_CODES, **_rows(_HANDLES, _GONE)}, statuses={**_STATUSES, 404: _GONE}
)
"""Of calls about a login that existed before."""

FINICITY_AGGREGATION: Final = ErrorTable(
    codes=_CODES,
    # A code that is new since this was written: said of one login, so it opens nothing.
    statuses={200: rule("provider_down", "item", "the last reading of the bank failed")},
)
"""Of `aggregationStatusCode` in the accounts of a 200."""

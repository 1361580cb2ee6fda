"""Bitso's error codes as data (docs.bitso.com: error codes, by family).

A code's first two digits are its family, which stands for codes that are newer than this table.
Nobody else holds the account, so no error speaks for another provider.
"""

from collections.abc import Mapping
from typing import Final

from .error_table import ErrorRule, ErrorTable, rule
from .user_actions import RECONNECT

__all__ = ["NONCE_CODES", "NOT_PERMITTED", "bitso_errors", "code_of"]

NONCE_CODES: Final = frozenset({"0201", "0206", "0207", "104"})
"""Those that a fresh nonce may mend: `0201` does not say whether the nonce or the key is wrong."""
NOT_PERMITTED: Final = "0202"

_ALLOW_ADDRESS: Final = (
    "ask the user to allow this service's address in the API key's list at Bitso, or to connect "
    "with another key: createLink with connectionId, then exchangeToken"
)


def _key(meaning: str) -> ErrorRule:
    return rule("auth", "item", meaning, user_action=RECONNECT)


def _our_bug(meaning: str) -> ErrorRule:
    return rule("validation", "request", meaning)


_DOWN: Final = rule("provider_down", "provider", "Bitso is failing")
_NOT_ALLOWED: Final = _key("Bitso does not allow this call to the user's key")
_UNKNOWN_KEY: Final = _key("Bitso does not accept the user's key")

_CODES: Final[Mapping[str, ErrorRule]] = {
    "0201": _UNKNOWN_KEY,
    NOT_PERMITTED: _key("the user's key lacks the permission for this call"),
    "0203": _key("Bitso asks the user to log in again"),
    "0204": _key("Bitso refuses the user's PIN"),
    "0205": _key("there were too many attempts with the user's key"),
    "0206": _key("Bitso does not accept the call's nonce, the second time too"),
    "0207": _key("Bitso does not accept the call's nonce, the second time too"),
    "104": _key("Bitso does not accept the call's nonce, the second time too"),
    "0208": _key("Bitso asks for authentication"),
    "0209": _key("Bitso asks for the user's second factor"),
    "0210": _key("Bitso asks the user to approve a device"),
    "0211": _key("Bitso does not accept the user's device"),
    "0214": _key("Bitso asks the user to prove to be a person"),
    "0215": rule("auth", "client", "Bitso does not accept our signature"),
    "0216": _key("Bitso has restricted the user's account"),
    "0301": _our_bug("the call names a book that Bitso does not have"),
    "0303": _our_bug("a field is missing in the call"),
    "0304": _our_bug("a field of the call has a value that is not accepted"),
    "0310": _our_bug("a field of the call has a value that is not accepted"),
    "0311": _our_bug("a field of the call has a value that is not accepted"),
    "0312": _our_bug("a field of the call has a value that is not accepted"),
    "0320": _our_bug("Bitso does not know the place in its listing to go on from"),
    "0321": _our_bug("a field of the call has a value that is not accepted"),
    "0326": _key("the user's key is not active"),
    "0327": rule("validation", "institution", "Bitso does not offer this in the user's country"),
    "0328": rule("validation", "institution", "Bitso does not offer this at the user's location"),
}
_FAMILIES: Final[Mapping[str, ErrorRule]] = {
    "01": _DOWN,
    "02": _NOT_ALLOWED,
    "03": _our_bug("Bitso refuses the call"),
    "04": rule("provider_down", "provider", "Bitso is at its limits"),
    "05": rule("validation", "item", "the user is at a limit of Bitso's"),
    "06": rule("validation", "item", "the user's funds do not allow this"),
    "07": _key("the user's account at Bitso needs attention"),
    "09": _our_bug("there is no such call"),
    "10": _our_bug("Bitso refuses the call"),
    "11": _our_bug("Bitso refuses the call"),
    "14": _our_bug("Bitso does not know what was asked for"),
    "17": _our_bug("Bitso refuses the call"),
}


def bitso_errors(*, throttle_scope: str, address_scope: str) -> ErrorTable:
    """The table, with what Bitso's documents leave open.

    Args:
        throttle_scope: whose lock-out throttling is: `connection`, the user's, or `client`, our
            address's.
        address_scope: whose trouble an address that a key does not allow is: `connection` or
            `client`.

    """
    throttled = rule("rate_limit", throttle_scope, "Bitso has locked the caller out for a while")
    refused = (
        rule("auth", "client", "Bitso does not accept calls from our address")
        if address_scope == "client"
        else rule(
            "auth", "item", "the user's key does not allow our address", user_action=_ALLOW_ADDRESS
        )
    )
    return ErrorTable(
        codes={**_CODES, "0213": refused, "0801": throttled, "0802": throttled},
        types={**_FAMILIES, "08": throttled},
        # A status alone: the key is the user's, so its refusal is, too.
        statuses={401: _UNKNOWN_KEY, 403: _NOT_ALLOWED, 420: throttled, 429: throttled},
    )


def code_of(value: object) -> str | None:
    """A code as the table spells it: Bitso sends texts and numbers, and a number has lost its zero.

    None where it is no code.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6):
        return None
    return value if value in _CODES else value.zfill(4)

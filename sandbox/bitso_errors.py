"""Bitso's envelope, and its errors by code: the first two digits of a code are its family.

Source: docs.bitso.com, pages on error codes.
"""

from typing import Final

from .wire import Answer, Refusal

__all__ = ["CODES", "BitsoErrors", "success"]

_STATUS_OF_FAMILY: Final = {"01": 500, "02": 401, "04": 503, "08": 420, "14": 404}
"""The HTTP status of a family; 400 where none is documented."""
_MEANINGS: Final = {
    "0101": "Unknown error",
    "0201": "Invalid Nonce or Invalid Credentials",
    "0202": "The key may not use this method",
    "0203": "The login is over",
    "0204": "Wrong PIN",
    "0205": "Too many attempts",
    "0206": "The nonce is not a number",
    "0207": "The nonce cannot be taken",
    "104": "The nonce is too low",
    "0208": "Authentication is wanted",
    "0209": "A second factor is wanted",
    "0210": "A device is to be approved",
    "0211": "The device was not approved",
    "0213": "The address is not on the key's list",
    "0214": "No proof of being a person",
    "0215": "The signature is wrong",
    "0216": "The account is restricted",
    "0301": "Unknown book",
    "0303": "A field is missing",
    "0304": "A field is invalid",
    "0310": "A value is too small",
    "0311": "A value is too large",
    "0312": "A value has too many decimals",
    "0320": "Unknown marker",
    "0321": "An id is invalid",
    "0326": "The key is not active",
    "0327": "Not offered in this country",
    "0328": "Not offered at this location",
    "0401": "The system is at its limits",
    "0501": "The user is at a limit",
    "0601": "Not enough funds",
    "0701": "The account needs attention",
    "0801": "Too many requests",
    "0802": "Too many attempts",
    "0901": "Method not supported",
    "1001": "The request cannot be carried out",
    "1101": "The operation cannot be carried out",
    "1401": "Not found",
    "1701": "The value is not valid",
}
_STATUSES: Final = ("HTTP_500", "HTTP_502", "HTTP_503", "HTTP_504")
CODES: Final = (*_MEANINGS, *_STATUSES)
"""What a fault of kind `error` may ask for; a status alone, without Bitso's body, is `HTTP_503`."""


def success(payload: object) -> Answer:
    """An answer in Bitso's envelope."""
    return Answer(200, {"success": True, "payload": payload})


class BitsoErrors:
    """Makes error answers.

    Args:
        within_success: errors come with the HTTP status 200, and their codes as numbers.

    """

    def __init__(self, *, within_success: bool) -> None:
        self._within_success = within_success

    def answer(self, code: str) -> Answer:
        """The error with this code of `CODES`."""
        if code in _STATUSES:
            return Answer(int(code.removeprefix("HTTP_")))
        # This oldest of the codes has only ever been seen as a number.
        as_number = self._within_success or code == "104"
        body = {"message": _MEANINGS[code], "code": int(code) if as_number else code}
        status = 200 if self._within_success else _status_of(code)
        return Answer(status, {"success": False, "error": body})

    def refusal(self, code: str) -> Refusal:
        """The same, to be raised."""
        return Refusal(self.answer(code))


def _status_of(code: str) -> int:
    return 401 if code == "104" else _STATUS_OF_FAMILY.get(code[:2], 400)

"""Who calls: Bitso's signature over the request as it came, and nonces that are taken once.

Source: docs.bitso.com, pages on signed requests and on the second kind of nonce.
"""

import hmac
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from .bitso_errors import BitsoErrors
from .wire import Call

__all__ = ["API_KEY", "API_SECRET", "BitsoKeys"]

API_KEY: Final = "sandbox_key"
API_SECRET: Final = "sandbox_secret"
_MOST_NONCES: Final = 200_000
_SECOND_KIND: Final = range(14, 20)
"""Digits of a nonce of milliseconds and a salt; shorter ones are of the first kind."""


class BitsoKeys:
    """Holds calls against the one key there is.

    A nonce of the first kind has to be larger than the last one; of the second kind, only new.

    Args:
        errors: makes refusals.
        skew_s: by how much the time in a nonce of the second kind may be off; 0 for any.

    """

    def __init__(self, errors: BitsoErrors, *, skew_s: float) -> None:
        self._errors = errors
        self._skew_s = skew_s
        self._last = -1
        self._used: OrderedDict[str, None] = OrderedDict()

    def check(self, call: Call) -> None:
        """Let a signed call pass, and no other; its nonce is taken from then on.

        Raises:
            Refusal: 401.

        """
        key, nonce, signature = self._parts(call.headers)
        if key != API_KEY:
            raise self._errors.refusal("0201")
        if not (nonce.isascii() and nonce.isdecimal() and len(nonce) < _SECOND_KIND.stop):
            raise self._errors.refusal("0206")
        signed = f"{nonce}{call.method}{call.target}".encode() + call.raw
        right = hmac.digest(API_SECRET.encode(), signed, "sha256").hex()
        if not hmac.compare_digest(right.encode(), signature.encode()):
            raise self._errors.refusal("0215")
        if not self._takes(nonce, call):
            raise self._errors.refusal("0207")

    def _parts(self, headers: Mapping[str, str]) -> tuple[str, str, str]:
        scheme, _, said = headers.get("authorization", "").partition(" ")
        parts = said.split(":")
        if scheme != "Bitso" or len(parts) != 3:
            raise self._errors.refusal("0208")
        return parts[0], parts[1], parts[2]

    def _takes(self, nonce: str, call: Call) -> bool:
        if len(nonce) not in _SECOND_KIND:
            is_larger = int(nonce) > self._last
            self._last = max(self._last, int(nonce))
            return is_larger
        off_s = abs(int(nonce[:13]) / 1000 - call.now.timestamp())
        if nonce in self._used or (self._skew_s and off_s > self._skew_s):
            return False
        self._used[nonce] = None
        if len(self._used) > _MOST_NONCES:
            self._used.popitem(last=False)
        return True

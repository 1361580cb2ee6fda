"""Finicity's keys: an App-Key on every call, and a token for two hours, which a secret opens.

Five failed authentications in a row lock the partner, here until the sandbox is started anew.
Source: Finicity's OpenAPI 1.42.0 (Authentication, security schemes).
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final

from .finicity_errors import app_key_refused, refusal
from .wire import Answer, Call, Refusal

__all__ = ["PARTNER_ID", "Keys"]

PARTNER_ID: Final = "sandbox_partner"
PARTNER_SECRET: Final = "sandbox_secret"
APP_KEY: Final = "sandbox_app_key"

_TOKEN_LIFETIME: Final = timedelta(hours=2)
_FAILURES_THAT_LOCK: Final = 5
_MOST_TOKENS: Final = 10_000


class Keys:
    """Tokens that were given out, and failures so far. Belongs to one event loop."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, datetime] = OrderedDict()
        self._failures = 0

    @property
    def locked(self) -> bool:
        """Whether the partner is shut out, whatever it sends."""
        return self._failures >= _FAILURES_THAT_LOCK

    def authenticate(self, call: Call) -> Answer:
        """A token for the partner's id and secret."""
        self._check_app_key(call)
        given = {name: call.body.get(name) for name in ("partnerId", "partnerSecret")}
        for name, value in given.items():
            if not isinstance(value, str) or not value:
                raise refusal(400, "10005", f"Missing parameter ({name})")
        if self.locked:
            raise refusal(403, "24302", "Partner locked")
        expected = {"partnerId": PARTNER_ID, "partnerSecret": PARTNER_SECRET}
        if not all(_same(given[name], expected[name]) for name in given):
            self._failures += 1
            raise refusal(401, "10001", "Invalid credentials")
        self._failures = 0
        token = token_urlsafe(15)
        self._tokens[token] = call.now
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.popitem(last=False)
        return Answer(200, {"token": token})

    def check(self, call: Call) -> None:
        """Hold a call against key and token.

        Raises:
            Refusal: 401.

        """
        self._check_app_key(call)
        token = call.headers.get("finicity-app-token")
        if not token:
            raise refusal(401, "10024", "Missing parameter (Finicity-App-Token)")
        given_at = self._tokens.get(token)
        if given_at is None:
            raise refusal(401, "10022", "Invalid (Finicity-App-Token)")
        if call.now - given_at >= _TOKEN_LIFETIME:
            raise refusal(401, "10023", "Expired (Finicity-App-Token)")

    @staticmethod
    def _check_app_key(call: Call) -> None:
        key = call.headers.get("finicity-app-key")
        if not key:
            raise refusal(401, "10026", "Missing parameter (Finicity-App-Key)")
        if not _same(key, APP_KEY):
            raise Refusal(app_key_refused())


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and compare_digest(given.encode(), expected.encode())

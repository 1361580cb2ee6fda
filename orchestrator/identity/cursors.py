"""Our cursor: opaque to callers, tied to its space, and of use at another provider too."""

import base64
import binascii
import datetime as dt
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Cursor"]

_MAC_CHARS: Final = 24
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a reading of movements stands.

    `provider_cursor` is of use at `connection_id` only. Elsewhere, `since` bounds the re-reading:
    everything dated before it has been told.
    """

    space_id: str
    provider: str
    connection_id: str
    account_id: str | None
    provider_cursor: str
    since: dt.date

    def encode(self, mac: Callable[[bytes], str]) -> str:
        """Text of at most 4,096 characters, safe in URLs; `mac` keys it against forgery."""
        body = json.dumps(
            [
                1,
                self.provider,
                self.connection_id,
                self.account_id,
                self.provider_cursor,
                self.since.isoformat(),
            ],
            separators=(",", ":"),
        ).encode()
        tag = mac(self.space_id.encode() + b"\0" + body)[:_MAC_CHARS].encode()
        return base64.urlsafe_b64encode(tag + body).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, space_id: str, mac: Callable[[bytes], str]) -> Self:
        """The cursor of this text.

        Raises:
            ValueError: not one of ours, or another space's.

        """
        try:
            raw = base64.urlsafe_b64decode(text[:_LONGEST] + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise ValueError("not a cursor of ours") from None
        tag, body = raw[:_MAC_CHARS], raw[_MAC_CHARS:]
        expected = mac(space_id.encode() + b"\0" + body)[:_MAC_CHARS].encode()
        if not hmac.compare_digest(tag, expected):
            raise ValueError("not a cursor of ours")
        version, provider, connection_id, account_id, provider_cursor, since = json.loads(body)
        if version != 1:
            raise ValueError("a cursor of another version")
        return cls(
            space_id=space_id,
            provider=provider,
            connection_id=connection_id,
            account_id=account_id,
            provider_cursor=provider_cursor,
            since=dt.date.fromisoformat(since),
        )

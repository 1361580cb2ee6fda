"""Webhooks that vendors of the sandbox send: due some time, to an address of the client's.

The book holds those that wait and a record of those that went out; it reads no clock and knows no
network. The sandbox serves this machine only, so that any other address is recorded and not called.
"""

import ipaddress
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Webhook", "WebhookBook", "is_on_loopback"]

_MOST_WAITING: Final = 10_000
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Webhook:
    """One POST of a vendor's to its client, not before `due_at`. `body` goes out byte by byte."""

    provider: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    due_at: datetime


class WebhookBook:
    """Webhooks that wait, soonest due first, and the latest that were dealt with."""

    def __init__(self) -> None:
        self._waiting: list[Webhook] = []
        self._dealt_with: deque[dict[str, object]] = deque(maxlen=_REMEMBERED)

    def put(self, webhook: Webhook) -> None:
        """Have it sent when it is due; of too many that wait, the last due is let go."""
        self._waiting.append(webhook)
        self._waiting.sort(key=lambda waiting: waiting.due_at)
        if len(self._waiting) > _MOST_WAITING:
            self.note(self._waiting.pop(), status=None, trouble="too many are waiting")

    def take_due(self, now: datetime) -> list[Webhook]:
        """Those that are due, which no longer wait."""
        due = [webhook for webhook in self._waiting if webhook.due_at <= now]
        del self._waiting[: len(due)]
        return due

    def next_due_at(self) -> datetime | None:
        """When the next one is due; None where none waits."""
        return self._waiting[0].due_at if self._waiting else None

    def note(self, webhook: Webhook, *, status: int | None, trouble: str | None) -> None:
        """Record how one went.

        Args:
            webhook: that was due.
            status: what its receiver answered; None where it was not reached.
            trouble: why not, in that case.

        """
        self._dealt_with.append(
            {
                "provider": webhook.provider,
                "url": webhook.url,
                "headers": dict(webhook.headers),
                "body": webhook.body.decode(),
                "status": status,
                "trouble": trouble,
            }
        )

    def snapshot(self) -> list[dict[str, object]]:
        """The record in wire form, oldest first."""
        return list(self._dealt_with)

    def clear(self) -> None:
        """Forget the record; what waits goes on waiting."""
        self._dealt_with.clear()


def is_on_loopback(url: str) -> bool:
    """Whether an http or https address can only be this machine's."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https"):
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Sends the webhooks that are due: once each, on loopback only, bounded in number and time."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import aiohttp

from .webhooks import Webhook, WebhookBook, is_on_loopback

__all__ = ["WebhookSender"]

_AT_ONCE: Final = 8
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)
_SHORTEST_NAP_S: Final = 0.05


class WebhookSender:
    """Works off a book. Belongs to one event loop.

    Args:
        book: what waits.
        clock: UTC now, by which webhooks are due.

    """

    def __init__(self, book: WebhookBook, clock: Callable[[], datetime]) -> None:
        self._book = book
        self._clock = clock
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._http: aiohttp.ClientSession | None = None

    def poke(self) -> None:
        """Begin to send what is due, and look again when the next one is."""
        due_at = self._book.next_due_at()
        if due_at is None:
            return
        now = self._clock()
        for webhook in self._book.take_due(now):
            task = asyncio.get_running_loop().create_task(self._send(webhook))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        due_at = self._book.next_due_at()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due_at is not None:
            nap_s = max(_SHORTEST_NAP_S, (due_at - now).total_seconds())
            self._alarm = asyncio.get_running_loop().call_later(nap_s, self.poke)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _send(self, webhook: Webhook) -> None:
        if not is_on_loopback(webhook.url):
            self._book.note(webhook, status=None, trouble="not on loopback: not called")
            return
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        async with self._places:
            try:
                async with self._http.post(
                    webhook.url,
                    data=webhook.body,
                    headers={"Content-Type": "application/json", **webhook.headers},
                    allow_redirects=False,
                ) as response:
                    self._book.note(webhook, status=response.status, trouble=None)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._book.note(webhook, status=None, trouble=type(error).__name__)

"""Belvo with one link, whose stored data and answers about its bank a test arranges."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from belvo_payloads import CREDENTIAL, LINK_ID, account, errors, link, movement, page
from scripted_vendor import (
    KEYS,
    NOW,
    Answer,
    ScriptedVendor,
    accounts_request,
    answer,
    transactions_request,
)

from orchestrator.domain import Credential
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.belvo import ADAPTER as BELVO
from orchestrator.providers.belvo import Belvo
from orchestrator.providers.protocol import AccountsRead, TransactionsRead

OLD = NOW - timedelta(days=3)
DONE, ACCEPTED = answer([], 201), answer({"request_id": "b5d0106ac9cc43d5b36199fe831f6bbe"}, 202)
TIMED_OUT = answer(errors("request_timeout"), 408)
BUSY = answer(errors("too_many_sessions"), 400)


def iso(at: datetime | None) -> str | None:
    """A time as Belvo writes it."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


async def nothing() -> None:
    """What happens during a pause unless a test says otherwise."""


class Bank:
    """Belvo with one link: what it has stored, and how it answers to being sent to the bank.

    A reading that is done lands at once; one that is accepted lands with the link's `lands_at`-th
    look from then, never where it is None.
    """

    def __init__(self, *posts: Answer, lands_at: int | None = None) -> None:
        self._posts = list(posts)
        self._lands_at = lands_at
        self._looks_left: int | None = None
        self.accessed_at: datetime | None = OLD
        self.collected_at = OLD
        self.status = "valid"
        self.vendor = ScriptedVendor(self._respond)
        self.during_pause: Callable[[], Awaitable[object]] = nothing

    @property
    def posts(self) -> list[tuple[str, dict[str, Any]]]:
        """The resource and body of every reading that was asked for."""
        sent = zip(self.vendor.requests, self.vendor.bodies, strict=True)
        return [(r.url.path.split("/")[2], body) for r, body in sent if r.method == "POST"]

    async def pause(self, seconds: float) -> None:
        """Note a pause, and let happen what the test wants to happen meanwhile."""
        self.vendor.pauses.append(seconds)
        await self.during_pause()

    def land(self) -> None:
        """Let a reading end: what is stored is of now."""
        self._looks_left = None
        self.accessed_at = self.collected_at = self.vendor.now

    def _respond(self, request: httpx.Request) -> Answer:
        if request.method == "POST":
            step = self._posts.pop(0) if len(self._posts) > 1 else self._posts[0]
            if isinstance(step, httpx.Response) and step.status_code in (200, 201):
                self.land()
            elif isinstance(step, httpx.Response) and step.status_code == 202:
                self._looks_left = self._lands_at
            return step
        if request.url.path.startswith("/api/links/"):
            if self._looks_left is not None:
                self._looks_left -= 1
                if self._looks_left <= 0:
                    self.land()
            return answer(link(self.status, last_accessed_at=iso(self.accessed_at)))
        told = iso(self.collected_at)
        if request.url.path == "/api/accounts/":
            return answer(page([account(collected_at=told)]))
        return answer(page([movement("t1", "2026-03-10", collected_at=told)]))


def when_stale(bank: Bank, **options: str) -> Belvo:
    """An adapter that asks for data older than a day."""
    return Belvo(
        bank.vendor.http(BELVO),
        Credential(KEYS),
        {"retrieval": "when_stale", **options},
        now=lambda: bank.vendor.now,
        pause=bank.pause,
    )


@contextmanager
def attempt(left_s: float, bank: Bank | None = None) -> Iterator[AttemptTrace]:
    """An attempt with so many seconds left, of which the bank's pauses take away."""
    pauses: list[float] = [] if bank is None else bank.vendor.pauses
    trace = AttemptTrace("attempt", time_left_s=lambda: left_s - sum(pauses))
    token = current_attempt.set(trace)
    try:
        yield trace
    finally:
        current_attempt.reset(token)


def queued(adapter: Belvo) -> bool:
    """Whether an attempt holds the link and another waits for it."""
    retrieval = adapter._retrieval
    lock = None if retrieval is None else retrieval._locks.get(LINK_ID)
    return lock is not None and bool(lock._waiters)


async def accounts(adapter: Belvo, *, allow_stale: bool = False) -> AccountsRead:
    """A reading of the accounts."""
    return await adapter.get_accounts(accounts_request(CREDENTIAL, allow_stale=allow_stale))


async def transactions(adapter: Belvo, **over: object) -> TransactionsRead:
    """A reading of the transactions of ninety days."""
    return await adapter.sync_transactions(transactions_request(CREDENTIAL, **over))


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110  the condition is other tasks'
            await asyncio.sleep(0)

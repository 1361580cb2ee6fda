"""The actor's side of a mailbox: begins what is delivered, and hands back what has ended."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar
from uuid import uuid4

from actors.mailbox import Letter, Returned
from actors.ports import ActorLost

__all__ = ["Letterbox"]

Order = TypeVar("Order")
Reply = TypeVar("Reply")
_MOST_SESSIONS: Final = 256
_LONGEST_POLL_S: Final = 10.0
"""Somebody who asks and has died meanwhile holds nothing for longer."""


@dataclass(slots=True)
class _Session(Generic[Reply]):
    running: dict[int, asyncio.Task[Reply]] = field(default_factory=dict)
    ended: list[Returned[Reply]] = field(default_factory=list)
    something: asyncio.Event = field(default_factory=asyncio.Event)


class Letterbox(Generic[Order, Reply]):
    """Serves any number of mailboxes, a session each. Belongs to one event loop.

    Args:
        execute: makes one call.
        cancels: whether a call that nobody waits for any more is cancelled, or goes on to its end.

    """

    def __init__(
        self,
        execute: Callable[[Order], Awaitable[Reply]],
        *,
        cancels: bool = True,
    ) -> None:
        self._execute = execute
        self._cancels = cancels
        self._sessions: OrderedDict[str, _Session[Reply]] = OrderedDict()
        self._instance = uuid4().hex

    async def deliver(
        self, session: str, letters: Sequence[Letter[Order]], withdrawn: Sequence[int]
    ) -> str:
        """See `MailboxWire`."""
        here = self._sessions.get(session)
        if here is None:
            here = self._sessions[session] = _Session()
            self._forget_idle()
        loop = asyncio.get_running_loop()
        for letter in letters:
            task = loop.create_task(self._run(letter.order))
            here.running[letter.number] = task
            task.add_done_callback(partial(self._end, here, letter.number))
        for number in withdrawn:
            if self._cancels and number in here.running:
                here.running[number].cancel()
        return self._instance

    async def collect(self, session: str) -> Sequence[Returned[Reply]]:
        """See `MailboxWire`."""
        here = self._sessions.get(session)
        if here is None:
            raise ActorLost(f"session {session} is not known here: the actor has begun anew")
        self._sessions.move_to_end(session)
        if not here.something.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_POLL_S):
                    await here.something.wait()
        ended, here.ended = here.ended, []
        here.something.clear()
        return ended

    async def _run(self, order: Order) -> Reply:
        return await self._execute(order)

    @staticmethod
    def _end(here: _Session[Reply], number: int, task: asyncio.Task[Reply]) -> None:
        del here.running[number]
        if task.cancelled():
            return
        error = task.exception()
        here.ended.append(Returned(number, None if error else task.result(), _sendable(error)))
        here.something.set()

    def _forget_idle(self) -> None:
        idle = [name for name, s in self._sessions.items() if not (s.running or s.ended)]
        for name in idle[: max(0, len(self._sessions) - _MOST_SESSIONS)]:
            del self._sessions[name]


def _sendable(error: BaseException | None) -> Exception | None:
    if error is None or isinstance(error, Exception):
        return error
    return ActorLost(type(error).__name__)

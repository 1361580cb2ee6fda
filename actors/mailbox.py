"""Many calls to one actor in few messages.

An actor call costs more than most of what it asks for, so calls that are under way together travel
together: one sender at a time takes all that waits and sends it as one message, and one long poll
brings back whatever has finished, in any order. A call that finds the mailbox idle goes directly.
What waits for company waits for the message before it to arrive: that takes longer, and gathers
more, the busier both sides are.

    ask ─► waiting ─► deliver ─► (the actor) ─► collect ─► answer
             │ withdrawn: the caller went       │ lost: the actor died
             ▼                                  ▼
           removed, or cancelled over there   `ActorLost`, for every call that was over there
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Generic, Protocol, TypeVar

from actors.ports import ActorLost
from orchestrator.domain import OrchestratorError

__all__ = ["Letter", "Mailbox", "MailboxFull", "MailboxWire", "Returned"]

Order = TypeVar("Order")
Reply = TypeVar("Reply")
_RECONNECT_PAUSE_S: Final = 0.05


class MailboxFull(OrchestratorError):
    """More calls wait for the actor than may."""


@dataclass(frozen=True, slots=True)
class Letter(Generic[Order]):
    """A call on its way to the actor; `number` is its own within a session."""

    number: int
    order: Order


@dataclass(frozen=True, slots=True)
class Returned(Generic[Reply]):
    """A call that has ended over there, in a reply or in an error."""

    number: int
    reply: Reply | None
    error: Exception | None = None


class MailboxWire(Protocol[Order, Reply]):
    """The actor, as a mailbox reaches it. All raise `ActorLost` where it died or is away."""

    async def direct(self, order: Order) -> Reply:
        """One call by itself; cancelling it cancels it over there."""
        ...

    async def deliver(
        self, session: str, letters: Sequence[Letter[Order]], withdrawn: Sequence[int]
    ) -> str:
        """Begin these calls and cancel those; answers which life of the actor has taken them."""
        ...

    async def collect(self, session: str) -> Sequence[Returned[Reply]]:
        """What has ended since the last time; waits until something has.

        Raises `ActorLost` too where the actor knows nothing of the session: it has begun anew.
        """
        ...


class Mailbox(Generic[Order, Reply]):
    """Calls to one actor. Belongs to one event loop; the calls may be many.

    Args:
        wire: the actor.
        session: a name that no other mailbox of this actor has.
        most_waiting: calls under way and waiting at once; further ones are refused.

    """

    def __init__(
        self,
        wire: MailboxWire[Order, Reply],
        session: str,
        *,
        most_waiting: int,
    ) -> None:
        self._wire = wire
        self._base = session
        self._most_waiting = most_waiting
        self._numbers = count(1)
        self._generation = 0
        self._direct = 0
        self._waiting: dict[int, Letter[Order]] = {}
        self._away: dict[int, asyncio.Future[Reply]] = {}
        self._withdrawn: list[int] = []
        self._futures: dict[int, asyncio.Future[Reply]] = {}
        self._life: str | None = None
        self._lives = 0
        self._sender: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> int:
        """Calls that wait, are over there, or went directly."""
        return len(self._waiting) + len(self._away) + self._direct

    async def ask(self, order: Order) -> Reply:
        """One call. Cancelling it withdraws it, wherever it is.

        Raises:
            ActorLost: the actor died while it had the call; whether it was made is not known.
            MailboxFull: too many are under way.

        """
        if self.under_way >= self._most_waiting:
            raise MailboxFull(f"{self._most_waiting} calls are under way at {self._base}")
        if not self.under_way:
            self._direct += 1
            try:
                return await self._wire.direct(order)
            finally:
                self._direct -= 1
        number = next(self._numbers)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._futures[number] = future
        self._waiting[number] = Letter(number, order)
        self._wake()
        try:
            return await future
        finally:
            self._futures.pop(number, None)
            if future.cancelled():
                self._withdraw(number)

    async def close(self) -> None:
        """Stop sending and asking; calls under way end as lost."""
        for task in (self._sender, self._poller):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._sender = self._poller = None
        self._lose([*self._waiting, *self._away], ActorLost("the mailbox was closed"))
        self._waiting.clear()
        self._away.clear()

    def _wake(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send_while_needed())

    def _withdraw(self, number: int) -> None:
        if self._waiting.pop(number, None) is None and self._away.pop(number, None) is not None:
            self._withdrawn.append(number)
            self._wake()

    async def _send_while_needed(self) -> None:
        while self._waiting or self._withdrawn:
            letters, self._waiting = list(self._waiting.values()), {}
            withdrawn, self._withdrawn = self._withdrawn, []
            sent = {letter.number: self._futures[letter.number] for letter in letters}
            self._away |= sent
            session, lives = self._session(), self._lives
            try:
                life = await self._wire.deliver(session, letters, withdrawn)
                self._see(life, sent)
            except ActorLost as lost:
                self._begin_anew(lives, lost)
                await asyncio.sleep(_RECONNECT_PAUSE_S)
            if self._away and (self._poller is None or self._poller.done()):
                self._poller = asyncio.get_running_loop().create_task(self._poll_while_needed())

    async def _poll_while_needed(self) -> None:
        while self._away:
            session, lives = self._session(), self._lives
            try:
                ended = await self._wire.collect(session)
            except ActorLost as lost:
                self._begin_anew(lives, lost)
                await asyncio.sleep(_RECONNECT_PAUSE_S)
                continue
            for returned in ended:
                self._answer(returned)

    def _answer(self, returned: Returned[Reply]) -> None:
        future = self._away.pop(returned.number, None)
        if future is None or future.done():
            # The caller went meanwhile: an answer that nobody waits for disturbs nobody.
            return
        if returned.error is not None:
            future.set_exception(returned.error)
        else:
            future.set_result(returned.reply)  # type: ignore[arg-type]  # no error, so a reply

    def _see(self, life: str, sent: dict[int, asyncio.Future[Reply]]) -> None:
        """Notice an actor that died and came back between two messages."""
        if self._life not in (None, life):
            earlier = [number for number in self._away if number not in sent]
            for number in earlier:
                del self._away[number]
            self._lose(earlier, ActorLost("the actor began anew"))
            self._lives += 1
        self._life = life

    def _session(self) -> str:
        return f"{self._base}/{self._generation}"

    def _begin_anew(self, lives: int, lost: ActorLost) -> None:
        """End what the lost actor had; what waits is for the one that comes after it.

        Late news of an actor that is known to have died, `lives` ago, changes nothing.
        """
        if lives != self._lives:
            return
        self._lives += 1
        self._generation += 1
        self._life = None
        self._withdrawn.clear()
        numbers = list(self._away)
        self._away.clear()
        self._lose(numbers, lost)

    def _lose(self, numbers: Sequence[int], lost: ActorLost) -> None:
        for number in numbers:
            future = self._futures.get(number)
            if future is not None and not future.done():
                future.set_exception(lost)

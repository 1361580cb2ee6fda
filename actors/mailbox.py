"""Many calls to one actor in few messages.

An actor call costs more than most of what it asks for, so calls that are under way together travel
together. As in Nagle's algorithm (RFC 896) a full message goes at once, and what makes none waits
for company until all that was sent has arrived: that takes longer, and gathers more, the busier both
sides are. One long poll brings back whatever has finished, in any order. A call that finds the
mailbox idle goes directly.

    ask ─► waiting ─► deliver ─► (the actor) ─► collect ─► answer
             │ withdrawn: the caller went       │ lost: the actor died
             ▼                                  ▼
           removed, or cancelled over there   `ActorLost`, for every call that was over there

Messages are small and answers are given out a few at a time, so that both sides work at once: where
hundreds went and came together, each side would wait while the other one works them off.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final, Generic, Protocol, TypeVar

from actors.ports import ActorLost
from orchestrator.domain import OrchestratorError

__all__ = ["Letter", "Mailbox", "MailboxFull", "MailboxWire", "Returned"]

Order = TypeVar("Order")
Reply = TypeVar("Reply")
_RECONNECT_PAUSE_S: Final = 0.05
_FULL: Final = 64
"""Letters in a message that waits for no more company, and answers given out at a time."""


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
    """The actor, as a mailbox reaches it. All raise `ActorLost` where it died or is away.

    Called, a message is on its way; awaited, it has arrived or its answer has.
    """

    def direct(self, order: Order) -> Awaitable[Reply]:
        """One call by itself; cancelling it cancels it over there."""
        ...

    def deliver(
        self, session: str, letters: Sequence[Letter[Order]], withdrawn: Sequence[int]
    ) -> Awaitable[str]:
        """Begin these calls and cancel those; answers which life of the actor has taken them."""
        ...

    def collect(self, session: str) -> Awaitable[Sequence[Returned[Reply]]]:
        """What has ended since the last time; waits until something has.

        Raises `ActorLost` too where the actor knows nothing of the session: it has begun anew.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Message:
    """Letters on their way, and how many lives and generations the mailbox had known till then."""

    numbers: tuple[int, ...]
    lives: int
    generation: int


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
        self._heard_generation = -1
        self._lives = 0
        self._life: str | None = None
        self._direct = 0
        self._pauses = 0
        self._waiting: dict[int, Letter[Order]] = {}
        self._away: dict[int, asyncio.Future[Reply]] = {}
        self._unarrived: set[int] = set()
        self._withdrawn: list[int] = []
        self._withdrawn_early: set[int] = set()
        self._futures: dict[int, asyncio.Future[Reply]] = {}
        self._ended: deque[tuple[asyncio.Future[Reply], Returned[Reply]]] = deque()
        self._messages: set[asyncio.Task[None]] = set()
        self._poller: asyncio.Task[None] | None = None
        self._waker: asyncio.Handle | None = None

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
        if self._waker is not None:
            self._waker.cancel()
            self._waker = None
        tasks = [*self._messages, *([] if self._poller is None else [self._poller])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._poller = None
        self._lose([*self._waiting, *self._away], ActorLost("the mailbox was closed"))
        self._waiting.clear()

    def _wake(self) -> None:
        """Send a full message now, any other once whoever is about to ask has asked."""
        if len(self._waiting) >= _FULL:
            self._send_due()
        elif self._waker is None and not self._messages:
            self._waker = asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        self._waker = None
        self._send_due()

    def _withdraw(self, number: int) -> None:
        if self._waiting.pop(number, None) is not None or self._away.pop(number, None) is None:
            return
        if number in self._unarrived:
            self._withdrawn_early.add(number)
        else:
            self._withdrawn.append(number)
            self._wake()

    def _send_due(self) -> None:
        while not self._pauses and (
            len(self._waiting) >= _FULL
            or ((self._waiting or self._withdrawn) and not self._messages)
        ):
            self._send()

    def _send(self) -> None:
        numbers = tuple(islice(self._waiting, _FULL))
        letters = [self._waiting.pop(number) for number in numbers]
        withdrawn, self._withdrawn = self._withdrawn, []
        self._away |= {number: self._futures[number] for number in numbers}
        self._unarrived.update(numbers)
        sent = self._wire.deliver(self._session(), letters, withdrawn)
        message = _Message(numbers, self._lives, self._generation)
        task = asyncio.get_running_loop().create_task(self._follow(message, sent))
        self._messages.add(task)
        task.add_done_callback(self._followed)

    async def _follow(self, message: _Message, sent: Awaitable[str]) -> None:
        try:
            life = await sent
        except ActorLost as lost:
            self._arrived(message)
            self._lose([number for number in message.numbers if number in self._away], lost)
            self._begin_anew(message.lives, lost)
            self._pauses += 1
            try:
                await asyncio.sleep(_RECONNECT_PAUSE_S)
            finally:
                self._pauses -= 1
            return
        except Exception as error:  # noqa: BLE001  told to those whose calls it carried, and to nobody else
            self._arrived(message)
            self._lose([number for number in message.numbers if number in self._away], error)
            return
        self._arrived(message)
        if message.generation == self._generation:
            self._see(life, message)
            self._heard_generation = self._generation
            self._poll()

    def _arrived(self, message: _Message) -> None:
        self._unarrived.difference_update(message.numbers)
        for number in self._withdrawn_early.intersection(message.numbers):
            self._withdrawn_early.discard(number)
            self._withdrawn.append(number)

    def _followed(self, task: asyncio.Task[None]) -> None:
        self._messages.discard(task)
        if not task.cancelled():
            self._send_due()

    def _poll(self) -> None:
        if self._away and (self._poller is None or self._poller.done()):
            self._poller = asyncio.get_running_loop().create_task(self._poll_while_needed())

    async def _poll_while_needed(self) -> None:
        asked = self._collecting()
        while asked is not None:
            lives, answer = asked
            try:
                ended = await answer
            except ActorLost as lost:
                ended = ()
                self._begin_anew(lives, lost)
            for returned in ended:
                self._take(returned)
            # Asked again before what came is worked off, so that somebody always waits over there.
            asked = self._collecting()

    def _collecting(self) -> tuple[int, Awaitable[Sequence[Returned[Reply]]]] | None:
        if not self._away or self._heard_generation != self._generation:
            return None
        return self._lives, self._wire.collect(self._session())

    def _take(self, returned: Returned[Reply]) -> None:
        future = self._away.pop(returned.number, None)
        # The caller may have gone meanwhile: an answer that nobody waits for disturbs nobody.
        if future is not None:
            if not self._ended:
                asyncio.get_running_loop().call_soon(self._hand_out)
            self._ended.append((future, returned))

    def _hand_out(self) -> None:
        for _ in range(min(_FULL, len(self._ended))):
            future, returned = self._ended.popleft()
            if future.done():
                continue
            if returned.error is not None:
                future.set_exception(returned.error)
            else:
                future.set_result(returned.reply)  # type: ignore[arg-type]  # no error, so a reply
        if self._ended:
            asyncio.get_running_loop().call_soon(self._hand_out)

    def _see(self, life: str, message: _Message) -> None:
        """Notice an actor that died and came back between two messages.

        What it had before is lost; what is on its way to it is not.
        """
        if self._life not in (None, life):
            kept = self._unarrived.union(message.numbers)
            self._lose([n for n in self._away if n not in kept], ActorLost("the actor began anew"))
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
        self._withdrawn_early.clear()
        self._lose(list(self._away), lost)
        if self._poller is not None and self._poller is not asyncio.current_task():
            self._poller.cancel()
            self._poller = None

    def _lose(self, numbers: Sequence[int], lost: Exception) -> None:
        for number in numbers:
            self._away.pop(number, None)
            future = self._futures.get(number)
            if future is not None and not future.done():
                future.set_exception(lost)

"""Many calls in few messages, and none that is never answered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import TypeVar

import pytest

from actors.letterbox import Letterbox
from actors.mailbox import Letter, Mailbox, MailboxFull, Returned
from actors.ports import ActorLost

Box = Mailbox[int, int]
T = TypeVar("T")


class Actor:
    """An actor in this process that doubles numbers; it can be killed, and comes back empty.

    Numbers below zero never end, 13 is an error. `gate` holds every call back while it is closed.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.messages = 0
        self.polls = 0
        self.begun: list[int] = []
        self.cancelled: list[int] = []
        self.away = False
        self._death = asyncio.get_running_loop().create_future()
        self._box = Letterbox(self._execute)

    async def _execute(self, order: int) -> int:
        self.begun.append(order)
        try:
            await self.gate.wait()
            if order < 0:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(order)
            raise
        if order == 13:
            raise ValueError("unlucky")
        return order * 2

    def kill(self, *, away: bool = False, told_late: bool = False) -> None:
        """Die; whoever waits for an answer is told, perhaps late. `away` stays dead."""
        self.away = away
        loop, death = asyncio.get_running_loop(), self._death
        self._death = loop.create_future()
        self._box = Letterbox(self._execute)
        if told_late:
            loop.call_later(0.01, death.set_result, None)
        else:
            death.set_result(None)

    async def direct(self, order: int) -> int:
        """See `MailboxWire`."""
        return await self._living(self._execute(order))

    async def deliver(
        self, session: str, letters: Sequence[Letter[int]], withdrawn: Sequence[int]
    ) -> str:
        """See `MailboxWire`."""
        return await self._living(self._box.deliver(session, letters, withdrawn))

    async def collect(self, session: str) -> Sequence[Returned[int]]:
        """See `MailboxWire`."""
        self.polls += 1
        return await self._living(self._box.collect(session))

    async def _living(self, call: Coroutine[None, None, T]) -> T:
        self.messages += 1
        task, death = asyncio.ensure_future(call), self._death
        if self.away:
            task.cancel()
            raise ActorLost("away")
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.cancel()
            raise ActorLost("killed")
        return task.result()


@pytest.fixture
async def actor() -> Actor:
    """A living actor."""
    return Actor()


@pytest.fixture
async def box(actor: Actor) -> AsyncIterator[Box]:
    """A mailbox of the actor's."""
    made = Box(actor, "test", most_waiting=500)
    yield made
    await made.close()


async def settled(condition: Callable[[], bool]) -> None:
    """Let everything run until a condition holds, within a bound."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


async def test_a_call_that_finds_it_idle_goes_directly(actor: Actor, box: Box) -> None:
    """One message, and no window to wait for."""
    assert 42 == await box.ask(21)
    assert (1, 0) == (actor.messages, box.under_way)


async def test_calls_that_are_under_way_together_share_messages(actor: Actor, box: Box) -> None:
    """Hundreds of calls take a handful of messages, and each gets its own answer."""
    answers = await asyncio.gather(*(box.ask(number) for number in range(20, 320)))

    assert [number * 2 for number in range(20, 320)] == answers
    assert actor.messages < 20


async def test_a_full_message_goes_at_once(actor: Actor, box: Box) -> None:
    """It waits neither for its turn of the loop nor for the messages before it to arrive."""
    held = asyncio.ensure_future(box.ask(-1))
    await settled(lambda: actor.begun == [-1])
    sent: list[int] = []
    deliver = actor.deliver

    def delivering(
        session: str, letters: Sequence[Letter[int]], withdrawn: Sequence[int]
    ) -> Coroutine[None, None, str]:
        sent.append(len(letters))
        return deliver(session, letters, withdrawn)

    actor.deliver = delivering  # type: ignore[method-assign]
    calls = [asyncio.ensure_future(box.ask(number)) for number in range(20, 220)]
    await asyncio.sleep(0)
    first = list(sent)

    assert [number * 2 for number in range(20, 220)] == await asyncio.gather(*calls)
    assert [64, 64, 64] == first
    assert [64, 64, 64, 8] == sent
    assert not held.done()


async def test_answers_are_given_out_a_few_at_a_time(actor: Actor, box: Box) -> None:
    """Whoever was answered first can go on, and ask again, before the last one is answered."""
    actor.gate.clear()
    calls = [asyncio.ensure_future(box.ask(number)) for number in range(20, 221)]
    await settled(lambda: len(actor.begun) == 201)
    actor.gate.set()
    seen: list[int] = []
    while sum(seen) < 200:
        await asyncio.sleep(0)
        seen.append(sum(call.done() for call in calls[1:]) - sum(seen))

    assert [64, 64, 64, 8] == [number for number in seen if number]


async def test_a_call_withdrawn_before_its_message_arrived_is_cancelled_after_it(
    actor: Actor, box: Box
) -> None:
    """The actor hears of the withdrawal once it has the call, and not before."""
    arriving = asyncio.Event()
    heard: list[tuple[bool, list[int]]] = []
    deliver = actor.deliver

    async def delivering(
        session: str, letters: Sequence[Letter[int]], withdrawn: Sequence[int]
    ) -> str:
        heard.append((arriving.is_set(), list(withdrawn)))
        await arriving.wait()
        return await deliver(session, letters, withdrawn)

    actor.deliver = delivering  # type: ignore[method-assign]
    held = asyncio.ensure_future(box.ask(-1))
    calls = [asyncio.ensure_future(box.ask(-number)) for number in range(2, 66)]
    await settled(lambda: len(heard) == 1)
    for call in calls[:3]:
        call.cancel()
    await asyncio.gather(*calls[:3], return_exceptions=True)
    # A full message more, which goes at once and could carry the news.
    calls += [asyncio.ensure_future(box.ask(-number)) for number in range(70, 134)]
    await settled(lambda: len(heard) == 2)
    arriving.set()
    await settled(lambda: len(actor.cancelled) == 3)

    assert {-2, -3, -4} == set(actor.cancelled)
    assert [(False, []), (False, [])] == heard[:2]
    assert 3 == sum(len(numbers) for _, numbers in heard)
    assert not held.done()


async def test_a_message_that_fails_is_told_to_whom_it_carried(actor: Actor, box: Box) -> None:
    """No call of it waits for an answer that will not come, and those of others go on."""
    held = asyncio.ensure_future(box.ask(-1))
    await settled(lambda: actor.begun == [-1])
    deliver = actor.deliver

    async def failing(
        session: str, letters: Sequence[Letter[int]], withdrawn: Sequence[int]
    ) -> str:
        raise RuntimeError("cannot be sent")

    actor.deliver = failing  # type: ignore[method-assign]
    ends = await asyncio.gather(box.ask(1), box.ask(2), return_exceptions=True)
    actor.deliver = deliver  # type: ignore[method-assign]

    assert [RuntimeError] * 2 == [type(end) for end in ends]
    assert [6] == await asyncio.gather(box.ask(3))
    assert not held.done()


async def test_answers_come_as_they_end(actor: Actor, box: Box) -> None:
    """A call that never ends holds up none that were sent with it."""
    slow = [asyncio.ensure_future(box.ask(-number)) for number in (1, 2, 3)]
    await settled(lambda: len(actor.begun) == 3)

    assert [2, 4, 6] == await asyncio.gather(*(box.ask(number) for number in (1, 2, 3)))
    assert not any(task.done() for task in slow)


async def test_an_error_is_its_own_calls(actor: Actor, box: Box) -> None:
    """What one call raises over there it raises here, and nobody else hears of it."""
    held = asyncio.ensure_future(box.ask(-1))
    ends = await asyncio.gather(*(box.ask(n) for n in (12, 13, 14)), return_exceptions=True)

    assert [24, 28] == [ends[0], ends[2]]
    assert isinstance(ends[1], ValueError)
    assert not held.done()


async def test_a_caller_that_goes_cancels_its_call_over_there(actor: Actor, box: Box) -> None:
    """A call is withdrawn whether it went directly or in company, and nobody after it hangs."""
    calls = [asyncio.ensure_future(box.ask(-number)) for number in (1, 2, 3)]
    await settled(lambda: len(actor.begun) == 3)
    for call in calls[:2]:
        call.cancel()
    await settled(lambda: len(actor.cancelled) == 2)

    assert {-1, -2} == set(actor.cancelled)
    assert [40] == await asyncio.gather(box.ask(20))


async def test_a_caller_that_goes_before_sending_sends_nothing(actor: Actor, box: Box) -> None:
    """A letter that is still waiting is taken out again."""
    held = asyncio.ensure_future(box.ask(-1))
    await settled(lambda: actor.begun == [-1])
    early = asyncio.ensure_future(box.ask(5))
    await asyncio.sleep(0)
    early.cancel()
    late = await box.ask(6)

    assert 12 == late
    assert 5 not in actor.begun or 5 in actor.cancelled or actor.begun.count(5) == 1
    assert not held.done()


async def test_a_death_ends_what_was_over_there_and_nothing_else(actor: Actor, box: Box) -> None:
    """Calls in flight are lost, as nobody knows how they ended; later ones are answered."""
    flying = [asyncio.ensure_future(box.ask(-number)) for number in (1, 2, 3)]
    await settled(lambda: len(actor.begun) == 3)
    actor.kill()
    ends = await asyncio.gather(*flying, return_exceptions=True)

    assert [ActorLost] * 3 == [type(end) for end in ends]
    assert [2, 4] == await asyncio.gather(box.ask(1), box.ask(2))


async def test_a_death_between_two_messages_is_noticed(actor: Actor, box: Box) -> None:
    """An actor that is back before the next message knows nothing of the calls before it."""
    flying = [asyncio.ensure_future(box.ask(-number)) for number in (1, 2, 3)]
    await settled(lambda: len(actor.begun) == 3 and actor.polls == 1)
    actor.kill(told_late=True)
    answers = await asyncio.gather(box.ask(7), return_exceptions=True)
    await settled(lambda: all(call.done() for call in flying[1:]))

    assert [14] == answers
    assert [ActorLost] * 2 == [type(call.exception()) for call in flying[1:]]

    flying[0].cancel()


async def test_an_actor_that_stays_away_answers_everybody(actor: Actor, box: Box) -> None:
    """Each call ends as lost; none waits for a message that will never come."""
    actor.kill(away=True)
    ends = await asyncio.gather(*(box.ask(n) for n in range(20)), return_exceptions=True)

    assert [ActorLost] * 20 == [type(end) for end in ends]
    assert 0 == box.under_way


async def test_a_full_mailbox_refuses(actor: Actor) -> None:
    """Beyond the bound a call is refused at once, and a place is free again afterwards."""
    actor.gate.clear()
    box = Box(actor, "small", most_waiting=3)
    calls = [asyncio.ensure_future(box.ask(number)) for number in (1, 2, 3)]
    await settled(lambda: box.under_way == 3)
    with pytest.raises(MailboxFull):
        await box.ask(4)
    actor.gate.set()

    assert [2, 4, 6] == await asyncio.gather(*calls)
    assert 10 == await box.ask(5)

    await box.close()


async def test_closing_ends_every_call(actor: Actor) -> None:
    """Nobody waits on a mailbox that is gone."""
    box = Box(actor, "closing", most_waiting=10)
    calls = [asyncio.ensure_future(box.ask(-number)) for number in (1, 2, 3)]
    await settled(lambda: len(actor.begun) == 3)
    await box.close()
    calls[0].cancel()
    ends = await asyncio.gather(*calls, return_exceptions=True)

    assert [ActorLost] * 2 == [type(end) for end in ends[1:]]


@pytest.mark.parametrize("seed", range(12))
async def test_under_deaths_and_departures_every_call_ends(actor: Actor, seed: int) -> None:
    """Whatever happens in whichever order, a call ends with its own answer, or a stated loss."""
    dice = Random(seed)
    box = Box(actor, "chaos", most_waiting=10_000)
    calls: list[tuple[int, asyncio.Future[int]]] = []
    for number in range(100, 400):
        calls.append((number, asyncio.ensure_future(box.ask(number))))
        match dice.randrange(12):
            case 0:
                await asyncio.sleep(0)
            case 1:
                dice.choice(calls)[1].cancel()
            case 2:
                actor.kill()
            case 3:
                actor.kill(told_late=True)
            case _:
                pass
    probe = asyncio.ensure_future(box.ask(1))
    await asyncio.wait([call for _, call in calls], timeout=20)
    await asyncio.wait([probe], timeout=20)

    assert all(call.done() for _, call in calls)
    for number, call in calls:
        if not call.cancelled() and call.exception() is None:
            assert number * 2 == call.result()
    assert {ActorLost} >= {
        type(call.exception()) for _, call in calls if not call.cancelled() and call.exception()
    }
    assert 20 == await box.ask(10)

    await box.close()

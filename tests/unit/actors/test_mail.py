"""Calls of an actor's methods, packed once."""

import asyncio
import pickle  # noqa: TID251  what travels is packed with it
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from actors.mail import Mailed
from actors.mailbox import Returned
from actors.messages import AttemptReply
from actors.remote import MailedRemote
from orchestrator.domain import EncodedData, Operation, OrchestratorError, StoreError
from tests.support.orders import NO_ACCOUNTS, order_of


class Clerk(Mailed):
    """An actor with a few methods; `handed` counts its messages back."""

    def __init__(self) -> None:
        super().__init__(("double", "fail", "lock"), cancels=True)
        self.handed = 0

    async def double(self, number: int, *, plus: int = 0) -> int:
        """Twice a number."""
        await asyncio.sleep(0)
        return number * 2 + plus

    async def fail(self) -> None:
        """An error of this system's."""
        raise StoreError("away")

    async def lock(self) -> object:
        """What no process can send."""
        return lambda: None

    async def secret(self) -> int:
        """A method that no letter may ask for."""
        return 1

    def handed_over(self, ended: Sequence[Returned[object]]) -> Sequence[Returned[object]]:
        """Count, and add a little."""
        self.handed += 1
        return [
            replace(one, reply=one.reply + 100) if isinstance(one.reply, int) else one
            for one in ended
        ]


@dataclass
class _Method:
    remote: Callable[..., Awaitable[Any]]


class Box(MailedRemote):
    """Reaches a clerk in this process."""

    def __init__(self, clerk: Clerk) -> None:
        handle = SimpleNamespace(
            directly=_Method(clerk.directly),
            deliver=_Method(clerk.deliver),
            collect=_Method(clerk.collect),
        )
        super().__init__(handle)  # type: ignore[arg-type]

    async def call(self, method: str, *args: object, **named: object) -> Any:
        """Ask for a method."""
        return await self._ask(method, *args, **named)


@pytest.fixture
async def clerk() -> Clerk:
    """An actor."""
    return Clerk()


async def test_a_call_alone_and_calls_together_come_to_the_same(clerk: Clerk) -> None:
    """Arguments by place and by name arrive, and what is added on hand-over is added once each."""
    box = Box(clerk)
    alone = await box.call("double", 1, plus=5)
    together = await asyncio.gather(*(box.call("double", number, plus=5) for number in range(40)))

    assert 107 == alone
    assert [number * 2 + 105 for number in range(40)] == together
    assert clerk.handed < 20


async def test_an_error_arrives_as_it_was(clerk: Clerk) -> None:
    """Alone or in company, and it is nobody else's."""
    box = Box(clerk)
    with pytest.raises(StoreError, match="away"):
        await box.call("fail")
    ends = await asyncio.gather(
        box.call("double", 1), box.call("fail"), box.call("double", 2), return_exceptions=True
    )

    assert [102, 104] == [ends[0], ends[2]]
    assert isinstance(ends[1], StoreError)


async def test_a_reply_that_cannot_be_sent_is_its_own_callers_trouble(clerk: Clerk) -> None:
    """Those whose replies travel with it get theirs."""
    box = Box(clerk)
    ends = await asyncio.gather(
        box.call("double", 1), box.call("lock"), box.call("double", 2), return_exceptions=True
    )

    assert [102, 104] == [ends[0], ends[2]]
    assert isinstance(ends[1], OrchestratorError)


async def test_only_named_methods_can_be_asked_for(clerk: Clerk) -> None:
    """Whatever else the actor has is not reached by mail."""
    with pytest.raises(KeyError):
        await Box(clerk).call("secret")


def test_what_travels_with_each_attempt_is_small() -> None:
    """An order and a reply keep to some hundred bytes, and come back as they were."""
    order = order_of()
    reply = AttemptReply(EncodedData(Operation.GET_ACCOUNTS, b"{}"), 1.0, 0.0, in_doubt=True)
    packed = [pickle.dumps(each, 5) for each in (order, reply)]

    assert [order, reply] == [pickle.loads(each) for each in packed]
    assert all(len(each) < 800 for each in packed)
    assert NO_ACCOUNTS != reply.outcome

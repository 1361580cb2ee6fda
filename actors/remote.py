"""An actor by its handle: Ray's losses become `ActorLost`, the actor's own errors stay.

The one place that calls `.remote()`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayTaskError, WorkerCrashedError
from ray.remote_function import RemoteFunction

from actors.mail import Ask, packed_letters, unpacked_replies
from actors.mailbox import Letter, Mailbox, Returned
from actors.options import Handle
from actors.ports import ActorLost
from orchestrator.domain import OrchestratorError

__all__ = ["MailedRemote", "Remote", "run_apart"]

_MOST_UNDER_WAY: Final = 10_000
"""Calls of one process under way at one actor."""


class Remote:
    """An actor by handle."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def _call(self, method: str, *args: object, **named: object) -> Any:
        """A call with a message of its own."""
        return await _outcome(getattr(self._handle, method).remote(*args, **named), method)


class MailedRemote(Remote):
    """An actor with a mailbox before it. For one event loop, that of its first call.

    Args:
        handle: the actor's.
        cancels: whether a call that nobody waits for any more is cancelled over there.

    """

    def __init__(self, handle: Handle, *, cancels: bool = True) -> None:
        super().__init__(handle)
        self._mailbox: Mailbox[Ask, Any] = Mailbox(
            _Wire(handle, cancels=cancels), uuid4().hex, most_waiting=_MOST_UNDER_WAY
        )

    async def _ask(self, method: str, *args: object, **named: object) -> Any:
        """A call that shares its messages with others that are under way."""
        return await self._mailbox.ask(Ask(method, args, named))


class _Wire(Remote):
    """See `MailboxWire`. `cancels`: a call that nobody waits for any more is cancelled."""

    def __init__(self, handle: Handle, *, cancels: bool) -> None:
        super().__init__(handle)
        self._cancels = cancels

    async def direct(self, order: Ask) -> Any:
        """See `MailboxWire`."""
        send = getattr(self._handle, "directly").remote  # noqa: B009  a handle's methods have no types
        reference = send(packed_letters([Letter(0, order)], ()))
        try:
            (ended,) = unpacked_replies(await _outcome(reference, order.method))
        except asyncio.CancelledError:
            if self._cancels:
                # Giving up waiting does not stop the call over there by itself.
                ray.cancel(reference)
            raise
        if ended.error is not None:
            raise ended.error
        return ended.reply

    def deliver(
        self, session: str, letters: Sequence[Letter[Ask]], withdrawn: Sequence[int]
    ) -> Awaitable[str]:
        """See `MailboxWire`."""
        packed = packed_letters(letters, withdrawn)
        return _outcome(self._handle.deliver.remote(session, packed), "deliver")

    def collect(self, session: str) -> Awaitable[Sequence[Returned[Any]]]:
        """See `MailboxWire`."""
        return _unpacked(self._handle.collect.remote(session))


async def run_apart(task: RemoteFunction, *args: object) -> Any:
    """What a task answers, which runs in a process of its own.

    Raises:
        ActorLost: its process died.

    """
    return await _outcome(task.remote(*args), "a task")


async def _unpacked(reference: Any) -> Sequence[Returned[Any]]:
    return unpacked_replies(await _outcome(reference, "collect"))


async def _outcome(reference: Any, method: str) -> Any:
    try:
        return await reference
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, OrchestratorError):
            raise cause from None
        raise
    except (RayActorError, WorkerCrashedError) as error:
        raise ActorLost(f"{type(error).__name__} in {method}") from None

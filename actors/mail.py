"""What travels between a mailbox and an actor: calls of its methods, packed once.

Ray would take every object of a message apart with its own pickler; one block of bytes it passes on
as it is.
"""

import pickle  # noqa: TID251  Ray would pickle the same, object by object
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import structlog

from actors.letterbox import Letterbox
from actors.mailbox import Letter, Returned
from orchestrator.domain import OrchestratorError

__all__ = ["Ask", "Mailed", "packed_letters", "unpacked_replies"]

_PROTOCOL: Final = 5

_log = structlog.get_logger("mail")


@dataclass(frozen=True, slots=True)
class Ask:
    """A call of one of an actor's methods."""

    method: str
    args: tuple[object, ...] = ()
    named: Mapping[str, object] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type["Ask"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return Ask, (self.method, self.args, self.named)


def packed_letters(letters: Sequence[Letter[Ask]], withdrawn: Sequence[int]) -> bytes:
    """A message's letters, and what is withdrawn with it."""
    return pickle.dumps(([(one.number, one.order) for one in letters], list(withdrawn)), _PROTOCOL)


def unpacked_replies(packed: bytes) -> Sequence[Returned[object]]:
    """What an actor hands back."""
    told = cast(
        "Iterable[tuple[int, object, Exception | None]]",
        pickle.loads(packed),  # noqa: S301  from our own actor
    )
    return [Returned(number, reply, error) for number, reply, error in told]


class _Unsendable(OrchestratorError):
    """A reply that cannot be sent: a fault of ours, told to the one who asked."""


class Mailed:
    """An actor that mailboxes can reach.

    Args:
        methods: of this actor, that letters may ask for.
        cancels: whether a call that nobody waits for any more is cancelled, or goes on to its end.

    """

    def __init__(self, methods: Iterable[str], *, cancels: bool) -> None:
        self._methods = {name: getattr(self, name) for name in methods}
        self._letterbox: Letterbox[Ask, object] = Letterbox(self._answer, cancels=cancels)

    async def directly(self, packed: bytes) -> bytes:
        """Make one call, which travels alone; its error is in what is handed back."""
        (number, ask), *_ = pickle.loads(packed)[0]  # noqa: S301  from our own processes
        try:
            ended: Returned[object] = Returned(number, await self._answer(ask))
        except Exception as error:  # noqa: BLE001  told to the one who asked
            ended = Returned(number, None, error)
        return _packed(self.handed_over([ended]))

    async def deliver(self, session: str, packed: bytes) -> str:
        """See `MailboxWire`."""
        letters, withdrawn = pickle.loads(packed)  # noqa: S301  from our own processes
        return await self._letterbox.deliver(
            session, [Letter(number, ask) for number, ask in letters], withdrawn
        )

    async def collect(self, session: str) -> bytes:
        """See `MailboxWire`."""
        return _packed(self.handed_over(await self._letterbox.collect(session)))

    def handed_over(self, ended: Sequence[Returned[object]]) -> Sequence[Returned[object]]:
        """What goes back in one message, as it goes; for what need not be told with each of them."""
        return ended

    async def _answer(self, ask: Ask) -> object:
        return await self._methods[ask.method](*ask.args, **ask.named)


def _packed(ended: Sequence[Returned[object]]) -> bytes:
    told = [(one.number, one.reply, one.error) for one in ended]
    try:
        return pickle.dumps(told, _PROTOCOL)
    except Exception:  # noqa: BLE001  anything may refuse to be pickled: only its own caller is to suffer
        return pickle.dumps([_sendable(*one) for one in told], _PROTOCOL)


def _sendable(
    number: int, reply: object, error: Exception | None
) -> tuple[int, object, Exception | None]:
    try:
        pickle.dumps((reply, error), _PROTOCOL)
    except Exception as refusal:  # noqa: BLE001  as above
        what = type(error or reply).__name__
        _log.error("reply_unsendable", what=what, error=type(refusal).__name__)
        return number, None, _Unsendable(f"a {what} cannot be sent between processes")
    return number, reply, error

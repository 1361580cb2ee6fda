"""What a vendor of the sandbox is made of: routes, its own refusals, and the end of its widget."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import ClassVar, Final, TypeVar

from .banks import BANKS, Bank
from .connections import Connection, Connections, LinkSession, LinkSessions
from .faults import FaultKind
from .options import SandboxOptions
from .webhooks import WebhookBook
from .wire import Answer, Call
from .world import Login, World

__all__ = [
    "AUTH",
    "CREATE_LINK",
    "EXCHANGE",
    "GET_ACCOUNTS",
    "STALE_BY",
    "SYNC",
    "Route",
    "Shared",
    "Vendor",
    "cut",
]

AUTH: Final = "auth"
CREATE_LINK: Final = "createLink"
EXCHANGE: Final = "exchangeToken"
GET_ACCOUNTS: Final = "getAccounts"
SYNC: Final = "syncTransactions"

STALE_BY: Final = timedelta(days=30)
"""By how much a stale answer is older than the data of today."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint of a vendor.

    `operations` are those of ours that it can be part of, the likeliest first; a name of no
    operation of ours ("revoke", "directory", "sandbox") keeps it out of their counts and faults.
    `shapes_data`: its handler itself does the empty, truncated, stale and frozen faults.
    """

    method: str
    path: str
    operations: tuple[str, ...]
    handler: Callable[[Call], Answer]
    shapes_data: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """What all vendors of one sandbox share."""

    world: World
    connections: Connections
    sessions: LinkSessions
    options: SandboxOptions
    webhooks: WebhookBook


class Vendor(ABC):
    """A vendor's protocol over the shared world. Handlers are synchronous and own no clock."""

    name: ClassVar[str]

    def __init__(self, shared: Shared) -> None:
        self.world = shared.world
        self.connections = shared.connections
        self.sessions = shared.sessions
        self.options = shared.options
        self.webhooks = shared.webhooks

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Its endpoints, below its base URL."""

    @abstractmethod
    def connection_of(self, call: Call) -> Connection | None:
        """The connection that a call is about, if it tells; never raises."""

    @abstractmethod
    def bank_of(self, call: Call) -> Bank | None:
        """The bank that a call about no connection is about, if it tells; never raises."""

    @abstractmethod
    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:
        """Its own error for a fault; None where it shows in no error but in the data."""

    @abstractmethod
    def unknown_path(self, call: Call) -> Answer:
        """Its answer to a path or method that it does not have."""

    def error_codes(self) -> Collection[str]:
        """Its own error codes that a fault of kind `error` may ask for."""
        return ()

    def error_answer(self, code: str, call: Call) -> Answer | None:
        """Its error with that code; None where the code shows in the data (see `Call.error_code`)."""
        del code, call
        return None

    @abstractmethod
    def complete(
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str | Mapping[str, str]:
        """Play the widget to its end; answer what it hands to the front end.

        That is a token, or what the user types into the form that takes a widget's place.
        """

    def unheard_session(self, link_session_id: str, now: datetime) -> LinkSession | None:
        """A link session of which nothing was sent here, where the vendor has no widget but a form."""
        del link_session_id, now
        return None

    def bank_of_widget(self, url: str) -> Bank | None:
        """The bank that a widget's URL preselects, where its session did not name one."""
        del url
        return None

    def login(self, connection: Connection) -> Login:
        """The login in the world that a connection reads."""
        return self.world.login(connection.user, BANKS[connection.bank_key])

    def today(self, call: Call) -> date:
        """The day that the data are of: in a stale answer, long ago."""
        today = call.now.date()
        return today - STALE_BY if call.kind is FaultKind.STALE else today

    def as_of(self, call: Call, at: datetime) -> datetime:
        """A time of freshness, moved back in a stale answer."""
        return at - STALE_BY if call.kind is FaultKind.STALE else at

    @staticmethod
    def default_user(end_user_id: str) -> str:
        """The user behind a client's end-user id, the same at all vendors."""
        return sha256(end_user_id.encode()).hexdigest()[:16]


def cut(rows: Sequence[T], kind: FaultKind | None) -> Sequence[T]:
    """A listing as a fault leaves it: nothing of it when empty, its first half when truncated."""
    if kind is FaultKind.EMPTY:
        return rows[:0]
    if kind is FaultKind.TRUNCATED:
        return rows[: len(rows) // 2]
    return rows

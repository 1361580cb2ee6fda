"""What was linked: connections and end users at every vendor, and link sessions under way.

Kept in memory within bounds. With a journal, connections and end users outlive the process.
"""

from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from .journal import Journal

__all__ = ["Connection", "Connections", "EndUser", "LinkSession", "LinkSessions"]

_MOST_CONNECTIONS: Final = 200_000
_MOST_SESSIONS: Final = 50_000


@dataclass(slots=True)
class Connection:
    """One login linked through one vendor.

    `connection_id` is the vendor's handle (item id, member guid, link id), `secret` what else it
    takes to use it (a Plaid access token), `owner` the vendor's end user. `user` and `bank_key`
    choose the login in the world. `broken` names why the user has to act, if so.
    `awaits_exchange` is true from the widget's end until the vendor was first asked about it.
    """

    provider: str
    connection_id: str
    owner: str
    user: str
    bank_key: str
    linked_at: datetime
    secret: str = field(default="", repr=False)
    broken: str = ""
    removed: bool = False
    awaits_exchange: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class EndUser:
    """A vendor's record of an end user of ours (an MX user)."""

    provider: str
    guid: str
    own_id: str
    attributes: dict[str, str] = field(default_factory=dict)
    removed: bool = False


@dataclass(slots=True)
class LinkSession:
    """A link session: from the vendor's token or URL to the end of its widget."""

    provider: str
    token: str = field(repr=False)
    owner: str
    default_user: str
    bank_key: str | None
    created_at: datetime
    expires_at: datetime
    single_use: bool
    repairs: str | None = None
    completed: bool = False
    url: str | None = field(default=None, repr=False)
    attributes: dict[str, str] = field(default_factory=dict)


class Connections:
    """Every connection and end user, found by the handles that vendors give out."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._connections: OrderedDict[tuple[str, str], Connection] = OrderedDict()
        self._by_secret: dict[tuple[str, str], Connection] = {}
        self._by_owner: dict[tuple[str, str], list[Connection]] = {}
        self._linked: dict[tuple[str, str, str], int] = {}
        self._end_users: dict[tuple[str, str], EndUser] = {}
        self._end_user_by_own_id: dict[tuple[str, str], EndUser] = {}
        self._journal = journal
        if journal is not None:
            for row in journal.load():
                self._restore(row)
            journal.compact(self._rows())

    def get(self, provider: str, connection_id: object) -> Connection | None:
        """The connection with this handle, removed ones included."""
        return self._connections.get((provider, str(connection_id)))

    def by_secret(self, provider: str, secret: object) -> Connection | None:
        """The connection that this secret opens, removed ones included."""
        return self._by_secret.get((provider, str(secret)))

    def of_owner(
        self, provider: str, owner: str, *, with_removed: bool = False
    ) -> list[Connection]:
        """The connections of one end user, oldest first; the living ones unless told otherwise."""
        mine = self._by_owner.get((provider, owner), ())
        return [c for c in mine if with_removed or not c.removed]

    def of(self, provider: str) -> list[Connection]:
        """The living connections at one vendor, oldest first."""
        return [c for c in self._connections.values() if c.provider == provider and not c.removed]

    def ordinal(self, provider: str, user: str, bank_key: str) -> int:
        """How many connections to this login were made here so far."""
        return self._linked.get((provider, user, bank_key), 0)

    def save(self, connection: Connection) -> None:
        """Add a connection, or note that it changed."""
        self._index(connection)
        self._note("connection", connection)

    def replace_secret(self, connection: Connection, secret: str) -> None:
        """Give a connection another secret; the old one opens nothing any more."""
        self._by_secret.pop((connection.provider, connection.secret), None)
        connection.secret = secret
        self.save(connection)

    def end_user(self, provider: str, identifier: str, *, own_ids: bool = True) -> EndUser | None:
        """The living end user with this guid or, with `own_ids`, this id of the client's."""
        found = self._end_users.get((provider, identifier))
        if found is None and own_ids:
            found = self._end_user_by_own_id.get((provider, identifier))
            if found is not None and found.own_id != identifier:
                return None
        return None if found is None or found.removed else found

    def end_users(self, provider: str) -> list[EndUser]:
        """The living end users at one vendor, oldest first."""
        return [u for u in self._end_users.values() if u.provider == provider and not u.removed]

    def save_end_user(self, end_user: EndUser) -> None:
        """Add an end user, or note that it changed."""
        self._index_end_user(end_user)
        self._note("endUser", end_user)

    def _index(self, connection: Connection) -> None:
        key = (connection.provider, connection.connection_id)
        if key not in self._connections:
            self._by_owner.setdefault((connection.provider, connection.owner), []).append(
                connection
            )
            login = (connection.provider, connection.user, connection.bank_key)
            self._linked[login] = self._linked.get(login, 0) + 1
        self._connections[key] = connection
        if connection.secret:
            self._by_secret[connection.provider, connection.secret] = connection
        if len(self._connections) > _MOST_CONNECTIONS:
            _, oldest = self._connections.popitem(last=False)
            self._by_secret.pop((oldest.provider, oldest.secret), None)
            self._by_owner[oldest.provider, oldest.owner].remove(oldest)

    def _index_end_user(self, end_user: EndUser) -> None:
        self._end_users[end_user.provider, end_user.guid] = end_user
        if end_user.own_id:
            self._end_user_by_own_id[end_user.provider, end_user.own_id] = end_user

    def _note(self, kind: str, record: Connection | EndUser) -> None:
        if self._journal is not None:
            self._journal.append({"kind": kind, **asdict(record)})

    def _rows(self) -> list[dict[str, object]]:
        users = [{"kind": "endUser", **asdict(user)} for user in self._end_users.values()]
        links = [{"kind": "connection", **asdict(link)} for link in self._connections.values()]
        return users + links

    def _restore(self, row: dict[str, object]) -> None:
        attributes = row.get("attributes")
        extra = (
            {str(k): str(v) for k, v in attributes.items()} if isinstance(attributes, dict) else {}
        )

        def text(name: str) -> str:
            return str(row.get(name, ""))

        if row.get("kind") == "endUser":
            self._index_end_user(
                EndUser(
                    text("provider"),
                    text("guid"),
                    text("own_id"),
                    extra,
                    removed=row.get("removed") is True,
                )
            )
            return
        known = self.get(text("provider"), text("connection_id"))
        connection = known or Connection(
            provider=text("provider"),
            connection_id=text("connection_id"),
            owner=text("owner"),
            user=text("user"),
            bank_key=text("bank_key"),
            linked_at=datetime.fromisoformat(text("linked_at")),
            secret=text("secret"),
        )
        self._by_secret.pop((connection.provider, connection.secret), None)
        connection.secret = text("secret")
        connection.broken = text("broken")
        connection.removed = row.get("removed") is True
        connection.awaits_exchange = row.get("awaits_exchange") is True
        connection.attributes = extra
        self._index(connection)


class LinkSessions:
    """Link sessions by token, by URL and by what stands inside a URL."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, LinkSession] = OrderedDict()

    def add(self, session: LinkSession, *aliases: str) -> None:
        """Remember a session under its token and under further names of it."""
        for name in (session.token, *aliases):
            self._sessions[name] = session
            if len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)

    def get(self, provider: str, token: object) -> LinkSession | None:
        """The session of this token at this vendor."""
        session = self._sessions.get(str(token))
        return session if session is not None and session.provider == provider else None

    def find(self, text: str) -> LinkSession | None:
        """The session that a token, a URL or a part of a URL names."""
        if text in self._sessions:
            return self._sessions[text]
        parts = urlsplit(text)
        inside = [value for _, value in parse_qsl(parts.query)]
        inside += [value for _, value in parse_qsl(parts.fragment)]
        inside += reversed(parts.path.split("/"))
        for candidate in inside:
            if candidate in self._sessions:
                return self._sessions[candidate]
        return None

"""Sessions that Belvo holds at banks: one at a time for each login, some waiting for the user's code."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from .wire import JsonObject

__all__ = ["SESSION_LIFE", "BankSession", "BankSessions"]

SESSION_LIFE: Final = timedelta(seconds=9600)
"""How long a session waits for a one-time code."""

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class BankSession:
    """A reading of a resource that stopped until the user gives a code; `asked` began it."""

    session_id: str
    link_id: str
    resource: str
    asked: JsonObject
    expires_at: datetime


class BankSessions:
    """All sessions that are open, and until when. Kept in memory within bounds."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, BankSession] = OrderedDict()
        self._held_until: OrderedDict[str, datetime] = OrderedDict()

    def is_open(self, link_id: str, now: datetime) -> bool:
        """Whether the bank would refuse a further session of this login."""
        return now < self._held_until.get(link_id, now)

    def hold(self, link_id: str, until: datetime) -> None:
        """Keep the login's session open until then."""
        self._held_until[link_id] = until
        self._held_until.move_to_end(link_id)
        if len(self._held_until) > _MOST:
            self._held_until.popitem(last=False)

    def wait_for_code(
        self, link_id: str, resource: str, asked: JsonObject, now: datetime
    ) -> BankSession:
        """Stop a reading until its code comes."""
        session = BankSession(token_hex(16), link_id, resource, asked, now + SESSION_LIFE)
        self._waiting[session.session_id] = session
        if len(self._waiting) > _MOST:
            self._waiting.popitem(last=False)
        self.hold(link_id, session.expires_at)
        return session

    def resumed(
        self, session_id: object, link_id: object, resource: str, now: datetime
    ) -> BankSession | None:
        """The session of this link and resource, which ends its waiting; None where there is none."""
        session = self._waiting.get(str(session_id))
        if session is None or (session.link_id, session.resource) != (str(link_id), resource):
            return None
        del self._waiting[session.session_id]
        self._held_until.pop(session.link_id, None)
        return session if now < session.expires_at else None

    def close_all(self, link_id: str) -> None:
        """End what is open of a link, as when its user connects anew."""
        self._held_until.pop(link_id, None)
        for session in [one for one in self._waiting.values() if one.link_id == link_id]:
            del self._waiting[session.session_id]

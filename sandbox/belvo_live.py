"""What Belvo reads at the bank when it is asked to (POST), and goes on with after a code (PATCH).

Source: Belvo's OpenAPI 1.35.0 and its pages on multi-factor authentication.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from .belvo_data import BelvoData, account_id_of
from .belvo_errors import coded, error, not_found, required
from .belvo_sessions import SESSION_LIFE, BankSessions
from .belvo_store import Reading, note_reading
from .connections import Connection
from .identifiers import hex_id
from .vendor import Shared, cut
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["ACCOUNTS", "LINKS", "TRANSACTIONS", "BelvoLive"]

ACCOUNTS: Final = "accounts"
TRANSACTIONS: Final = "transactions"
BALANCES: Final = "balances"
LINKS: Final = "links"

_LIVE: Final = {f"/api/{name}/": name for name in (ACCOUNTS, TRANSACTIONS, BALANCES)}


class BelvoLive(BelvoData):
    """The half of Belvo that goes to the bank."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.at_banks = BankSessions()

    def live_refusal(self, code: str, call: Call) -> Answer | None:
        """An error that a live reading ends with and a listing only shows; None where it is none."""
        resource = _LIVE.get(call.path)
        if code != "token_required" or call.method != "POST" or resource is None:
            return None
        link = self.connections.get(self.name, call.body.get("link"))
        return None if link is None or link.removed else self._asks_code(call, link, resource)

    def _live(self, call: Call) -> Answer:
        resource = _LIVE[call.path]
        if not call.body.get("link"):
            raise required(call, "link")
        link = self.connections.get(self.name, call.body["link"])
        if link is None or link.removed:
            raise not_found(call)
        broken = self._broken(call, link)
        if broken in ("invalid_link", "unconfirmed_link"):
            raise Refusal(coded(call, broken))
        period = self._period(call, call.body) if resource != ACCOUNTS else None
        if self.at_banks.is_open(link.connection_id, call.now):
            raise Refusal(coded(call, "too_many_sessions"))
        wants_code = self.options.belvo_asks_code or broken == "token_required"
        if wants_code and not call.body.get("token"):
            raise Refusal(self._asks_code(call, link, resource))
        return self._read_bank(call, link, resource, call.body, period)

    def _resume(self, call: Call) -> Answer:
        resource = _LIVE[call.path]
        link, asked = self._resumed(call, resource)
        body = {**asked, "save_data": call.body.get("save_data", asked.get("save_data"))}
        period = self._period(call, body) if resource != ACCOUNTS else None
        return self._read_bank(call, link, resource, body, period)

    def _resumed(self, call: Call, resource: str) -> tuple[Connection, JsonObject]:
        """The link of the session that a code goes on with, and what was asked for."""
        for field in ("session", "link", "token"):
            if not call.body.get(field):
                raise required(call, field)
        link = self.connections.get(self.name, call.body["link"])
        if link is None or link.removed:
            raise not_found(call)
        session = self.at_banks.resumed(
            call.body["session"], link.connection_id, resource, call.now
        )
        if session is None:
            raise Refusal(coded(call, "session_expired"))
        link.broken = ""
        self.connections.save(link)
        return link, session.asked

    def _asks_code(self, call: Call, link: Connection, resource: str) -> Answer:
        """The 428 that opens a session, after which the link waits for its user."""
        session = self.at_banks.wait_for_code(link.connection_id, resource, call.body, call.now)
        link.broken = "unconfirmed_link" if resource == LINKS else "token_required"
        self.connections.save(link)
        answer = coded(call, "token_required")
        rows = answer.payload if isinstance(answer.payload, list) else []
        rows[0] |= {
            "session": session.session_id,
            "expiry": int(SESSION_LIFE.total_seconds()),
            "link": link.connection_id,
            "token_generation_data": {
                "instructions": "Use this code to generate the token",
                "type": "numeric",
                "value": f"{int(session.session_id, 16) % 10**6:06d}",
                "expects_user_input": True,
            },
        }
        return answer

    def _period(self, call: Call, body: JsonObject) -> tuple[date, date]:
        days = []
        for field in ("date_from", "date_to"):
            value = body.get(field)
            if not value:
                raise required(call, field)
            try:
                days.append(date.fromisoformat(str(value)))
            except ValueError:
                raise Refusal(error(call, 400, "invalid", "Not a valid date.", field)) from None
        first, last = days
        if last < first or last > call.now.date():
            raise Refusal(coded(call, "invalid_period"))
        return first, last

    def _read_bank(
        self,
        call: Call,
        link: Connection,
        resource: str,
        body: JsonObject,
        period: tuple[date, date] | None,
    ) -> Answer:
        keeps = body.get("save_data") is not False
        may_wait = resource == TRANSACTIONS or self.options.belvo_background == "all"
        in_background = may_wait and call.headers.get("x-belvo-request-mode") == "async"
        takes_s = self.options.belvo_job_s if in_background else 0.0
        first, last = period or (None, None)
        reading = Reading(call.now + timedelta(seconds=takes_s), first, last)
        if not in_background and period is not None and self._is_too_wide(*period):
            raise Refusal(coded(call, "request_timeout"))
        if keeps:
            note_reading(link, ACCOUNTS if resource == BALANCES else resource, reading)
            self.connections.save(link)
        held_s = takes_s if in_background else self.options.belvo_session_s
        self.at_banks.hold(link.connection_id, call.now + timedelta(seconds=held_s))
        if in_background:
            return Answer(202, {"request_id": hex_id(call.request_id)})
        rows = self._live_rows(call, link, resource, body, reading)
        return Answer(201 if keeps else 200, cut(rows, call.kind))

    def _is_too_wide(self, first: date, last: date) -> bool:
        widest = self.options.belvo_widest_days
        return bool(widest) and (last - first).days + 1 > widest

    def _live_rows(
        self,
        call: Call,
        link: Connection,
        resource: str,
        body: JsonObject,
        reading: Reading,
    ) -> Sequence[JsonObject]:
        if resource == ACCOUNTS:
            return self._account_rows(call, link, self.as_of(call, reading.at))
        wanted, ids = body.get("account"), self._ids(link)
        if resource == BALANCES:
            first, last = reading.first or call.now.date(), reading.last or call.now.date()
            return [
                row
                for row in self._balance_rows(call, link, first, last)
                if wanted in (None, account_id_of(row))
            ]
        seen = [
            row
            for row in self._store(call, link).seen_now(reading)
            if wanted in (None, ids.account(row.sighting.movement.account))
        ]
        return self._transaction_rows(call, link, seen)

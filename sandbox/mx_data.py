"""What MX has stored of a member: its state, its accounts and its transactions.

Source: MX's OpenAPI v20250224 and v20111101, docs.mx.com.
"""

from datetime import date, datetime, timedelta
from typing import Final

from .banks import BANKS
from .connections import Connection, EndUser
from .faults import FaultKind
from .mx_errors import error, is_legacy, moment, not_found, page_of
from .mx_shapes import (
    MxIds,
    account_json,
    member_json,
    member_status_json,
    transaction_json,
    written_at,
)
from .vendor import Vendor
from .wire import Answer, Call, Refusal
from .world import HISTORY

__all__ = ["MxData"]

_AGGREGATION_PAUSE: Final = timedelta(hours=3)
_DEFAULT_BEHIND: Final = timedelta(days=120)
_DEFAULT_AHEAD: Final = timedelta(days=5)


class MxData(Vendor):
    """The reading half of MX."""

    def _user(self, call: Call) -> EndUser:
        found = self.connections.end_user(
            self.name, call.match["user"], own_ids=not is_legacy(call)
        )
        if found is None:
            raise not_found(call, "User")
        return found

    def _member(self, call: Call) -> tuple[EndUser, Connection]:
        user, member = self._user(call), self.connection_of(call)
        if member is None or member.removed or member.owner != user.guid:
            raise not_found(call, "Member")
        return user, member

    def _status(self, call: Call, member: Connection) -> str:
        return "DENIED" if call.kind is FaultKind.AUTH else member.broken or "CONNECTED"

    def _aggregated_at(self, call: Call, member: Connection) -> datetime:
        """Of the last success: by hand, in the background each midnight, or never since broken."""
        noted = member.attributes.get("aggregated_at")
        by_hand = datetime.fromisoformat(noted) if noted else member.linked_at
        midnight = call.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.as_of(call, by_hand if member.broken else max(by_hand, midnight))

    def _member_row(self, call: Call, user: EndUser, member: Connection) -> dict[str, object]:
        return member_json(
            member,
            BANKS[member.bank_key],
            user,
            self._status(call, member),
            self._aggregated_at(call, member),
        )

    def _member_list(self, call: Call) -> Answer:
        user = self._user(call)
        shown, pagination = page_of(call, self.connections.of_owner(self.name, user.guid), None)
        rows = [self._member_row(call, user, member) for member in shown]
        return Answer(200, {"members": rows, "pagination": pagination})

    def _member_read(self, call: Call) -> Answer:
        return Answer(200, {"member": self._member_row(call, *self._member(call))})

    def _member_status(self, call: Call) -> Answer:
        _, member = self._member(call)
        row = member_status_json(
            member, self._status(call, member), self._aggregated_at(call, member)
        )
        return Answer(200, {"member": row})

    def _aggregate(self, call: Call) -> Answer:
        user, member = self._member(call)
        bank = BANKS[member.bank_key]
        age = call.now - self._aggregated_at(call, member)
        if not member.broken and (bank.test_only or age >= _AGGREGATION_PAUSE):
            member.attributes["aggregated_at"] = call.now.isoformat()
            self.connections.save(member)
        return Answer(202, {"member": self._member_row(call, user, member)})

    def _accounts(self, call: Call) -> Answer:
        _, member = self._member(call)
        login, ids = self.login(member), MxIds(self.world.seed, member.connection_id)
        updated_at = self._aggregated_at(call, member)
        shown, pagination = page_of(call, login.accounts, call.kind)
        rows = [
            account_json(
                ids,
                account,
                login.balances(account, self.today(call)),
                member,
                updated_at,
            )
            for account in shown
        ]
        return Answer(200, {"accounts": rows, "pagination": pagination})

    def _range(self, call: Call, of: str) -> tuple[date | None, date | None]:
        return (
            moment(call, f"from_{of}", self.options.mx_dates if of == "date" else "both"),
            moment(call, f"to_{of}", self.options.mx_dates if of == "date" else "both"),
        )

    def _transactions(self, call: Call) -> Answer:
        _, member = self._member(call)
        login, ids = self.login(member), MxIds(self.world.seed, member.connection_id)
        today = self.today(call)
        start, end = self._range(call, "date")
        if start is None:
            start = call.now.date() - _DEFAULT_BEHIND
        if end is None:
            end = call.now.date() + _DEFAULT_AHEAD
        since = max(start, member.linked_at.date() - HISTORY)
        seen = list(login.view(today, since=since, until=end))
        for of in ("created_at", "updated_at"):
            first, last = self._range(call, of)
            if (first is None) != (last is None):
                raise Refusal(error(call, 400, "bad_request", f"from_{of} and to_{of} go together"))
            if first is not None and last is not None:
                seen = [
                    sighting
                    for sighting in seen
                    if first <= written_at(sighting, member.linked_at).date() <= last
                ]
        seen.reverse()
        shown, pagination = page_of(call, seen, call.kind)
        currency = login.bank.currency
        rows = [transaction_json(ids, sighting, member, currency) for sighting in shown]
        return Answer(200, {"transactions": rows, "pagination": pagination})

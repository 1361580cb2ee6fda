"""What Finicity has stored of a login: its accounts and their movements, and when it was read.

Source: Finicity's OpenAPI 1.42.0.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from .accounts import AccountKind, BankAccount
from .connections import Connection, EndUser
from .faults import FaultKind
from .finicity_errors import refusal
from .finicity_pages import page_of, seconds
from .finicity_shapes import Aggregation, FinicityIds, account_json, transaction_json
from .vendor import Vendor, cut
from .wire import Answer, Call, JsonObject
from .world import HISTORY, Sighting

__all__ = ["FinicityData"]

_SHADOWS: Final = timedelta(days=30)
"""How long a shadow stays in the listings."""


class FinicityData(Vendor):
    """The reading half of Finicity."""

    def _customer(self, call: Call) -> EndUser:
        user = self.connections.end_user(self.name, call.match["customer"], own_ids=False)
        if user is None:
            raise refusal(404, "14001", "Customer not found.")
        return user

    def _logins(self, call: Call) -> list[Connection]:
        """The logins that a call is about: the one it names, or all of its customer."""
        customer = self._customer(call)
        owned = self.connections.of_owner(self.name, customer.guid)
        named = call.match.get("login")
        if named is None:
            return owned
        found = [login for login in owned if login.connection_id == named]
        if not found:
            raise refusal(404, "38007", "Customer does not have accounts of this login.")
        return found

    def _ids(self, login: Connection) -> FinicityIds:
        return FinicityIds(self.world.seed, login.connection_id)

    def _account_at(self, call: Call) -> tuple[Connection, BankAccount]:
        """The account that a call names, and the login that it is of."""
        for login in self._logins(call):
            ids = self._ids(login)
            for account in self.login(login).accounts:
                if str(ids.account(account.kind)) == call.match["account"]:
                    return login, account
        raise refusal(404, "38003", "Customer does not have this account.")

    # When a login was read.

    def _aggregation(self, call: Call, login: Connection) -> Aggregation:
        """The last reading: by Connect, by a refresh, or by Finicity itself each midnight."""
        noted = login.attributes.get("aggregated_at")
        times = [datetime.fromisoformat(noted)] if noted else []
        started = self._refresh_started(login)
        if started is not None:
            ends = started + timedelta(seconds=self.options.finicity_refresh_s)
            times += [ends] if ends <= call.now else []
        attempted_at = max([*times, *([started] if started else [])], default=None)
        midnight = call.now.replace(hour=0, minute=0, second=0, microsecond=0)
        if not login.broken and midnight > login.linked_at:
            times.append(midnight)
        succeeded_at = max(times, default=None)
        if succeeded_at is None:
            return Aggregation(None, None, attempted_at)
        tried_at = max(succeeded_at, attempted_at or succeeded_at)
        return Aggregation(
            int(call.error_code or self._trouble(call) or login.broken or 0),
            self.as_of(call, succeeded_at),
            self.as_of(call, tried_at),
        )

    @staticmethod
    def _trouble(call: Call) -> str | None:
        return "103" if call.kind is FaultKind.AUTH else None

    @staticmethod
    def _refresh_started(login: Connection) -> datetime | None:
        told = login.attributes.get("refresh_started_at")
        return datetime.fromisoformat(told) if told else None

    # Accounts.

    def _account_row(self, call: Call, login: Connection, account: BankAccount) -> JsonObject:
        balances = self.login(login).balances(account, self.today(call))
        aggregation = self._aggregation(call, login)
        return account_json(
            self._ids(login),
            account,
            balances,
            login,
            aggregation,
            debts_are_negative=self.options.finicity_debt_balance == "negative",
        )

    def _account_list(self, call: Call) -> Answer:
        wanted = call.query.get("status")
        if wanted not in (None, "active", "pending"):
            raise refusal(400, "18017", "status parameter value must be 'active' or 'pending'")
        rows = [
            self._account_row(call, login, account)
            for login in self._logins(call)
            for account in self.login(login).accounts
        ]
        rows = [row for row in rows if wanted in (None, row["status"])]
        return Answer(200, {"accounts": list(cut(rows, call.kind))})

    def _account_read(self, call: Call) -> Answer:
        return Answer(200, self._account_row(call, *self._account_at(call)))

    # Movements.

    def _customer_transactions(self, call: Call) -> Answer:
        pairs = [
            (login, account)
            for login in self._logins(call)
            for account in self.login(login).accounts
        ]
        return self._transactions(call, pairs)

    def _account_transactions(self, call: Call) -> Answer:
        pair = self._account_at(call)
        answer = self._transactions(call, [pair])
        if call.query.get("showDailyBalance") == "true" and isinstance(answer.payload, dict):
            answer.payload["dailyBalances"] = self._daily_balances(call, *pair)
        return answer

    def _transactions(self, call: Call, pairs: Sequence[tuple[Connection, BankAccount]]) -> Answer:
        first, last = seconds(call, "fromDate"), seconds(call, "toDate")
        if last < first:
            raise refusal(400, "41002", "Invalid date range")
        rows = [
            row
            for login, account in pairs
            if self._aggregation(call, login).code is not None
            for row in self._movement_rows(call, login, account.kind, first)
            if first <= _filed_at(row) <= last
        ]
        rows.sort(key=_filed_at, reverse=call.query.get("sort", "desc") != "asc")
        shown, around = page_of(call, rows, call.kind)
        return Answer(
            200,
            {
                **around,
                "fromDate": str(first),
                "toDate": str(last),
                "sort": call.query.get("sort", "desc"),
                "transactions": shown,
            },
        )

    def _movement_rows(
        self, call: Call, login: Connection, kind: AccountKind, first: int
    ) -> list[JsonObject]:
        ids, today = self._ids(login), self.today(call)
        with_pending = call.query.get("includePending") == "true"
        since = max(
            datetime.fromtimestamp(max(0, first), UTC).date(), login.linked_at.date() - HISTORY
        )
        seen = self.login(login).view(today, since=since)
        rows = []
        for sighting in seen:
            if sighting.movement.account is not kind:
                continue
            if with_pending or not sighting.pending:
                rows.append(transaction_json(ids, sighting, login, self.options))
            if with_pending and self._leaves_shadow(sighting, login, call.now):
                rows.append(transaction_json(ids, sighting, login, self.options, shadow=True))
        return rows

    def _leaves_shadow(self, sighting: Sighting, login: Connection, now: datetime) -> bool:
        """Whether Finicity has seen this posted movement pending, not long ago."""
        movement = sighting.movement
        return (
            self.options.finicity_pending == "shadow"
            and not sighting.pending
            and movement.authorized_on < movement.settles_on
            and movement.settles_on > login.linked_at.date()
            and now.date() - movement.settles_on <= _SHADOWS
        )

    def _daily_balances(
        self, call: Call, login: Connection, account: BankAccount
    ) -> list[JsonObject]:
        """Balances of the days of the window on which something moved, at most a month of them."""
        last = min(datetime.fromtimestamp(seconds(call, "toDate"), UTC).date(), self.today(call))
        first = datetime.fromtimestamp(seconds(call, "fromDate"), UTC).date()
        days = [last - timedelta(days=back) for back in range(31)]
        held = self.login(login)
        return [
            {
                "date": int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()),
                "beginning": held.balances(account, day - timedelta(days=1)).current,
                "ending": held.balances(account, day).current,
            }
            for day in reversed(days)
            if day >= first
        ]


def _filed_at(row: JsonObject) -> int:
    at = row.get("transactionDate", row.get("postedDate", row["createdDate"]))
    return at if isinstance(at, int) else 0

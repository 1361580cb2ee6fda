"""What Belvo lists of a link: its stored accounts, transactions and balances.

Source: Belvo's OpenAPI 1.35.0.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from .accounts import AccountKind
from .belvo_errors import LINK_STATUSES, error, not_found, page_of, required
from .belvo_filters import BadFilter, filtered
from .belvo_shapes import BelvoIds, account_json, balance_json, transaction_json
from .belvo_store import LinkStore, StoredMovement
from .connections import Connection
from .faults import FaultKind
from .vendor import Vendor
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["BelvoData", "account_id_of"]

_BALANCE_DAYS: Final = 30
_WITH_BALANCES: Final = (AccountKind.CHECKING, AccountKind.SAVINGS)


class BelvoData(Vendor):
    """The listing half of Belvo."""

    def _store(self, call: Call, link: Connection) -> LinkStore:
        age = call.now - self.as_of(call, call.now)
        return LinkStore(link, self.login(link), self.options, call.now, age)

    def _ids(self, link: Connection) -> BelvoIds:
        return BelvoIds(self.world.seed, link.connection_id)

    def _broken(self, call: Call, link: Connection) -> str:
        """Why Belvo is not let in through the link, as its live readings would say; else nothing."""
        if call.kind is FaultKind.AUTH:
            return "invalid_link"
        if call.kind is FaultKind.ERROR and call.error_code in LINK_STATUSES:
            return str(call.error_code)
        return link.broken if link.broken in LINK_STATUSES or not link.broken else "invalid_link"

    def _queried_links(self, call: Call) -> list[Connection]:
        """The link that a listing asks for; one that is unknown or gone lists nothing."""
        named = call.query.get("link")
        if named is None:
            return self.connections.of(self.name)
        try:
            UUID(named)
        except ValueError:
            raise Refusal(error(call, 400, "invalid", "Not a valid UUID.", "link")) from None
        link = self.connections.get(self.name, named)
        return [] if link is None or link.removed else [link]

    def _account_rows(
        self, call: Call, link: Connection, at: datetime | None = None
    ) -> list[JsonObject]:
        """The link's accounts as they were read at that time, by default as they are stored."""
        read_at = at or self._store(call, link).read_at("accounts")
        if read_at is None:
            return []
        login, ids = self.login(link), self._ids(link)
        return [
            account_json(ids, account, login.balances(account, read_at.date()), link, read_at)
            for account in login.accounts
        ]

    def _account_list(self, call: Call) -> Answer:
        rows = [row for link in self._queried_links(call) for row in self._account_rows(call, link)]
        shown, around = page_of(call, rows, call.kind, counts=self.options.belvo_count)
        return Answer(200, around | {"results": shown})

    def _account_read(self, call: Call) -> Answer:
        for link in self.connections.of(self.name):
            for row in self._account_rows(call, link):
                if row["id"] == call.match["id"]:
                    return Answer(200, row)
        raise not_found(call)

    def _transaction_rows(
        self, call: Call, link: Connection, stored: Sequence[StoredMovement]
    ) -> list[JsonObject]:
        ids = self._ids(link)
        read_at = self._store(call, link).read_at("accounts") or self.as_of(call, call.now)
        accounts = {row["id"]: row for row in self._account_rows(call, link, read_at)}
        return [
            transaction_json(ids, row, accounts[ids.account(row.sighting.movement.account)], link)
            for row in stored
        ]

    def _transaction_list(self, call: Call) -> Answer:
        if "link" not in call.query:
            raise required(call, "link")
        links = self._queried_links(call)
        if not links:
            _, around = page_of(call, (), call.kind, counts=self.options.belvo_count)
            return Answer(200, around | {"results": []})
        link = links[0]
        try:
            stored = filtered(self._store(call, link).movements(), call.query, self._ids(link))
        except BadFilter as bad:
            raise Refusal(error(call, 400, "invalid", "Enter a valid date.", bad.field)) from None
        stored.reverse()
        shown, around = page_of(call, stored, call.kind, counts=self.options.belvo_count)
        return Answer(200, around | {"results": self._transaction_rows(call, link, shown)})

    def _transaction_read(self, call: Call) -> Answer:
        for link in self.connections.of(self.name):
            ids = self._ids(link)
            for row in self._store(call, link).movements():
                if ids.transaction(row.sighting.movement, row.generation) == call.match["id"]:
                    return Answer(200, self._transaction_rows(call, link, [row])[0])
        raise not_found(call)

    def _balance_rows(
        self, call: Call, link: Connection, first: date, last: date
    ) -> Iterator[JsonObject]:
        """The balances of accounts that hold money, day by day."""
        login, ids = self.login(link), self._ids(link)
        shown = {row["id"]: row for row in self._account_rows(call, link)}
        for account in login.accounts:
            row = shown.get(ids.account(account.kind))
            if account.kind not in _WITH_BALANCES or row is None:
                continue
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                yield balance_json(ids, account, login.balances(account, day), row, day)

    def _stored_balances(self, call: Call, link: Connection) -> list[JsonObject]:
        at = self._store(call, link).read_at("accounts")
        if at is None:
            return []
        first = at.date() - timedelta(days=_BALANCE_DAYS - 1)
        return list(self._balance_rows(call, link, first, at.date()))

    def _balance_list(self, call: Call) -> Answer:
        wanted = call.query.get("account")
        rows = [
            row
            for link in self._queried_links(call)
            for row in self._stored_balances(call, link)
            if wanted in (None, account_id_of(row))
        ]
        shown, around = page_of(call, rows, call.kind, counts=self.options.belvo_count)
        return Answer(200, around | {"results": shown})

    def _balance_read(self, call: Call) -> Answer:
        for link in self.connections.of(self.name):
            for row in self._stored_balances(call, link):
                if row["id"] == call.match["id"]:
                    return Answer(200, row)
        raise not_found(call)


def account_id_of(row: JsonObject) -> object:
    """The id of the account that a balance is of."""
    account = row["account"]
    return account["id"] if isinstance(account, dict) else None

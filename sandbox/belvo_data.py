"""What Belvo tells of a link: its accounts and transactions, stored (GET) or live (POST).

Source: Belvo's OpenAPI 1.35.0.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from .belvo_errors import error, invalid_link, not_found, page_of, required
from .belvo_filters import BadFilter, filtered
from .belvo_shapes import BelvoIds, account_json, transaction_json
from .connections import Connection
from .identifiers import hex_id
from .vendor import Vendor, cut
from .wire import Answer, Call, JsonObject, Refusal
from .world import HISTORY, Sighting

__all__ = ["BelvoData"]


class BelvoData(Vendor):
    """The reading half of Belvo."""

    def _collected_at(self, call: Call, link: Connection) -> datetime:
        midnight = call.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.as_of(call, max(midnight, link.linked_at))

    def _ids(self, link: Connection) -> BelvoIds:
        return BelvoIds(self.world.seed, link.connection_id)

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

    def _live_link(self, call: Call) -> Connection:
        if not call.body.get("link"):
            raise required(call, "link")
        link = self.connections.get(self.name, call.body["link"])
        if link is None or link.removed:
            raise not_found(call)
        if link.broken:
            raise Refusal(invalid_link(call))
        return link

    def _account_rows(self, call: Call, link: Connection) -> list[JsonObject]:
        login, ids = self.login(link), self._ids(link)
        at = self._collected_at(call, link)
        return [
            account_json(ids, account, login.balances(account, self.today(call)), link, at)
            for account in login.accounts
        ]

    def _account_list(self, call: Call) -> Answer:
        rows = [row for link in self._queried_links(call) for row in self._account_rows(call, link)]
        shown, around = page_of(call, rows, call.kind)
        return Answer(200, around | {"results": shown})

    def _account_live(self, call: Call) -> Answer:
        rows = cut(self._account_rows(call, self._live_link(call)), call.kind)
        return Answer(_live_status(call), rows)

    def _account_read(self, call: Call) -> Answer:
        for link in self.connections.of(self.name):
            ids = self._ids(link)
            kinds = {ids.account(account.kind) for account in self.login(link).accounts}
            if call.match["id"] in kinds:
                rows = self._account_rows(call, link)
                return Answer(200, next(row for row in rows if row["id"] == call.match["id"]))
        raise not_found(call)

    def _seen(self, call: Call, link: Connection, since: date | None = None) -> list[Sighting]:
        start = link.linked_at.date() - HISTORY
        today = self.today(call)
        return list(self.login(link).view(today, since=max(start, since) if since else start))

    def _transaction_rows(
        self, call: Call, link: Connection, sightings: Sequence[Sighting]
    ) -> list[JsonObject]:
        ids, at = self._ids(link), self._collected_at(call, link)
        login = self.login(link)
        accounts = {
            account.kind: account_json(
                ids, account, login.balances(account, self.today(call)), link, at
            )
            for account in login.accounts
        }
        return [
            transaction_json(ids, sighting, accounts[sighting.movement.account], link)
            for sighting in sightings
        ]

    def _transaction_list(self, call: Call) -> Answer:
        if "link" not in call.query:
            raise required(call, "link")
        links = self._queried_links(call)
        if not links:
            _, around = page_of(call, (), call.kind)
            return Answer(200, around | {"results": []})
        link = links[0]
        try:
            seen = filtered(self._seen(call, link), call.query, self._ids(link), link.linked_at)
        except BadFilter as bad:
            raise Refusal(error(call, 400, "invalid", "Enter a valid date.", bad.field)) from None
        seen.reverse()
        shown, around = page_of(call, seen, call.kind)
        return Answer(200, around | {"results": self._transaction_rows(call, link, shown)})

    def _transaction_live(self, call: Call) -> Answer:
        link = self._live_link(call)
        days = []
        for field in ("date_from", "date_to"):
            value = call.body.get(field)
            if not value:
                raise required(call, field)
            try:
                days.append(date.fromisoformat(str(value)))
            except ValueError:
                raise Refusal(error(call, 400, "invalid", "Not a valid date.", field)) from None
        first, last = days
        if last < first:
            raise Refusal(error(call, 400, "invalid_period", "The period is not valid."))
        if call.headers.get("x-belvo-request-mode") == "async":
            return Answer(202, {"request_id": hex_id(call.request_id)})
        ids, wanted = self._ids(link), call.body.get("account")
        seen = [
            sighting
            for sighting in self._seen(call, link, since=first)
            if sighting.movement.authorized_on <= last
            and wanted in (None, ids.account(sighting.movement.account))
        ]
        rows = self._transaction_rows(call, link, cut(seen, call.kind))
        return Answer(_live_status(call), rows)


def _live_status(call: Call) -> int:
    return 200 if call.body.get("save_data") is False else 201

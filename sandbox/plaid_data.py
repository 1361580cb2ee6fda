"""What Plaid tells of an Item: its state, its accounts and its transactions.

Source: Plaid's OpenAPI 2020-09-14.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from .accounts import AccountKind
from .banks import BANKS
from .connections import Connection
from .faults import FaultKind
from .plaid_errors import body_fields, integer, login_required, refuse, text
from .plaid_feed import BadCursor, Feed, MutatedMeanwhile
from .plaid_shapes import PlaidIds, account_json, item_json, transaction_json
from .vendor import Vendor, cut
from .wire import Answer, Call, JsonObject, Refusal, rfc3339
from .world import Sighting

__all__ = ["PlaidData"]

_DEFAULT_DAYS: Final = 90
_MOST_DAYS: Final = 730
_LONGEST_CURSOR: Final = 256


class PlaidData(Vendor):
    """The reading half of Plaid."""

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        return self.connections.by_secret(self.name, call.body.get("access_token"))

    def _item(self, call: Call, *, may_be_broken: bool = False) -> Connection:
        connection = self.connection_of(call)
        if connection is None:
            raise refuse(call, "INVALID_INPUT", "INVALID_ACCESS_TOKEN", "unknown access_token")
        if connection.removed:
            raise refuse(call, "ITEM_ERROR", "ITEM_NOT_FOUND", "this item has been removed")
        if connection.broken and not may_be_broken:
            raise Refusal(Answer(400, login_required(call)))
        return connection

    def _item_row(self, call: Call, connection: Connection) -> JsonObject:
        broken = connection.broken or call.kind is FaultKind.AUTH
        return item_json(
            connection, BANKS[connection.bank_key], login_required(call) if broken else None
        )

    def _item_get(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call, may_be_broken=True)
        updated_at = rfc3339(self._updated_at(call, connection))
        return Answer(
            200,
            {
                "item": self._item_row(call, connection)
                | {"created_at": rfc3339(connection.linked_at)},
                "status": {
                    "transactions": {
                        "last_successful_update": updated_at,
                        "last_failed_update": None,
                    },
                    "last_webhook": None,
                },
                "request_id": call.request_id,
            },
        )

    def _updated_at(self, call: Call, connection: Connection) -> datetime:
        midnight = call.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.as_of(call, max(midnight, connection.linked_at))

    def _ids(self, connection: Connection) -> PlaidIds:
        return PlaidIds(self.world.seed, connection.connection_id)

    def _account_rows(self, call: Call, connection: Connection) -> Sequence[JsonObject]:
        login, ids = self.login(connection), self._ids(connection)
        updated_at = self._updated_at(call, connection)
        rows = [
            account_json(ids, account, login.balances(account, self.today(call)), updated_at)
            for account in login.accounts
        ]
        return cut(rows, call.kind)

    def _kind_of(self, call: Call, connection: Connection, account_id: object) -> AccountKind:
        ids = self._ids(connection)
        for account in self.login(connection).accounts:
            if ids.account(account.kind) == account_id:
                return account.kind
        raise refuse(call, "INVALID_INPUT", "INVALID_ACCOUNT_ID", "no such account in this item")

    def _accounts(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("options",))
        connection = self._item(call)
        rows = self._account_rows(call, connection)
        wanted = call.part("options").get("account_ids")
        if isinstance(wanted, list):
            for account_id in wanted:
                self._kind_of(call, connection, account_id)
            rows = [row for row in rows if row["account_id"] in wanted]
        return Answer(
            200,
            {
                "accounts": rows,
                "item": self._item_row(call, connection),
                "request_id": call.request_id,
            },
        )

    def _since(self, connection: Connection) -> date:
        days = int(connection.attributes.get("days_requested") or _DEFAULT_DAYS)
        return connection.linked_at.date() - timedelta(days=days)

    def _is_preparing(self, call: Call, connection: Connection) -> bool:
        age_s = (call.now - connection.linked_at).total_seconds()
        return age_s < self.options.plaid_not_ready_s

    def _choose_history(self, call: Call, connection: Connection) -> None:
        """`days_requested` counts on the first read of an Item and never again."""
        wanted = call.part("options").get("days_requested")
        if wanted is None or "initialised" in connection.attributes:
            return
        days = integer(
            call, call.part("options"), "days_requested", default=0, low=1, high=_MOST_DAYS
        )
        if "days_requested" not in connection.attributes:
            connection.attributes["days_requested"] = str(days)

    def _sync(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("cursor", "count", "options"))
        connection = self._item(call)
        count = integer(call, call.body, "count", default=100, low=1, high=500)
        cursor = text(call, call.body, "cursor")
        if len(cursor) > _LONGEST_CURSOR:
            raise refuse(call, "INVALID_REQUEST", "INVALID_FIELD", "cursor is too long")
        answer: JsonObject = {
            "accounts": self._account_rows(call, connection),
            "added": [],
            "modified": [],
            "removed": [],
            "next_cursor": "",
            "has_more": False,
            "request_id": call.request_id,
            "transactions_update_status": "NOT_READY",
        }
        if self._is_preparing(call, connection):
            return Answer(200, answer)
        self._choose_history(call, connection)
        if "initialised" not in connection.attributes:
            connection.attributes["initialised"] = "yes"
            self.connections.save(connection)
        login, ids = self.login(connection), self._ids(connection)
        account_id = call.part("options").get("account_id")
        kind = self._kind_of(call, connection, account_id) if account_id else None
        feed = Feed(self.world.seed, login, connection.connection_id, self._since(connection), kind)
        try:
            update = feed.page(cursor, count, self.today(call), call.kind)
        except BadCursor:
            raise refuse(
                call, "INVALID_REQUEST", "INVALID_FIELD", "cursor is not one of this item's"
            ) from None
        except MutatedMeanwhile:
            raise refuse(
                call,
                "TRANSACTIONS_ERROR",
                "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
                "underlying data changed during pagination; restart from the first cursor",
            ) from None
        return Answer(
            200,
            answer
            | {
                "added": self._transaction_rows(call, connection, update.added),
                "removed": [
                    {
                        "transaction_id": ids.transaction(movement, pending=True),
                        "account_id": ids.account(movement.account),
                    }
                    for movement in update.removed
                ],
                "next_cursor": update.next_cursor,
                "has_more": update.has_more,
                "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE",
            },
        )

    def _transaction_rows(
        self, call: Call, connection: Connection, sightings: Sequence[Sighting]
    ) -> list[JsonObject]:
        ids, currency = self._ids(connection), BANKS[connection.bank_key].currency
        original = call.part("options").get("include_original_description") is True
        return [
            transaction_json(ids, sighting, currency, original_description=original)
            for sighting in sightings
        ]

    def _window(self, call: Call) -> Answer:
        body_fields(call, required=("access_token", "start_date", "end_date"), allowed=("options",))
        connection = self._item(call)
        start, end = self._day(call, "start_date"), self._day(call, "end_date")
        if end < start:
            raise refuse(call, "INVALID_REQUEST", "INVALID_FIELD", "end_date is before start_date")
        if self._is_preparing(call, connection):
            raise refuse(call, "ITEM_ERROR", "PRODUCT_NOT_READY", "the data are being prepared")
        options = call.part("options")
        count = integer(call, options, "count", default=100, low=1, high=500)
        offset = integer(call, options, "offset", default=0, low=0, high=10**9)
        wanted = options.get("account_ids")
        kinds = {a.kind for a in self.login(connection).accounts}
        if isinstance(wanted, list):
            kinds = {self._kind_of(call, connection, account_id) for account_id in wanted}
        seen = [
            sighting
            for sighting in self.login(connection).view(
                self.today(call), since=self._since(connection)
            )
            if start <= sighting.changed_on <= end and sighting.movement.account in kinds
        ]
        seen.sort(key=lambda s: (s.changed_on, s.movement.key), reverse=True)
        listed = cut(seen, call.kind)
        return Answer(
            200,
            {
                "accounts": self._account_rows(call, connection),
                "item": self._item_row(call, connection),
                "request_id": call.request_id,
                "total_transactions": len(listed),
                "transactions": self._transaction_rows(
                    call, connection, listed[offset : offset + count]
                ),
            },
        )

    @staticmethod
    def _day(call: Call, name: str) -> date:
        try:
            return date.fromisoformat(text(call, call.body, name))
        except ValueError:
            raise refuse(
                call, "INVALID_REQUEST", "INVALID_FIELD", f"{name} must be YYYY-MM-DD"
            ) from None

    def _refresh(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        self._item(call)
        return Answer(200, {"request_id": call.request_id})

"""What Plaid tells of an Item's transactions: the feed, the window, the refresh.

Source: Plaid's OpenAPI 2020-09-14.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from .accounts import AccountKind
from .banks import BANKS
from .connections import Connection
from .plaid_accounts import CAPITAL_ONE, PlaidAccounts
from .plaid_bodies import account_ids, body_fields, day, flag, integer, invalid, options_of, text
from .plaid_errors import MUTATION, NOT_READY, refuse
from .plaid_feed import BadCursor, Feed, Look, MutatedMeanwhile, Stream, is_named
from .plaid_own import added_transactions, own_movements
from .plaid_pulls import first_pulls, refresh
from .plaid_shapes import transaction_json
from .plaid_webhooks import SYNC_UPDATES, TRANSACTIONS
from .vendor import cut
from .wire import Answer, Call, JsonObject
from .world import Sighting

__all__ = ["PlaidTransactions"]

_MOST_DAYS: Final = 730
_LONGEST_CURSOR: Final = 256
_READING_OPTIONS: Final = (
    "include_original_description",
    "include_personal_finance_category",
    "include_logo_and_counterparty_beta",
    "personal_finance_category_version",
    "days_requested",
)


class PlaidTransactions(PlaidAccounts):
    """The feed of an Item and what goes with it."""

    def _choose_history(self, call: Call, connection: Connection, options: JsonObject) -> None:
        """`days_requested` counts on the first read of an Item and never again."""
        days = integer(call, options, "days_requested", default=0, low=1, high=_MOST_DAYS)
        known = connection.attributes
        if days and "read" not in known and "days_requested" not in known:
            known["days_requested"] = str(days)

    def _note_reading(self, call: Call, connection: Connection) -> None:
        """An Item reports what comes in once its feed was read, and not before."""
        if "read" in connection.attributes:
            return
        connection.attributes["read"] = "yes"
        first_at, whole_at = first_pulls(connection, self.options)
        for at in dict.fromkeys((first_at, whole_at)):
            if at > call.now:
                self._report_updates(connection, at, whole=at >= whole_at)
        self.connections.save(connection)

    def _report_updates(self, connection: Connection, at: datetime, *, whole: bool = True) -> None:
        if "read" in connection.attributes:
            self.reports.send(
                connection,
                TRANSACTIONS,
                SYNC_UPDATES,
                at,
                initial_update_complete=True,
                historical_update_complete=whole,
            )

    def _sync(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("cursor", "count", "options"))
        options = options_of(call, (*_READING_OPTIONS, "account_id"))
        connection = self._item(call)
        count = integer(call, call.body, "count", default=100, low=1, high=500)
        cursor = text(call, call.body, "cursor")
        if len(cursor) > _LONGEST_CURSOR:
            raise invalid(call, "cursor is too long")
        self._choose_history(call, connection, options)
        self._note_reading(call, connection)
        held, login = self._pulled(call, connection), self.login(connection)
        answer: JsonObject = {
            "accounts": self._account_rows(call, connection, login.accounts),
            "added": [],
            "modified": [],
            "removed": [],
            "next_cursor": "",
            "has_more": False,
            "request_id": call.request_id,
            "transactions_update_status": held.status,
        }
        if held.at is None:
            return Answer(200, answer)
        account_id = text(call, options, "account_id")
        kind = self._account(call, connection, account_id).kind if account_id else None
        own = own_movements(connection)
        look = Look(self._today(call, connection), held.since, len(own))
        stream = Stream(
            seed=self.world.seed,
            login=login,
            item_id=connection.connection_id,
            account=kind,
            own=own,
            shows_pending=connection.bank_key != CAPITAL_ONE,
            cursor_days=self.options.plaid_cursor_days,
        )
        try:
            update = Feed(stream).page(
                cursor, count, look, call.kind, mutating=call.error_code == MUTATION
            )
        except BadCursor:
            raise invalid(call, "cursor not associated with access_token") from None
        except MutatedMeanwhile:
            raise refuse(
                call,
                MUTATION,
                "underlying data changed during pagination; restart from the first cursor",
            ) from None
        ids = self._ids(connection)
        return Answer(
            200,
            answer
            | {
                "added": self._rows(call, connection, update.added, update.on, options),
                "modified": self._rows(call, connection, update.modified, update.on, options),
                "removed": [
                    {
                        "transaction_id": ids.transaction(movement, pending=True),
                        "account_id": ids.account(movement.account),
                    }
                    for movement in update.removed
                ],
                "next_cursor": update.next_cursor,
                "has_more": update.has_more,
            },
        )

    def _rows(
        self,
        call: Call,
        connection: Connection,
        sightings: Sequence[Sighting],
        today: date,
        options: JsonObject,
    ) -> list[JsonObject]:
        ids, login = self._ids(connection), self.login(connection)
        currency = BANKS[connection.bank_key].currency
        wants_original = flag(call, options, "include_original_description")
        return [
            transaction_json(
                ids,
                sighting,
                currency,
                named=is_named(login, sighting, today),
                shows_pending=connection.bank_key != CAPITAL_ONE,
            )
            | ({"original_description": sighting.movement.description} if wants_original else {})
            for sighting in sightings
        ]

    def _window(self, call: Call) -> Answer:
        body_fields(call, required=("access_token", "start_date", "end_date"), allowed=("options",))
        options = options_of(
            call,
            (
                *_READING_OPTIONS,
                "include_personal_finance_category_beta",
                "account_ids",
                "count",
                "offset",
            ),
        )
        connection = self._item(call)
        start, end = day(call, call.body, "start_date"), day(call, call.body, "end_date")
        if end < start:
            raise invalid(call, "end_date is before start_date")
        self._choose_history(call, connection, options)
        held = self._pulled(call, connection)
        if held.at is None:
            raise refuse(call, NOT_READY, "the data are being prepared")
        count = integer(call, options, "count", default=100, low=1, high=500)
        offset = integer(call, options, "offset", default=0, low=0, high=10**9)
        wanted = account_ids(call, options)
        accounts = self._named_accounts(call, connection, wanted)
        kinds = {account.kind for account in accounts}
        listed = cut(self._seen(call, connection, held.since, start, end, kinds), call.kind)
        return Answer(
            200,
            {
                "accounts": self._account_rows(call, connection, accounts),
                "item": self._item_row(call, connection),
                "request_id": call.request_id,
                "total_transactions": len(listed),
                "transactions": self._rows(
                    call,
                    connection,
                    listed[offset : offset + count],
                    self._today(call, connection),
                    options,
                ),
            },
        )

    def _seen(  # noqa: PLR0917  a window has this many sides
        self,
        call: Call,
        connection: Connection,
        since: date,
        start: date,
        end: date,
        kinds: set[AccountKind],
    ) -> Sequence[Sighting]:
        view = self.login(connection).view(self._today(call, connection), since=since)
        own = [Sighting(movement, pending=False) for movement in own_movements(connection)]
        shows_pending = connection.bank_key != CAPITAL_ONE
        seen = [
            sighting
            for sighting in (*view, *own)
            if start <= sighting.changed_on <= end
            and sighting.movement.account in kinds
            and (shows_pending or not sighting.pending)
        ]
        return sorted(seen, key=lambda s: (s.changed_on, s.movement.key), reverse=True)

    def _refresh(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call)
        before = self._today(call, connection)
        done_at = refresh(call, connection, self.options)
        held = self._pulled(call, connection)
        changes = self.login(connection).changes(before, done_at.date(), since=held.since)
        if changes.added or changes.gone:
            self._report_updates(connection, done_at, whole=held.whole)
        self.connections.save(connection)
        return Answer(200, {"request_id": call.request_id})

    def _add_transactions(self, call: Call) -> Answer:
        body_fields(call, required=("access_token", "transactions"))
        connection = self._item(call)
        added_transactions(call, connection)
        self._report_updates(connection, call.now)
        self.connections.save(connection)
        return Answer(200, {"request_id": call.request_id})

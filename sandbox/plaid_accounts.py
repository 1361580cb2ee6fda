"""What Plaid tells of an Item's accounts.

Source: Plaid's OpenAPI 2020-09-14.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from .accounts import BankAccount
from .connections import Connection
from .plaid_bodies import account_ids, body_fields, invalid, options_of, text
from .plaid_errors import refuse
from .plaid_items import PlaidItems
from .plaid_shapes import account_json
from .vendor import cut
from .wire import Answer, Call, JsonObject

__all__ = ["CAPITAL_ONE", "PlaidAccounts"]

CAPITAL_ONE: Final = "ins_capital_one"
"""A bank with habits of its own: nothing pending, no live balances of cards, and times to them."""


class PlaidAccounts(PlaidItems):
    """Accounts, cached and live."""

    def _account(self, call: Call, connection: Connection, account_id: object) -> BankAccount:
        ids = self._ids(connection)
        for account in self.login(connection).accounts:
            if ids.account(account.kind) == account_id:
                return account
        raise refuse(call, "INVALID_ACCOUNT_ID", "no such account in this item")

    def _named_accounts(
        self, call: Call, connection: Connection, wanted: list[str] | None
    ) -> Sequence[BankAccount]:
        if not wanted:
            return self.login(connection).accounts
        return [self._account(call, connection, account_id) for account_id in wanted]

    def _account_rows(
        self,
        call: Call,
        connection: Connection,
        accounts: Sequence[BankAccount],
        live_at: datetime | None = None,
    ) -> Sequence[JsonObject]:
        login, ids = self.login(connection), self._ids(connection)
        is_timed = (
            self.options.plaid_balance_times == "everywhere" or connection.bank_key == CAPITAL_ONE
        )
        at = self._balances_at(call, connection)
        rows = [
            account_json(
                ids,
                account,
                login.balances(account, self._today(call, connection)),
                (self._live_or(at, account, connection, live_at)) if is_timed else None,
            )
            for account in login.accounts
            if account in accounts
        ]
        return cut(rows, call.kind)

    def _balances_at(self, call: Call, connection: Connection) -> datetime:
        return self.as_of(call, self._pulled(call, connection).at or connection.linked_at)

    @staticmethod
    def _live_or(
        at: datetime, account: BankAccount, connection: Connection, live_at: datetime | None
    ) -> datetime:
        is_never_live = connection.bank_key == CAPITAL_ONE and account.kind.is_debt
        return at if live_at is None or is_never_live else live_at

    def _today(self, call: Call, connection: Connection) -> date:
        at = self._pulled(call, connection).at or connection.linked_at
        return self.as_of(call, at).date()

    def _accounts(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("options",))
        wanted = account_ids(call, options_of(call, ("account_ids",)))
        return self._accounts_answer(call, self._item(call), wanted, live_at=None)

    def _balance(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("options",))
        options = options_of(call, ("account_ids", "min_last_updated_datetime"))
        wanted = account_ids(call, options)
        oldest = self._instant(call, options, "min_last_updated_datetime")
        connection = self._item(call)
        accounts = self._named_accounts(call, connection, wanted)
        if connection.bank_key == CAPITAL_ONE and any(one.kind.is_debt for one in accounts):
            if oldest is None:
                raise invalid(call, "min_last_updated_datetime is required for these accounts")
            if self._balances_at(call, connection) < oldest:
                raise refuse(call, "LAST_UPDATED_DATETIME_OUT_OF_RANGE")
        return self._accounts_answer(call, connection, wanted, live_at=self.as_of(call, call.now))

    @staticmethod
    def _instant(call: Call, where: JsonObject, name: str) -> datetime | None:
        value = text(call, where, name)
        try:
            at = datetime.fromisoformat(value) if value else None
        except ValueError:
            at = datetime.min  # noqa: DTZ901  naive, as what is refused below
        if at is not None and at.tzinfo is None:
            raise invalid(call, f"{name} must be a timestamp with a zone")
        return at

    def _accounts_answer(
        self,
        call: Call,
        connection: Connection,
        wanted: list[str] | None,
        *,
        live_at: datetime | None,
    ) -> Answer:
        accounts = self._named_accounts(call, connection, wanted)
        return Answer(
            200,
            {
                "accounts": self._account_rows(call, connection, accounts, live_at),
                "item": self._item_row(call, connection),
                "request_id": call.request_id,
            },
        )

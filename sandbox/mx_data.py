"""What MX has stored of members: their accounts and transactions, as old as the last success.

Source: MX's OpenAPI v20250224 and v20111101, docs.mx.com.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from .mx_book import MemberView, MxBook
from .mx_enhancements import enhancements_of, wanted_enhancements
from .mx_errors import bad_request, is_legacy
from .mx_members import MEMBER
from .mx_requests import flag_of, moment, page_of
from .mx_shapes import MxIds, account_json, category_guids, transaction_json, written_at
from .vendor import GET_ACCOUNTS, SYNC, Route
from .wire import Answer, Call, JsonObject
from .world import Sighting

__all__ = ["MxData"]

_DEFAULT_BEHIND: Final = timedelta(days=120)
_DEFAULT_AHEAD: Final = timedelta(days=5)
_LONGEST_CHANGES: Final = timedelta(days=184)
_PENDING_LIVES: Final = timedelta(days=14)
_A_DAY: Final = timedelta(days=1)

Row = tuple[MemberView, Sighting]


class MxData:
    """The listings of accounts and transactions, of one member and of all of a user's."""

    def __init__(self, book: MxBook) -> None:
        self._book = book
        self._options = book.options

    def routes(self) -> Sequence[Route]:
        """The endpoints."""

        def data(path: str, operation: str, handler: Callable[[Call], Answer]) -> Route:
            return Route("GET", path, (operation,), handler, shapes_data=True)

        return (
            data(f"{MEMBER}/accounts", GET_ACCOUNTS, self._member_accounts),
            data("/users/{user}/accounts", GET_ACCOUNTS, self._user_accounts),
            data(f"{MEMBER}/transactions", SYNC, self._member_transactions),
            data("/users/{user}/transactions", SYNC, self._user_transactions),
        )

    def _member_accounts(self, call: Call) -> Answer:
        return self._accounts(call, [self._book.member(call)])

    def _user_accounts(self, call: Call) -> Answer:
        """Those of deleted members stay in this listing."""
        is_manual = flag_of(call, "is_manual")
        views = [] if is_manual else self._book.members(call, with_removed=True)
        return self._accounts(call, views)

    def _accounts(self, call: Call, views: Sequence[MemberView]) -> Answer:
        if flag_of(call, "member_is_managed_by_user") is False:
            views = ()
        rows = [row for view in views for row in self._accounts_of(call, view)]
        shown, pagination = page_of(call, rows, call.kind)
        return Answer(200, {"accounts": list(shown), "pagination": pagination})

    def _accounts_of(self, call: Call, view: MemberView) -> Iterator[JsonObject]:
        if view.balance_day is None:
            return
        login, ids = self._book.login(view.member), self._ids(view)
        for account in login.accounts:
            balances = login.balances(account, view.balance_day)
            yield account_json(ids, account, balances, view, legacy=is_legacy(call))

    def _member_transactions(self, call: Call) -> Answer:
        return self._transactions(call, [self._book.member(call)])

    def _user_transactions(self, call: Call) -> Answer:
        return self._transactions(call, self._book.members(call))

    def _transactions(self, call: Call, views: Sequence[MemberView]) -> Answer:
        first, last = self._window(call)
        rows = [(view, sighting) for view in views for sighting in self._seen(view, first, last)]
        for narrowing in self._narrowings(call):
            rows = list(filter(narrowing, rows))
        rows.sort(key=lambda row: (row[1].movement.authorized_on, row[1].movement.key))
        rows.reverse()
        wanted = wanted_enhancements(call)
        shown, pagination = page_of(call, rows, call.kind)
        signed = self._options.mx_signed_amounts
        listed = [
            transaction_json(self._ids(view), sighting, view, signed=signed)
            | enhancements_of(sighting.movement, view.bank, wanted)
            for view, sighting in shown
        ]
        return Answer(200, {"transactions": listed, "pagination": pagination})

    def _ids(self, view: MemberView) -> MxIds:
        return MxIds.of(self._book.world.seed, view, self._options)

    def _window(self, call: Call) -> tuple[date, date]:
        first, last = self._range(call, "date")
        if last is not None and self._options.mx_to_date == "midnight":
            last -= _A_DAY
        today = call.now.date()
        return first or today - _DEFAULT_BEHIND, last or today + _DEFAULT_AHEAD

    def _range(self, call: Call, of: str) -> tuple[date | None, date | None]:
        form = self._options.mx_dates if of == "date" else "both"
        return moment(call, f"from_{of}", form), moment(call, f"to_{of}", form)

    def _narrowings(self, call: Call) -> Iterator[Callable[[Row], bool]]:
        """Further conditions on rows that the query names."""
        changes = ["created_at", "updated_at", *([] if is_legacy(call) else ["timestamp"])]
        for of in changes:
            first, last = self._range(call, of)
            if (first is None) != (last is None):
                raise bad_request(call, f"from_{of} and to_{of} go together")
            if first is not None and last is not None:
                if is_legacy(call) and last - first > _LONGEST_CHANGES:
                    raise bad_request(call, f"from_{of} and to_{of} are over 6 months apart")
                yield _written_between(first, last)
        for level, name in enumerate(("category_guid", "top_level_category_guid")):
            wanted = {call.query[key] for key in (name, f"{name}[]") if key in call.query}
            if wanted and is_legacy(call):
                yield _of_category(level, wanted)

    def _seen(self, view: MemberView, first: date, last: date) -> list[Sighting]:
        """What MX has of a member's movements that began within these days."""
        today = view.data_day
        if today is None:
            return []
        login = self._book.login(view.member)
        oldest = view.member.linked_at.date() - timedelta(days=view.life.history_days)
        first = max(first, oldest)
        seen = list(login.view(today, since=first, until=last))
        if self._options.mx_pending_guid == "replaced":
            pending_now = {one.movement.key for one in seen if one.pending}
            lingering: dict[str, Sighting] = {}
            for days in range(1, self._options.mx_pending_lingers_days + 1):
                for one in login.view(today - days * _A_DAY, since=first, until=last):
                    is_young = today - one.movement.authorized_on < _PENDING_LIVES
                    if one.pending and is_young and one.movement.key not in pending_now:
                        lingering.setdefault(one.movement.key, one)
            seen += lingering.values()
        return seen


def _written_between(first: date, last: date) -> Callable[[Row], bool]:
    return lambda row: first <= written_at(row[1], row[0]).date() <= last


def _of_category(level: int, wanted: set[str]) -> Callable[[Row], bool]:
    return lambda row: category_guids(row[1].movement.category)[level] in wanted

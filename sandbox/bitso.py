"""Bitso's protocol: signed reads of one user's balances, ledger and transfers; a few public lists.

There is no widget and no connection: whoever has the user's key is let in. Source: docs.bitso.com;
Bitso's own clients for Java and Python.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, TypeVar

from .banks import BANKS, Bank
from .bitso_errors import CODES, BitsoErrors, success
from .bitso_keys import API_KEY, API_SECRET, BitsoKeys
from .bitso_life import BitsoLife, Entry, Transfer
from .bitso_limits import PRIVATE, PUBLIC, BitsoLimits
from .bitso_shapes import (
    BOOKS,
    CURRENCIES,
    BitsoShapes,
    account_status_json,
    balances_json,
    book_json,
    currency_json,
    trade_json,
    transfer_json,
)
from .connections import Connection, LinkSession
from .faults import FaultKind
from .vendor import EXCHANGE, GET_ACCOUNTS, SYNC, Route, Shared, Vendor, cut
from .wire import Answer, Call, JsonObject

__all__ = ["Bitso"]

_PREFIXES: Final = ("/api/v3", "/v3")
"""Both stand in Bitso's documents, on different hosts."""
_BANK: Final = BANKS["ins_bitso"]
_FORM_LIFETIME: Final = timedelta(hours=1)
_OPERATIONS: Final = {
    "trades": "trade",
    "fees": "fee",
    "fundings": "funding",
    "withdrawals": "withdrawal",
}
"""Parts of the ledger, by the operation of their entries."""
_DEFAULT_LIMIT: Final = 25
_LARGEST_LIMIT: Final = 100
_REFUSALS: Final[Mapping[FaultKind, str]] = {
    FaultKind.DOWN: "0101",
    FaultKind.INSTITUTION_DOWN: "0401",
    FaultKind.RATE_LIMIT: "0801",
    FaultKind.VALIDATION: "0303",
    FaultKind.AUTH: "0201",
    FaultKind.BAD_KEYS: "0215",
}

T = TypeVar("T")
Handler = Callable[[Call], Answer]


class Bitso(Vendor):
    """Bitso, with one user, whose key is `sandbox_key` and its secret `sandbox_secret`."""

    name: ClassVar[str] = "bitso"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        options = shared.options
        self._errors = BitsoErrors(within_success=options.bitso_errors_in_200)
        self._keys = BitsoKeys(self._errors, skew_s=options.bitso_nonce_skew_s)
        self._limits = BitsoLimits()
        self._shapes = BitsoShapes(options)
        self._life = BitsoLife(
            shared.world.seed,
            books_withdrawals_at_once=options.bitso_withdrawals == "created",
        )

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        found: list[Route] = []

        def add(path: str, operation: str, handler: Handler, *, shapes_data: bool = True) -> None:
            # Bitso's documents write paths with and without a slash at the end.
            found.extend(
                Route("GET", f"{prefix}/{path}{end}", (operation,), handler, shapes_data)
                for prefix in _PREFIXES
                for end in ("", "/")
            )

        add("account_status", EXCHANGE, self._private(self._account_status), shapes_data=False)
        add("balance", GET_ACCOUNTS, self._private(self._balance))
        add("ledger", SYNC, self._private(self._ledger))
        add("ledger/{part}", SYNC, self._private(self._ledger))
        add("user_trades", SYNC, self._private(self._trades))
        for kind in ("funding", "withdrawal"):
            add(f"{kind}s", SYNC, self._private(self._transfers_of(kind)))
            add(f"{kind}s/{{ids}}", SYNC, self._private(self._transfers_of(kind)))
        add("available_books", "directory", self._public(self._books))
        add("catalogues", "directory", self._public(self._catalogues))
        return found

    def connection_of(self, call: Call) -> Connection | None:
        """None: a key is all there is to a connection, and it is the same for everybody."""
        del call
        return None

    def bank_of(self, call: Call) -> Bank:
        """Bitso itself, whatever the call is about."""
        del call
        return _BANK

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        del call
        code = _REFUSALS.get(kind)
        return None if code is None else self._errors.answer(code)

    def error_codes(self) -> Sequence[str]:  # noqa: D102  see Vendor
        return CODES

    def error_answer(self, code: str, call: Call) -> Answer:  # noqa: D102  see Vendor
        del call
        return self._errors.answer(code)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        del call
        return self._errors.answer("1401")

    def unheard_session(  # noqa: D102  see Vendor
        self, link_session_id: str, now: datetime
    ) -> LinkSession | None:
        return LinkSession(
            provider=self.name,
            token=link_session_id,
            owner="",
            default_user="bitso",
            bank_key=_BANK.key,
            created_at=now,
            expires_at=now + _FORM_LIFETIME,
            single_use=False,
        )

    def complete(
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> Mapping[str, str]:
        """Fill the form with the key of the one user that there is."""
        del session, user, bank, now
        return {"apiKey": API_KEY, "apiSecret": API_SECRET}

    # Who may call, and how often.

    def _private(self, handler: Handler) -> Handler:
        def guarded(call: Call) -> Answer:
            self._keys.check(call)
            self._count(PRIVATE, call)
            return handler(call)

        return guarded

    def _public(self, handler: Handler) -> Handler:
        def guarded(call: Call) -> Answer:
            self._count(PUBLIC, call)
            return handler(call)

        return guarded

    def _count(self, limit: int, call: Call) -> None:
        if self.options.enforce_limits and not self._limits.admits(limit, call.now.timestamp()):
            raise self._errors.refusal("0801")

    # Data.

    def _account_status(self, _call: Call) -> Answer:
        return success(account_status_json(self.world.seed, self.options.bitso_permissions))

    def _balance(self, call: Call) -> Answer:
        rows = balances_json(self._life, self.as_of(call, call.now))
        return success({"balances": cut(rows, call.kind)})

    def _ledger(self, call: Call) -> Answer:
        part = call.match.get("part")
        if part is not None and part not in _OPERATIONS:
            return self.unknown_path(call)
        entries = [
            entry
            for entry in self._life.entries(self.as_of(call, call.now))
            if part is None or entry.operation == _OPERATIONS[part]
        ]
        page = self._page(call, entries, _eid)
        return success([self._shapes.entry_json(entry) for entry in page])

    def _trades(self, call: Call) -> Answer:
        book = call.query.get("book")
        if book is not None and book not in BOOKS:
            raise self._errors.refusal("0301")
        trades = [
            trade
            for trade in self._life.trades(self.as_of(call, call.now))
            if book in (None, f"{trade.major_currency}_mxn")
        ]
        page = self._page(call, trades, lambda trade: str(trade.tid))
        return success([trade_json(trade) for trade in page])

    def _transfers_of(self, operation: str) -> Handler:
        def listed(call: Call) -> Answer:
            now = self.as_of(call, call.now)
            ids = call.match.get("ids")
            wanted = None if ids is None else ids.split("-")
            rows = [
                transfer
                for transfer in self._life.transfers(now)
                if transfer.operation == operation
                and (wanted is None or transfer.transfer_id in wanted)
            ]
            if wanted is not None and not rows:
                return self._errors.answer("1401")
            asked = {
                name: call.query[name]
                for name in ("status", "currency", "method")
                if name in call.query
            }
            told = {transfer.transfer_id: transfer_json(transfer, now) for transfer in rows}
            chosen = [
                transfer for transfer in rows if asked.items() <= told[transfer.transfer_id].items()
            ]
            page = self._page(call, chosen, _transfer_id)
            return success([told[transfer.transfer_id] for transfer in page])

        return listed

    def _books(self, _call: Call) -> Answer:
        return success([book_json(book) for book in BOOKS])

    def _catalogues(self, _call: Call) -> Answer:
        metadata: list[JsonObject] = [currency_json(code) for code in CURRENCIES]
        return success({"currencies": {"metadata": metadata}})

    def _page(self, call: Call, rows: Sequence[T], id_of: Callable[[T], str]) -> Sequence[T]:
        """A page of rows that come oldest first, as `sort`, `limit` and `marker` ask for it.

        Under the frozen fault a marker leads to the page that ends with it.
        """
        sort, marker = call.query.get("sort", "desc"), call.query.get("marker")
        text = call.query.get("limit", str(_DEFAULT_LIMIT))
        if sort not in ("asc", "desc") or not (text.isascii() and text.isdecimal() and int(text)):
            raise self._errors.refusal("0304")
        limit = min(int(text), _LARGEST_LIMIT)
        ordered = cut(rows if sort == "asc" else rows[::-1], call.kind)
        if marker is None:
            return ordered[:limit]
        after = next((at for at, row in enumerate(ordered, 1) if id_of(row) == marker), None)
        if after is None:
            if call.kind is None:
                raise self._errors.refusal("0320")
            return ()
        if call.kind is FaultKind.FROZEN:
            return ordered[max(0, after - limit) : after]
        return ordered[after : after + limit]


def _eid(entry: Entry) -> str:
    return entry.eid


def _transfer_id(transfer: Transfer) -> str:
    return transfer.transfer_id

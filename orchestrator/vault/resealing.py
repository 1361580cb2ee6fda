"""Sealing everything anew under the first key, so that an older one opens nothing any more.

What is sealed keeps its owner and its content: nobody who holds it in clear need notice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from orchestrator.domain import StoreError

from .answers import answer_owner
from .cipher import VaultCipher
from .database import Database
from .schema import connections, idempotency, link_sessions

__all__ = ["Resealed", "reseal", "sealed_rows"]

_AT_ONCE: Final = 200
_SealedRow = tuple[bytes, tuple[str, ...]]
"""Sealed bytes, and the key of their row."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of everything sealed.

    `sealed` are under the first key now, `already` were before. `unreadable` names those that none
    of the keys opens, which were left as they are.
    """

    sealed: int
    already: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A column of sealed bytes. `owner` tells from a row's key for whom it is sealed."""

    table: Table
    column: Column[bytes]
    owner: Callable[..., str]

    @property
    def key(self) -> tuple[Column[str], ...]:
        return tuple(self.table.primary_key.columns)

    @property
    def holds_something(self) -> ColumnElement[bool]:
        return func.length(self.column) > 0


_KINDS: Final = (
    _Kind(connections, connections.c.sealed_credential, str),
    _Kind(link_sessions, link_sessions.c.sealed_state, str),
    _Kind(idempotency, idempotency.c.answer, answer_owner),
)


def sealed_rows(database: Database) -> int:
    """How much there is to look at."""
    with database.reading() as connection:
        return sum(
            connection.execute(
                select(func.count()).select_from(kind.table).where(kind.holds_something)
            ).scalar_one()
            for kind in _KINDS
        )


def reseal(
    database: Database, cipher: VaultCipher, progress: Callable[[int], None] = lambda _rows: None
) -> Resealed:
    """Seal everything under the cipher's first key.

    A few hundred rows a transaction: others go on working, and what an interruption has cut off is
    made good by the next call.

    Args:
        database: the vault's.
        cipher: knows the keys of old, too.
        progress: is told how many rows were looked at since the last time.

    Raises:
        StoreError: the database could not do its work.

    """
    sealed, already, unreadable = 0, 0, []
    for kind in _KINDS:
        after: tuple[str, ...] | None = None
        while True:
            with database.writing() as transaction:
                rows = _next_rows(transaction, kind, after)
                old = [row for row in rows if not cipher.is_current(row[0])]
                renewed, failed = _renewed(cipher, kind, old)
                _write(transaction, kind, renewed)
            sealed += len(renewed)
            already += len(rows) - len(old)
            unreadable += failed
            progress(len(rows))
            if len(rows) < _AT_ONCE:
                break
            after = rows[-1][1]
    return Resealed(sealed, already, tuple(unreadable))


def _next_rows(
    transaction: Connection, kind: _Kind, after: tuple[str, ...] | None
) -> list[_SealedRow]:
    wanted = select(kind.column, *kind.key).where(kind.holds_something)
    if after is not None:
        wanted = wanted.where(tuple_(*kind.key) > after)
    rows = transaction.execute(wanted.order_by(*kind.key).limit(_AT_ONCE).with_for_update())
    return [(sealed, tuple(key)) for sealed, *key in rows]


def _renewed(
    cipher: VaultCipher, kind: _Kind, rows: Sequence[_SealedRow]
) -> tuple[list[dict[str, object]], list[str]]:
    renewed: list[dict[str, object]] = []
    failed: list[str] = []
    for sealed, key in rows:
        owner = kind.owner(*key)
        try:
            plaintext = cipher.open(sealed, associated=owner)
        except StoreError:
            failed.append(" ".join((kind.table.name, *key)))
            continue
        values = {f"of_{column.name}": part for column, part in zip(kind.key, key, strict=True)}
        renewed.append({"renewed": cipher.seal(plaintext, associated=owner), **values})
    return renewed, failed


def _write(transaction: Connection, kind: _Kind, renewed: list[dict[str, object]]) -> None:
    if renewed:
        this_row = [column == bindparam(f"of_{column.name}") for column in kind.key]
        transaction.execute(
            update(kind.table).where(*this_row).values({kind.column: bindparam("renewed")}),
            renewed,
        )

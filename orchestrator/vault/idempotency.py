"""Idempotency keys: one request a key, and its answer again for whoever repeats it."""

from typing import Final

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from orchestrator.domain import Operation

from .database import Database, insert_if_absent
from .schema import idempotency
from .values import Fresh, IdempotencyStart, Mismatch, Replay, Running

__all__ = ["KEPT_S", "IdempotencyLedger"]

KEPT_S: Final = 86_400.0
_LONGEST_RUN_S: Final = 900.0
"""No request lives longer than ten minutes: a key that runs for more has lost whoever took it."""


def _is(caller_id: str, operation: Operation, key: str) -> ColumnElement[bool]:
    return and_(
        idempotency.c.caller_id == caller_id,
        idempotency.c.operation == operation.value,
        idempotency.c.key == key,
    )


def _is_over(now: float) -> ColumnElement[bool]:
    return or_(
        idempotency.c.created_at <= now - KEPT_S,
        and_(idempotency.c.answer.is_(None), idempotency.c.created_at <= now - _LONGEST_RUN_S),
    )


class IdempotencyLedger:
    """The table of keys. Answers are kept 24 hours, as the bytes handed in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        caller_id: str,
        operation: Operation,
        key: str,
        body_mac: str,
        now: float,
        *,
        longest_run_s: float = _LONGEST_RUN_S,
    ) -> IdempotencyStart:
        """Take a key, or tell what became of it.

        A request like this one that runs for more than `longest_run_s` has lost its process, and
        its key is taken over.
        """
        is_lost = and_(
            idempotency.c.answer.is_(None),
            idempotency.c.body_mac == body_mac,
            idempotency.c.created_at <= now - longest_run_s,
        )
        with self._database.writing() as transaction:
            transaction.execute(
                delete(idempotency).where(
                    _is(caller_id, operation, key), or_(_is_over(now), is_lost)
                )
            )
            taken = insert_if_absent(
                transaction,
                idempotency,
                caller_id=caller_id,
                operation=operation.value,
                key=key,
                body_mac=body_mac,
                created_at=now,
            )
            if taken:
                return Fresh()
            row = transaction.execute(
                select(idempotency.c.body_mac, idempotency.c.answer).where(
                    _is(caller_id, operation, key)
                )
            ).first()
        if row is None:
            return Running()  # released in this very moment: who asks again takes it
        if row.body_mac != body_mac:
            return Mismatch()
        return Running() if row.answer is None else Replay(row.answer)

    def finish(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """Keep the answer that this key gives from now on."""
        with self._database.writing() as transaction:
            transaction.execute(
                update(idempotency)
                .where(_is(caller_id, operation, key))
                .values(answer=body, created_at=now)
            )

    def release(self, caller_id: str, operation: Operation, key: str) -> None:
        """Let the key go: its request failed in a way that may be repeated."""
        with self._database.writing() as transaction:
            transaction.execute(delete(idempotency).where(_is(caller_id, operation, key)))

    def recover(self) -> int:
        """After a crash: keys whose request never ended are let go. Tells how many.

        An exchange is safe without its key: its link session remembers that it was sent.
        """
        with self._database.writing() as transaction:
            return transaction.execute(
                delete(idempotency).where(idempotency.c.answer.is_(None))
            ).rowcount

    def purge(self, now: float) -> int:
        """Forget keys that are over. Tells how many."""
        with self._database.writing() as transaction:
            return transaction.execute(delete(idempotency).where(_is_over(now))).rowcount

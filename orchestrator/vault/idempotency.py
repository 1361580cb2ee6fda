"""Idempotency keys: one request a key, and its answer again for whoever repeats it."""

from typing import Final

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.domain import Operation

from .schema import idempotency
from .values import Fresh, IdempotencyStart, Mismatch, Replay, Running

__all__ = ["KEPT_S", "IdempotencyLedger"]

KEPT_S: Final = 86_400.0


def _is(caller_id: str, operation: Operation, key: str) -> ColumnElement[bool]:
    return and_(
        idempotency.c.caller_id == caller_id,
        idempotency.c.operation == operation.value,
        idempotency.c.key == key,
    )


class IdempotencyLedger:
    """The table of keys. Answers are kept 24 hours, as the bytes handed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, caller_id: str, operation: Operation, key: str, body_mac: str, now: float
    ) -> IdempotencyStart:
        """Take a key, or tell what became of it."""
        with self._engine.begin() as transaction:
            transaction.execute(
                delete(idempotency).where(
                    _is(caller_id, operation, key), idempotency.c.created_at <= now - KEPT_S
                )
            )
            row = transaction.execute(
                select(idempotency.c.body_mac, idempotency.c.answer).where(
                    _is(caller_id, operation, key)
                )
            ).first()
            if row is None:
                try:
                    transaction.execute(
                        insert(idempotency).values(
                            caller_id=caller_id,
                            operation=operation.value,
                            key=key,
                            body_mac=body_mac,
                            created_at=now,
                        )
                    )
                except IntegrityError:
                    return Running()
                return Fresh()
        if row.body_mac != body_mac:
            return Mismatch()
        return Running() if row.answer is None else Replay(row.answer)

    def finish(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """Keep the answer that this key gives from now on."""
        with self._engine.begin() as transaction:
            transaction.execute(
                update(idempotency)
                .where(_is(caller_id, operation, key))
                .values(answer=body, created_at=now)
            )

    def release(self, caller_id: str, operation: Operation, key: str) -> None:
        """Let the key go: its request failed in a way that may be repeated."""
        with self._engine.begin() as transaction:
            transaction.execute(delete(idempotency).where(_is(caller_id, operation, key)))

    def recover(self) -> int:
        """After a crash: keys whose request never ended are let go. Tells how many.

        An exchange is safe without its key: its link session remembers that it was sent.
        """
        with self._engine.begin() as transaction:
            return transaction.execute(
                delete(idempotency).where(idempotency.c.answer.is_(None))
            ).rowcount

    def purge(self, now: float) -> int:
        """Forget keys older than a day. Tells how many."""
        with self._engine.begin() as transaction:
            return transaction.execute(
                delete(idempotency).where(idempotency.c.created_at <= now - KEPT_S)
            ).rowcount

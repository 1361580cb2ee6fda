"""One request a key: the ledger around the router."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from actors.attempt_failures import OUR_QUEUE_FULL, PART_LOST, STORE_FAILED
from actors.mailbox import MailboxFull
from actors.ports import ActorLost, VaultPort
from orchestrator.domain import (
    Clock,
    DecisionSummary,
    ErrorType,
    Operation,
    OperationError,
    OperationRequest,
    OperationResult,
    StoreError,
)
from orchestrator.domain.stored_result import result_from_bytes, result_to_bytes
from orchestrator.vault import Mismatch, Replay, Running, VaultCipher, answer_owner

__all__ = ["IdempotentRequests"]

_log = structlog.get_logger("service")

_BEYOND_DEADLINE_S: Final = 5.0
"""How long after its deadline a request is still taken as running."""

_RUNNING = OperationError(
    ErrorType.CONFLICT,
    "IDEMPOTENCY_KEY_IN_USE",
    "the first request with this Idempotency-Key is still running; ask again in a moment",
    retry_after_s=1.0,
)
_MISMATCH = OperationError(
    ErrorType.VALIDATION,
    "IDEMPOTENCY_KEY_REUSED",
    "Idempotency-Key: was used with another body before; take a new key",
)


def _refused(request: OperationRequest, error: OperationError) -> OperationResult:
    return OperationResult(
        success=False,
        request_id=request.request_id,
        operation=request.operation,
        provider=None,
        failover_used=False,
        data=None,
        error=error,
        attempts=(),
        decision=DecisionSummary("none", None, ()),
    )


def _is_kept(result: OperationResult) -> bool:
    """Successes, final failures and doubts are told again; what may be retried is not."""
    error = result.error
    return error is None or not (error.retryable or error.type is ErrorType.CONFLICT)


class IdempotentRequests:
    """Serves requests, each key once.

    Args:
        execute: the router's.
        vault: holds the ledger.
        cipher: seals kept answers, which hold link tokens and account data.
        clock: wall time.

    """

    def __init__(
        self,
        execute: Callable[[OperationRequest], Awaitable[OperationResult]],
        vault: VaultPort,
        cipher: VaultCipher,
        clock: Clock,
    ) -> None:
        self._execute = execute
        self._vault = vault
        self._cipher = cipher
        self._clock = clock

    async def execute(self, request: OperationRequest) -> OperationResult:
        """The answer for this request, or the one that its key was given before."""
        if request.idempotency_key is None:
            return await self._execute(request)
        try:
            return await self._once(request, request.idempotency_key)
        except ActorLost:
            return _refused(request, PART_LOST)
        except MailboxFull:
            return _refused(request, OUR_QUEUE_FULL)
        except StoreError as error:
            _log.warning("store_failed", problem=str(error))
            return _refused(request, STORE_FAILED)

    async def _once(self, request: OperationRequest, key_text: str) -> OperationResult:
        key = (request.caller_id, request.operation, key_text)
        start = await self._vault.begin_idempotent(
            *key,
            request.body_mac,
            self._clock.unix_s(),
            longest_run_s=request.deadline_ms / 1000 + _BEYOND_DEADLINE_S,
        )
        if isinstance(start, Mismatch):
            return _refused(request, _MISMATCH)
        if isinstance(start, Running):
            return _refused(request, _RUNNING)
        if isinstance(start, Replay):
            kept = result_from_bytes(self._cipher.open(start.body, associated=answer_owner(*key)))
            return await self._reconciled(request, kept, key)
        finished = False
        try:
            result = await self._execute(request)
            if _is_kept(result):
                await self._keep(result, key)
                finished = True
            return result
        finally:
            if not finished:
                with suppress(ActorLost, StoreError):
                    await self._vault.release_idempotent(*key)

    async def _reconciled(
        self, request: OperationRequest, kept: OperationResult, key: tuple[str, Operation, str]
    ) -> OperationResult:
        """The kept answer, unless it was a doubt that has cleared up since.

        The link session knows: it is never sent twice, so asking it again is safe.
        """
        if kept.error is None or kept.error.type is not ErrorType.IN_DOUBT:
            return kept
        again = await self._execute(request)
        if not again.success:
            return kept
        await self._keep(again, key)
        return again

    async def _keep(self, result: OperationResult, key: tuple[str, Operation, str]) -> None:
        body = self._cipher.seal(result_to_bytes(result), associated=answer_owner(*key))
        await self._vault.finish_idempotent(*key, body, self._clock.unix_s())

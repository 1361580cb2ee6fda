"""What an attempt teaches: the policy, about its provider; the vault, about its connection."""

from collections.abc import Collection

import structlog

from actors.messages import AttemptOrder, AttemptReply
from actors.ports import ActorLost, VaultPort
from models import AttemptOutcome
from models.promotion import TrialPolicy
from orchestrator.domain import (
    SUCCESS,
    Clock,
    ConnectionStatus,
    ErrorClass,
    ErrorScope,
    Failure,
    StoreError,
)

__all__ = ["Lessons"]

_log = structlog.get_logger("router")


class Lessons:
    """Passes on what attempts have shown.

    Args:
        policy: learns from outcomes.
        vault: for noting connections that need their user.
        clock: wall time.

    """

    def __init__(self, policy: TrialPolicy, vault: VaultPort, clock: Clock) -> None:
        self._policy = policy
        self._vault = vault
        self._clock = clock

    def learn(self, order: AttemptOrder, provider: str, reply: AttemptReply) -> None:
        """Let the policy learn from an attempt that was made."""
        failure = reply.outcome if isinstance(reply.outcome, Failure) else None
        self._policy.observe(
            AttemptOutcome(
                provider=provider,
                operation=order.operation.value,
                region=order.region,
                institution_id=order.institution_id,
                at=self._clock.unix_s(),
                latency_s=reply.latency_ms / 1000,
                outcome=SUCCESS if failure is None else failure.error_class.value,
                attempt_number=order.attempt_number,
                scope=None if failure is None else failure.scope.value,
            )
        )

    async def note_connection(
        self, order: AttemptOrder, reply: AttemptReply, *, needed_user: Collection[str]
    ) -> None:
        """Note what a reading has shown of its connection; `needed_user` were noted as such before."""
        connection_id = order.connection_id
        if connection_id is None or not order.operation.reads_data:
            return
        status = _status_shown(reply.outcome, noted=connection_id in needed_user)
        if status is None:
            return
        try:
            await self._vault.set_status(connection_id, status)
        except (ActorLost, StoreError) as error:
            # The next attempt shows it again; what this one has read is not lost for it.
            _log.warning("connection_status_unnoted", error=type(error).__name__)


def _status_shown(outcome: object, *, noted: bool) -> ConnectionStatus | None:
    """The status that an attempt shows its connection to have; None where that is known."""
    if isinstance(outcome, Failure):
        refused = outcome.error_class is ErrorClass.AUTH
        if refused and outcome.scope is ErrorScope.CONNECTION and not noted:
            return ConnectionStatus.NEEDS_USER
        return None
    return ConnectionStatus.ACTIVE if noted and not getattr(outcome, "stale", False) else None

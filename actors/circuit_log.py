"""Changes of circuits, told to the log and remembered as they happen."""

from collections.abc import Callable, Iterable
from uuid import uuid4

import structlog

from orchestrator.domain import CircuitChange, Clock, from_unix
from orchestrator.resilience import CircuitTransition
from orchestrator.spool import SpoolWriter

__all__ = ["CircuitLog"]

_log = structlog.get_logger("provider")


class CircuitLog:
    """Writes down what changed in one provider's circuits.

    Args:
        provider: its name.
        spool: where rows go.
        clock: wall time.
        remember: writes down how things are now, for the process's next life.

    """

    def __init__(
        self, provider: str, spool: SpoolWriter, clock: Clock, remember: Callable[[], None]
    ) -> None:
        self._provider = provider
        self._spool = spool
        self._clock = clock
        self._remember = remember

    def write(self, transitions: Iterable[CircuitTransition]) -> None:
        """Tell of each."""
        changes = tuple(transitions)
        for change in changes:
            _log.info(
                "circuit_changed",
                provider=self._provider,
                scope=change.scope,
                to=change.to_state.value,
                reason=change.reason,
            )
            self._spool.put(
                CircuitChange(
                    change_id=uuid4().hex,
                    at=from_unix(self._clock.unix_s()),
                    provider=self._provider,
                    scope=change.scope,
                    from_state=change.from_state.value,
                    to_state=change.to_state.value,
                    reason=change.reason,
                )
            )
        if changes:
            self._remember()

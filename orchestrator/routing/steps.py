"""What a failover plan says and hears: its steps, their outcomes, and its bounds."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from orchestrator.domain import Failure, IneligibilityReason, Operation, OperationError, quick_init

from .eligibility import Candidate

__all__ = [
    "OTHER_LOGIN",
    "Dispatch",
    "Finish",
    "Pause",
    "PlanOptions",
    "Rejected",
    "StepOutcome",
    "Succeeded",
    "Success",
    "Watch",
]

OTHER_LOGIN: Final = "OTHER_LOGIN"
"""Code of a stand-in that turned out to show another login than the one asked for."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Bounds of a plan, in seconds. Defaults are those of the shipped configuration.

    `attempt_timeout_s` is an attempt's own timeout; while candidates remain it is also cut to half
    of the time left. `same_provider_retry` allows one retry at the last candidate left. `hedge`
    allows one further attempt beside a slow one.
    """

    attempt_timeout_s: float = 20.0
    retry_base_s: float = 0.2
    retry_cap_s: float = 2.0
    same_provider_retry: bool = True
    panic: bool = True
    hedge: bool = False

    def for_operation(self, operation: Operation) -> "PlanOptions":
        """The options of one operation.

        An exchange is never repeated, nor sent in panic. Only reads are hedged: a link session made
        twice would be two.
        """
        options = replace(self, hedge=self.hedge and operation.reads_data)
        if operation is Operation.EXCHANGE_TOKEN:
            return replace(options, same_provider_retry=False, panic=False)
        return options


@quick_init
@dataclass(frozen=True, slots=True)
class Dispatch:
    """Make this attempt.

    `timeout_s` is the attempt's own time, its wait for leave to begin left out. `time_left_s` is what
    it may take in all: running out of that is the caller's doing. `wait_s` is how long of it the
    attempt may wait for the provider's limits before it begins: not at all while another candidate
    can be asked at once. `waited_s` is the time in which the request did nothing
    but wait for limits before. `extra` draws on the provider's call budget; `hedge` goes beside an
    attempt that is under way.
    """

    candidate: Candidate
    attempt_number: int
    timeout_s: float
    time_left_s: float
    wait_s: float
    waited_s: float = 0.0
    panic: bool = False
    extra: bool = False
    hedge: bool = False

    @property
    def longest_s(self) -> float:
        """The longest that it can take, its wait included."""
        return min(self.timeout_s + self.wait_s, self.time_left_s)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is under way, and nothing can be asked before `wait_s` seconds have passed."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait for what is under way, and ask again when one has ended, or after `wait_s` seconds."""

    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The request has ended: in success when `error` is None. What is under way is given up."""

    error: OperationError | None


class Success(Enum):
    """The type of `Succeeded`."""

    SUCCEEDED = "succeeded"


Succeeded: Final = Success.SUCCEEDED
"""The attempt gave an answer."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider's own guard refused the attempt: it was not sent.

    `over_budget`: as an extra attempt, for which there is no room and no time to come back at.
    `queue_full`: its queue takes nobody, so that a wait must be spent elsewhere.
    """

    reason: IneligibilityReason
    retry_after_s: float | None
    by_failures: bool = False
    over_budget: bool = False
    queue_full: bool = False


StepOutcome = Success | Failure | Rejected
"""How a dispatch ended: `Succeeded`, a failure, or refused by the provider's own guard."""

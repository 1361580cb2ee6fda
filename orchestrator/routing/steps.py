"""What a failover plan says and hears: its steps, their outcomes, and its bounds."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from orchestrator.domain import Failure, IneligibilityReason, Operation, OperationError

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
]

OTHER_LOGIN: Final = "OTHER_LOGIN"
"""Code of a stand-in that turned out to show another login than the one asked for."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Bounds of a plan, in seconds. Defaults are those of the shipped configuration.

    `attempt_timeout_s` is an attempt's own timeout; while candidates remain it is also cut to half
    of the time left. `same_provider_retry` allows one retry at the last candidate left.
    """

    attempt_timeout_s: float = 20.0
    retry_base_s: float = 0.2
    retry_cap_s: float = 2.0
    same_provider_retry: bool = True
    panic: bool = True

    def for_operation(self, operation: Operation) -> "PlanOptions":
        """The options of one operation: an exchange is never repeated, nor sent in panic."""
        if operation is Operation.EXCHANGE_TOKEN:
            return replace(self, same_provider_retry=False, panic=False)
        return self


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Make this attempt. A cut is the caller's doing when `deadline_cuts` is set.

    `waited_s` is the time in which the request did nothing but wait for this candidate's limits.
    """

    candidate: Candidate
    attempt_number: int
    timeout_s: float
    deadline_cuts: bool
    panic: bool
    waited_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing can be asked before `wait_s` seconds have passed."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The request has ended: in success when `error` is None."""

    error: OperationError | None


class Success(Enum):
    """The type of `Succeeded`."""

    SUCCEEDED = "succeeded"


Succeeded: Final = Success.SUCCEEDED
"""The attempt gave an answer."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider's own guard refused the attempt: it was not sent."""

    reason: IneligibilityReason
    retry_after_s: float | None
    by_failures: bool = False


StepOutcome = Success | Failure | Rejected
"""How a dispatch ended: `Succeeded`, a failure, or refused by the provider's own guard."""

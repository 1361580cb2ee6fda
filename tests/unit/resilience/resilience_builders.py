"""Short ways to the states and failures that these tests start from."""

from orchestrator.domain import ErrorClass, ErrorScope, Failure, Operation
from orchestrator.resilience import (
    CircuitBoard,
    CircuitBreaker,
    CircuitPermit,
    CircuitTransition,
    Permit,
    Transition,
    Verdict,
)

ACCOUNTS = Operation.GET_ACCOUNTS
SYNC = Operation.SYNC_TRANSACTIONS


def failure(
    error_class: str, scope: str, code: str = "CODE", retry_after_s: float | None = None
) -> Failure:
    """A failure of this class and scope."""
    return Failure(
        error_class=ErrorClass(error_class),
        scope=ErrorScope(scope),
        code=code,
        message="made for a test",
        retry_after_s=retry_after_s,
    )


DOWN = failure("provider_down", "provider")
NETWORK = failure("network", "provider")
REFUSED = failure("auth", "client")
BANK_DOWN = failure("provider_down", "institution")


def permitted(breaker: CircuitBreaker, now: float) -> Permit:
    """A permit of a breaker that must give one."""
    answer = breaker.try_acquire(now)
    assert isinstance(answer, Permit)
    return answer


def call(
    breaker: CircuitBreaker, verdict: Verdict, now: float, *, jitter_ratio: float = 0.0
) -> tuple[Transition, ...]:
    """One admitted call with its verdict; what it changed."""
    permit = permitted(breaker, now)
    return permit.transitions + breaker.record(permit, verdict, now, jitter_ratio=jitter_ratio)


def fail_times(breaker: CircuitBreaker, times: int, now: float) -> tuple[Transition, ...]:
    """So many failures one after the other; what they changed."""
    return tuple(t for _ in range(times) for t in call(breaker, Verdict.FAILURE, now))


def admitted(
    board: CircuitBoard,
    now: float,
    *,
    operation: Operation = ACCOUNTS,
    at: str | None = None,
    panic: bool = False,
) -> CircuitPermit:
    """A permit of a board that must give one."""
    answer = board.admit(operation, at, now, panic=panic)
    assert isinstance(answer, CircuitPermit)
    return answer


def attempt(
    board: CircuitBoard,
    outcome: Failure | None,
    now: float,
    *,
    operation: Operation = ACCOUNTS,
    at: str | None = None,
    times: int = 1,
) -> tuple[CircuitTransition, ...]:
    """So many admitted attempts with this outcome; what they changed."""
    moved: list[CircuitTransition] = []
    for _ in range(times):
        permit = admitted(board, now, operation=operation, at=at)
        moved += permit.transitions
        moved += board.record(permit, outcome, now)
    return tuple(moved)

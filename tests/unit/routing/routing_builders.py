"""Short ways to the plans, failures and connections that these tests start from."""

from orchestrator.domain import ErrorClass, ErrorScope, Failure, IneligibilityReason
from orchestrator.routing import (
    Block,
    Candidate,
    Dispatch,
    FailoverPlan,
    Finish,
    LinkedConnection,
    Pause,
    PlanOptions,
    StepOutcome,
    Watch,
)

PLAID, MX, FINICITY = Candidate("plaid"), Candidate("mx"), Candidate("finicity")
T0 = 1000.0
"""When every request here comes in."""


def failure(
    error_class: str,
    scope: str = "provider",
    *,
    code: str = "CODE",
    elsewhere: bool = False,
    retry_after_s: float | None = None,
) -> Failure:
    """A failure of this class and scope."""
    return Failure(
        error_class=ErrorClass(error_class),
        scope=ErrorScope(scope),
        code=code,
        message="made for a test",
        elsewhere=elsewhere,
        retry_after_s=retry_after_s,
        user_action="sign in again" if error_class == "auth" else None,
    )


DOWN = failure("provider_down")


def opened(retry_after_s: float | None = 60.0, *, by_failures: bool = True) -> Block:
    """An open circuit."""
    return Block(IneligibilityReason.CIRCUIT_OPEN, retry_after_s, by_failures)


def limited(retry_after_s: float | None) -> Block:
    """A limiter without room."""
    return Block(IneligibilityReason.RATE_LIMITED, retry_after_s)


def plan_of(
    *order: Candidate,
    blocked: tuple[tuple[Candidate, Block], ...] = (),
    deadline_s: float = 30.0,
    options: PlanOptions | None = None,
    slow_after_s: dict[str, float] | None = None,
) -> FailoverPlan:
    """A plan that begins at T0."""
    return FailoverPlan(
        order,
        blocked,
        started_at=T0,
        deadline_s=deadline_s,
        options=options or PlanOptions(),
        slow_after_s=slow_after_s,
    )


def dispatched(plan: FailoverPlan, at: float = T0) -> Dispatch:
    """The attempt that the plan must want now."""
    step = plan.next(at)
    assert isinstance(step, Dispatch)
    return step


def paused(plan: FailoverPlan, at: float = T0) -> float:
    """Seconds that the plan must want to wait now."""
    step = plan.next(at)
    assert isinstance(step, Pause)
    return step.wait_s


def watched(plan: FailoverPlan, at: float = T0) -> float | None:
    """How long the plan must want to wait for what is under way."""
    step = plan.next(at)
    assert isinstance(step, Watch)
    return step.wait_s


def finished(plan: FailoverPlan, at: float = T0) -> Finish:
    """The end that the plan must have come to."""
    step = plan.next(at)
    assert isinstance(step, Finish)
    return step


def attempt(plan: FailoverPlan, outcome: StepOutcome, at: float = T0) -> Dispatch:
    """One attempt with its outcome, at one instant and without jitter."""
    step = dispatched(plan, at)
    plan.record(step, outcome, at, unit_random=0.0)
    return step


def connection(
    connection_id: str,
    provider: str,
    *accounts: str,
    institution_id: str = "ins_chase",
    read: bool = True,
    needs_user: bool = False,
    created_at_s: float = 1.0,
    region: str = "US",
) -> LinkedConnection:
    """A connection that has shown these accounts, or was not read yet."""
    return LinkedConnection(
        connection_id=connection_id,
        provider=provider,
        region=region,
        institution_id=institution_id,
        needs_user=needs_user,
        account_ids=frozenset(accounts) if read else None,
        created_at_s=created_at_s,
    )

"""What routers and provider actors say to each other: frozen, picklable, free of secrets."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter

from orchestrator.domain import (
    EncodedData,
    ErrorScope,
    ExchangeData,
    Failure,
    Lane,
    Operation,
    OperationData,
    OperationError,
    quick_init,
)
from orchestrator.resilience import (
    CALL_BUDGET,
    QUEUE_FULL,
    AdmitRequest,
    GuardRejection,
    HealthSnapshot,
)
from orchestrator.routing import Rejected

__all__ = [
    "AccountsCall",
    "AttemptOrder",
    "AttemptReply",
    "Call",
    "ExchangeCall",
    "LinkCall",
    "NotAttempted",
    "TransactionsCall",
    "rejected_by",
]


@dataclass(frozen=True, slots=True)
class LinkCall:
    """Make a link session, or with `repairs` one that mends that connection."""

    space_id: str
    institution_id: str | None
    language: str
    redirect_uri: str | None
    repairs: str | None


@dataclass(frozen=True, slots=True)
class ExchangeCall:
    """Finish a link session."""

    space_id: str
    link_session_id: str
    sealed_token: bytes = field(repr=False)


@quick_init
@dataclass(frozen=True, slots=True)
class AccountsCall:
    """Read a connection's accounts.

    `sibling_account_ids`: where set, at least one of them must be among the answer's accounts,
    else the connection shows another login and its answer is not given.
    """

    connection_id: str
    credential_version: int
    allow_stale: bool
    sibling_account_ids: frozenset[str] | None

    def __reduce__(self) -> tuple[type["AccountsCall"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return AccountsCall, (
            self.connection_id,
            self.credential_version,
            self.allow_stale,
            self.sibling_account_ids,
        )


@quick_init
@dataclass(frozen=True, slots=True)
class TransactionsCall:
    """Read a connection's movements; of one account where `account_id` is set.

    `provider_cursor` is the adapter's own, None where this connection has given none.
    `refresh_due`: the vendor has reported something new to read, which this reading may meet.
    """

    space_id: str
    connection_id: str
    credential_version: int
    allow_stale: bool
    sibling_account_ids: frozenset[str] | None
    account_id: str | None
    start_date: dt.date
    end_date: dt.date
    provider_cursor: str | None
    limit: int
    refresh_due: bool = False

    def __reduce__(self) -> tuple[type["TransactionsCall"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return TransactionsCall, (
            self.space_id,
            self.connection_id,
            self.credential_version,
            self.allow_stale,
            self.sibling_account_ids,
            self.account_id,
            self.start_date,
            self.end_date,
            self.provider_cursor,
            self.limit,
            self.refresh_due,
        )


Call = LinkCall | ExchangeCall | AccountsCall | TransactionsCall


@quick_init
@dataclass(frozen=True, slots=True)
class AttemptOrder:
    """One attempt to make, with all that its row in the log will tell of the decision.

    `timeout_s`, `time_left_s`, `wait_s`, `panic`, `extra` and `hedge` are those of a `Dispatch`;
    durations count from arrival.
    """

    attempt_id: str
    request_id: str
    job_id: str | None
    operation: Operation
    region: str
    institution_id: str | None
    space_hash: str
    call: Call
    connection_id: str | None
    attempt_number: int
    lane: Lane
    timeout_s: float
    time_left_s: float
    wait_s: float
    waited_s: float
    panic: bool
    extra: bool
    hedge: bool
    failover: bool
    candidates: tuple[str, ...]
    eligible: tuple[str, ...]
    propensity: float | None
    score: float | None
    policy: str
    model_version: str | None

    def __reduce__(self) -> tuple[type["AttemptOrder"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return AttemptOrder, _values_of(self)

    @property
    def whose(self) -> str | None:
        """Whose calls these are, for limits that hold for each connection.

        An exchange's are those of the connection that it makes, known by its link session till then.
        """
        if self.connection_id is None and isinstance(self.call, ExchangeCall):
            return self.call.link_session_id
        return self.connection_id

    def request(self, endpoint: str | None = None) -> AdmitRequest:
        """What the provider's guard is asked; `endpoint` is that of the first call, once known."""
        # By place, as this is made twice for every attempt.
        return AdmitRequest(
            self.operation,
            self.institution_id,
            self.whose,
            endpoint,
            self.lane,
            self.space_hash,
            self.panic,
            self.extra,
        )

    @property
    def longest_s(self) -> float:
        """The longest that it can take, its wait included."""
        return min(self.timeout_s + self.wait_s, self.time_left_s)


_values_of: Callable[[AttemptOrder], tuple[object, ...]] = attrgetter(
    *(field.name for field in fields(AttemptOrder))
)


@dataclass(frozen=True, slots=True)
class NotAttempted:
    """Our own books answered before anything was sent: an exchange done before, or in doubt."""

    answer: ExchangeData | OperationError


@quick_init
@dataclass(frozen=True, slots=True)
class AttemptReply:
    """How an order ended, and the provider's health afterwards. Between processes data is encoded."""

    outcome: OperationData | EncodedData | Failure | Rejected | NotAttempted
    latency_ms: float
    waited_ms: float
    health: HealthSnapshot | None = None
    in_doubt: bool = False

    def __reduce__(self) -> tuple[type["AttemptReply"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return AttemptReply, (
            self.outcome,
            self.latency_ms,
            self.waited_ms,
            self.health,
            self.in_doubt,
        )

    def with_outcome(self, outcome: EncodedData) -> "AttemptReply":
        """The same with its data encoded."""
        return AttemptReply(outcome, self.latency_ms, self.waited_ms, self.health, self.in_doubt)

    def with_health(self, health: HealthSnapshot) -> "AttemptReply":
        """The same with the provider's health told."""
        return AttemptReply(self.outcome, self.latency_ms, self.waited_ms, health, self.in_doubt)

    @property
    def error_scope(self) -> ErrorScope | None:
        """Scope of the failure, None for a success."""
        return self.outcome.scope if isinstance(self.outcome, Failure) else None


def rejected_by(rejection: GuardRejection) -> Rejected:
    """What a failover plan is told of a guard's refusal."""
    return Rejected(
        rejection.reason,
        rejection.retry_after_s,
        rejection.by_failures,
        over_budget=rejection.code == CALL_BUDGET,
        queue_full=rejection.code == QUEUE_FULL,
    )

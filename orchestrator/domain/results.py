"""What an operation answers with: typed data, the attempts made, and the decision behind them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .construction import quick_init
from .errors import OperationError
from .records import Account, Transaction
from .vocabulary import ErrorScope, IneligibilityReason, LinkType, Operation

__all__ = [
    "AccountsData",
    "AttemptSummary",
    "CandidateSummary",
    "ConnectionStatus",
    "DecisionSummary",
    "EncodedData",
    "ExchangeData",
    "LinkData",
    "LinkField",
    "OperationData",
    "OperationResult",
    "TransactionsData",
]


class ConnectionStatus(StrEnum):
    """What a connection is good for."""

    ACTIVE = "active"
    NEEDS_USER = "needs_user"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LinkField:
    """A field that the front end asks the user for, where a provider has no widget."""

    name: str
    label: str
    secret: bool


@dataclass(frozen=True, slots=True)
class LinkData:
    """Answer of `createLink`: what the front end needs to open the provider's widget."""

    link_session_id: str
    provider: str
    link_token: str | None
    link_url: str | None
    expires_at: datetime | None
    link_type: LinkType
    fields: tuple[LinkField, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExchangeData:
    """Answer of `exchangeToken`: the connection that now exists.

    `warnings` are sentences about what should be looked at, though the connection works; they are
    told once, by the exchange that made it.
    """

    connection_id: str
    provider: str
    institution_id: str
    status: ConnectionStatus
    warnings: tuple[str, ...] = ()


@quick_init
@dataclass(frozen=True, slots=True)
class AccountsData:
    """Answer of `getAccounts`; `stale` marks an honest old answer that awaits a refresh."""

    accounts: tuple[Account, ...]
    as_of: datetime | None
    stale: bool


@quick_init
@dataclass(frozen=True, slots=True)
class TransactionsData:
    """Answer of `syncTransactions`; `removed` lists transaction ids that are no longer true."""

    transactions: tuple[Transaction, ...]
    removed: tuple[str, ...]
    next_cursor: str | None
    has_more: bool
    stale: bool


OperationData = LinkData | ExchangeData | AccountsData | TransactionsData


@quick_init
@dataclass(frozen=True, slots=True)
class EncodedData:
    """An operation's data as the bytes of its JSON, between our own processes; see `encoded.py`."""

    operation: Operation
    json: bytes = field(repr=False)

    def __reduce__(self) -> tuple[type["EncodedData"], tuple[object, ...]]:
        """Pickle as a call, which is quicker than by state."""
        return EncodedData, (self.operation, self.json)


@quick_init
@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """One attempt, as the caller sees it. `outcome` is `success` or an error class."""

    attempt_id: str
    attempt_number: int
    provider: str
    outcome: str
    error_code: str | None
    error_scope: ErrorScope | None
    latency_ms: float
    waited_ms: float
    hedge: bool = False


@quick_init
@dataclass(frozen=True, slots=True)
class CandidateSummary:
    """One candidate of a decision: its score, its chance of being first, and why not, if not."""

    provider: str
    score: float | None
    propensity: float
    eligible: bool
    reason: IneligibilityReason | None


@quick_init
@dataclass(frozen=True, slots=True)
class DecisionSummary:
    """Which policy ordered the candidates, and how it saw them."""

    policy: str
    model_version: str | None
    candidates: tuple[CandidateSummary, ...]


@quick_init
@dataclass(frozen=True, slots=True)
class OperationResult:
    """The whole answer of one request. Exactly one of `data` and `error` is set.

    `data` is typed for whoever asks in Python, and may be encoded between our own processes.

    `failover_used` is true only when another provider than attempt 1's gave the answer.
    """

    success: bool
    request_id: str
    operation: Operation
    provider: str | None
    failover_used: bool
    data: OperationData | EncodedData | None
    error: OperationError | None
    attempts: tuple[AttemptSummary, ...]
    decision: DecisionSummary
    replayed: bool = False

    def with_data(self, data: OperationData) -> "OperationResult":
        """The same with these data."""
        return OperationResult(
            self.success,
            self.request_id,
            self.operation,
            self.provider,
            self.failover_used,
            data,
            self.error,
            self.attempts,
            self.decision,
            self.replayed,
        )

"""One well-filled value of every kind that travels, for tests of how they travel."""

import datetime as dt
from decimal import Decimal

from orchestrator.domain import (
    Account,
    AccountsData,
    AccountType,
    AttemptSummary,
    Balances,
    CandidateSummary,
    CircuitChange,
    CircuitStanding,
    CircuitState,
    CompleteListing,
    ConnectionAttempt,
    ConnectionStatus,
    DecisionSummary,
    Direction,
    ErrorScope,
    ErrorType,
    ExchangeData,
    IneligibilityReason,
    Lane,
    LastError,
    LinkData,
    LinkField,
    LinkType,
    Operation,
    OperationData,
    OperationError,
    OperationResult,
    ProviderAccount,
    ProviderHealthStatus,
    ProviderTransaction,
    RateLimitStanding,
    RequestRecord,
    SeenMovement,
    Transaction,
    TransactionCategory,
    TransactionsData,
)

AT = dt.datetime(2025, 3, 1, 12, 30, 0, 250_000, tzinfo=dt.UTC)
AT_TEXT = "2025-03-01T12:30:00.250Z"
DAY = dt.date(2025, 2, 28)

BALANCES = Balances(Decimal("100.10"), Decimal("0.00"), None)
ACCOUNT = Account(
    account_id="acc_1",
    institution_id="ins_chase",
    name="Cuenta de nómina",
    official_name=None,
    mask="1234",
    type=AccountType.DEPOSITORY,
    subtype="checking",
    currency="USD",
    balances=BALANCES,
    as_of=AT,
    provider="plaid",
    connection_id="con_1",
    provider_account_id="p-1",
)
TRANSACTION = Transaction(
    transaction_id="txn_1",
    account_id="acc_1",
    provider="plaid",
    provider_transaction_id="p-t-1",
    date=DAY,
    posted_at=AT,
    authorized_date=DAY,
    amount=Decimal("-12.30"),
    direction=Direction.OUT,
    currency="USD",
    description="Café\nand more",
    merchant_name=None,
    category=TransactionCategory.FOOD_AND_DRINK,
    pending=False,
    replaces_transaction_id=None,
)
PROVIDER_ACCOUNT = ProviderAccount(
    provider_account_id="p-1",
    name="Checking",
    official_name=None,
    mask="1234",
    type=AccountType.DEPOSITORY,
    subtype=None,
    currency="USD",
    balances=BALANCES,
    as_of=None,
)
PROVIDER_TRANSACTION = ProviderTransaction(
    provider_transaction_id="p-t-1",
    provider_account_id="p-1",
    date=DAY,
    posted_at=None,
    authorized_date=None,
    amount=Decimal(5),
    direction=Direction.UNKNOWN,
    currency="USD",
    description="",
    merchant_name=None,
    category=None,
    pending=True,
)
DATA: dict[Operation, OperationData] = {
    Operation.CREATE_LINK: LinkData(
        link_session_id="lks_1",
        provider="bitso",
        link_token=None,
        link_url=None,
        expires_at=AT,
        link_type=LinkType.API_KEY_FORM,
        fields=(LinkField("apiKey", "API key", secret=True),),
    ),
    Operation.EXCHANGE_TOKEN: ExchangeData("con_1", "mx", "ins_chase", ConnectionStatus.ACTIVE),
    Operation.GET_ACCOUNTS: AccountsData((ACCOUNT,), AT, stale=True),
    Operation.SYNC_TRANSACTIONS: TransactionsData(
        (TRANSACTION,), ("txn_0",), "cursor", has_more=True, stale=False
    ),
}
ATTEMPTS = (
    AttemptSummary(
        "a-1", 1, "plaid", "provider_down", "DOWN", ErrorScope.INSTITUTION, 812.4, waited_ms=0.5
    ),
    AttemptSummary("a-2", 2, "mx", "success", None, None, 240.1, 0.0, hedge=True),
)
DECISION = DecisionSummary(
    policy="adaptive",
    model_version=None,
    candidates=(
        CandidateSummary("plaid", 0.94, 0.97, eligible=True, reason=None),
        CandidateSummary("mx", None, 0.0, eligible=False, reason=IneligibilityReason.CIRCUIT_OPEN),
    ),
)
ERROR = OperationError(
    type=ErrorType.AUTH,
    code="ITEM_LOGIN_REQUIRED",
    message="the user must sign in again",
    provider="plaid",
    scope=ErrorScope.CONNECTION,
    retry_after_s=1.5,
    user_action="sign in again",
)
HEALTH = ProviderHealthStatus(
    configured=True,
    circuit_state=CircuitState.HALF_OPEN,
    circuits=(CircuitStanding("institution:ins_chase", CircuitState.OPEN, AT, None),),
    success_rate24h=0.998,
    attempts24h=1234,
    avg_response_time_ms=210.3,
    p50_ms=190.0,
    p95_ms=410.0,
    p99_ms=None,
    last_error=LastError("network", "RESET", "cut", AT),
    rate_limit=RateLimitStanding(0.93, 3),
)
ATTEMPT_ROW = ConnectionAttempt(
    attempt_id="a-1",
    request_id="req_1",
    job_id=None,
    operation=Operation.GET_ACCOUNTS,
    provider="plaid",
    region="US",
    institution_id="ins_chase",
    space_hash="5f",
    connection_id="con_1",
    attempt_number=1,
    hedge=False,
    started_at=AT,
    latency_ms=1.5,
    waited_ms=0.0,
    http_calls=2,
    outcome="auth",
    error_code="CODE",
    error_scope=ErrorScope.CLIENT,
    http_status=400,
    provider_request_id=None,
    circuit_state="CLOSED",
    priority=Lane.BACKFILL,
    failover=False,
    candidates=("plaid", "mx"),
    eligible=("plaid",),
    propensity=0.5,
    score=None,
    policy="adaptive",
    model_version="m-1",
    items=None,
    node_id=None,
)
CHANGE_ROW = CircuitChange("c-1", AT, "plaid", "provider", "CLOSED", "OPEN", "5 in a row")
REQUEST_ROW = RequestRecord(
    request_id="req_1",
    at=AT,
    operation=Operation.CREATE_LINK,
    region="MX",
    outcome="success",
    provider="belvo",
    attempts=1,
    failover=False,
    total_ms=3.5,
    story="{}",
)


def result_of(
    operation: Operation, data: OperationData | None = None, error: OperationError | None = None
) -> OperationResult:
    """A result with two attempts behind it."""
    return OperationResult(
        success=error is None,
        request_id="req_1",
        operation=operation,
        provider=None if error is not None else "mx",
        failover_used=error is None,
        data=data,
        error=error,
        attempts=ATTEMPTS,
        decision=DECISION,
    )


LISTING = CompleteListing(
    first_day=DAY,
    last_day=DAY,
    provider_account_ids=("p-1",),
    movements=(SeenMovement("t-1", "p-1", DAY),),
)
VALUES: tuple[object, ...] = (
    *DATA.values(),
    *(result_of(operation, data) for operation, data in DATA.items()),
    result_of(Operation.GET_ACCOUNTS, error=ERROR),
    PROVIDER_ACCOUNT,
    PROVIDER_TRANSACTION,
    LISTING,
    HEALTH,
    ATTEMPT_ROW,
    CHANGE_ROW,
    REQUEST_ROW,
)
"""Together they hold every dataclass of the domain that travels."""

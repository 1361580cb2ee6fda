"""State machines that protect providers: synchronous, clock-free, decisions as values.

    ProviderGuard            the gate: admit, call, record
    ├── CircuitBoard         one provider's circuits, by `blame_of`
    │   └── CircuitBreaker   one circuit
    ├── CallBudget           attempts beyond the first of each request
    ├── RateLimiter          one provider's quotas and pauses, published, learned and told
    ├── Bulkheads            places for attempts under way
    └── Lanes                who waits for limits and places, in a fair order

`now` is monotonic seconds of the caller's clock; randomness comes as an argument. What leaves a
process (`HealthSnapshot` and all in it) holds durations and counts only, and pickles.
"""

from .admission import AdmitRequest, GuardPermit, GuardReport, Leave, Served, Ticket, Turn
from .backoff import jittered_backoff_s
from .blame import Blame, blame_of
from .board_snapshot import (
    PROVIDER_SCOPE,
    BoardMemory,
    BoardSnapshot,
    CircuitBlock,
    CircuitStatus,
    institution_scope,
    operation_scope,
)
from .breaker import CircuitBreaker
from .breaker_options import BreakerOptions
from .bulkheads import Bulkheads
from .call_budget import CallBudget
from .circuit_permit import CircuitPermit, CircuitRejection, CircuitTransition
from .circuits import CircuitBoard
from .guard import ProviderGuard
from .guard_memory import GuardMemory, guard_memory, restore_guard
from .health_snapshot import CALL_BUDGET, QUEUE_FULL, GuardRejection, HealthSnapshot
from .lanes import Lanes
from .latencies import Latencies
from .limiter import Granted, Limited, LimiterSnapshot, RateLimiter
from .limiter_memory import LimiterMemory, SentSince, limiter_memory, restore_limiter
from .permit import (
    BreakerSnapshot,
    Control,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)
from .quota import Quota, QuotaScope, Reach, ToldAllowance, VendorCall

__all__ = [
    "CALL_BUDGET",
    "PROVIDER_SCOPE",
    "QUEUE_FULL",
    "AdmitRequest",
    "Blame",
    "BoardMemory",
    "BoardSnapshot",
    "BreakerOptions",
    "BreakerSnapshot",
    "Bulkheads",
    "CallBudget",
    "CircuitBlock",
    "CircuitBoard",
    "CircuitBreaker",
    "CircuitPermit",
    "CircuitRejection",
    "CircuitStatus",
    "CircuitTransition",
    "Control",
    "Granted",
    "GuardMemory",
    "GuardPermit",
    "GuardRejection",
    "GuardReport",
    "HealthSnapshot",
    "Lanes",
    "Latencies",
    "Leave",
    "Limited",
    "LimiterMemory",
    "LimiterSnapshot",
    "OpenCause",
    "Permit",
    "ProviderGuard",
    "Quota",
    "QuotaScope",
    "RateLimiter",
    "Reach",
    "Rejection",
    "SentSince",
    "Served",
    "Ticket",
    "ToldAllowance",
    "Transition",
    "Turn",
    "VendorCall",
    "Verdict",
    "blame_of",
    "guard_memory",
    "institution_scope",
    "jittered_backoff_s",
    "limiter_memory",
    "operation_scope",
    "restore_guard",
    "restore_limiter",
]

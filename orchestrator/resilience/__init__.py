"""State machines that protect providers: synchronous, clock-free, decisions as values.

    ProviderGuard            the gate: admit, call, record
    ├── CircuitBoard         one provider's circuits, by `blame_of`
    │   └── CircuitBreaker   one circuit
    └── RateLimiter          one provider's quotas and pauses

`now` is monotonic seconds of the caller's clock; randomness comes as an argument. What leaves a
process (`HealthSnapshot` and all in it) holds durations and counts only, and pickles.
"""

from .backoff import jittered_backoff_s
from .blame import Blame, blame_of
from .board_snapshot import (
    PROVIDER_SCOPE,
    BoardSnapshot,
    CircuitBlock,
    CircuitStatus,
    institution_scope,
    operation_scope,
)
from .breaker import CircuitBreaker
from .breaker_options import BreakerOptions
from .call_budget import CallBudget
from .circuit_permit import CircuitPermit, CircuitRejection, CircuitTransition
from .circuits import CircuitBoard
from .guard import AdmitRequest, GuardPermit, GuardReport, ProviderGuard
from .health_snapshot import GuardRejection, HealthSnapshot
from .limiter import Granted, Limited, LimiterSnapshot, RateLimiter
from .permit import (
    BreakerSnapshot,
    Control,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)
from .quota import Quota, QuotaScope

__all__ = [
    "PROVIDER_SCOPE",
    "AdmitRequest",
    "Blame",
    "BoardSnapshot",
    "BreakerOptions",
    "BreakerSnapshot",
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
    "GuardPermit",
    "GuardRejection",
    "GuardReport",
    "HealthSnapshot",
    "Limited",
    "LimiterSnapshot",
    "OpenCause",
    "Permit",
    "ProviderGuard",
    "Quota",
    "QuotaScope",
    "RateLimiter",
    "Rejection",
    "Transition",
    "Verdict",
    "blame_of",
    "institution_scope",
    "jittered_backoff_s",
    "operation_scope",
]

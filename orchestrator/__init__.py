"""Bank data through providers that are not reliable.

`Orchestrator` is the way in; the rest are the values it answers with and the machines it is made
of. Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.domain import (
        ConnectionAttempt,
        Operation,
        OperationError,
        OperationResult,
        Provider,
        ProviderHealthStatus,
    )
    from orchestrator.providers.protocol import FinancialProvider
    from orchestrator.resilience import CircuitBreaker, RateLimiter

__all__ = [
    "CircuitBreaker",
    "ConnectionAttempt",
    "FinancialProvider",
    "Operation",
    "OperationError",
    "OperationResult",
    "Orchestrator",
    "Provider",
    "ProviderHealthStatus",
    "RateLimiter",
]

_HOMES = {
    "CircuitBreaker": "resilience",
    "ConnectionAttempt": "domain",
    "FinancialProvider": "providers.protocol",
    "Operation": "domain",
    "OperationError": "domain",
    "OperationResult": "domain",
    "Orchestrator": "client",
    "Provider": "domain",
    "ProviderHealthStatus": "domain",
    "RateLimiter": "resilience",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"orchestrator.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")

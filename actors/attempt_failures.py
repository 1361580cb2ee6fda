"""Failures of attempts that no vendor reports: ours, the deadline's, a lost actor's."""

from dataclasses import replace
from typing import Final

from actors.ports import ActorLost
from orchestrator.domain import ErrorClass, ErrorScope, ErrorType, Failure, OperationError

__all__ = [
    "ACTOR_LOST",
    "CUT",
    "LATE",
    "OUR_QUEUE_FULL",
    "OUTRUN",
    "PART_LOST",
    "STORE_FAILED",
    "local_limit",
    "own_fault",
    "wrongly_empty",
]

LATE: Final = Failure(
    error_class=ErrorClass.NETWORK,
    scope=ErrorScope.PROVIDER,
    code="TIMEOUT",
    message="the provider did not answer in time",
)
"""The attempt's own timeout came: the provider's fault."""
CUT: Final = replace(LATE, code="DEADLINE", message="the request's deadline came first")
"""The caller's deadline came before the attempt's own timeout: nobody's fault."""
ACTOR_LOST: Final = replace(
    LATE, code="ACTOR_LOST", message="a part of this system was lost during the attempt"
)
OUTRUN: Final = replace(
    LATE,
    scope=ErrorScope.REQUEST,
    code="OUTRUN",
    message="another attempt of the request answered first",
)
"""Given up beside a hedge, or as one: nobody's fault, and it says nothing."""
PART_LOST: Final = OperationError(
    ErrorType.NETWORK,
    "ACTOR_LOST",
    "a part of this system was lost during the request; ask again in a moment",
)
"""What a request is told that could not be served without a lost actor."""
OUR_QUEUE_FULL: Final = OperationError(
    ErrorType.OVERLOADED,
    "QUEUE_FULL",
    "too many requests are under way in this system; ask again in a moment",
    retry_after_s=1.0,
)
"""What a request is told when more calls of ours wait for an actor than may."""
STORE_FAILED: Final = OperationError(
    ErrorType.NETWORK,
    "STORE_FAILED",
    "what this system keeps could not be read or written; ask again in a moment",
)
"""What a request is told when the vault could not do its work."""
_INTERNAL: Final = Failure(
    error_class=ErrorClass.PROVIDER_DOWN,
    scope=ErrorScope.REQUEST,
    code="INTERNAL",
    message="something failed on our side during the attempt",
)


def own_fault(error: Exception) -> Failure:
    """The failure of an attempt that ended in an exception of ours; no circuit counts it."""
    if isinstance(error, ActorLost):
        return replace(ACTOR_LOST, scope=ErrorScope.REQUEST)
    return _INTERNAL


def wrongly_empty(what: str) -> Failure:
    """The failure of a 200 that is empty where the connection showed data before."""
    return Failure(
        error_class=ErrorClass.PROVIDER_DOWN,
        scope=ErrorScope.INSTITUTION,
        code="WRONG_SUCCESS_EMPTY",
        message=f"the provider showed {what} through this connection before, and now none",
        elsewhere=True,
        http_status=200,
    )


def local_limit(retry_after_s: float | None) -> Failure:
    """The failure of an attempt whose next page found no room in the provider's limits."""
    return Failure(
        error_class=ErrorClass.RATE_LIMIT,
        scope=ErrorScope.CONNECTION,
        code="LOCAL_LIMIT",
        message="the provider's limits leave no room for the next page in time",
        retry_after_s=retry_after_s,
        sent=False,
    )

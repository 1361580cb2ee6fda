"""What a link session that may not be exchanged now is answered with."""

from actors.messages import NotAttempted
from orchestrator.domain import ErrorType, ExchangeData, OperationError
from orchestrator.vault import (
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStart,
    ExchangeUnknown,
)

__all__ = ["in_doubt_error", "not_started"]


def in_doubt_error(provider: str | None) -> OperationError:
    """The exchange was sent and nobody knows how it ended."""
    return OperationError(
        ErrorType.IN_DOUBT,
        "EXCHANGE_IN_DOUBT",
        "the exchange was sent and its answer was lost; it is not repeated, as the token may be "
        "used up: make a new link session with createLink and let the user link again",
        provider=provider,
        user_action="link the institution again in a new link session",
    )


_REFUSALS = {
    ExchangeBusy: OperationError(
        ErrorType.CONFLICT,
        "EXCHANGE_RUNNING",
        "another request is exchanging this link session; ask again for its answer",
        retry_after_s=1.0,
    ),
    ExchangeUnknown: OperationError(
        ErrorType.NOT_FOUND, "UNKNOWN_LINK_SESSION", "this space has no such link session"
    ),
    ExchangeExpired: OperationError(
        ErrorType.NOT_FOUND,
        "LINK_SESSION_EXPIRED",
        "this link session is over: make a new one with createLink",
    ),
}


def not_started(start: ExchangeStart) -> NotAttempted:
    """The stored answer of an exchange that was done, else why it cannot be sent."""
    if isinstance(start, ExchangeDone):
        made = start.connection
        return NotAttempted(
            ExchangeData(made.connection_id, made.provider, made.institution_id, made.status)
        )
    if isinstance(start, ExchangeInDoubt):
        return NotAttempted(in_doubt_error(None))
    return NotAttempted(_REFUSALS[type(start)])

"""What a Plaid Item says of itself, beside the data: trouble, consent, age."""

from datetime import datetime
from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure

from .payload import Payload, optional_instant, optional_section, optional_text
from .plaid_errors import PLAID_ERRORS
from .user_actions import RECONNECT

__all__ = ["needs_user", "trouble_of", "updated_at"]

_CONSENT_EXPIRED: Final = Failure(
    error_class=ErrorClass.AUTH,
    scope=ErrorScope.CONNECTION,
    code="CONSENT_EXPIRED",
    message="the user's consent at the bank has run out",
    http_status=200,
    user_action=RECONNECT,
)


def trouble_of(item: Payload, now: datetime) -> ProviderFailure | None:
    """Why an Item's data are not renewed, although an answer of status 200 holds it; None if well.

    Args:
        item: of an answer.
        now: aware; a consent that ended before it is a trouble too.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    error = optional_section(item, "error")
    if error is not None:
        return PLAID_ERRORS.failure(
            code=optional_text(error, "error_code"),
            error_type=optional_text(error, "error_type"),
            http_status=200,
        )
    consent_ends_at = optional_instant(item, "consent_expiration_time")
    if consent_ends_at is not None and consent_ends_at <= now:
        return ProviderFailure(_CONSENT_EXPIRED)
    return None


def needs_user(trouble: ProviderFailure | None) -> bool:
    """Whether only the end user can mend it."""
    return trouble is not None and trouble.failure.error_class is ErrorClass.AUTH


def updated_at(answer: Payload) -> datetime | None:
    """When Plaid last read the bank, out of an answer of `/item/get`; None where it never did.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    status = optional_section(answer, "status")
    transactions = None if status is None else optional_section(status, "transactions")
    return (
        None if transactions is None else optional_instant(transactions, "last_successful_update")
    )

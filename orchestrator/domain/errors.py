"""Every exception this package raises, in one tree.

    OrchestratorError
    ├── ConfigurationError        settings or environment are wrong; the message says what to mend
    ├── NotRunning                no orchestrator answers where one was expected
    ├── ProviderFailure           a provider call failed; carries a Failure
    ├── RequestRefused            a request that cannot be served; carries an OperationError
    ├── StoreError                the vault or the attempt log could not do its work
    │   └── QueryRefused          an attempt-log query outside what a reader may ask
    └── WebhookRefused            a webhook that nothing is done about; carries the reason

Failures that belong to the flow of a request travel as frozen values (`Failure`, `OperationError`);
the exceptions here carry them over the edges. All of them survive pickling, which Ray needs.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from .vocabulary import ErrorClass, ErrorScope

__all__ = [
    "ConfigurationError",
    "ErrorType",
    "Failure",
    "NotRunning",
    "OperationError",
    "OrchestratorError",
    "ProviderFailure",
    "QueryRefused",
    "RequestRefused",
    "StoreError",
    "WebhookRefusal",
    "WebhookRefused",
]


class ErrorType(StrEnum):
    """`error.type` of a failed request: the five classes, and what only a request can be."""

    VALIDATION = "validation"
    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    PROVIDER_DOWN = "provider_down"
    DEADLINE = "deadline"
    NOT_FOUND = "not_found"
    IN_DOUBT = "in_doubt"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"

    @property
    def retryable(self) -> bool:
        """True where the caller may send the same request again."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorType.RATE_LIMIT,
        ErrorType.NETWORK,
        ErrorType.PROVIDER_DOWN,
        ErrorType.DEADLINE,
        ErrorType.OVERLOADED,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """How one attempt failed: whether to repeat it, who is to blame, and what to do next.

    `message` is ours; a vendor's free text never enters it.
    `elsewhere` is the error table's third word: another provider may do better although the class
    is not retryable. `sent` is False only when the call certainly never left this machine.
    """

    error_class: ErrorClass
    scope: ErrorScope
    code: str
    message: str
    elsewhere: bool = False
    http_status: int | None = None
    retry_after_s: float | None = None
    user_action: str | None = None
    provider_request_id: str | None = None
    sent: bool = True

    @property
    def retryable(self) -> bool:
        """Whether failover goes on by the class alone."""
        return self.error_class.retryable


@dataclass(frozen=True, slots=True)
class OperationError:
    """What a caller is told about a failed request."""

    type: ErrorType
    code: str
    message: str
    provider: str | None = None
    scope: ErrorScope | None = None
    retry_after_s: float | None = None
    user_action: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same request may be sent again."""
        return self.type.retryable

    @classmethod
    def of(cls, failure: Failure, provider: str) -> Self:
        """The error of a request whose last attempt failed like this."""
        return cls(
            type=ErrorType(failure.error_class.value),
            code=failure.code,
            message=failure.message,
            provider=provider,
            scope=failure.scope,
            retry_after_s=failure.retry_after_s,
            user_action=failure.user_action,
        )


class OrchestratorError(Exception):
    """Root of everything raised here."""


class ConfigurationError(OrchestratorError):
    """Settings or environment are wrong; the message is one sentence that says what to mend."""


class NotRunning(OrchestratorError):
    """No orchestrator answers where one was expected."""


class StoreError(OrchestratorError):
    """The vault or the attempt log could not do its work."""


class QueryRefused(StoreError):
    """An attempt-log query that a reader may not ask; the message says what is allowed."""


class ProviderFailure(OrchestratorError):
    """Raised by adapters; the provider actor turns it into the attempt's outcome."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        failure = self.failure
        return f"{failure.error_class}/{failure.scope} {failure.code}: {failure.message}"


class RequestRefused(OrchestratorError):
    """A request that is refused before any provider is asked."""

    def __init__(self, error: OperationError) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"{self.error.type} {self.error.code}: {self.error.message}"


class WebhookRefusal(StrEnum):
    """Why nothing is done about a webhook."""

    UNPROVEN = "unproven"
    TOO_OLD = "too_old"
    REPLAYED = "replayed"
    NOT_CONFIGURED = "not_configured"
    MALFORMED = "malformed"
    TOO_SOON = "too_soon"


class WebhookRefused(OrchestratorError):
    """A webhook that is not what its vendor sends, or comes when it may not."""

    def __init__(self, reason: WebhookRefusal, retry_after_s: float | None = None) -> None:
        super().__init__(reason, retry_after_s)
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.reason.value

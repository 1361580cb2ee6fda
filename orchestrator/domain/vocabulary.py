"""The closed vocabularies of the field, spelled as they travel on the wire and stand in the log."""

from enum import StrEnum

__all__ = [
    "CircuitState",
    "ErrorClass",
    "ErrorScope",
    "IneligibilityReason",
    "Lane",
    "LinkType",
    "Operation",
    "Provider",
    "TransactionCategory",
]


class Operation(StrEnum):
    """The four things that can be asked of any provider."""

    CREATE_LINK = "createLink"
    EXCHANGE_TOKEN = "exchangeToken"  # noqa: S105  an operation's name, not a secret
    GET_ACCOUNTS = "getAccounts"
    SYNC_TRANSACTIONS = "syncTransactions"

    @property
    def reads_data(self) -> bool:
        """Whether it reads an existing connection, and so may move only to a sibling of it."""
        return self in (Operation.GET_ACCOUNTS, Operation.SYNC_TRANSACTIONS)


class Provider(StrEnum):
    """Names of the shipped providers; the core takes any registered name, not only these."""

    PLAID = "plaid"
    MX = "mx"
    FINICITY = "finicity"
    BELVO = "belvo"
    BITSO = "bitso"


class ErrorClass(StrEnum):
    """Whether the same call may be repeated."""

    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    PROVIDER_DOWN = "provider_down"
    VALIDATION = "validation"

    @property
    def retryable(self) -> bool:
        """True where repeating the same call later can succeed."""
        return self in (ErrorClass.RATE_LIMIT, ErrorClass.NETWORK, ErrorClass.PROVIDER_DOWN)


class ErrorScope(StrEnum):
    """What is broken, and so what may be closed off because of it."""

    REQUEST = "request"
    CONNECTION = "connection"
    INSTITUTION = "institution"
    CLIENT = "client"
    PROVIDER = "provider"


class CircuitState(StrEnum):
    """States of a circuit breaker; the forced ones are the operator's."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
    FORCED_OPEN = "FORCED_OPEN"
    FORCED_CLOSED = "FORCED_CLOSED"


class IneligibilityReason(StrEnum):
    """Why a candidate was not asked."""

    NOT_CONFIGURED = "not_configured"
    REGION = "region"
    INSTITUTION = "institution"
    NOT_LINKED = "not_linked"
    NEEDS_USER = "needs_user"
    CIRCUIT_OPEN = "circuit_open"
    FORCED_OPEN = "forced_open"
    RATE_LIMITED = "rate_limited"


class Lane(StrEnum):
    """Who is waiting: a person, or a bulk job."""

    INTERACTIVE = "interactive"
    BACKFILL = "backfill"


class LinkType(StrEnum):
    """How the end user completes a link session."""

    WIDGET_TOKEN = "widget_token"  # noqa: S105  a kind of link, not a secret
    HOSTED_URL = "hosted_url"
    API_KEY_FORM = "api_key_form"


class TransactionCategory(StrEnum):
    """What a movement is for, in words that every vendor's own taxonomy can be told in.

    As coarse as the coarsest of them, so that a movement keeps its category from provider to
    provider. `OTHER` is a category that is told and not known here.
    """

    INCOME = "income"
    TRANSFER = "transfer"
    CASH = "cash"
    LOAN_PAYMENT = "loan_payment"
    HOME_AND_UTILITIES = "home_and_utilities"
    FOOD_AND_DRINK = "food_and_drink"
    TRANSPORT_AND_TRAVEL = "transport_and_travel"
    SHOPPING = "shopping"
    ENTERTAINMENT = "entertainment"
    HEALTH_AND_CARE = "health_and_care"
    EDUCATION = "education"
    INSURANCE = "insurance"
    INVESTMENT = "investment"
    FEES = "fees"
    TAXES = "taxes"
    SERVICES = "services"
    OTHER = "other"

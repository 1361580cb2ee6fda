"""Plaid's error bodies, and every code of its error pages that concerns linking and reading.

Source: Plaid's OpenAPI 2020-09-14 (PlaidError) and its error pages. Nearly every error is a 400;
`error_type` and `error_code` say what it is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .faults import FaultKind
from .wire import Answer, Call, JsonObject, Refusal

__all__ = [
    "CLIENT_ID",
    "ERROR_CODES",
    "MUTATION",
    "NOT_READY",
    "SECRET",
    "error",
    "error_object",
    "fault_refusal",
    "refuse",
    "shows_on_the_item",
]

CLIENT_ID: Final = "sandbox_client"
SECRET: Final = "sandbox_secret"
MUTATION: Final = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
NOT_READY: Final = "PRODUCT_NOT_READY"

_CODES: Final = {
    "ITEM_ERROR": """
        ITEM_LOGIN_REQUIRED ITEM_LOCKED PASSWORD_RESET_REQUIRED USER_SETUP_REQUIRED
        INVALID_UPDATED_USERNAME INVALID_CREDENTIALS INVALID_MFA INVALID_OTP INVALID_PHONE_NUMBER
        INVALID_SEND_METHOD INSUFFICIENT_CREDENTIALS USER_INPUT_TIMEOUT MANUAL_VERIFICATION_REQUIRED
        INSTANT_MATCH_FAILED ACCESS_NOT_GRANTED ITEM_NOT_FOUND ITEM_CONCURRENTLY_DELETED
        PRODUCT_NOT_READY PRODUCT_NOT_ENABLED PRODUCTS_NOT_SUPPORTED NO_ACCOUNTS NO_AUTH_ACCOUNTS
        NO_INVESTMENT_ACCOUNTS NO_INVESTMENT_AUTH_ACCOUNTS NO_LIABILITY_ACCOUNTS ITEM_NOT_SUPPORTED
        MFA_NOT_SUPPORTED""",
    "INSTITUTION_ERROR": """
        INSTITUTION_DOWN INSTITUTION_NOT_RESPONDING INSTITUTION_NOT_AVAILABLE
        INSTITUTION_NO_LONGER_SUPPORTED UNSUPPORTED_RESPONSE UNAUTHORIZED_INSTITUTION
        INSTITUTION_REGISTRATION_REQUIRED INSTITUTION_NOT_ENABLED_IN_ENVIRONMENT""",
    "INVALID_INPUT": """
        INVALID_API_KEYS UNAUTHORIZED_ENVIRONMENT UNAUTHORIZED_ROUTE_ACCESS INVALID_PRODUCT
        DIRECT_INTEGRATION_NOT_ENABLED INVALID_ACCESS_TOKEN INVALID_USER_TOKEN INVALID_USER_ID
        INVALID_PROCESSOR_TOKEN USER_PERMISSION_REVOKED ADDITIONAL_CONSENT_REQUIRED
        TOO_MANY_VERIFICATION_ATTEMPTS INVALID_PUBLIC_TOKEN INVALID_LINK_TOKEN INVALID_ACCOUNT_ID
        INVALID_INSTITUTION INVALID_LINK_CUSTOMIZATION INVALID_WEBHOOK_VERIFICATION_KEY_ID
        INVALID_AUDIT_COPY_TOKEN INVALID_STRIPE_ACCOUNT INVALID_USER_IDENTITY_DATA
        INCORRECT_DEPOSIT_VERIFICATION PROFILE_ACCESS_FORBIDDEN PROFILE_AUTHENTICATION_FAILED""",
    "INVALID_REQUEST": """
        MISSING_FIELDS UNKNOWN_FIELDS INVALID_FIELD INVALID_CONFIGURATION INCOMPATIBLE_API_VERSION
        INVALID_BODY INVALID_HEADERS NOT_FOUND NO_LONGER_AVAILABLE SANDBOX_ONLY
        INVALID_ACCOUNT_NUMBER""",
    "RATE_LIMIT_EXCEEDED": """
        ACCOUNTS_LIMIT AUTH_LIMIT BALANCE_LIMIT IDENTITY_LIMIT ITEM_GET_LIMIT TRANSACTIONS_LIMIT
        TRANSACTIONS_SYNC_LIMIT TRANSACTIONS_REFRESH_LIMIT INVESTMENT_HOLDINGS_GET_LIMIT
        INVESTMENT_TRANSACTIONS_LIMIT ACCOUNTS_BALANCE_GET_LIMIT INSTITUTIONS_GET_LIMIT
        INSTITUTIONS_GET_BY_ID_LIMIT INSTITUTION_RATE_LIMIT RATE_LIMIT CREDITS_EXHAUSTED
        ADDITION_LIMIT TRIAL_CONNECTION_LIMIT""",
    "API_ERROR": "INTERNAL_SERVER_ERROR PLANNED_MAINTENANCE",
    "TRANSACTIONS_ERROR": MUTATION,
    "OAUTH_ERROR": """
        INCORRECT_OAUTH_NONCE INCORRECT_LINK_TOKEN OAUTH_STATE_ID_ALREADY_PROCESSED
        OAUTH_STATE_ID_NOT_FOUND""",
    "INVALID_RESULT": "LAST_UPDATED_DATETIME_OUT_OF_RANGE",
    "RECAPTCHA_ERROR": "RECAPTCHA_REQUIRED RECAPTCHA_BAD",
    "USER_ERROR": "USER_NOT_FOUND",
    "SANDBOX_ERROR": "SANDBOX_PRODUCT_NOT_ENABLED SANDBOX_WEBHOOK_INVALID",
}
_STATUSES: Final = {
    "INTERNAL_SERVER_ERROR": 500,
    "PLANNED_MAINTENANCE": 503,
    "API_ERROR": 500,
    "NOT_FOUND": 404,
    "RATE_LIMIT_EXCEEDED": 429,
    "USER_ERROR": 403,
}

ERROR_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {code: error_type for error_type, codes in _CODES.items() for code in codes.split()}
    # A type's own name stands for a code of that type that is newer than any client.
    | {error_type: error_type for error_type in _CODES if error_type != "SANDBOX_ERROR"}
)
"""Every code by its type."""

_DISPLAYED: Final = {
    "ITEM_ERROR": "Please sign in to your bank again.",
    "INSTITUTION_ERROR": "This bank is not responding. Please try again later.",
}
_ON_THE_ITEM: Final = frozenset({"ITEM_ERROR", "INSTITUTION_ERROR"})
_CONSENT: Final = frozenset({"USER_PERMISSION_REVOKED", "ADDITIONAL_CONSENT_REQUIRED"})
_GONE: Final = frozenset({"ITEM_NOT_FOUND", "ITEM_CONCURRENTLY_DELETED"})


def error(call: Call, code: str, message: str | None = None) -> Answer:
    """An error answer in Plaid's form, with the status that goes with its code."""
    status = _STATUSES.get(code) or _STATUSES.get(ERROR_CODES[code], 400)
    return Answer(status, error_object(call, code, message))


def error_object(call: Call, code: str, message: str | None = None) -> JsonObject:
    """A PlaidError, as it is answered and as it stands inside an item."""
    error_type = ERROR_CODES[code]
    return {
        "error_type": error_type,
        "error_code": code,
        "error_code_reason": None,
        "error_message": message or code.replace("_", " ").lower(),
        "display_message": _DISPLAYED.get(error_type),
        "documentation_url": "https://plaid.com/docs/errors/",
        "request_id": call.request_id,
        "suggested_action": None,
    }


def refuse(call: Call, code: str, message: str | None = None) -> Refusal:
    """An error to be raised out of a handler."""
    return Refusal(error(call, code, message))


def shows_on_the_item(code: str) -> bool:
    """Whether an Item that can still be asked about tells this code of itself."""
    return code in _CONSENT or (ERROR_CODES[code] in _ON_THE_ITEM and code not in _GONE)


_FAULTS: Final = {
    FaultKind.DOWN: "INTERNAL_SERVER_ERROR",
    FaultKind.AUTH: "ITEM_LOGIN_REQUIRED",
    FaultKind.VALIDATION: "INVALID_FIELD",
    FaultKind.INSTITUTION_DOWN: "INSTITUTION_DOWN",
    FaultKind.BAD_KEYS: "INVALID_API_KEYS",
}


def fault_refusal(kind: FaultKind, call: Call) -> Answer | None:
    """Plaid's own answer to each kind of trouble; None where it shows in the data."""
    code = _FAULTS.get(kind)
    return None if code is None else error(call, code)

"""Plaid's error codes as data (plaid.com/docs/errors).

Plaid answers nearly every error with HTTP 400, an outage included, so its codes decide and the
status only where the body cannot be read. Codes of products that we never call are here too: an
Item reports errors of all its products.
"""

from collections.abc import Mapping
from typing import Final

from .error_table import ErrorRule, ErrorTable, rule
from .user_actions import LINK_AGAIN, RECONNECT, RESTART_LINK

__all__ = ["GONE", "MUTATION", "PLAID_ERRORS"]

MUTATION: Final = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
GONE: Final = frozenset({"ITEM_NOT_FOUND", "ITEM_CONCURRENTLY_DELETED", "INVALID_ACCESS_TOKEN"})
"""Codes that say of a connection to be ended that it has ended already."""


def _user(meaning: str, action: str = RECONNECT) -> ErrorRule:
    return rule("auth", "item", meaning, user_action=action)


def _unsupported(meaning: str, scope: str = "institution") -> ErrorRule:
    return rule("validation", scope, meaning, elsewhere=True)


def _our_keys(meaning: str, scope: str = "client") -> ErrorRule:
    return rule("auth", scope, meaning, elsewhere=True)


def _our_bug(meaning: str) -> ErrorRule:
    return rule("validation", "request", meaning)


def _slow_down(meaning: str, scope: str = "item") -> ErrorRule:
    return rule("rate_limit", scope, meaning, elsewhere=True)


_ITEM_ERRORS: Final[Mapping[str, ErrorRule]] = {
    "ITEM_LOGIN_REQUIRED": _user("the bank wants the user to log in again"),
    "ITEM_LOCKED": _user("the bank has locked the user's login"),
    "PASSWORD_RESET_REQUIRED": _user("the bank wants the user to set a new password"),
    "USER_SETUP_REQUIRED": _user("the bank wants the user to finish something on its own site"),
    "INVALID_UPDATED_USERNAME": _user("the user name given in the repair is another one"),
    "INVALID_CREDENTIALS": _user("the bank refuses the user's credentials"),
    "INVALID_MFA": _user("the bank refuses the user's second factor"),
    "INVALID_OTP": _user("the one-time password was wrong"),
    "INVALID_PHONE_NUMBER": _user("the phone number was not accepted"),
    "INVALID_SEND_METHOD": _user("the way of sending a code was not accepted"),
    "INSUFFICIENT_CREDENTIALS": _user("the user left the bank's login before its end"),
    "USER_INPUT_TIMEOUT": _user("the user did not answer the bank in time"),
    "MANUAL_VERIFICATION_REQUIRED": _user("the user still has to verify the accounts by hand"),
    "INSTANT_MATCH_FAILED": _user("the account could not be matched to the login"),
    "ACCESS_NOT_GRANTED": _user("the user withheld a permission at the bank"),
    "ITEM_NOT_FOUND": _user("the connection no longer exists", LINK_AGAIN),
    "ITEM_CONCURRENTLY_DELETED": _user("the connection was deleted meanwhile", LINK_AGAIN),
    "PRODUCT_NOT_READY": rule("provider_down", "item", "the data are still being gathered"),
    "PRODUCT_NOT_ENABLED": rule(
        "validation", "item", "the connection was linked without this product"
    ),
    "PRODUCTS_NOT_SUPPORTED": _unsupported("the bank does not offer this product there", "item"),
    "NO_ACCOUNTS": _unsupported("no account of the login fits the product", "item"),
    "NO_AUTH_ACCOUNTS": _unsupported("no account of the login has account numbers", "item"),
    "NO_INVESTMENT_ACCOUNTS": _unsupported("the login has no investment account", "item"),
    "NO_INVESTMENT_AUTH_ACCOUNTS": _unsupported("no investment account has numbers", "item"),
    "NO_LIABILITY_ACCOUNTS": _unsupported("the login has no debt account", "item"),
    "ITEM_NOT_SUPPORTED": _unsupported("this kind of login is not supported there"),
    "MFA_NOT_SUPPORTED": _unsupported("the bank's second factor is not supported there"),
}

_INSTITUTION_ERRORS: Final[Mapping[str, ErrorRule]] = {
    "INSTITUTION_DOWN": rule("provider_down", "institution", "the bank is down", elsewhere=True),
    "INSTITUTION_NOT_RESPONDING": rule(
        "provider_down", "institution", "the bank does not answer", elsewhere=True
    ),
    "INSTITUTION_NOT_AVAILABLE": rule(
        "provider_down", "institution", "the bank cannot be reached from there", elsewhere=True
    ),
    "INSTITUTION_NO_LONGER_SUPPORTED": _unsupported("the bank is no longer supported there"),
    "UNSUPPORTED_RESPONSE": _unsupported("the bank answers what is not understood there"),
    # Auth of ours, but for one bank: at scope client it would take the whole provider out.
    "UNAUTHORIZED_INSTITUTION": _our_keys("our contract there lacks this bank", "institution"),
    "INSTITUTION_REGISTRATION_REQUIRED": _our_keys(
        "we are not registered there for this bank", "institution"
    ),
    "INSTITUTION_NOT_ENABLED_IN_ENVIRONMENT": _our_keys(
        "this bank does not exist in this environment there", "institution"
    ),
}

_INPUT_ERRORS: Final[Mapping[str, ErrorRule]] = {
    "INVALID_API_KEYS": _our_keys("our keys are refused"),
    "UNAUTHORIZED_ENVIRONMENT": _our_keys("our keys are not for this environment"),
    "UNAUTHORIZED_ROUTE_ACCESS": _our_keys("our contract does not allow this call"),
    "DIRECT_INTEGRATION_NOT_ENABLED": _our_keys("our contract does not allow direct calls"),
    "INVALID_PRODUCT": _our_keys("our contract lacks this product"),
    "INVALID_ACCESS_TOKEN": _user("the credential of the connection is not valid", LINK_AGAIN),
    "INVALID_USER_TOKEN": _user("the credential of the user is not valid", LINK_AGAIN),
    "INVALID_USER_ID": _user("the user is not known there", LINK_AGAIN),
    "INVALID_PROCESSOR_TOKEN": _user("the partner credential is not valid", LINK_AGAIN),
    "USER_PERMISSION_REVOKED": _user("the user took the consent back"),
    "ADDITIONAL_CONSENT_REQUIRED": _user("the user has not consented to this data"),
    "TOO_MANY_VERIFICATION_ATTEMPTS": _user("the user failed to verify the account too often"),
    "INVALID_PUBLIC_TOKEN": rule(
        "validation", "request", "the token is expired or used", user_action=RESTART_LINK
    ),
    "INVALID_LINK_TOKEN": rule(
        "validation", "request", "the link session is expired or used", user_action=RESTART_LINK
    ),
    "INVALID_ACCOUNT_ID": rule("validation", "item", "the account is gone or has a new id"),
    "INVALID_INSTITUTION": _unsupported("the bank's id is not known there", "request"),
    "INVALID_LINK_CUSTOMIZATION": _our_bug("the named look of the widget does not exist"),
    "INVALID_WEBHOOK_VERIFICATION_KEY_ID": _our_bug("no webhook key has this id"),
    "INVALID_AUDIT_COPY_TOKEN": _our_bug("the token of the audit copy is not valid"),
    "INVALID_STRIPE_ACCOUNT": _our_bug("the partner's account is not valid"),
    "INVALID_USER_IDENTITY_DATA": _our_bug("what was told of the user is not accepted"),
    "INCORRECT_DEPOSIT_VERIFICATION": _our_bug("the amounts of the test deposits are wrong"),
    "PROFILE_ACCESS_FORBIDDEN": _our_bug("the user's profile there is closed to us"),
    "PROFILE_AUTHENTICATION_FAILED": _our_bug("the user's profile there was not opened"),
}

_REQUEST_ERRORS: Final[Mapping[str, ErrorRule]] = {
    "MISSING_FIELDS": _our_bug("a field is missing in the call"),
    "UNKNOWN_FIELDS": _our_bug("the call has a field that is not known there"),
    "INVALID_FIELD": _our_bug("a field of the call has a value that is not accepted"),
    "INVALID_CONFIGURATION": _our_bug("our settings there do not fit the call"),
    "INCOMPATIBLE_API_VERSION": _our_bug("the call does not fit the version it names"),
    "INVALID_BODY": _our_bug("the body of the call is not accepted"),
    "INVALID_HEADERS": _our_bug("a header of the call is not accepted"),
    "NOT_FOUND": _our_bug("there is no such call"),
    "NO_LONGER_AVAILABLE": _our_bug("this call has been withdrawn"),
    "SANDBOX_ONLY": _our_bug("this call exists in the sandbox only"),
    "INVALID_ACCOUNT_NUMBER": _our_bug("the account number is not valid"),
}

_LIMITS: Final[Mapping[str, ErrorRule]] = {
    # One code for two limits, the connection's and ours: back off the connection first.
    "ACCOUNTS_LIMIT": _slow_down("too many reads of accounts"),
    "AUTH_LIMIT": _slow_down("too many reads of account numbers"),
    "BALANCE_LIMIT": _slow_down("too many reads of balances"),
    "IDENTITY_LIMIT": _slow_down("too many reads of owners"),
    "ITEM_GET_LIMIT": _slow_down("too many reads of the connection"),
    "TRANSACTIONS_LIMIT": _slow_down("too many reads of movements"),
    "TRANSACTIONS_SYNC_LIMIT": _slow_down("too many syncs"),
    "TRANSACTIONS_REFRESH_LIMIT": _slow_down("too many refreshes"),
    "INVESTMENT_HOLDINGS_GET_LIMIT": _slow_down("too many reads of holdings"),
    "INVESTMENT_TRANSACTIONS_LIMIT": _slow_down("too many reads of investment movements"),
    "ACCOUNTS_BALANCE_GET_LIMIT": _slow_down("too many reads of balances by us", "client"),
    "INSTITUTIONS_GET_LIMIT": _slow_down("too many reads of the bank list", "client"),
    "INSTITUTIONS_GET_BY_ID_LIMIT": _slow_down("too many reads of a bank", "client"),
    "INSTITUTION_RATE_LIMIT": _slow_down("the bank limits all who ask", "institution"),
    "RATE_LIMIT": rule("rate_limit", "item", "the user was asked to wait a day or two"),
    # Answered with 429 all the same: waiting does not bring credits back.
    "CREDITS_EXHAUSTED": _our_keys("our credits there are used up"),
    # Nor new connections, while those there are go on.
    "ADDITION_LIMIT": _unsupported("our contract there allows no more connections", "request"),
    "TRIAL_CONNECTION_LIMIT": _unsupported("our trial there allows no more connections", "request"),
}

_OTHERS: Final[Mapping[str, ErrorRule]] = {
    "INTERNAL_SERVER_ERROR": rule(
        "provider_down", "provider", "the provider is failing", elsewhere=True
    ),
    "PLANNED_MAINTENANCE": rule(
        "provider_down", "provider", "the provider is being maintained", elsewhere=True
    ),
    MUTATION: rule("provider_down", "item", "the data changed while they were being read"),
    "INCORRECT_OAUTH_NONCE": rule(
        "auth", "request", "the bank's login was not ours to end", user_action=RESTART_LINK
    ),
    "INCORRECT_LINK_TOKEN": rule(
        "auth", "request", "the bank's login belongs to another session", user_action=RESTART_LINK
    ),
    "OAUTH_STATE_ID_ALREADY_PROCESSED": rule(
        "auth", "request", "the bank's login was ended before", user_action=RESTART_LINK
    ),
    "OAUTH_STATE_ID_NOT_FOUND": rule(
        "auth", "request", "the bank's login is not known", user_action=RESTART_LINK
    ),
    "LAST_UPDATED_DATETIME_OUT_OF_RANGE": rule(
        "provider_down", "institution", "the balance is older than was asked for"
    ),
    "RECAPTCHA_REQUIRED": rule(
        "auth", "request", "the user has to show to be no robot", user_action=RESTART_LINK
    ),
    "RECAPTCHA_BAD": rule(
        "auth", "request", "the user was taken for a robot", user_action=RESTART_LINK
    ),
    "USER_NOT_FOUND": _user("the user is not known there", LINK_AGAIN),
    "SANDBOX_PRODUCT_NOT_ENABLED": _our_bug("the connection was made without this product"),
    "SANDBOX_WEBHOOK_INVALID": _our_bug("the connection names no address to report to"),
}

PLAID_ERRORS: Final = ErrorTable(
    codes={
        **_ITEM_ERRORS,
        **_INSTITUTION_ERRORS,
        **_INPUT_ERRORS,
        **_REQUEST_ERRORS,
        **_LIMITS,
        **_OTHERS,
    },
    types={
        "ITEM_ERROR": _user("the connection needs the user"),
        "INSTITUTION_ERROR": rule(
            "provider_down", "institution", "the bank is in trouble", elsewhere=True
        ),
        "INVALID_REQUEST": _our_bug("the call is not accepted"),
        "INVALID_INPUT": _our_bug("the call is not accepted"),
        "INVALID_RESULT": _our_bug("the call has no valid result"),
        "RATE_LIMIT_EXCEEDED": _slow_down("too many calls", "client"),
        "API_ERROR": rule("provider_down", "provider", "the provider is failing", elsewhere=True),
        "TRANSACTIONS_ERROR": rule("provider_down", "item", "the movements cannot be read now"),
        "OAUTH_ERROR": rule(
            "auth", "request", "the bank's login could not be ended", user_action=RESTART_LINK
        ),
        "USER_ERROR": _user("the user cannot be served there"),
        "RECAPTCHA_ERROR": rule(
            "auth", "request", "the user was taken for a robot", user_action=RESTART_LINK
        ),
    },
)

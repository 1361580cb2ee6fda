"""The checks of Plaid's request bodies, refused in Plaid's words.

Source: Plaid's OpenAPI 2020-09-14, the request schemas.
"""

from collections.abc import Collection
from datetime import date
from typing import Final

from .plaid_errors import CLIENT_ID, SECRET, refuse
from .wire import Call, JsonObject, Refusal

__all__ = [
    "COUNTRIES",
    "PRODUCTS",
    "account_ids",
    "body_fields",
    "check_keys",
    "choices",
    "day",
    "flag",
    "integer",
    "invalid",
    "options_of",
    "section",
    "text",
]

COUNTRIES: Final = frozenset(
    {"US", "GB", "ES", "NL", "FR", "IE", "CA", "DE", "IT", "PL"}
    | {"DK", "NO", "SE", "EE", "LT", "LV", "PT", "BE", "AT", "FI"}
)
PRODUCTS: Final = frozenset(
    {"assets", "auth", "balance", "balance_plus", "beacon", "identity", "identity_match"}
    | {"investments", "investments_auth", "liabilities", "payment_initiation", "transactions"}
    | {"identity_verification", "credit_details", "income", "income_verification", "transfer"}
    | {"standing_orders", "employment", "recurring_transactions", "transactions_refresh"}
    | {"signal", "statements", "processor_payments", "processor_identity", "profile", "layer"}
    | {"cra_base_report", "cra_income_insights", "cra_partner_insights", "cra_network_insights"}
    | {"cra_cashflow_insights", "cra_monitoring", "cra_lend_score", "cra_plaid_credit_score"}
    | {"pay_by_bank", "protect_linked_bank", "protect_transactions"}
)
_VERSION: Final = "2020-09-14"
_OLD_VERSIONS: Final = ("2017-03-08", "2018-05-22", "2019-05-29")


def invalid(call: Call, message: str) -> Refusal:
    """The refusal of a field's value, to be raised."""
    return refuse(call, "INVALID_FIELD", message)


def check_keys(call: Call) -> None:
    """Take the client's keys from the headers or, failing them, from the body.

    Raises:
        Refusal: they are missing or wrong, or another version of the API is asked for.

    """
    client_id = call.headers.get("plaid-client-id") or call.body.get("client_id")
    secret = call.headers.get("plaid-secret") or call.body.get("secret")
    missing = [n for n, v in (("client_id", client_id), ("secret", secret)) if not v]
    if missing:
        raise _missing(call, missing)
    if (client_id, secret) != (CLIENT_ID, SECRET):
        raise refuse(call, "INVALID_API_KEYS", "invalid client_id or secret provided")
    version = call.headers.get("plaid-version", _VERSION)
    if version in _OLD_VERSIONS:
        raise refuse(call, "INCOMPATIBLE_API_VERSION", "this sandbox speaks 2020-09-14 only")
    if version != _VERSION:
        raise refuse(call, "INVALID_HEADERS", "Plaid-Version names no version of the API")


def _missing(call: Call, names: Collection[str]) -> Refusal:
    return refuse(
        call,
        "MISSING_FIELDS",
        f"the following required fields are missing: {', '.join(names)}",
    )


def _check_names(call: Call, where: JsonObject, known: Collection[str]) -> None:
    unknown = [name for name in where if name not in known]
    if unknown:
        raise refuse(
            call,
            "UNKNOWN_FIELDS",
            f"the following fields are not recognized by this endpoint: {', '.join(unknown)}",
        )


def body_fields(call: Call, *, required: Collection[str], allowed: Collection[str] = ()) -> None:
    """Hold a body against the fields that its endpoint knows.

    Raises:
        Refusal: not a JSON object, a required field missing, or an unknown one there.

    """
    if not call.body_is_readable:
        raise refuse(call, "INVALID_BODY", "body could not be parsed as JSON")
    missing = [name for name in required if call.body.get(name) in (None, "", [])]
    if missing:
        raise _missing(call, missing)
    _check_names(call, call.body, {"client_id", "secret", *required, *allowed})


def section(call: Call, where: JsonObject, name: str, allowed: Collection[str]) -> JsonObject:
    """A nested object with these fields and no others; empty where there is none.

    Raises:
        Refusal: it is there and no object, or has an unknown field.

    """
    value = where.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(call, f"{name} must be an object")
    _check_names(call, value, allowed)
    return value


def options_of(call: Call, allowed: Collection[str]) -> JsonObject:
    """The body's `options`; see `section`."""
    return section(call, call.body, "options", allowed)


def text(call: Call, where: JsonObject, name: str, default: str = "") -> str:
    """A string field.

    Raises:
        Refusal: it is there and no string.

    """
    value = where.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise invalid(call, f"{name} must be a string")
    return value


def flag(call: Call, where: JsonObject, name: str) -> bool:
    """A boolean field; false where it is absent.

    Raises:
        Refusal: it is there and no boolean.

    """
    value = where.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(call, f"{name} must be a boolean")
    return value is True


def integer(call: Call, where: JsonObject, name: str, *, default: int, low: int, high: int) -> int:
    """An integer field within its bounds.

    Raises:
        Refusal: it is there and no integer, or out of bounds.

    """
    value = where.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise invalid(call, f"{name} must be an integer between {low} and {high}")
    return value


def day(call: Call, where: JsonObject, name: str) -> date:
    """A date that must be there.

    Raises:
        Refusal: it is none.

    """
    try:
        return date.fromisoformat(text(call, where, name))
    except ValueError:
        raise invalid(call, f"{name} must be YYYY-MM-DD") from None


def choices(call: Call, where: JsonObject, name: str, known: Collection[str]) -> list[str]:
    """A list of known words; empty where there is none.

    Raises:
        Refusal: it is there and no list of such words.

    """
    value = where.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(
        isinstance(word, str) and word in known for word in value
    ):
        raise invalid(call, f"{name} must be a list of documented values")
    return value


def account_ids(call: Call, options: JsonObject) -> list[str] | None:
    """The accounts that a reading is narrowed to; None where it is not.

    Raises:
        Refusal: `account_ids` is there and no list of strings.

    """
    value = options.get("account_ids")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid(call, "account_ids must be a list of strings")
    return value

"""Plaid's link tokens: what a request for one must look like, and what one says of itself.

Source: Plaid's OpenAPI 2020-09-14 (LinkTokenCreateRequest, LinkTokenGetResponse).
"""

from typing import Final
from urllib.parse import urlsplit

from .banks import BANKS
from .connections import LinkSession
from .plaid_errors import body_fields, integer, refuse, text
from .wire import Call, JsonObject, Refusal, rfc3339

__all__ = ["check_link_request", "link_metadata", "link_session_json"]

_COUNTRIES: Final = frozenset(
    {"US", "GB", "ES", "NL", "FR", "IE", "CA", "DE", "IT", "PL"}
    | {"DK", "NO", "SE", "EE", "LT", "LV", "PT", "BE", "AT", "FI"}
)
_LANGUAGES: Final = frozenset(
    {"da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es"}
    | {"sv", "vi"}
)
_OPTIONAL: Final = (
    "user",
    "user_id",
    "products",
    "required_if_supported_products",
    "optional_products",
    "additional_consented_products",
    "webhook",
    "access_token",
    "link_customization_name",
    "appearance_mode",
    "redirect_uri",
    "android_package_name",
    "institution_data",
    "institution_id",
    "account_filters",
    "auth",
    "update",
    "hosted_link",
    "transactions",
    "enable_multi_item_link",
    "user_token",
)
_LONGEST_CLIENT_NAME: Final = 30


def check_link_request(call: Call) -> None:
    """Hold a request for a link token against its rules.

    Raises:
        Refusal: in Plaid's words, the first rule broken.

    """
    body_fields(call, required=("client_name", "language", "country_codes"), allowed=_OPTIONAL)
    codes = call.body["country_codes"]
    if len(text(call, call.body, "client_name")) > _LONGEST_CLIENT_NAME:
        raise _invalid(call, "client_name must be at most 30 characters")
    if text(call, call.body, "language") not in _LANGUAGES:
        raise _invalid(call, "language is not supported")
    if not isinstance(codes, list) or not all(
        isinstance(code, str) and code in _COUNTRIES for code in codes
    ):
        raise _invalid(call, "country_codes must be countries that Plaid serves")
    if not call.part("user").get("client_user_id") and not call.body.get("user_id"):
        raise refuse(call, "INVALID_REQUEST", "MISSING_FIELDS", "user.client_user_id is missing")
    _check_products(call)
    _check_urls(call)
    integer(call, call.part("transactions"), "days_requested", default=90, low=1, high=730)


def _invalid(call: Call, message: str) -> Refusal:
    return refuse(call, "INVALID_REQUEST", "INVALID_FIELD", message)


def _check_products(call: Call) -> None:
    products = call.body.get("products")
    if call.body.get("access_token"):
        if products:
            raise _invalid(call, "products cannot be given in update mode")
    elif not isinstance(products, list) or not products:
        raise refuse(call, "INVALID_REQUEST", "MISSING_FIELDS", "products is missing")


def _check_urls(call: Call) -> None:
    for name in ("redirect_uri", "webhook"):
        value = text(call, call.body, name)
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise _invalid(call, f"{name} must be a URL")
    if urlsplit(text(call, call.body, "redirect_uri")).query:
        raise _invalid(call, "redirect_uri must not have a query")


def link_metadata(call: Call) -> dict[str, str]:
    """What a link session remembers of its request."""
    products, codes = call.body.get("products"), call.body["country_codes"]
    kept = {
        "client_name": text(call, call.body, "client_name"),
        "language": text(call, call.body, "language"),
        "redirect_uri": text(call, call.body, "redirect_uri"),
        "webhook": text(call, call.body, "webhook"),
        "country_codes": ",".join(map(str, codes)) if isinstance(codes, list) else "",
    }
    if isinstance(products, list) and products:
        kept["products"] = ",".join(map(str, products))
    days = call.part("transactions").get("days_requested")
    if days is not None:
        kept["days_requested"] = str(days)
    return kept


def link_session_json(session: LinkSession, request_id: str) -> JsonObject:
    """The answer of `/link/token/get`; once the widget has ended, with its public token."""
    known = session.attributes
    products = known.get("products", "")
    answer: JsonObject = {
        "created_at": rfc3339(session.created_at),
        "expiration": rfc3339(session.expires_at),
        "link_token": session.token,
        "metadata": {
            "client_name": known.get("client_name"),
            "country_codes": known.get("country_codes", "US").split(","),
            "initial_products": products.split(",") if products else [],
            "language": known.get("language"),
            "redirect_uri": known.get("redirect_uri") or None,
            "webhook": known.get("webhook") or None,
        },
        "request_id": request_id,
    }
    if "public_token" in known:
        bank = BANKS[session.bank_key] if session.bank_key else None
        institution = {"name": bank.name, "institution_id": bank.id_at("plaid")} if bank else None
        results: JsonObject = {
            name: []
            for name in (
                "bank_income_results",
                "cra_item_add_results",
                "cra_update_results",
                "payroll_income_results",
            )
        }
        results["document_income_results"] = None
        results["item_add_results"] = [
            {"public_token": known["public_token"], "accounts": [], "institution": institution}
        ]
        answer["link_sessions"] = [
            {
                "link_session_id": known["link_session_id"],
                "started_at": rfc3339(session.created_at),
                "finished_at": known["finished_at"],
                "results": results,
            }
        ]
    return answer

"""Plaid's link tokens: what a request for one must look like, and what one says of itself.

Source: Plaid's OpenAPI 2020-09-14 (LinkTokenCreateRequest, LinkTokenGetResponse).
"""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from .banks import BANKS
from .connections import LinkSession
from .plaid_bodies import (
    COUNTRIES,
    PRODUCTS,
    body_fields,
    choices,
    flag,
    integer,
    invalid,
    section,
    text,
)
from .plaid_errors import refuse
from .plaid_items import checked_url
from .wire import Call, JsonObject, rfc3339

__all__ = ["check_link_request", "hosted_lifetime", "link_metadata", "link_session_json"]

_LANGUAGES: Final = frozenset(
    {"da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es"}
    | {"sv", "vi"}
)
_PRODUCT_LISTS: Final = (
    "products",
    "required_if_supported_products",
    "optional_products",
    "additional_consented_products",
)
_OPTIONAL: Final = (
    *_PRODUCT_LISTS,
    "user",
    "user_id",
    "webhook",
    "access_token",
    "access_tokens",
    "link_customization_name",
    "appearance_mode",
    "redirect_uri",
    "android_package_name",
    "institution_data",
    "card_switch",
    "account_filters",
    "eu_config",
    "institution_id",
    "payment_configuration",
    "payment_initiation",
    "employment",
    "income_verification",
    "base_report",
    "credit_partner_insights",
    "cra_options",
    "consumer_report_permissible_purpose",
    "auth",
    "transfer",
    "update",
    "identity_verification",
    "statements",
    "third_party_user_token",
    "investments",
    "investments_auth",
    "hosted_link",
    "transactions",
    "cashflow_report",
    "cra_enabled",
    "identity",
    "financekit_supported",
    "enable_multi_item_link",
    "user_token",
)
_LONGEST_CLIENT_NAME: Final = 30
_HOSTED_LIFETIME_S: Final = 1800
_LONGEST_HOSTED_S: Final = 21 * 86_400


def check_link_request(call: Call) -> None:
    """Hold a request for a link token against its rules.

    Raises:
        Refusal: in Plaid's words, the first rule broken.

    """
    body_fields(call, required=("client_name", "language", "country_codes"), allowed=_OPTIONAL)
    if len(text(call, call.body, "client_name")) > _LONGEST_CLIENT_NAME:
        raise invalid(call, "client_name must be at most 30 characters")
    if text(call, call.body, "language") not in _LANGUAGES:
        raise invalid(call, "language is not supported")
    choices(call, call.body, "country_codes", COUNTRIES)
    if not call.part("user").get("client_user_id") and not call.body.get("user_id"):
        raise refuse(call, "MISSING_FIELDS", "user.client_user_id is missing")
    _check_products(call)
    checked_url(call, call.body, "webhook")
    if urlsplit(checked_url(call, call.body, "redirect_uri")).query:
        raise invalid(call, "redirect_uri must not have a query")
    wanted = section(call, call.body, "transactions", ("days_requested",))
    integer(call, wanted, "days_requested", default=90, low=1, high=730)
    hosted_lifetime(call)


def hosted_lifetime(call: Call) -> timedelta:
    """How long the page of a hosted session is served.

    Raises:
        Refusal: `hosted_link` is not as documented.

    """
    names = ("delivery_method", "completion_redirect_uri", "url_lifetime_seconds", "is_mobile_app")
    hosted = section(call, call.body, "hosted_link", names)
    flag(call, hosted, "is_mobile_app")
    text(call, hosted, "completion_redirect_uri")
    if text(call, hosted, "delivery_method") not in ("", "sms", "email"):
        raise invalid(call, "hosted_link.delivery_method must be sms or email")
    lifetime_s = integer(
        call,
        hosted,
        "url_lifetime_seconds",
        default=_HOSTED_LIFETIME_S,
        low=1,
        high=_LONGEST_HOSTED_S,
    )
    return timedelta(seconds=lifetime_s)


def _check_products(call: Call) -> None:
    for name in _PRODUCT_LISTS:
        choices(call, call.body, name, PRODUCTS)
    if call.body.get("access_token"):
        if call.body.get("products"):
            raise invalid(call, "products cannot be given in update mode")
    elif not call.body.get("products"):
        raise refuse(call, "MISSING_FIELDS", "products is missing")
    elif "balance" in choices(call, call.body, "products", PRODUCTS):
        raise refuse(call, "INVALID_PRODUCT", "balance is no product to begin with")


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

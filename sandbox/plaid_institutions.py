"""Plaid's directory of institutions.

Source: Plaid's OpenAPI 2020-09-14.
"""

from typing import Final

from .banks import BANKS, Bank, bank_at
from .plaid_bodies import COUNTRIES, PRODUCTS, body_fields, choices, flag, integer, options_of, text
from .plaid_errors import refuse
from .plaid_shapes import SERVED_PRODUCTS, institution_json
from .wire import Answer, Call, JsonObject

__all__ = ["get", "get_by_id", "known_bank", "search"]

_PLAID: Final = "plaid"
_METADATA: Final = (
    "include_optional_metadata",
    "include_auth_metadata",
    "include_payment_initiation_metadata",
)


def known_bank(call: Call) -> Bank:
    """The bank that a body's `institution_id` names.

    Raises:
        Refusal: there is none of that id.

    """
    bank = bank_at(_PLAID, text(call, call.body, "institution_id"))
    if bank is None:
        raise refuse(call, "INVALID_INSTITUTION", "unknown institution_id")
    return bank


def get_by_id(call: Call) -> Answer:
    """One institution, with its health where that is asked for."""
    body_fields(call, required=("institution_id", "country_codes"), allowed=("options",))
    options = options_of(call, ("include_status", *_METADATA))
    codes = choices(call, call.body, "country_codes", COUNTRIES)
    bank = known_bank(call)
    if bank.region not in codes:
        raise refuse(call, "INVALID_INSTITUTION", "not an institution of these countries")
    row = institution_json(
        bank, status_at=call.now if flag(call, options, "include_status") else None
    )
    return Answer(200, {"institution": row, "request_id": call.request_id})


def get(call: Call) -> Answer:
    """Institutions of some countries, a part of them at a time."""
    body_fields(call, required=("count", "country_codes"), allowed=("offset", "options"))
    if "offset" not in call.body:
        raise refuse(call, "MISSING_FIELDS", "the following required fields are missing: offset")
    options = options_of(call, ("products", "routing_numbers", "oauth", *_METADATA))
    count = integer(call, call.body, "count", default=0, low=1, high=500)
    offset = integer(call, call.body, "offset", default=0, low=0, high=10**9)
    found = [institution_json(bank) for bank in _offered(call, options)]
    return Answer(
        200,
        {
            "institutions": found[offset : offset + count],
            "total": len(found),
            "request_id": call.request_id,
        },
    )


def search(call: Call) -> Answer:
    """Institutions of some countries by a part of their names."""
    body_fields(call, required=("query", "country_codes"), allowed=("products", "options"))
    options = options_of(call, ("oauth", "payment_initiation", *_METADATA))
    query = text(call, call.body, "query").casefold()
    found = [
        institution_json(bank)
        for bank in _offered(call, {**options, "products": call.body.get("products")})
        if query in bank.name.casefold()
    ]
    return Answer(200, {"institutions": found, "request_id": call.request_id})


def _offered(call: Call, options: JsonObject) -> list[Bank]:
    codes = choices(call, call.body, "country_codes", COUNTRIES)
    products = choices(call, options, "products", PRODUCTS)
    # None of the sandbox's banks has OAuth or routing numbers.
    if flag(call, options, "oauth") or options.get("routing_numbers"):
        return []
    return [
        bank
        for bank in BANKS.values()
        if bank.id_at(_PLAID) is not None
        and bank.region in codes
        and all(product in SERVED_PRODUCTS for product in products)
    ]

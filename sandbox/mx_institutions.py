"""MX's institutions, and what each asks of whoever logs in.

Source: MX's OpenAPI v20250224 and v20111101.
"""

from collections.abc import Sequence
from typing import Final

from .banks import Bank, bank_at, banks_of
from .mx_book import PROVIDER
from .mx_errors import is_legacy, not_found
from .mx_member_shapes import PRODUCTS, credentials_json, institution_guid, institution_json
from .mx_requests import flag_of, page_of
from .vendor import Route
from .wire import Answer, Call

__all__ = ["MxInstitutions", "bank_of_guid"]

_MOST_PER_PAGE: Final = 100
_FLAGS: Final = {
    "supports_account_identification": True,
    "supports_account_statement": False,
    "supports_account_verification": True,
    "supports_transaction_history": True,
}


def bank_of_guid(named: object) -> Bank | None:
    """The bank with this guid at MX."""
    return next((bank for bank in banks_of(PROVIDER) if institution_guid(bank) == named), None)


class MxInstitutions:
    """The endpoints about institutions."""

    def routes(self) -> Sequence[Route]:
        """The endpoints."""
        one = "/institutions/{code}"
        return (
            Route("GET", "/institutions", ("directory",), self._list),
            Route("GET", one, ("directory",), self._read),
            Route("GET", f"{one}/credentials", ("directory",), self._credentials),
        )

    def _list(self, call: Call) -> Answer:
        part = call.query.get("name", "").casefold()
        countries = call.query.get("iso_country_code", "").split(",")
        wanted = call.query.get("supported_products", "")
        is_served = set(filter(None, wanted.split(","))) <= {*PRODUCTS, "history"}
        if is_legacy(call):
            is_served = all(flag_of(call, name) in (None, has) for name, has in _FLAGS.items())
        banks = [
            bank
            for bank in banks_of(PROVIDER)
            if is_served
            and (part in bank.name.casefold() or part in bank.ids[PROVIDER])
            and (countries == [""] or bank.region in countries)
        ]
        shown, pagination = page_of(call, banks, most=_MOST_PER_PAGE)
        rows = [institution_json(bank, legacy=is_legacy(call)) for bank in shown]
        return Answer(200, {"institutions": rows, "pagination": pagination})

    def _read(self, call: Call) -> Answer:
        bank = bank_at(PROVIDER, call.match["code"])
        if bank is None:
            raise not_found(call, "Institution")
        return Answer(200, {"institution": institution_json(bank, legacy=is_legacy(call))})

    def _credentials(self, call: Call) -> Answer:
        bank = bank_at(PROVIDER, call.match["code"])
        if bank is None and not is_legacy(call):
            bank = bank_of_guid(call.match["code"])
        if bank is None:
            raise not_found(call, "Institution")
        shown, pagination = page_of(call, credentials_json(bank))
        return Answer(200, {"credentials": list(shown), "pagination": pagination})

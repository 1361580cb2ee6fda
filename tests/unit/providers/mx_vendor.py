"""Scripted answers of MX, and readings of them."""

from collections.abc import Callable

import httpx
from mx_payloads import CREDENTIAL, error, member, page
from scripted_vendor import USER, ScriptedVendor, answer, transactions_request

__all__ = ["NOT_FOUND", "WIDGET", "accounts", "ids", "read", "store", "transactions"]

WIDGET = {"widget_url": {"type": "connect_widget", "url": "https://w.test/x", "user_id": USER}}
NOT_FOUND = answer(error("not_found", 404), 404)


def transactions(*rows: object, **over: int) -> object:
    """A page of transactions."""
    return answer(page("transactions", list(rows), **over))


def accounts(*rows: object) -> object:
    """A page of accounts."""
    return answer(page("accounts", list(rows)))


async def read(*rows: object, **over: object) -> object:
    """The reading of a well member's transactions."""
    vendor = ScriptedVendor(answer(member()), transactions(*rows))
    return await vendor.mx().sync_transactions(transactions_request(CREDENTIAL, **over))


def ids(result: object) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


def store(rows: list[dict[str, object]]) -> Callable[[httpx.Request], httpx.Response]:
    """A vendor that lists what it stores within the asked window, ten rows a page."""

    def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            # Fresh on whichever day a test goes to.
            return answer(member(successfully_aggregated_at="2026-03-31T06:00:00Z"))
        query = request.url.params
        found = [row for row in rows if query["from_date"] <= str(row["date"]) <= query["to_date"]]
        number, pages = int(query["page"]), max(1, -(-len(found) // 10))
        shown = found[(number - 1) * 10 : number * 10]
        return answer(page("transactions", shown, number, pages, len(found)))

    return respond

"""MX: listings of several pages, and answers of another shape."""

import httpx
import pytest
from mx_payloads import CREDENTIAL, member, movement, page
from mx_vendor import ids, transactions
from scripted_vendor import ScriptedVendor, answer, failure_of, transactions_request, verdict


async def test_a_listing_that_shifted_is_read_again() -> None:
    """Fewer rows than the last page counts means that pages moved meanwhile."""
    vendor = ScriptedVendor(
        answer(member()),
        transactions(movement("TRN-1"), number=1, of=2, total=2),
        transactions(movement("TRN-1"), number=2, of=2, total=2),
        transactions(movement("TRN-1"), number=1, of=2, total=2),
        transactions(movement("TRN-2"), number=2, of=2, total=2),
    )

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert ids(result) == ["TRN-1", "TRN-2"]


async def test_a_listing_whose_counts_differ_is_read_again() -> None:
    """A row that went between two pages pulls another one past the reader."""
    vendor = ScriptedVendor(
        answer(member()),
        transactions(movement("TRN-1"), movement("TRN-2"), number=1, of=2, total=3),
        transactions(number=2, of=2, total=2),
        transactions(movement("TRN-2"), movement("TRN-3"), total=2),
    )

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert ids(result) == ["TRN-2", "TRN-3"]
    assert (False, True) == (result.stale, result.listing is not None)


async def test_a_listing_that_never_rests_proves_nothing() -> None:
    """After three readings it is told as stale, and no row counts as gone."""
    totals = iter(range(10, 99))

    def restless(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        rows = [movement(f"TRN-{number}{n}") for n in range(9)]
        return transactions(*rows, number=number, of=2, total=next(totals))

    vendor = ScriptedVendor(restless)

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert (18, True, None) == (len(ids(result)), result.stale, result.listing)
    assert 7 == len(vendor.requests)


async def test_a_page_of_25_is_followed_all_the_same() -> None:
    """The loop goes by the vendor's count of pages, whatever size it chose."""
    rows = [movement(f"TRN-{n:03d}", f"2026-03-{1 + n % 12:02d}") for n in range(61)]

    def small(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        shown = rows[(number - 1) * 25 : number * 25]
        return transactions(*shown, number=number, of=3, total=61)

    result = await ScriptedVendor(small).mx().sync_transactions(transactions_request(CREDENTIAL))

    assert 61 == len(set(ids(result)))


async def test_a_listing_that_stays_short_is_truncated() -> None:
    """Rows that are counted and never come are a wrong success of the institution."""
    vendor = ScriptedVendor(answer(member()), transactions(movement("TRN-1"), total=9))

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_TRUNCATED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"transactions": [movement("TRN-1")]},
        {"transactions": [], "pagination": {"total_pages": "1", "total_entries": 0}},
        {"transactions": [], "pagination": {"total_pages": -1, "total_entries": 0}},
        page("transactions", [{**movement("TRN-1"), "guid": None}]),
        page("transactions", [movement("TRN-1", account_guid=None)]),
        page("transactions", [movement("TRN-1", amount="a lot")]),
        page("transactions", [movement("TRN-1", date=20260301)]),
        page("transactions", [movement("TRN-1", updated_at="now")]),
        page("transactions", ["TRN-1"]),
    ],
)
async def test_another_shape_is_malformed(body: object) -> None:
    """A required field that is missing or of another type makes the answer unreadable."""
    vendor = ScriptedVendor(answer(member()), answer(body))

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


async def test_pages_without_an_end_are_malformed() -> None:
    """A page count that runs ahead forever is cut off."""

    def running_ahead(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        return transactions(number=number, of=number + 1, total=0)

    failure = await failure_of(
        ScriptedVendor(running_ahead).mx().sync_transactions(transactions_request(CREDENTIAL))
    )

    assert failure.code == "MALFORMED"


async def test_a_listing_that_stays_on_one_page_is_frozen() -> None:
    """Another page than the one asked for is a wrong success of the institution."""
    stuck = transactions(movement("TRN-1"), number=1, of=3, total=9)
    vendor = ScriptedVendor(answer(member()), stuck)

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_FROZEN")

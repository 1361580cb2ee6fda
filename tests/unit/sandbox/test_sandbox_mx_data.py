"""What MX has stored, as the sandbox lists it."""

from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.mx_members import log_in, look
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import MxCaller

LEGACY = "application/vnd.mx.api.v1+json"


@pytest.mark.parametrize(
    ("asked", "given"),
    [("10", 10), ("1000", 1000), ("1001", 25), ("5000", 25), ("9", 25), ("x", 25), (None, 25)],
)
async def test_page_size_is_as_documented(asked: str | None, given: int) -> None:
    """A size out of 10 to 1000 silently becomes 25, and the pages hold every row once."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        query = {"records_per_page": asked} if asked else {}
        body = (await mx.read("/transactions", **query)).body
        rows = await mx.listing("transactions", **query)

    assert given == body["pagination"]["per_page"]
    assert body["pagination"]["total_entries"] == len(rows)
    assert len(rows) == len({row["guid"] for row in rows})
    assert len(rows) > 100


async def test_default_window_is_the_last_120_days() -> None:
    """Without dates the listing reaches back 120 days, newest first."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        dates = [r["date"] for r in await mx.listing("transactions", records_per_page="1000")]

    assert "2025-11-18" <= min(dates) <= "2025-11-20"
    assert sorted(dates, reverse=True) == dates


@pytest.mark.parametrize(
    ("form", "iso", "unix"), [("both", 200, 200), ("iso", 200, 400), ("unix", 400, 200)]
)
async def test_form_of_dates_is_a_switch(form: str, iso: int, unix: int) -> None:
    """The window takes ISO dates, unix times or both, as the sandbox is set."""
    async with running_sandbox(options=SandboxOptions(mx_dates=form)) as running:
        mx = MxCaller(running)
        await mx.link()
        by_day = await mx.read("/transactions", from_date="2026-03-01", to_date="2026-03-05")
        by_time = await mx.read("/transactions", from_date="1772323200", to_date="1772668800")

    assert (iso, unix) == (by_day.status, by_time.status)
    for reply in (by_day, by_time):
        if reply.status == 200:
            assert all(
                "2026-03-01" <= r["date"] <= "2026-03-05" for r in reply.body["transactions"]
            )


async def test_rows_changed_since_are_found_by_updated_at() -> None:
    """Filtering by the time of change finds what posted since, and wants both ends."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(days=3)
        changed = await mx.listing(
            "transactions", from_updated_at="2026-03-19", to_updated_at="2026-03-21"
        )
        half = await mx.read("/transactions", from_updated_at="2026-03-19")

    assert changed
    assert all("2026-03-19" <= row["updated_at"][:10] <= "2026-03-21" for row in changed)
    assert half.status == 400


async def test_pending_row_is_replaced_by_an_unlinked_one() -> None:
    """A pending guid vanishes and the posted row's guid is new and points nowhere."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        before = {r["guid"]: r for r in await mx.listing("transactions")}
        running.clock.move(days=4)
        after = {r["guid"] for r in await mx.listing("transactions")}

    pending = {guid for guid, row in before.items() if row["status"] == "PENDING"}
    assert pending
    assert not pending & after


async def changing(options: SandboxOptions, days: int) -> list[dict[str, Any]]:
    """All records of the last fortnight by guid, on each of some days."""
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await mx.link()
        found = []
        for _ in range(days):
            rows = await mx.listing("transactions", from_date="2026-03-01")
            found.append({row["guid"]: row for row in rows})
            running.clock.move(days=1)
        return found


async def test_a_pending_guid_can_be_kept() -> None:
    """Where MX updates the record, the guid that was pending is posted in the end."""
    first, *_, last = await changing(SandboxOptions(mx_pending_guid="kept"), 5)

    pending = {guid for guid, row in first.items() if row["status"] == "PENDING"}
    kept = pending & set(last)
    assert kept
    assert {"POSTED"} == {last[guid]["status"] for guid in kept}


async def test_pending_and_posted_records_can_stand_side_by_side() -> None:
    """A replaced record stays for a while beside its successor, and is purged after 14 days."""
    days = await changing(SandboxOptions(mx_pending_lingers_days=30), 20)

    pending = {
        guid
        for guid, row in days[0].items()
        if row["status"] == "PENDING" and row["date"] > "2026-03-14"
    }
    assert pending
    assert pending <= set(days[4])
    twice = [
        (row["amount"], row["date"], row["original_description"])
        for guid, row in days[4].items()
        if guid in pending
    ]
    posted = {
        (row["amount"], row["date"], row["original_description"])
        for row in days[4].values()
        if row["status"] == "POSTED"
    }
    assert posted & set(twice)
    assert not pending & set(days[19])


async def test_without_nights_only_a_job_brings_newer_rows() -> None:
    """What MX shows is of its last success: today's rows come with an aggregation of today."""
    options = SandboxOptions(mx_background=False)
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(days=3)
        before = await mx.listing("transactions", records_per_page="1000")
        balances = [row["balance"] for row in await mx.listing("accounts")]
        await mx.call("POST", f"/users/{mx.user}/members/{mx.member}/aggregate")
        during = await mx.listing("transactions", records_per_page="1000")
        running.clock.move(seconds=2)
        after = await mx.listing("transactions", records_per_page="1000")
        moved = [row["balance"] for row in await mx.listing("accounts")]
        imported = {row["imported_at"] for row in await mx.listing("accounts")}

    new = {row["guid"]: row for row in after if row not in before}
    assert before == during
    assert "2026-03-18" == max(row["date"] for row in before)
    assert "2026-03-18" < max(row["date"] for row in after)
    assert {"2026-03-21T15:30:02Z"} == {row["updated_at"] for row in new.values()} == imported
    assert balances != moved


async def test_a_job_of_balances_brings_no_rows() -> None:
    """`check_balance` moves balances and their time alone."""
    options = SandboxOptions(mx_background=False)
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(days=3)
        rows = await mx.listing("transactions", records_per_page="1000")
        before = await mx.listing("accounts")
        await mx.call("POST", f"/users/{mx.user}/members/{mx.member}/check_balance")
        running.clock.move(seconds=2)
        after = await mx.listing("accounts")
        same = await mx.listing("transactions", records_per_page="1000")
        status = (await mx.read("/status")).body["member"]

    assert rows == same
    assert [row["balance"] for row in before] != [row["balance"] for row in after]
    assert {"2026-03-21T15:30:02Z"} == {row["imported_at"] for row in after}
    assert "2026-03-18T15:30:00Z" == status["successfully_aggregated_at"]


async def test_history_reaches_as_far_as_it_was_gathered() -> None:
    """A first aggregation can reach back 90 days, until `extend_history` brings 24 months."""
    options = SandboxOptions(mx_history_days=90)
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await mx.link()
        query = {"from_date": "2020-01-01", "records_per_page": "1000"}
        short = await mx.listing("transactions", **query)
        job = await mx.call("POST", f"/users/{mx.user}/members/{mx.member}/extend_history")
        running.clock.move(seconds=2)
        long = await mx.listing("transactions", **query)

    assert 202 == job.status
    assert "2025-12-18" <= min(row["date"] for row in short)
    assert "2024-03-18" <= min(row["date"] for row in long) <= "2024-03-20"
    assert len(long) > 1000


async def test_a_member_that_was_never_read_has_nothing() -> None:
    """Until its first aggregation has ended a member lists no accounts and no transactions."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "pass")
        nothing = [await mx.listing(name) for name in ("accounts", "transactions")]
        await look(mx, seconds=3)
        something = [await mx.listing(name) for name in ("accounts", "transactions")]

    assert [[], []] == nothing
    assert all(something)


async def test_the_users_listing_mixes_members_and_keeps_accounts_of_deleted_ones() -> None:
    """Accounts of a deleted member stay in the listing of its user; its transactions do not."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        first, second = await mx.link(), await mx.link("citibank")
        path = f"/users/{mx.user}"
        query = {"records_per_page": "1000"}
        both = (await mx.call("GET", f"{path}/transactions", query=query)).body["transactions"]
        await mx.call("DELETE", f"{path}/members/{first}")
        accounts = (await mx.call("GET", f"{path}/accounts")).body["accounts"]
        left = (await mx.call("GET", f"{path}/transactions", query=query)).body["transactions"]
        manual = await mx.call("GET", f"{path}/accounts", query={"is_manual": "true"})

    assert {first, second} == {row["member_guid"] for row in accounts}
    assert {first, second} == {row["member_guid"] for row in both}
    assert {second} == {row["member_guid"] for row in left}
    assert [] == manual.body["accounts"]


@pytest.mark.parametrize(("form", "is_in"), [("inclusive", True), ("midnight", False)])
async def test_what_to_date_means_is_a_switch(form: str, is_in: bool) -> None:
    """`to_date` is the last day, or the midnight that ends the window before it."""
    options = SandboxOptions(mx_to_date=form)  # type: ignore[arg-type]
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await mx.link()
        last = str((await mx.listing("transactions"))[40]["date"])
        rows = await mx.listing("transactions", to_date=last)

    assert is_in == (last in {row["date"] for row in rows})
    assert last >= max(row["date"] for row in rows)


async def test_debits_can_carry_a_minus() -> None:
    """Nothing in MX's documents forbids it; the type is told all the same."""
    async with running_sandbox(options=SandboxOptions(mx_signed_amounts=True)) as running:
        mx = MxCaller(running)
        await mx.link()
        rows = await mx.listing("transactions")

    assert {"CREDIT": True, "DEBIT": False} == {row["type"]: row["amount"] > 0 for row in rows}


async def test_ranges_of_changes_are_bounded_in_the_old_version() -> None:
    """v20111101 takes no range over six months, v20250224 does."""
    query = {"from_updated_at": "2025-01-01", "to_updated_at": "2026-01-01"}
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        new = await mx.read("/transactions", **query)
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        old = await mx.read("/transactions", **query)

    assert (200, 400) == (new.status, old.status)


async def test_the_old_version_narrows_by_category() -> None:
    """A category's guid picks its rows, in v20111101."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        guid = (await mx.listing("transactions"))[0]["category_guid"]
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        rows = await mx.listing("transactions", category_guid=guid)
        more = await mx.listing("transactions")

    assert {guid} == {row["category_guid"] for row in rows}
    assert len(rows) < len(more)


async def test_enhancements_come_for_those_who_ask() -> None:
    """`includes` adds a merchant's name and a class to rows; an unknown word is a 400."""
    names = "repeating_transactions,merchants,classifications,geolocations"
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        plain = await mx.listing("transactions")
        rows = await mx.listing("transactions", includes=names)
        wrong = await mx.read("/transactions", includes="secrets")

    assert all("merchant" not in row for row in plain)
    assert all("classification" in row for row in rows)
    assert {row["merchant_guid"] for row in rows if "merchant" in row} == {
        row["merchant"]["guid"] for row in rows if "merchant" in row
    }
    assert any("repeating_transaction" in row for row in rows)
    assert 400 == wrong.status

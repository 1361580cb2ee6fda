"""Belvo's protocol as the sandbox speaks it."""

import re
from datetime import datetime

import pytest

from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller, Reply, basic


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of a Belvo error, which is an array of one."""
    (error,) = reply.body
    assert re.fullmatch(r"[0-9a-f]{32}", error["request_id"])
    assert error["message"]
    return reply.status, error["code"]


async def test_keys_are_checked() -> None:
    """Good Basic credentials open the root, others are authentication_failed."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        good = await belvo.call("GET", "/api/")
        belvo.headers = {"Authorization": basic("sandbox_id", "another")}
        bad = await belvo.call("GET", "/api/links/")

    assert good.status == 200
    assert code(bad) == (401, "authentication_failed")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "another"}, (401, "authentication_failed")),
        ({"scopes": None}, (400, "required")),
        ({"external_id": "ab"}, (400, "invalid")),
        ({"link_id": "00000000-0000-4000-8000-000000000000"}, (404, "not_found")),
    ],
)
async def test_token_request_is_checked(change: dict[str, object], error: tuple[int, str]) -> None:
    """The keys of a widget token's body are checked, and so are its other fields."""
    async with running_sandbox() as running:
        body = {
            "id": "sandbox_id",
            "password": "sandbox_password",
            "scopes": "read_institutions,write_links",
            **change,
        }
        reply = await BelvoCaller(running).call("POST", "/api/token/", body)

    assert error == code(reply)


async def test_widget_token_dies_on_success_and_after_ten_minutes() -> None:
    """A used or expired widget token is gone."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        used, late = await belvo.widget_token(), await belvo.widget_token()
        await running.complete(token=used, institution_id="ins_bbva_mx")
        control = f"{running.base_url}/_control/complete"
        again = await belvo.call("POST", control, {"linkToken": used})
        running.clock.move(seconds=600)
        expired = await belvo.call("POST", control, {"linkToken": late})

    assert (again.status, expired.status) == (410, 410)


@pytest.mark.parametrize("where", ["token", "url"])
async def test_preselected_bank_is_linked(where: str) -> None:
    """Without a bank of its own, completion takes the one that the widget preselects."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        if where == "token":
            token = await belvo.widget_token(widget={"institutions": ["banorte_mx_retail"]})
            link_id = await running.complete(token=token)
        else:
            token = await belvo.widget_token()
            link_id = await running.complete(
                url=f"https://widget.belvo.io/?access_token={token}&institution=banorte_mx_retail"
            )
        link = await belvo.call("GET", f"/api/links/{link_id}/")

    assert link.body["institution"] == "banorte_mx_retail"


async def test_link_is_read_changed_and_ended() -> None:
    """A link shows itself, takes another access mode, and is 404 after its end."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        link = f"/api/links/{await belvo.link()}/"
        read = await belvo.call("GET", link)
        changed = await belvo.call("PATCH", link, {"access_mode": "single"})
        wrong = await belvo.call("PATCH", link, {"access_mode": "always"})
        listed = await belvo.call("GET", "/api/links/")
        ended = await belvo.call("DELETE", link)
        gone = await belvo.call("GET", link)

    assert (read.body["status"], read.body["access_mode"]) == ("valid", "recurrent")
    assert changed.body["access_mode"] == "single"
    assert code(wrong) == (400, "invalid_choice")
    assert [read.body["id"]] == [row["id"] for row in listed.body["results"]]
    assert ended.status == 204
    assert code(gone) == (404, "not_found")


@pytest.mark.parametrize(
    ("asked", "given"), [("7", 7), ("1000", 1000), ("5000", 1000), (None, 100)]
)
async def test_pages_follow_absolute_urls(asked: str | None, given: int) -> None:
    """`next` leads on the same host below the prefix until every row was told once."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        query = {"link": belvo.link_id, "value_date__gte": "2024-06-01"}
        if asked is not None:
            query["page_size"] = asked
        reply = await belvo.call("GET", "/api/transactions/", query=query)
        count, sizes, ids = reply.body["count"], [], set[str]()
        while True:
            sizes.append(len(reply.body["results"]))
            ids |= {row["id"] for row in reply.body["results"]}
            following = reply.body["next"]
            if following is None:
                break
            assert following.startswith(f"{running.url_of('belvo')}/api/transactions/?")
            reply = await belvo.call("GET", following)
        past = await belvo.call("GET", "/api/transactions/", query={**query, "page": "9999"})

    assert min(given, count) == sizes[0]
    assert count == sum(sizes) == len(ids)
    assert code(past) == (404, "not_found")


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("value_date__gte", "2026-03-01", "value_date"),
        ("value_date__lte", "2026-01-31", "value_date"),
        ("value_date__range", "2026-02-01,2026-02-14", "value_date"),
        ("value_date", "2026-02-02", "value_date"),
        ("accounting_date__gte", "2026-03-01", "accounting_date"),
        ("accounting_date__range", "2026-02-01,2026-02-14", "accounting_date"),
        ("accounting_date__lt", "2026-01-31", "accounting_date"),
    ],
)
async def test_date_filters_select_by_their_field(name: str, value: str, field: str) -> None:
    """A filter on a date keeps exactly the rows that it describes."""
    first, _, second = value.partition(",")
    keeps = {
        "": lambda day: day == first,
        "gte": lambda day: day >= first,
        "lte": lambda day: day <= first,
        "lt": lambda day: day < first,
        "range": lambda day: first <= day <= second,
    }[name.partition("__")[2]]
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        every = await belvo.listing("transactions")
        kept = await belvo.listing("transactions", **{name: value})
    expected = [row["id"] for row in every if row[field] and keeps(row[field][:10])]

    assert expected
    assert len(expected) < len(every)
    assert expected == [row["id"] for row in kept]


async def test_account_filters_select_accounts() -> None:
    """Filtering by one account or several keeps their rows and no others."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        ids = [row["id"] for row in await belvo.listing("accounts")]
        one = await belvo.listing("transactions", account=ids[0])
        two = await belvo.listing("transactions", account__in=f"{ids[0]},{ids[1]}")
        single = await belvo.call("GET", f"/api/accounts/{ids[1]}/")

    assert {ids[0]} == {row["account"]["id"] for row in one}
    assert {ids[0], ids[1]} == {row["account"]["id"] for row in two}
    assert ids[1] == single.body["id"]


async def test_rewritten_rows_are_found_by_created_at() -> None:
    """A row that was processed since keeps its id and is found by when it was written."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        pending = {r["id"] for r in await belvo.listing("transactions", status="PENDING")}
        running.clock.move(days=4)
        changed = await belvo.listing("transactions", created_at__gte="2026-03-19T00:00:00Z")

    assert pending
    assert pending & {row["id"] for row in changed if row["status"] == "PROCESSED"}
    assert all(
        datetime.fromisoformat(row["created_at"]) >= datetime.fromisoformat("2026-03-19T00:00:00Z")
        for row in changed
    )


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, (400, "required")),
        ({"link": "x"}, (400, "invalid")),
        ({"value_date__gte": "yesterday"}, (400, "invalid")),
        ({"value_date__range": "2026-01-01"}, (400, "invalid")),
    ],
)
async def test_transaction_query_is_checked(query: dict[str, str], error: tuple[int, str]) -> None:
    """A missing link and unreadable dates are refused."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        link = await belvo.link()
        asked = {"link": link, **query} if query else {}
        reply = await belvo.call("GET", "/api/transactions/", query=asked)

    assert error == code(reply)


async def test_live_reading_tells_what_is_stored() -> None:
    """A live POST answers an array of the same rows, 201 when saved and 200 when not."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        link = await belvo.link()
        period = {"link": link, "date_from": "2026-02-01", "date_to": "2026-02-28"}
        live = await belvo.call("POST", "/api/transactions/", period)
        unsaved = await belvo.call("POST", "/api/accounts/", {"link": link, "save_data": False})
        later = await belvo.call(
            "POST", "/api/transactions/", period, headers={"X-Belvo-Request-Mode": "async"}
        )
        stored = await belvo.listing(
            "transactions", value_date__gte="2026-02-01", value_date__lte="2026-02-28"
        )
        backwards = await belvo.call(
            "POST", "/api/transactions/", {**period, "date_from": "2026-03-01"}
        )
        without = await belvo.call("POST", "/api/transactions/", {"link": link})

    assert (live.status, unsaved.status, later.status) == (201, 200, 202)
    assert {row["id"] for row in stored} == {row["id"] for row in live.body}
    assert code(backwards) == (400, "invalid_period")
    assert code(without) == (400, "required")
    assert len(later.body["request_id"]) == 32


async def test_link_that_is_unknown_lists_nothing() -> None:
    """Stored listings of an unknown or ended link are empty."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        await belvo.call("DELETE", f"/api/links/{belvo.link_id}/")
        ended = await belvo.listing("accounts")

    assert ended == []


async def test_institutions_are_the_mexican_ones() -> None:
    """The list of institutions holds Belvo's banks, healthy."""
    async with running_sandbox() as running:
        reply = await BelvoCaller(running).call("GET", "/api/institutions/")

    names = {row["name"] for row in reply.body["results"]}
    assert {"bbva_mx_retail", "santander_mx_retail", "banorte_mx_retail"} <= names
    assert {"healthy"} == {row["status"] for row in reply.body["results"]}

"""MX's protocol as the sandbox speaks it."""

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import SPACE, MxCaller, basic

LEGACY = "application/vnd.mx.api.v1+json"


@pytest.mark.parametrize(
    "authorization", [None, "Bearer x", "Basic !", basic("sandbox_client", "another")]
)
async def test_other_keys_are_refused(authorization: str | None) -> None:
    """Missing or wrong Basic credentials are a 401 with an error object."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        del mx.headers["Authorization"]
        if authorization is not None:
            mx.headers["Authorization"] = authorization
        reply = await mx.call("GET", "/users")

    assert reply.status == 401
    assert {"message", "status", "type"} == set(reply.body["error"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "application/json", "Accept-Version": "v20250224"}, 200),
        ({"Accept": LEGACY}, 200),
        ({"Accept": "application/json"}, 406),
        ({"Accept": "application/json", "Accept-Version": "v20200101"}, 406),
        ({"Accept": "text/html", "Accept-Version": "v20250224"}, 406),
    ],
)
async def test_version_is_chosen_by_headers(headers: dict[str, str], status: int) -> None:
    """Each of both versions is chosen in its own way, and any other is 406."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        mx.headers = {"Authorization": mx.headers["Authorization"], **headers}
        reply = await mx.call("GET", "/institutions")

    assert status == reply.status
    if headers["Accept"] == LEGACY:
        assert reply.headers["Content-Type"] == LEGACY


async def test_user_is_made_once_and_found_again() -> None:
    """A second user of the same id is 409, and both the id and the guid find the first."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        made = await mx.call("POST", "/users", {"user": {"id": SPACE, "metadata": "m"}})
        again = await mx.call("POST", "/users", {"user": {"id": SPACE}})
        listed = await mx.call("GET", "/users", query={"id": SPACE})
        by_id = await mx.call("GET", f"/users/{SPACE}")
        by_guid = await mx.call("GET", f"/users/{made.body['user']['guid']}")
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        by_id_in_the_old_version = await mx.call("GET", f"/users/{SPACE}")
        empty = await mx.call("POST", "/users", {"user": {}})

    assert (made.status, again.status, empty.status) == (200, 409, 400)
    assert [made.body["user"]] == listed.body["users"]
    assert made.body == by_id.body == by_guid.body
    assert by_id_in_the_old_version.status == 404


async def test_widget_url_dies_after_use_and_after_ten_minutes() -> None:
    """A used or expired widget URL is gone."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        used, late = await mx.widget_url(), await mx.widget_url()
        await running.complete(url=used)
        control = f"{running.base_url}/_control/complete"
        again = await mx.call("POST", control, {"linkUrl": used})
        running.clock.move(seconds=600)
        expired = await mx.call("POST", control, {"linkUrl": late})

    assert (again.status, expired.status) == (410, 410)


async def test_same_login_is_the_same_member() -> None:
    """Linking a login twice gives one member; another bank gives another."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        first, again, other = await mx.link(), await mx.link(), await mx.link("citibank")
        members = (await mx.call("GET", f"/users/{mx.user}/members")).body["members"]

    assert first == again != other
    assert [first, other] == [member["guid"] for member in members]


async def test_member_of_another_user_is_not_found() -> None:
    """A member read below another user's path does not exist."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        other = await mx.call("POST", "/users", {"user": {"id": "somebody-else"}})
        mx.user = other.body["user"]["guid"]
        reply = await mx.read()

    assert (reply.status, reply.body["error"]["type"]) == (404, "not_found")


async def test_deleted_member_is_gone_and_can_be_linked_anew() -> None:
    """After its deletion a member is 404, and a new link makes a new one."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        first = await mx.link()
        deleted = await mx.call("DELETE", f"/users/{mx.user}/members/{first}")
        gone = await mx.read("/accounts")
        second = await mx.link()

    assert (deleted.status, gone.status) == (204, 404)
    assert first != second


async def test_deleted_user_takes_the_members_along() -> None:
    """A deleted user and its members are gone, and the id is free again."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        await mx.call("DELETE", f"/users/{mx.user}")
        gone = await mx.read()
        again = await mx.call("POST", "/users", {"user": {"id": SPACE}})

    assert (gone.status, again.status) == (404, 200)


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


async def test_aggregation_is_held_back_for_three_hours() -> None:
    """Aggregating answers 202 always, and moves the time of success after three hours only."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        path = f"/users/{mx.user}/members/{mx.member}/aggregate"
        running.clock.move(seconds=3600)
        too_soon = await mx.call("POST", path)
        before = (await mx.read("/status")).body["member"]["successfully_aggregated_at"]
        running.clock.move(seconds=7200)
        later = await mx.call("POST", path)
        after = (await mx.read("/status")).body["member"]["successfully_aggregated_at"]

    assert (too_soon.status, later.status) == (202, 202)
    assert (before, after) == ("2026-03-18T15:30:00Z", "2026-03-18T18:30:00Z")


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("pass", "CONNECTED"),
        ("challenge", "CHALLENGED"),
        ("LOCKED", "LOCKED"),
        ("INVALID", "DENIED"),
    ],
)
async def test_password_chooses_what_happens_at_mxbank(password: str, status: str) -> None:
    """At MX's test bank the password of `mxuser` picks the member's status."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        made = await mx.call(
            "POST",
            f"/users/{mx.user}/members",
            {
                "member": {
                    "institution_code": "mxbank",
                    "credentials": [
                        {"guid": "CRD-1", "value": "mxuser"},
                        {"guid": "CRD-2", "value": password},
                    ],
                }
            },
        )

    assert (202, status) == (made.status, made.body["member"]["connection_status"])


@pytest.mark.parametrize(
    "wanted",
    [{}, {"widget_type": "budgets_widget"}, {"current_institution_code": "ins_56"}],
)
async def test_widget_request_is_checked(wanted: dict[str, str]) -> None:
    """A widget of another kind or for an unknown bank is a 400."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        body = {"widget_type": "connect_widget", **wanted} if "current" in str(wanted) else wanted
        reply = await mx.call("POST", f"/users/{mx.user}/widget_urls", {"widget_url": body})

    assert reply.status == 400

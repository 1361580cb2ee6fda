"""MX's protocol as the sandbox speaks it."""

import pytest

from sandbox.options import SandboxOptions
from tests.support.mx_members import log_in, look
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


@pytest.mark.parametrize("enforced", [True, False])
async def test_limits_are_of_a_second_and_a_method(enforced: bool) -> None:
    """Where limits are held, a 151st deletion within a second is a 429, and a read is not."""
    async with running_sandbox(options=SandboxOptions(enforce_limits=enforced)) as running:
        mx = MxCaller(running)
        statuses = [(await mx.call("DELETE", "/users/nobody")).status for _ in range(151)]
        read = await mx.call("GET", "/users")
        running.clock.move(seconds=1)
        later = await mx.call("DELETE", "/users/nobody")

    assert {404} == set(statuses[:150])
    assert (429 if enforced else 404) == statuses[150]
    assert (200, 404) == (read.status, later.status)


async def test_a_deletion_may_name_no_version() -> None:
    """MX's own client sends none where no body comes back."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        mx.headers = {"Authorization": mx.headers["Authorization"]}
        read = await mx.call("GET", f"/users/{mx.user}")
        deleted = await mx.call("DELETE", f"/users/{mx.user}")

    assert (406, 204) == (read.status, deleted.status)


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


async def test_a_user_can_be_changed_and_disabled() -> None:
    """An update keeps what it does not name; a new id finds the user and the old one does not."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.call("POST", "/users", {"user": {"id": SPACE, "email": "a@b.test"}})
        changed = await mx.call(
            "PUT", f"/users/{SPACE}", {"user": {"id": "another", "is_disabled": True}}
        )
        by_old, by_new = [await mx.call("GET", f"/users/{name}") for name in (SPACE, "another")]
        disabled = await mx.call("GET", "/users", query={"is_disabled": "true"})
        enabled = await mx.call("GET", "/users", query={"is_disabled": "false"})
        by_mail = await mx.call("GET", "/users", query={"email": "a@b.test"})
        await mx.call("POST", "/users", {"user": {"id": SPACE}})
        taken = await mx.call("PUT", "/users/another", {"user": {"id": SPACE}})

    assert ("another", True, "a@b.test") == tuple(
        changed.body["user"][name] for name in ("id", "is_disabled", "email")
    )
    assert (404, 200, 409) == (by_old.status, by_new.status, taken.status)
    assert [changed.body["user"]] == disabled.body["users"] == by_mail.body["users"]
    assert [] == enabled.body["users"]


@pytest.mark.parametrize(
    "user", [{}, {"id": 5}, {"metadata": {}}, {"is_disabled": "yes"}, None, "not an object"]
)
async def test_a_user_of_another_shape_is_refused(user: object) -> None:
    """An empty object and fields of another type are a 400."""
    async with running_sandbox() as running:
        reply = await MxCaller(running).call("POST", "/users", {"user": user})

    assert 400 == reply.status
    assert "bad_request" == reply.body["error"]["type"]


async def test_the_old_widget_url_is_the_old_versions() -> None:
    """The predecessor of widget URLs works in v20111101 and is gone in v20250224."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        path = f"/users/{mx.user}/connect_widget_url"
        body = {"config": {"current_institution_code": "chase"}}
        gone = await mx.call("POST", path, body)
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        made = await mx.call("POST", path, body)
        member = await running.complete(url=made.body["user"]["connect_widget_url"])

    assert (404, 200) == (gone.status, made.status)
    assert mx.user == made.body["user"]["guid"]
    assert member.startswith("MBR-")


async def test_institutions_come_a_hundred_a_page_and_by_name_country_and_product() -> None:
    """A size above 100 becomes 25, and conditions narrow the list."""
    async with running_sandbox() as running:
        mx = MxCaller(running)

        async def codes(**query: str) -> list[str]:
            asked = {"records_per_page": "100", **query}
            body = (await mx.call("GET", "/institutions", query=asked)).body
            return [row["code"] for row in body["institutions"]]

        sizes = [
            (await mx.call("GET", "/institutions", query={"records_per_page": size})).body[
                "pagination"
            ]["per_page"]
            for size in ("100", "101")
        ]
        named, mexican = await codes(name="Chase"), await codes(iso_country_code="MX")
        without = await codes(supported_products="investments")
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        with_statements = await codes(supports_account_statement="true")
        with_history = await codes(supports_transaction_history="true")

    assert [100, 25] == sizes
    assert ["chase"] == named
    assert "banorte" in mexican
    assert "chase" not in mexican
    assert ([], []) == (without, with_statements)
    assert "chase" in with_history


@pytest.mark.parametrize(
    "wanted",
    [
        {"widget_type": None},
        {"widget_type": "budgets_widget"},
        {"current_institution_code": "ins_56"},
        {"current_institution_guid": "INS-1"},
        {"iso_country_code": ["FR"]},
        {"iso_country_code": "US"},
        {"mode": "everything"},
        {"data_request": {}},
        {"data_request": {"products": ["secrets"]}},
        {"update_credentials": "yes"},
        {"ui_message_version": "4"},
        {"disable_institution_search": True},
    ],
)
async def test_widget_request_is_checked(wanted: dict[str, object]) -> None:
    """A widget of another kind, for an unknown bank or with mistyped settings is a 400."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        body = {"widget_type": "connect_widget", **wanted}
        reply = await mx.call("POST", f"/users/{mx.user}/widget_urls", {"widget_url": body})

    assert reply.status == 400


async def test_a_repair_leads_back_to_its_member() -> None:
    """A widget that opens on a member reports that member, well again; another's is not found."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "INVALID")
        broken = (await look(mx, seconds=5))["connection_status"]
        url = await mx.widget_url(None, current_member_guid=mx.member, update_credentials=True)
        repaired = await running.complete(url=url)
        mended = (await look(mx))["connection_status"]
        other = await mx.call("POST", "/users", {"user": {"id": "somebody-else"}})
        wanted = {"widget_type": "connect_widget", "current_member_guid": mx.member}
        path = f"/users/{other.body['user']['guid']}/widget_urls"
        refused = await mx.call("POST", path, {"widget_url": wanted})

    assert ("DENIED", "CONNECTED") == (broken, mended)
    assert mx.member == repaired
    assert 404 == refused.status

"""MX: users and widgets, proof of ownership, the end of a connection, settings."""

from datetime import timedelta

import httpx
import pytest
from mx_payloads import CREDENTIAL, MEMBER_GUID, USER_GUID, error, member, user
from mx_vendor import NOT_FOUND, WIDGET
from scripted_vendor import (
    NOW,
    USER,
    ScriptedVendor,
    accounts_request,
    answer,
    exchange_request,
    failure_of,
    link_request,
    verdict,
)

from orchestrator.domain import ConfigurationError, ConnectionStatus, Credential, LinkType
from orchestrator.providers.mx import ADAPTER


async def test_a_new_user_gets_a_widget_for_ten_minutes() -> None:
    """The user is made under our own id; the URL preselects bank, country and language."""
    vendor = ScriptedVendor(answer(user()), answer(WIDGET))

    made = await vendor.mx().create_link(
        link_request(
            region="MX",
            language="es",
            provider_institution_id="banorte",
            redirect_uri="https://app.test/done",
        )
    )

    assert ["POST /users", f"POST /users/{USER_GUID}/widget_urls"] == vendor.paths
    assert vendor.bodies[0] == {"user": {"id": USER}}
    assert vendor.bodies[1] == {
        "widget_url": {
            "widget_type": "connect_widget",
            "ui_message_version": 4,
            "data_request": {"products": ["transactions"]},
            "iso_country_code": ["MX"],
            "current_institution_code": "banorte",
            "disable_institution_search": True,
            "client_redirect_url": "https://app.test/done",
        }
    }
    assert vendor.requests[1].headers["Accept-Language"] == "es"
    assert (
        made.link_type,
        made.link_token,
        made.link_url,
    ) == (LinkType.HOSTED_URL, None, "https://w.test/x")
    assert NOW + timedelta(minutes=10) == made.expires_at
    assert made.state == {"user_guid": USER_GUID}


async def test_our_keys_and_the_version_travel_with_every_call() -> None:
    """Basic authentication and the version's header are on each request."""
    vendor = ScriptedVendor(answer(user()), answer(WIDGET))

    await vendor.mx().create_link(link_request())

    assert {"v20250224"} == {one.headers["Accept-Version"] for one in vendor.requests}
    assert {"application/json"} == {one.headers["Accept"] for one in vendor.requests}
    assert all(one.headers["Authorization"].startswith("Basic ") for one in vendor.requests)


async def test_a_known_user_is_looked_up() -> None:
    """A conflict over our id means that the user exists already."""
    vendor = ScriptedVendor(answer(error(None, 409), 409), answer(user()), answer(WIDGET))

    made = await vendor.mx().create_link(link_request())

    assert f"GET /users/{USER}" == vendor.paths[1]
    assert made.state == {"user_guid": USER_GUID}


async def test_a_user_of_this_moment_is_looked_for_twice() -> None:
    """Who lost the race for making a user may not find it at once."""
    conflict, made = answer(error(None, 409), 409), answer(user())
    vendor = ScriptedVendor(conflict, NOT_FOUND, made, answer(WIDGET))
    old = ScriptedVendor(
        conflict, answer({"users": []}), answer({"users": [user()["user"]]}), answer(WIDGET)
    )

    found = await vendor.mx().create_link(link_request())
    listed = await old.mx(api_version="v20111101").create_link(link_request())

    assert {"user_guid": USER_GUID} == found.state == listed.state
    assert [0.5] == vendor.pauses == old.pauses


async def test_a_user_that_is_known_and_never_found_is_malformed() -> None:
    """Two looks are enough to see that an answer contradicts itself."""
    vendor = ScriptedVendor(answer(error(None, 409), 409), NOT_FOUND)

    failure = await failure_of(vendor.mx().create_link(link_request()))

    assert ("MALFORMED", 3) == (failure.code, len(vendor.requests))


async def test_the_old_version_lists_users_to_find_one() -> None:
    """v20111101 is asked for by its media type and takes no ids of ours in paths."""
    listed = {"users": [{"guid": "USR-other", "id": "another"}, user()["user"]]}
    vendor = ScriptedVendor(answer(error(None, 409), 409), answer(listed), answer(WIDGET))

    made = await vendor.mx(api_version="v20111101").create_link(link_request())

    assert f"/users?id={USER}" == vendor.requests[1].url.raw_path.decode()
    assert vendor.requests[0].headers["Accept"] == "application/vnd.mx.api.v1+json"
    assert "Accept-Version" not in vendor.requests[0].headers
    assert made.state == {"user_guid": USER_GUID}


@pytest.mark.parametrize(
    ("version", "asked"),
    [
        ("v20250224", {"data_request": {"products": ["transactions"]}}),
        ("v20111101", {"mode": "aggregation", "include_transactions": True}),
    ],
)
async def test_each_version_asks_for_the_data_in_its_own_way(
    version: str, asked: dict[str, object]
) -> None:
    """Without a bank the widget lets the user search, and a contract's use cases come along."""
    vendor = ScriptedVendor(answer(user()), answer(WIDGET))

    await vendor.mx(api_version=version, use_cases="PFM, MONEY_MOVEMENT").create_link(
        link_request()
    )

    assert vendor.bodies[1] == {
        "widget_url": {
            "widget_type": "connect_widget",
            "ui_message_version": 4,
            "iso_country_code": ["US"],
            "use_cases": ["PFM", "MONEY_MOVEMENT"],
            **asked,
        }
    }


async def test_a_repair_of_a_member_that_is_gone_asks_for_a_new_link() -> None:
    """What was linked and is not found has to be linked anew, and by nobody else's doing."""
    failure = await failure_of(
        ScriptedVendor(NOT_FOUND).mx().create_link(link_request(repair=CREDENTIAL))
    )

    assert ("auth", "connection") == verdict(failure)[:2]
    assert "anew" in str(failure.user_action)


async def test_a_repair_opens_the_widget_on_its_member() -> None:
    """The connection's own user and member are used, and no user is made."""
    vendor = ScriptedVendor(answer(WIDGET))

    made = await vendor.mx().create_link(link_request(repair=CREDENTIAL))

    settings = vendor.bodies[0]["widget_url"]
    assert [f"POST /users/{USER_GUID}/widget_urls"] == vendor.paths
    assert (
        settings["current_member_guid"],
        settings["update_credentials"],
    ) == (MEMBER_GUID, True)
    assert made.state == {"user_guid": USER_GUID}


@pytest.mark.parametrize(
    "body", [{}, {"user": None}, {"user": {"guid": None}}, {"user": {"guid": "USR-1/../x"}}]
)
async def test_a_user_without_a_usable_guid_is_malformed(body: object) -> None:
    """What goes into a path is of the documented shape, or nothing goes."""
    vendor = ScriptedVendor(answer(body), answer(WIDGET))

    failure = await failure_of(vendor.mx().create_link(link_request()))

    assert failure.code == "MALFORMED"
    assert len(vendor.requests) == 1


async def test_an_exchange_keeps_the_pair_of_guids() -> None:
    """User and member guid are the connection; the member tells its institution."""
    vendor = ScriptedVendor(answer(member()))

    exchanged = await vendor.mx().exchange_token(exchange_request(MEMBER_GUID, user_guid=USER_GUID))

    assert [f"GET /users/{USER_GUID}/members/{MEMBER_GUID}"] == vendor.paths
    assert exchanged.credential == CREDENTIAL
    assert (
        exchanged.login_key,
        exchanged.provider_institution_id,
        exchanged.status,
    ) == (MEMBER_GUID, "chase", ConnectionStatus.ACTIVE)


@pytest.mark.parametrize("token", ["", "MBR-", "USR-1", "MBR-1/../../users", "MBR-1?x=1", "MBR-é"])
async def test_a_token_that_is_no_member_guid_is_refused_unsent(token: str) -> None:
    """Only a guid's own characters may enter the path."""
    vendor = ScriptedVendor(answer(member()))

    failure = await failure_of(
        vendor.mx().exchange_token(exchange_request(token, user_guid=USER_GUID))
    )

    assert verdict(failure) == ("validation", "request", "INVALID_TEMPORARY_TOKEN")
    assert vendor.requests == []


@pytest.mark.parametrize(
    "over",
    [{"user_guid": "USR-another"}, {"user_guid": None}, {"guid": "MBR-another"}],
)
async def test_another_users_member_is_refused(over: dict[str, object]) -> None:
    """A member guid is only a name: the member must be the asking user's."""
    vendor = ScriptedVendor(answer(member(**over)))

    failure = await failure_of(
        vendor.mx().exchange_token(exchange_request(MEMBER_GUID, user_guid=USER_GUID))
    )

    assert verdict(failure) == ("validation", "request", "NOT_THIS_USERS")


async def test_an_unknown_member_is_asked_for_twice_and_then_refused() -> None:
    """A fresh member may be missing for a moment; after it, it is not this user's."""
    vendor = ScriptedVendor(NOT_FOUND)

    failure = await failure_of(
        vendor.mx().exchange_token(exchange_request(MEMBER_GUID, user_guid=USER_GUID))
    )

    assert verdict(failure) == ("validation", "request", "NOT_THIS_USERS")
    assert (len(vendor.requests), vendor.pauses) == (2, [0.5])


async def test_a_fresh_member_is_found_at_the_second_look() -> None:
    """The race after a member's creation costs half a second and no exchange."""
    vendor = ScriptedVendor(NOT_FOUND, answer(member("CREATED")))

    exchanged = await vendor.mx().exchange_token(exchange_request(MEMBER_GUID, user_guid=USER_GUID))

    assert ConnectionStatus.ACTIVE is exchanged.status


async def test_a_denied_member_ends_the_exchange_with_a_new_start() -> None:
    """There is no connection to repair yet: the user begins again."""
    vendor = ScriptedVendor(answer(member("DENIED")))

    failure = await failure_of(
        vendor.mx().exchange_token(exchange_request(MEMBER_GUID, user_guid=USER_GUID))
    )

    assert verdict(failure) == ("auth", "connection", "DENIED")
    assert "new link session" in str(failure.user_action)


@pytest.mark.parametrize("reply", [httpx.Response(204), NOT_FOUND], ids=["deleted", "gone"])
async def test_revoking_deletes_the_member_and_is_quiet_when_it_is_gone(
    reply: httpx.Response,
) -> None:
    """Deleting twice is as good as once."""
    vendor = ScriptedVendor(reply)

    await vendor.mx().revoke(CREDENTIAL)

    assert vendor.paths == [f"DELETE /users/{USER_GUID}/members/{MEMBER_GUID}"]


async def test_revoking_during_a_job_fails_for_now() -> None:
    """A running job of the member is in the way, and passes."""
    vendor = ScriptedVendor(answer(error(None, 409), 409))

    failure = await failure_of(vendor.mx().revoke(CREDENTIAL))

    assert verdict(failure) == ("provider_down", "connection", "HTTP_409")


@pytest.mark.parametrize(
    "options",
    [
        {"date_format": "us"},
        {"disabled_scope": "x"},
        {"api_version": "v1"},
        {"refresh_after_hours": "2"},
        {"refresh_after_hours": "soon"},
        {"refresh_wait_s": "-1"},
        {"refresh_wait_s": "301"},
        {"merchants": "yes"},
        {"use_cases": "PFM,ANY"},
        {"no": "x"},
    ],
)
def test_a_wrong_option_is_refused_at_the_start(options: dict[str, str]) -> None:
    """A setting that cannot be meant stops the start and names itself."""
    vendor = ScriptedVendor(answer({}))
    http = vendor.http(ADAPTER)

    with pytest.raises(ConfigurationError, match=r"providers\.mx\.options"):
        ADAPTER.build(http, vendor.config(ADAPTER, options))


async def test_a_foreign_credential_never_leaves() -> None:
    """Half a pair of guids is refused before any call."""
    vendor = ScriptedVendor(answer({}))

    failure = await failure_of(
        vendor.mx().get_accounts(accounts_request(Credential({"user_guid": USER_GUID})))
    )

    assert verdict(failure) == ("auth", "connection", "INVALID_CREDENTIAL")
    assert vendor.requests == []

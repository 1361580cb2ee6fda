"""Belvo: widget tokens and pages, proof of ownership, access modes, the end of a link."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from belvo_payloads import CREDENTIAL, LINK_ID, errors, link
from scripted_vendor import (
    KEYS,
    NOW,
    USER,
    ScriptedVendor,
    answer,
    exchange_request,
    failure_of,
    link_request,
    verdict,
)

from orchestrator.domain import ConfigurationError, ConnectionStatus, LinkType

TOKEN = answer({"access": "widget-access", "refresh": "widget-refresh"})
NOT_FOUND = answer(errors("not_found"), 404)


async def test_a_widget_token_lasts_ten_minutes_and_carries_our_user() -> None:
    """Our keys travel in the body of this one call; the external id proves ownership later."""
    vendor = ScriptedVendor(TOKEN)

    made = await vendor.belvo().create_link(
        link_request(
            region="MX",
            language="es",
            provider_institution_id="bbva_mx_retail",
            redirect_uri="https://app.test/done",
        )
    )

    callbacks = dict.fromkeys(("success", "exit", "event"), "https://app.test/done")
    assert vendor.bodies == [
        {
            "id": KEYS["BELVO_SECRET_ID"],
            "password": KEYS["BELVO_SECRET_PASSWORD"],
            "scopes": "read_institutions,write_links",
            "external_id": USER,
            "fetch_resources": ["ACCOUNTS", "TRANSACTIONS"],
            "widget": {
                "callback_urls": callbacks,
                "country_codes": ["MX"],
                "locale": "es",
                "access_mode": "recurrent",
                "institution": "bbva_mx_retail",
            },
        }
    ]
    assert vendor.paths == ["POST /api/token/"]
    assert vendor.requests[0].headers["Authorization"].startswith("Basic ")
    assert (
        made.link_type,
        made.link_token,
        made.link_url,
    ) == (LinkType.WIDGET_TOKEN, "widget-access", None)
    assert made.expires_at == NOW + timedelta(minutes=10)


async def test_a_token_can_be_asked_for_with_documented_fields_alone() -> None:
    """The widget's settings are then the front end's, and what Belvo keeps is its own choice."""
    vendor = ScriptedVendor(TOKEN)

    await vendor.belvo(
        widget_settings="by_front_end",
        fetch_resources="",
        credentials_storage="30d",
        stale_in="300d",
        scopes="read_institutions, write_links, read_links",
    ).create_link(link_request(provider_institution_id="bbva_mx_retail"))

    assert vendor.bodies[0] == {
        "id": KEYS["BELVO_SECRET_ID"],
        "password": KEYS["BELVO_SECRET_PASSWORD"],
        "scopes": "read_institutions, write_links, read_links",
        "external_id": USER,
        "credentials_storage": "30d",
        "stale_in": "300d",
    }


async def test_a_repair_names_its_link() -> None:
    """Update mode is told by the link's id, and has scopes of its own; the bank is the link's."""
    vendor = ScriptedVendor(TOKEN)

    await vendor.belvo().create_link(
        link_request(repair=CREDENTIAL, provider_institution_id="bbva_mx_retail")
    )

    (body,) = vendor.bodies
    assert body["link_id"] == LINK_ID
    assert body["scopes"] == "read_institutions,write_links,read_links"
    assert "institution" not in body["widget"]


async def test_a_repair_of_a_deleted_link_starts_anew() -> None:
    """A link that Belvo no longer knows cannot be mended."""
    failure = await failure_of(
        ScriptedVendor(NOT_FOUND).belvo().create_link(link_request(repair=CREDENTIAL))
    )

    assert verdict(failure) == ("auth", "connection", "not_found")
    assert "link this bank anew" in str(failure.user_action)


async def test_the_hosted_page_can_be_the_answer() -> None:
    """Its address carries token, settings and user, as whoever starts a widget would give them."""
    vendor = ScriptedVendor(TOKEN)

    made = await vendor.belvo(widget="hosted_url", access_mode="single").create_link(
        link_request(region="MX", language="es", provider_institution_id="bbva_mx_retail")
    )

    parts = urlsplit(str(made.link_url))
    assert (made.link_type, made.link_token) == (LinkType.HOSTED_URL, None)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://widget.belvo.io/"
    assert dict(parse_qsl(parts.query)) == {
        "access_token": "widget-access",
        "country_codes": "MX",
        "locale": "es",
        "access_mode": "single",
        "external_id": USER,
        "institution": "bbva_mx_retail",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"count": "all"},
        {"scope": "x"},
        {"retrieval": "live"},
        {"refresh_after_hours": "-1"},
        {"background": "balances"},
        {"widget_url": "http://widget.test/"},
        {"widget_url": "https://widget.test/?a=b"},
        {"movement_ids": "maybe"},
        {"access_mode": "always"},
    ],
)
def test_a_wrong_option_is_refused_at_the_start(options: dict[str, str]) -> None:
    """A setting that cannot be meant stops the start and names itself."""
    with pytest.raises(ConfigurationError, match=r"providers\.belvo\.options"):
        ScriptedVendor(TOKEN).belvo(**options)


async def test_an_exchange_keeps_the_link_of_this_user() -> None:
    """The link is read back, and its external id must be the asking user's."""
    vendor = ScriptedVendor(answer(link()))

    exchanged = await vendor.belvo().exchange_token(exchange_request(LINK_ID))

    assert vendor.paths == [f"GET /api/links/{LINK_ID}/"]
    assert exchanged.credential == CREDENTIAL
    assert (
        exchanged.login_key,
        exchanged.provider_institution_id,
        exchanged.status,
    ) == (LINK_ID, "bbva_mx_retail", ConnectionStatus.ACTIVE)


@pytest.mark.parametrize(
    "reply",
    [
        answer(link(external_id="another")),
        answer(link(external_id=None)),
        answer(link(id="00000000-6e00-48a4-91c9-ca55968576c8")),
        NOT_FOUND,
    ],
    ids=["another-user", "nobody", "another-link", "unknown"],
)
async def test_another_users_link_is_refused(reply: httpx.Response) -> None:
    """A link id is only a name: unknown and foreign ones get the same refusal."""
    failure = await failure_of(
        ScriptedVendor(reply).belvo().exchange_token(exchange_request(LINK_ID))
    )

    assert verdict(failure) == ("validation", "request", "NOT_THIS_USERS")


@pytest.mark.parametrize("token", ["", "1", f"{LINK_ID}/../", f"{LINK_ID}?x", "../api/accounts"])
async def test_a_token_that_is_no_link_id_is_refused_unsent(token: str) -> None:
    """Only a uuid may enter the path."""
    vendor = ScriptedVendor(answer(link()))

    failure = await failure_of(vendor.belvo().exchange_token(exchange_request(token)))

    assert verdict(failure) == ("validation", "request", "INVALID_TEMPORARY_TOKEN")
    assert vendor.requests == []


async def test_a_single_link_is_made_recurrent() -> None:
    """Belvo reads only recurrent links by itself, and connections are to stay fresh."""
    vendor = ScriptedVendor(answer(link(access_mode="single")), answer(link()))

    await vendor.belvo().exchange_token(exchange_request(LINK_ID))

    assert vendor.paths[1:] == [f"PATCH /api/links/{LINK_ID}/"]
    assert vendor.bodies[1] == {"access_mode": "recurrent"}


@pytest.mark.parametrize("told", ["recurrent", None])
async def test_a_link_of_the_wanted_access_mode_is_left_alone(told: str | None) -> None:
    """Nothing is changed without need."""
    vendor = ScriptedVendor(answer(link(access_mode=told)))

    await vendor.belvo().exchange_token(exchange_request(LINK_ID))

    assert len(vendor.requests) == 1


async def test_a_link_without_stored_credentials_stays_single() -> None:
    """It cannot be read again by itself, and is a connection all the same."""
    refusal = answer(errors("invalid_access_mode_switch"), 400)
    vendor = ScriptedVendor(answer(link(access_mode="single")), refusal)

    exchanged = await vendor.belvo().exchange_token(exchange_request(LINK_ID))

    assert exchanged.status is ConnectionStatus.ACTIVE


async def test_an_access_mode_that_cannot_be_asked_for_ends_the_exchange() -> None:
    """Any other failure is told: the exchange can be sent again."""
    vendor = ScriptedVendor(
        answer(link(access_mode="single")), answer(errors("unexpected_error"), 500)
    )

    failure = await failure_of(vendor.belvo().exchange_token(exchange_request(LINK_ID)))

    assert verdict(failure) == ("provider_down", "provider", "unexpected_error")


BROKEN = [
    ("invalid", "invalid_link"),
    ("unconfirmed", "unconfirmed_link"),
    ("token_required", "token_required"),
]


@pytest.mark.parametrize(("status", "code"), BROKEN)
async def test_a_broken_link_ends_the_exchange_with_a_new_start(status: str, code: str) -> None:
    """There is no connection to repair yet: the user begins again."""
    vendor = ScriptedVendor(answer(link(status)))

    failure = await failure_of(vendor.belvo().exchange_token(exchange_request(LINK_ID)))

    assert verdict(failure) == ("auth", "connection", code)
    assert "new link session" in str(failure.user_action)


@pytest.mark.parametrize("reply", [httpx.Response(204), NOT_FOUND], ids=["deleted", "gone"])
async def test_revoking_deletes_the_link_and_is_quiet_when_it_is_gone(
    reply: httpx.Response,
) -> None:
    """Deleting twice is as good as once."""
    vendor = ScriptedVendor(reply)

    await vendor.belvo().revoke(CREDENTIAL)

    assert vendor.paths == [f"DELETE /api/links/{LINK_ID}/"]


async def test_revoking_reports_what_keeps_the_link_alive() -> None:
    """Any other failure leaves the link there, and is told."""
    failure = await failure_of(
        ScriptedVendor(answer(errors("unexpected_error"), 500)).belvo().revoke(CREDENTIAL)
    )

    assert verdict(failure) == ("provider_down", "provider", "unexpected_error")

"""Plaid's link sessions, exchange and end of a connection."""

from datetime import UTC, datetime

import httpx
import pytest
from plaid_payloads import CREDENTIAL, TOKEN, error, item
from scripted_vendor import (
    KEYS,
    USER,
    ScriptedVendor,
    answer,
    exchange_request,
    failure_of,
    link_request,
    verdict,
)

from orchestrator.domain import ConfigurationError, ConnectionStatus, Credential, LinkType

LINK = {
    "link_token": "link-sandbox-1",
    "expiration": "2026-03-18T19:30:00Z",
    "request_id": "XQVgFigpGHXkb0b",
}
EXCHANGED = {"access_token": TOKEN, "item_id": "item-1", "request_id": "Aim3b"}


async def test_a_new_link_session_asks_for_transactions_of_two_years() -> None:
    """What the widget needs travels in one call, our keys in its headers."""
    vendor = ScriptedVendor(answer(LINK))

    made = await vendor.plaid().create_link(
        link_request(
            provider_institution_id="ins_56",
            redirect_uri="https://app.test/done",
            webhook_url="https://hooks.test/plaid",
            language="es",
        )
    )

    assert vendor.bodies == [
        {
            "client_name": "Provider Orchestrator",
            "language": "es",
            "country_codes": ["US"],
            "user": {"client_user_id": USER},
            "products": ["transactions"],
            "transactions": {"days_requested": 730},
            "institution_id": "ins_56",
            "webhook": "https://hooks.test/plaid",
            "redirect_uri": "https://app.test/done",
        }
    ]
    assert vendor.paths == ["POST /link/token/create"]
    assert KEYS["PLAID_CLIENT_ID"] == vendor.requests[0].headers["PLAID-CLIENT-ID"]
    assert KEYS["PLAID_SECRET"] == vendor.requests[0].headers["PLAID-SECRET"]
    assert LinkType.WIDGET_TOKEN is made.link_type
    assert made.link_token == "link-sandbox-1"
    assert datetime(2026, 3, 18, 19, 30, tzinfo=UTC) == made.expires_at


async def test_a_repair_sends_the_access_token_and_no_products() -> None:
    """Update mode is told by the token; products in it would be refused."""
    vendor = ScriptedVendor(answer(LINK))

    await vendor.plaid().create_link(link_request(repair=CREDENTIAL, provider_institution_id="x"))

    assert vendor.bodies[0]["access_token"] == TOKEN
    assert not {"products", "transactions", "institution_id"} & set(vendor.bodies[0])


async def test_options_choose_what_the_user_reads_and_how_far_back() -> None:
    """The client's name, the depth and the preselection are settings."""
    vendor = ScriptedVendor(answer(LINK))
    plaid = vendor.plaid(client_name="Acme", days_requested="90", send_institution_id="false")

    await plaid.create_link(link_request(provider_institution_id="ins_56"))

    assert vendor.bodies[0]["client_name"] == "Acme"
    assert vendor.bodies[0]["transactions"] == {"days_requested": 90}
    assert "institution_id" not in vendor.bodies[0]


@pytest.mark.parametrize(
    "options",
    [
        {"days_requested": "731"},
        {"days_requested": "many"},
        {"send_institution_id": "maybe"},
        {"days": "90"},
    ],
)
def test_a_wrong_option_is_refused_at_the_start(options: dict[str, str]) -> None:
    """A setting that cannot be meant stops the start and names itself."""
    with pytest.raises(ConfigurationError, match=r"providers\.plaid\.options"):
        ScriptedVendor(answer({})).plaid(**options)


async def test_an_exchange_gives_credential_login_and_institution() -> None:
    """The public token becomes an access token; the Item tells its institution."""
    vendor = ScriptedVendor(answer(EXCHANGED), answer({"item": item(), "request_id": "r"}))

    exchanged = await vendor.plaid().exchange_token(exchange_request("public-sandbox-1"))

    assert vendor.bodies == [{"public_token": "public-sandbox-1"}, {"access_token": TOKEN}]
    assert Credential({"access_token": TOKEN, "item_id": "item-1"}) == exchanged.credential
    assert (
        exchanged.login_key,
        exchanged.provider_institution_id,
        exchanged.status,
    ) == ("item-1", "ins_56", ConnectionStatus.ACTIVE)
    assert TOKEN not in repr(exchanged)


@pytest.mark.parametrize(
    "second",
    [
        answer(error("INTERNAL_SERVER_ERROR", "API_ERROR"), 500),
        httpx.ReadTimeout("silence"),
        httpx.Response(200, text="<html>"),
        answer({"item": {"institution_id": 7}}),
    ],
    ids=["down", "timeout", "html", "mistyped"],
)
async def test_a_failed_look_at_the_item_does_not_lose_the_exchange(second: httpx.Response) -> None:
    """The exchange has happened: only the institution stays unknown."""
    vendor = ScriptedVendor(answer(EXCHANGED), second)

    exchanged = await vendor.plaid().exchange_token(exchange_request("public-sandbox-1"))

    assert exchanged.credential["access_token"] == TOKEN
    assert exchanged.provider_institution_id is None


async def test_an_exchanged_item_in_trouble_needs_its_user_at_once() -> None:
    """An Item's own error shows in the new connection's status."""
    body = {"item": item(error=error("ITEM_LOGIN_REQUIRED")), "request_id": "r"}
    vendor = ScriptedVendor(answer(EXCHANGED), answer(body))

    exchanged = await vendor.plaid().exchange_token(exchange_request("public-sandbox-1"))

    assert ConnectionStatus.NEEDS_USER is exchanged.status


@pytest.mark.parametrize(
    ("trouble", "sent"),
    [(httpx.ReadTimeout("silence"), True), (httpx.ConnectError("no"), False)],
)
async def test_a_lost_exchange_says_whether_it_may_have_been_sent(
    trouble: Exception, *, sent: bool
) -> None:
    """A cut after sending leaves the outcome open; no connection at all does not."""
    failure = await failure_of(
        ScriptedVendor(trouble).plaid().exchange_token(exchange_request("public-sandbox-1"))
    )

    assert failure.error_class == "network"
    assert sent is failure.sent


async def test_a_used_public_token_is_told_to_begin_again() -> None:
    """An expired or used token is no outage: a new link session is the way on."""
    vendor = ScriptedVendor(answer(error("INVALID_PUBLIC_TOKEN", "INVALID_INPUT"), 400))

    failure = await failure_of(vendor.plaid().exchange_token(exchange_request("public-x")))

    assert verdict(failure) == ("validation", "request", "INVALID_PUBLIC_TOKEN")
    assert "createLink" in str(failure.user_action)


async def test_an_exchange_without_a_token_sends_nothing() -> None:
    """A form's fields are no public token."""
    vendor = ScriptedVendor(answer({}))
    request = exchange_request("")

    failure = await failure_of(vendor.plaid().exchange_token(request))

    assert verdict(failure) == ("validation", "request", "INVALID_TEMPORARY_TOKEN")
    assert not failure.sent
    assert vendor.requests == []


@pytest.mark.parametrize("code", ["ITEM_NOT_FOUND", "INVALID_ACCESS_TOKEN"])
async def test_revoking_what_is_gone_is_quiet(code: str) -> None:
    """An Item that no longer exists needs no end."""
    vendor = ScriptedVendor(answer(error(code), 400))

    await vendor.plaid().revoke(CREDENTIAL)

    assert vendor.paths == ["POST /item/remove"]


async def test_revoking_reports_what_keeps_the_item_alive() -> None:
    """Any other failure leaves the Item there, and is told."""
    vendor = ScriptedVendor(answer(error("INTERNAL_SERVER_ERROR", "API_ERROR"), 500))

    failure = await failure_of(vendor.plaid().revoke(CREDENTIAL))

    assert verdict(failure) == ("provider_down", "provider", "INTERNAL_SERVER_ERROR")


async def test_a_foreign_credential_never_leaves() -> None:
    """A credential without an access token is refused before any call."""
    vendor = ScriptedVendor(answer({}))

    failure = await failure_of(vendor.plaid().revoke(Credential({"link_id": "x"})))

    assert verdict(failure) == ("auth", "connection", "INVALID_CREDENTIAL")
    assert vendor.requests == []

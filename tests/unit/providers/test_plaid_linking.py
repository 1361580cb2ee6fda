"""Plaid's link sessions, exchange and end of a connection."""

import asyncio
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
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt

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

    made = await vendor.plaid().create_link(
        link_request(
            repair=CREDENTIAL,
            provider_institution_id="x",
            webhook_url="https://hooks.test/plaid",
            redirect_uri="https://app.test/done",
        )
    )

    assert vendor.bodies[0]["access_token"] == TOKEN
    assert vendor.bodies[0]["redirect_uri"] == "https://app.test/done"
    assert not {"products", "transactions", "institution_id", "webhook"} & set(vendor.bodies[0])
    assert {} == made.state


@pytest.mark.parametrize(("language", "sent"), [("en", "en"), ("es", "es"), ("ja", "en")])
async def test_a_language_that_link_does_not_speak_becomes_english(
    language: str, sent: str
) -> None:
    """The widget opens in a language of Plaid's."""
    vendor = ScriptedVendor(answer(LINK))

    await vendor.plaid().create_link(link_request(language=language))

    assert vendor.bodies[0]["language"] == sent


async def test_a_country_that_plaid_does_not_serve_is_refused_unsent() -> None:
    """Another provider may serve it."""
    vendor = ScriptedVendor(answer(LINK))

    failure = await failure_of(vendor.plaid().create_link(link_request(region="MX")))

    assert verdict(failure) == ("validation", "request", "UNSUPPORTED_REGION")
    assert (failure.elsewhere, failure.sent, vendor.requests) == (True, False, [])


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
        {"client_name": " "},
        {"link": "popup"},
        {"balances": "fresh"},
        {"balance_age": "guessed"},
        {"refresh": "always"},
        {"refresh_after_h": "0"},
        {"refresh_wait_s": "301"},
        {"not_ready_wait_s": "5.5"},
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


async def test_an_item_that_is_to_report_is_read_once_at_its_exchange() -> None:
    """Plaid reports changes of those Items alone whose feed was asked for before."""
    body = {"item": item(), "request_id": "r"}
    vendor = ScriptedVendor(answer(LINK), answer(EXCHANGED), answer(body), answer({}))
    plaid = vendor.plaid()
    made = await plaid.create_link(link_request(webhook_url="https://hooks.test/plaid"))

    await plaid.exchange_token(exchange_request("public-sandbox-1", **made.state))

    assert vendor.paths[1:] == [
        "POST /item/public_token/exchange",
        "POST /item/get",
        "POST /transactions/sync",
    ]
    assert {"access_token": TOKEN, "count": 1} == vendor.bodies[3]


async def test_nothing_after_an_exchange_outlives_the_attempts_time() -> None:
    """What the Item tells comes too late to be waited for, and the exchange is told."""

    async def never(_endpoint: str) -> float:
        if trace.http_calls:
            await asyncio.Event().wait()
        return 0.0

    trace = AttemptTrace("a", pace=never, time_left_s=lambda: 1.01)
    vendor = ScriptedVendor(answer(EXCHANGED))
    token = current_attempt.set(trace)
    try:
        exchanged = await vendor.plaid().exchange_token(exchange_request("public-sandbox-1"))
    finally:
        current_attempt.reset(token)

    assert exchanged.login_key == "item-1"
    assert exchanged.provider_institution_id is None


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


@pytest.mark.parametrize(
    ("over", "status"),
    [
        ({"error": error("ITEM_LOGIN_REQUIRED")}, ConnectionStatus.NEEDS_USER),
        (
            {"error": error("USER_PERMISSION_REVOKED", "INVALID_INPUT")},
            ConnectionStatus.NEEDS_USER,
        ),
        ({"error": error("INSTITUTION_DOWN", "INSTITUTION_ERROR")}, ConnectionStatus.ACTIVE),
        ({"consent_expiration_time": "2026-03-18T15:30:00Z"}, ConnectionStatus.NEEDS_USER),
        ({"consent_expiration_time": "2026-03-18T15:30:01Z"}, ConnectionStatus.ACTIVE),
    ],
)
async def test_an_exchanged_item_in_trouble_needs_its_user_at_once(
    over: dict[str, object], status: ConnectionStatus
) -> None:
    """An Item's own error, or a consent that has run out, shows in the new connection's status."""
    vendor = ScriptedVendor(answer(EXCHANGED), answer({"item": item(**over), "request_id": "r"}))

    exchanged = await vendor.plaid().exchange_token(exchange_request("public-sandbox-1"))

    assert status is exchanged.status


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


HOSTED = {**LINK, "hosted_link_url": "https://secure.plaid.com/hl/1"}


def run(*tokens: str) -> dict[str, object]:
    """A run of a link session that ended with these public tokens."""
    added = [{"public_token": token, "accounts": [], "institution": None} for token in tokens]
    return {"link_session_id": "s", "results": {"item_add_results": added}}


async def test_plaid_can_serve_the_links_page_itself() -> None:
    """With the setting, the session is an address, which sends the user back at its end."""
    vendor = ScriptedVendor(answer(HOSTED))
    plaid = vendor.plaid(link="hosted")

    made = await plaid.create_link(link_request(redirect_uri="https://app.test/done"))
    repair = await plaid.create_link(link_request(repair=CREDENTIAL))

    assert [body["hosted_link"] for body in vendor.bodies] == [
        {"url_lifetime_seconds": 14400, "completion_redirect_uri": "https://app.test/done"},
        {"url_lifetime_seconds": 1800},
    ]
    assert "redirect_uri" not in vendor.bodies[0]
    assert (LinkType.HOSTED_URL, None) == (made.link_type, made.link_token)
    assert made.link_url == "https://secure.plaid.com/hl/1"
    assert datetime(2026, 3, 18, 16, 0, tzinfo=UTC) == repair.expires_at


async def test_a_hosted_sessions_address_is_taken_for_its_public_token() -> None:
    """Where no webhook brought the public token, it is looked up by the link token."""
    sessions = {**LINK, "link_sessions": [run("public-old"), {"link_session_id": "s"}]}
    vendor = ScriptedVendor(answer(HOSTED), answer(sessions), answer(EXCHANGED), answer({}))
    plaid = vendor.plaid(link="hosted")
    made = await plaid.create_link(link_request())

    exchanged = await plaid.exchange_token(exchange_request(str(made.link_url), **made.state))

    assert vendor.bodies[1:3] == [
        {"link_token": "link-sandbox-1"},
        {"public_token": "public-old"},
    ]
    assert exchanged.login_key == "item-1"


async def test_a_public_token_of_a_hosted_session_needs_no_look() -> None:
    """What a webhook brought is exchanged as it is."""
    vendor = ScriptedVendor(answer(EXCHANGED), answer({}))
    state = {"link_token": "link-sandbox-1", "hosted_link_url": "https://secure.plaid.com/hl/1"}

    await vendor.plaid(link="hosted").exchange_token(exchange_request("public-1", **state))

    assert vendor.paths[0] == "POST /item/public_token/exchange"


@pytest.mark.parametrize(
    ("looked_up", "code"),
    [
        (answer({**LINK, "link_sessions": []}), "LINK_NOT_FINISHED"),
        (answer(LINK), "LINK_NOT_FINISHED"),
        (answer({**LINK, "link_sessions": [run()]}), "LINK_NOT_FINISHED"),
        (answer(error("INVALID_LINK_TOKEN", "INVALID_INPUT"), 400), "INVALID_LINK_TOKEN"),
        (httpx.ReadTimeout("silence"), "TIMEOUT"),
    ],
    ids=["not begun", "no runs", "nothing added", "expired", "lost"],
)
async def test_a_hosted_session_without_a_result_exchanges_nothing(
    looked_up: httpx.Response | Exception, code: str
) -> None:
    """A look leaves no doubt: nothing was exchanged, and the session can be asked again."""
    vendor = ScriptedVendor(looked_up)
    state = {"link_token": "link-sandbox-1", "hosted_link_url": "https://secure.plaid.com/hl/1"}

    failure = await failure_of(
        vendor.plaid().exchange_token(exchange_request("https://secure.plaid.com/hl/1", **state))
    )

    assert (failure.code, failure.sent) == (code, False)
    assert vendor.paths == ["POST /link/token/get"]

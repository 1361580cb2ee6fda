"""Finicity: customers, Connect in its three variants, proof of ownership, and the end."""

from datetime import UTC, datetime

import httpx
import pytest
from finicity_payloads import (
    CREDENTIAL,
    CUSTOMER_ID,
    LINK,
    LOGIN_ID,
    account,
    accounts,
    customer,
    customers,
    error,
    never_read,
)
from scripted_vendor import (
    USER,
    ScriptedVendor,
    answer,
    exchange_request,
    failure_of,
    link_request,
    verdict,
)

from orchestrator.domain import ConfigurationError, ConnectionStatus, Credential, LinkType
from orchestrator.providers.finicity import ADAPTER
from orchestrator.providers.finicity_connect import expiry_of, username_of

MADE = answer(customer(), 201)
CONNECT = answer({"link": LINK})
TAKEN = answer(error("110002"), 409)
STATE = {"customer_id": CUSTOMER_ID}
NO_LOGIN = answer(error("38007"), 404)


async def test_a_new_user_gets_an_address_of_connect_for_a_bank() -> None:
    """The customer has our own id as a name; the address opens at the bank and ends by its ttl."""
    vendor = ScriptedVendor(MADE, CONNECT)

    made = await vendor.finicity(experience="exp-1").create_link(
        link_request(
            language="es",
            provider_institution_id="170778",
            redirect_uri="https://app.test/done",
            webhook_url="https://app.test/hooks",
        )
    )

    assert ["POST /aggregation/v2/customers/testing", "POST /connect/v2/generate/lite"] == (
        vendor.paths
    )
    assert vendor.bodies[0] == {"username": USER}
    assert vendor.bodies[1] == {
        "partnerId": "our-finicity-partner",
        "customerId": CUSTOMER_ID,
        "institutionId": 170778,
        "singleUseUrl": True,
        "language": "es",
        "redirectUri": "https://app.test/done",
        "webhook": "https://app.test/hooks",
        "webhookContentType": "application/json",
        "experience": "exp-1",
    }
    assert (made.link_type, made.link_token, made.link_url) == (LinkType.HOSTED_URL, None, LINK)
    assert datetime(2026, 3, 18, 17, 30, tzinfo=UTC) == made.expires_at
    assert made.state == STATE


async def test_without_a_bank_the_user_looks_for_one() -> None:
    """The full variant, in its own language and with nothing that was not asked for."""
    vendor = ScriptedVendor(MADE, CONNECT)

    await vendor.finicity().create_link(link_request())

    assert vendor.paths[1] == "POST /connect/v2/generate"
    assert vendor.bodies[1] == {
        "partnerId": "our-finicity-partner",
        "customerId": CUSTOMER_ID,
        "singleUseUrl": True,
    }


async def test_a_repair_opens_at_the_login_that_is_broken() -> None:
    """No customer is made: the connection knows its own."""
    vendor = ScriptedVendor(CONNECT)

    made = await vendor.finicity().create_link(link_request(repair=CREDENTIAL))

    assert ["POST /connect/v2/generate/fix"] == vendor.paths
    assert vendor.bodies[0]["customerId"] == CUSTOMER_ID
    assert vendor.bodies[0]["institutionLoginId"] == LOGIN_ID
    assert made.state == STATE


@pytest.mark.parametrize(
    ("environment", "option", "kind"),
    [
        ("sandbox", "by_environment", "testing"),
        ("production", "by_environment", "active"),
        ("sandbox", "active", "active"),
        ("production", "testing", "testing"),
    ],
)
async def test_the_kind_of_customer_goes_by_environment_or_option(
    environment: str, option: str, kind: str
) -> None:
    """Active customers are billed, so tests make none."""
    vendor = ScriptedVendor(MADE, CONNECT)

    await vendor.finicity(environment=environment, customers=option).create_link(link_request())

    assert vendor.paths[0] == f"POST /aggregation/v2/customers/{kind}"


async def test_a_customer_that_is_there_is_found_by_name() -> None:
    """A name that is taken is ours: whoever asks twice gets the same customer."""
    other = customer(id="1", username="another", type="testing")
    ours = customer(type="testing", createdDate="1773813600")
    vendor = ScriptedVendor(TAKEN, answer(customers(other, ours)), CONNECT)

    made = await vendor.finicity().create_link(link_request())

    assert vendor.paths[1] == "GET /aggregation/v1/customers"
    assert vendor.requests[1].url.params["username"] == USER
    assert made.state == STATE


@pytest.mark.parametrize("rows", [(), (customer(type="active"),)])
async def test_a_name_that_another_kind_of_customer_has_is_told_as_taken(
    rows: tuple[object, ...],
) -> None:
    """A customer that is billed is not used for tests, nor the other way round."""
    vendor = ScriptedVendor(TAKEN, answer(customers(*rows)))

    failure = await failure_of(vendor.finicity().create_link(link_request()))

    assert verdict(failure) == ("validation", "request", "110002")


@pytest.mark.parametrize("customer_id", [7005061234, "7005061234"])
async def test_an_id_is_the_same_as_a_number_and_as_a_text(customer_id: object) -> None:
    """Finicity writes ids in both ways."""
    vendor = ScriptedVendor(answer(customer(id=customer_id), 201), CONNECT)

    assert (await vendor.finicity().create_link(link_request())).state == STATE


@pytest.mark.parametrize(
    ("end_user_id", "as_it_is"),
    [
        (USER, True),
        ("a@b.c+d-e_f", True),
        ("with space 0123456789", False),
        ("usr", False),
        ("ü" * 20, False),
        ("x" * 256, False),
    ],
)
def test_a_name_that_finicity_would_refuse_is_replaced(end_user_id: str, *, as_it_is: bool) -> None:
    """By a digest, which is the same each time."""
    name = username_of(end_user_id)

    assert as_it_is == (name == end_user_id)
    assert 6 <= len(name) <= 255
    assert name.isascii()
    assert name == username_of(end_user_id)


async def test_a_bank_id_that_is_no_number_is_never_sent() -> None:
    """A wrong line of the catalogue is not the vendor's fault; another provider may do."""
    vendor = ScriptedVendor(MADE)

    failure = await failure_of(
        vendor.finicity().create_link(link_request(provider_institution_id="chase"))
    )

    assert verdict(failure) == ("validation", "institution", "INVALID_INSTITUTION")
    assert (failure.elsewhere, failure.sent, len(vendor.requests)) == (True, False, 1)


@pytest.mark.parametrize(
    ("link", "expires_at"),
    [
        ("https://c.test?ttl=1773855000000", datetime(2026, 3, 18, 17, 30, tzinfo=UTC)),
        ("https://c.test?ttl=1773855000", datetime(2026, 3, 18, 17, 30, tzinfo=UTC)),
        ("https://c.test?signature=x", None),
        ("https://c.test?ttl=", None),
        ("https://c.test?ttl=soon", None),
        ("https://c.test?ttl=-5", None),
        ("https://c.test?ttl=99999999999999999999", None),
        ("https://[", None),
    ],
)
def test_the_end_of_an_address_stands_in_it(link: str, expires_at: datetime | None) -> None:
    """Where it can be read; elsewhere nothing is made up."""
    assert expires_at == expiry_of(link)


async def test_the_exchange_proves_the_login() -> None:
    """A login of this customer becomes a connection, with the bank's own id."""
    vendor = ScriptedVendor(answer(accounts(account())))

    exchanged = await vendor.finicity().exchange_token(exchange_request(LOGIN_ID, **STATE))

    assert exchanged.credential == CREDENTIAL
    assert exchanged.login_key == f"{CUSTOMER_ID}/{LOGIN_ID}"
    assert exchanged.provider_institution_id == "5"
    assert ConnectionStatus.ACTIVE is exchanged.status
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        NO_LOGIN,
        answer(error(14001), 404),
        answer(error("38007"), 400),
        answer(accounts()),
        answer(accounts(account(customerId="1"))),
        answer(accounts(account(institutionLoginId=1))),
    ],
)
async def test_a_login_of_nobody_or_of_another_is_refused(reply: httpx.Response) -> None:
    """One failure for both, so that nobody learns which ids exist."""
    failure = await failure_of(
        ScriptedVendor(reply).finicity().exchange_token(exchange_request(LOGIN_ID, **STATE))
    )

    assert verdict(failure) == ("validation", "request", "NOT_THIS_USERS")


@pytest.mark.parametrize(
    ("token", "state"),
    [
        ("", STATE),
        ("made-up", STATE),
        ("1/../2", STATE),
        ("9" * 20, STATE),
        (LOGIN_ID, {}),
        (LOGIN_ID, {"customer_id": "x"}),
    ],
)
async def test_what_no_widget_gave_is_not_sent(token: str, state: dict[str, str]) -> None:
    """Ids go into paths, so they are looked at before."""
    vendor = ScriptedVendor(NO_LOGIN)

    failure = await failure_of(vendor.finicity().exchange_token(exchange_request(token, **state)))

    assert verdict(failure) == ("validation", "request", "INVALID_TEMPORARY_TOKEN")
    assert vendor.requests == []


async def test_a_broken_login_ends_the_exchange_with_a_new_start() -> None:
    """There is no connection to repair yet: the user begins again."""
    vendor = ScriptedVendor(answer(accounts(account(aggregationStatusCode=103))))

    failure = await failure_of(
        vendor.finicity().exchange_token(exchange_request(LOGIN_ID, **STATE))
    )

    assert verdict(failure) == ("auth", "connection", "103")
    assert "new link session" in str(failure.user_action)


@pytest.mark.parametrize(("option", "calls"), [("never", 1), ("first", 2), ("interactive", 2)])
async def test_a_bank_that_was_never_read_is_read_first(option: str, calls: int) -> None:
    """While the user is there, unless the option forbids it; nobody waits for its end."""
    started = answer({"refreshId": "bec83f1a-5f65-44f5-8f00-b4a0fc60c2cc", "status": "NEW"}, 202)
    vendor = ScriptedVendor(answer(accounts(never_read())), started)

    await vendor.finicity(refresh=option).exchange_token(exchange_request(LOGIN_ID, **STATE))

    assert len(vendor.requests) == calls
    if calls > 1:
        assert (
            vendor.paths[1] == f"POST /aggregation/customers/{CUSTOMER_ID}/transactions/refreshes"
        )
        assert vendor.bodies[1] == {"institutionLoginId": LOGIN_ID, "mode": "standard"}
    assert vendor.pauses == []


@pytest.mark.parametrize(
    "trouble",
    [answer(error("10405"), 403), answer(error(910), 500), httpx.ReadTimeout("x"), answer([])],
)
async def test_a_first_reading_that_fails_costs_no_connection(
    trouble: httpx.Response | Exception,
) -> None:
    """The login is proven all the same; Finicity reads it by itself, a little later."""
    vendor = ScriptedVendor(answer(accounts(never_read())), trouble)

    exchanged = await vendor.finicity().exchange_token(exchange_request(LOGIN_ID, **STATE))

    assert exchanged.credential == CREDENTIAL


@pytest.mark.parametrize("reply", [httpx.Response(204), NO_LOGIN, answer(error("14001"), 404)])
async def test_ending_a_connection_is_quiet(reply: httpx.Response) -> None:
    """Whether it was there or not, it is gone."""
    vendor = ScriptedVendor(reply)

    await vendor.finicity().revoke(CREDENTIAL)

    assert vendor.paths == [
        f"DELETE /aggregation/v1/customers/{CUSTOMER_ID}/institutionLogins/{LOGIN_ID}"
    ]


async def test_an_end_that_fails_is_told() -> None:
    """Access that may go on is no success."""
    failure = await failure_of(ScriptedVendor(answer(None, 503)).finicity().revoke(CREDENTIAL))

    assert verdict(failure) == ("provider_down", "provider", "HTTP_503")


async def test_a_credential_of_another_provider_is_never_sent() -> None:
    """As after a botched import."""
    vendor = ScriptedVendor(NO_LOGIN)

    failure = await failure_of(vendor.finicity().revoke(Credential({"access_token": "x"})))

    assert verdict(failure) == ("auth", "connection", "INVALID_CREDENTIAL")
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("customers", "live"),
        ("card_sign", "minus"),
        ("investment_sign", ""),
        ("debt_balance", "x"),
        ("refresh", "always"),
        ("overlap_days", "14"),
        ("overlap_days", "many"),
        ("refresh_after_hours", "0"),
        ("unknown", "1"),
    ],
)
def test_options_of_no_meaning_are_refused(name: str, value: str) -> None:
    """A typing error stops the start, and names the option."""
    vendor = ScriptedVendor(NO_LOGIN)

    with pytest.raises(ConfigurationError, match=name):
        vendor.finicity(**{name: value})


def test_the_adapter_is_one_host_with_two_kinds_of_customers() -> None:
    """Test Drive is no other address; an exchange can be repeated."""
    assert ADAPTER.base_urls["sandbox"] == ADAPTER.base_urls["production"]
    assert not ADAPTER.exchange_consumes

"""Bitso: the form, whose a key is and what it may do, and balances as accounts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from bitso_payloads import CLIENT_ID, CREDENTIAL, FORM, balance, balances, error, status, success
from scripted_vendor import (
    NOW,
    USER,
    ScriptedVendor,
    accounts_request,
    answer,
    failure_of,
    link_request,
    verdict,
)

from orchestrator.domain import AccountType, Balances, ConnectionStatus, Credential, LinkType
from orchestrator.providers.protocol import AccountsRequest, ExchangeRequest

KNOWN = answer(success(status()))


def filled(token: dict[str, str] | None = None, **state: str) -> ExchangeRequest:
    """The end of a form."""
    return ExchangeRequest(USER, Credential(FORM if token is None else token), state, "bitso")


@pytest.mark.parametrize(
    ("language", "word"), [("en", "no withdrawals"), ("es", "ni retiros"), ("fr", "no withdrawals")]
)
async def test_the_form_says_in_the_users_language_what_to_permit(language: str, word: str) -> None:
    """Two fields, one of them secret, for an hour; nothing is sent."""
    vendor = ScriptedVendor(KNOWN)

    made = await vendor.bitso().create_link(link_request(language=language))

    assert made.link_type is LinkType.API_KEY_FORM
    assert (made.link_token, made.link_url) == (None, None)
    assert made.expires_at == NOW + timedelta(hours=1)
    assert [(field.name, field.secret) for field in made.fields or ()] == [
        ("apiKey", False),
        ("apiSecret", True),
    ]
    assert word in (made.fields or ())[0].label
    assert vendor.requests == []


async def test_a_key_is_proven_by_asking_whose_it_is() -> None:
    """The client id is the login, and the key is kept with it."""
    vendor = ScriptedVendor(KNOWN)

    exchanged = await vendor.bitso().exchange_token(filled())

    assert vendor.paths == ["GET /api/v3/account_status"]
    assert exchanged.credential == CREDENTIAL
    assert (exchanged.login_key, exchanged.provider_institution_id, exchanged.status) == (
        CLIENT_ID,
        "bitso",
        ConnectionStatus.ACTIVE,
    )


async def test_blanks_around_a_copied_key_are_dropped() -> None:
    """Whoever copies a line copies its end, too."""
    vendor = ScriptedVendor(KNOWN)

    token = {"apiKey": " users-key\n", "apiSecret": "users-secret\t"}
    exchanged = await vendor.bitso().exchange_token(filled(token))

    assert exchanged.credential == CREDENTIAL


@pytest.mark.parametrize(
    "token",
    [
        {"token": "users-key"},
        {"apiKey": "users-key"},
        {"apiSecret": "users-secret"},
        {**FORM, "pin": "1"},
        {**FORM, "apiKey": ""},
        {**FORM, "apiKey": "a:b"},
        {**FORM, "apiKey": "two words"},
        {**FORM, "apiSecret": "ñ"},
        {**FORM, "apiKey": "x" * 257},
    ],
)
async def test_what_is_no_filled_form_is_never_sent(token: dict[str, str]) -> None:
    """Other fields, or what no key holds and no header bears."""
    vendor = ScriptedVendor(KNOWN)

    failure = await failure_of(vendor.bitso().exchange_token(filled(token)))

    assert verdict(failure) == ("validation", "request", "INVALID_TEMPORARY_TOKEN")
    assert not failure.sent
    assert vendor.requests == []


async def test_a_refused_key_starts_the_form_anew() -> None:
    """There is no connection yet that could be repaired."""
    vendor = ScriptedVendor(answer(error("0201"), 401))

    failure = await failure_of(vendor.bitso().exchange_token(filled()))

    assert verdict(failure) == ("auth", "connection", "0201")
    assert "new link session" in str(failure.user_action)


async def test_a_repair_takes_only_the_same_login() -> None:
    """The form of a repair remembers whose connection it mends."""
    vendor = ScriptedVendor(KNOWN, answer(success(status(client_id="another"))))
    bitso = vendor.bitso()
    made = await bitso.create_link(link_request(repair=CREDENTIAL))

    mended = await bitso.exchange_token(filled(None, **made.state))
    failure = await failure_of(bitso.exchange_token(filled(None, **made.state)))

    assert mended.login_key == CLIENT_ID
    assert verdict(failure) == ("validation", "request", "NOT_THIS_USERS")


@pytest.mark.parametrize(
    ("told", "check", "warnings"),
    [
        (None, "warn", 1),
        ([], "warn", 1),
        (7, "warn", 1),
        (["view_balances"], "warn", 0),
        ("view_balances, Read_Ledger", "warn", 0),
        (["view_balances", "withdrawals"], "warn", 1),
        (["view_balances", "withdrawals"], "off", 0),
        (None, "off", 0),
        (None, "refuse", 1),
    ],
)
async def test_what_a_key_may_do_is_looked_at_as_far_as_bitso_tells(
    told: object, check: str, warnings: int
) -> None:
    """A key that may only read passes in silence; another, or an unknown one, with a warning."""
    vendor = ScriptedVendor(answer(success(status(rights=told))))
    bitso = vendor.bitso(permission_check=check, permission_field="rights")

    exchanged = await bitso.exchange_token(filled())

    assert len(exchanged.warnings) == warnings
    assert len(vendor.requests) == 1


async def test_a_key_that_may_do_more_can_be_refused() -> None:
    """Then the user is asked for another."""
    vendor = ScriptedVendor(answer(success(status(permissions=["withdrawals"]))))

    failure = await failure_of(vendor.bitso(permission_check="refuse").exchange_token(filled()))

    assert verdict(failure) == ("validation", "request", "KEY_MAY_DO_MORE")
    assert "createLink" in str(failure.user_action)


async def test_each_currency_with_money_is_an_account() -> None:
    """Pesos are a wallet, coins are crypto; amounts are exact; what is empty is left out."""
    vendor = ScriptedVendor(
        answer(
            balances(
                balance("mxn", "1013.540958479115", "1000.00"),
                balance("btc", "0.48650929"),
                balance("eth", "0.00000000"),
            )
        )
    )

    read = await vendor.bitso().get_accounts(accounts_request(CREDENTIAL))

    pesos, coins = read.accounts
    assert (pesos.provider_account_id, pesos.type, pesos.currency) == (
        f"{CLIENT_ID}:mxn",
        AccountType.WALLET,
        "MXN",
    )
    assert pesos.balances == Balances(Decimal("1000.00"), Decimal("1013.540958479115"), None)
    assert (coins.provider_account_id, coins.type, coins.currency) == (
        f"{CLIENT_ID}:btc",
        AccountType.CRYPTO,
        "BTC",
    )
    assert read.as_of == pesos.as_of == NOW
    assert not read.stale


async def test_an_account_that_was_known_stays_when_it_is_empty() -> None:
    """Its movements were told, so it has to be there; what Bitso does not list is not made up."""
    vendor = ScriptedVendor(answer(balances(balance("mxn", "1"), balance("eth", "0.00000000"))))
    known = frozenset({f"{CLIENT_ID}:eth", f"{CLIENT_ID}:gone"})

    read = await vendor.bitso().get_accounts(
        AccountsRequest(CREDENTIAL, allow_stale=False, known_account_ids=known)
    )

    assert [one.currency for one in read.accounts] == ["MXN", "ETH"]


async def test_ending_a_connection_sends_nothing() -> None:
    """Bitso has no call for it."""
    vendor = ScriptedVendor(KNOWN)

    await vendor.bitso().revoke(CREDENTIAL)

    assert vendor.requests == []

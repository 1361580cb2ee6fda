"""Plaid's accounts: mapping, and an Item's own error in a 200."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from plaid_payloads import CREDENTIAL, account, accounts, error
from scripted_vendor import ScriptedVendor, accounts_request, answer, failure_of, verdict

from orchestrator.domain import AccountType, Balances, ProviderAccount


async def read(*rows: object, allow_stale: bool = False, **item_over: object) -> object:
    """The reading of an answer with these accounts."""
    vendor = ScriptedVendor(answer(accounts(*rows, **item_over)))
    return await vendor.plaid().get_accounts(accounts_request(CREDENTIAL, allow_stale=allow_stale))


async def test_an_account_is_mapped_with_exact_balances() -> None:
    """Names, mask, type, currency and Decimal balances come over as they are."""
    result = await read(account())

    assert (
        ProviderAccount(
            provider_account_id="acc-1",
            name="Everyday Checking",
            official_name="Plaid Everyday Checking",
            mask="0123",
            type=AccountType.DEPOSITORY,
            subtype="checking",
            currency="USD",
            balances=Balances(Decimal("100.5"), Decimal("110.25"), None),
            as_of=None,
        ),
    ) == result.accounts
    assert result.as_of is None
    assert not result.stale


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("depository", AccountType.DEPOSITORY),
        ("credit", AccountType.CREDIT),
        ("loan", AccountType.LOAN),
        ("investment", AccountType.INVESTMENT),
        ("brokerage", AccountType.INVESTMENT),
        ("payroll", AccountType.OTHER),
    ],
)
async def test_every_type_has_one_of_ours(told: str, kind: AccountType) -> None:
    """The old `brokerage` is an investment, and a type yet to come is `other`."""
    result = await read(account(type=told))

    assert kind is result.accounts[0].type


@pytest.mark.parametrize(
    "subtype", ["checking", "cash management", "403B", "credit card", "non-custodial wallet", None]
)
async def test_a_subtype_is_told_in_plaids_words(subtype: str | None) -> None:
    """Case and spaces stay as they are."""
    result = await read(account(subtype=subtype))

    assert subtype == result.accounts[0].subtype


@pytest.mark.parametrize(
    ("kind", "available"),
    [("depository", "110.25"), ("credit", None), ("loan", None), ("investment", None)],
)
async def test_an_available_balance_that_is_not_told_is_a_deposits_current_one(
    kind: str, available: str | None
) -> None:
    """What is owed on a card or a loan is nothing to spend."""
    told = account(type=kind)
    told["balances"] = {"available": None, "current": 110.25, "iso_currency_code": "USD"}

    result = await read(told)

    balances = result.accounts[0].balances
    assert balances.current == Decimal("110.25")
    assert (available and Decimal(available)) == balances.available


async def test_what_is_owed_stays_positive() -> None:
    """Plaid's sign of a debt is ours: `current` of a card is what its holder owes."""
    balances = {"available": 4900, "current": 100.1, "limit": 5000, "iso_currency_code": "USD"}

    result = await read(account(type="credit", subtype="credit card", balances=balances))

    assert Balances(Decimal(4900), Decimal("100.1"), Decimal(5000)) == result.accounts[0].balances


async def test_an_unofficial_currency_and_the_oldest_time_are_told() -> None:
    """Either currency field counts; the answer is as old as its oldest balance."""
    balances = {
        "available": None,
        "current": 2,
        "limit": None,
        "iso_currency_code": None,
        "unofficial_currency_code": "btc",
        "last_updated_datetime": "2026-03-17T08:00:00-04:00",
    }

    result = await read(account(balances=balances), account(account_id="acc-2"))

    assert result.accounts[0].currency == "BTC"
    assert datetime(2026, 3, 17, 12, 0, tzinfo=UTC) == result.as_of


async def test_an_item_that_needs_its_user_fails_though_it_answers() -> None:
    """Old data of a broken connection are an auth failure, unless old data are wanted."""
    vendor = ScriptedVendor(answer(accounts(account(), error=error("ITEM_LOGIN_REQUIRED"))))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("auth", "connection", "ITEM_LOGIN_REQUIRED")
    assert "connectionId" in str(failure.user_action)


async def test_old_data_of_a_broken_item_are_marked_stale() -> None:
    """With `allow_stale` the same answer is a stale success."""
    result = await read(account(), allow_stale=True, error=error("ITEM_LOGIN_REQUIRED"))

    assert result.stale
    assert len(result.accounts) == 1


async def test_cached_data_of_a_bank_that_is_down_are_stale() -> None:
    """An Item's error that no user can mend leaves an honest old answer."""
    result = await read(account(), error=error("INSTITUTION_DOWN", "INSTITUTION_ERROR"))

    assert result.stale


async def test_an_item_whose_consent_has_run_out_needs_its_user() -> None:
    """Its data are renewed no more, whatever the Item's error says."""
    body = accounts(account(), consent_expiration_time="2026-03-18T15:00:00Z")
    vendor = ScriptedVendor(answer(body))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(CREDENTIAL)))
    old = await vendor.plaid().get_accounts(accounts_request(CREDENTIAL, allow_stale=True))

    assert verdict(failure) == ("auth", "connection", "CONSENT_EXPIRED")
    assert "createLink" in str(failure.user_action)
    assert old.stale


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"accounts": [], "item": None},
        {"accounts": None, "item": {}},
        {"accounts": ["x"], "item": {}},
        accounts(account(account_id=None)),
        accounts(account(account_id="")),
        accounts(account(balances=None)),
        accounts(account(balances={"current": "much"})),
        accounts(account(balances={"current": True})),
        accounts(account(balances={"iso_currency_code": 7})),
        accounts(account(type=3)),
        accounts(account(), error="down"),
        accounts(account(), consent_expiration_time="soon"),
    ],
)
async def test_another_shape_is_malformed(body: object) -> None:
    """A required field that is missing or of another type makes the answer unreadable."""
    vendor = ScriptedVendor(answer(body))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


async def test_an_error_in_a_200_is_still_an_error() -> None:
    """An error code counts whatever the status says."""
    vendor = ScriptedVendor(answer(error("INSTITUTION_DOWN", "INSTITUTION_ERROR")))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "INSTITUTION_DOWN")

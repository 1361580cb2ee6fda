"""MX: accounts, and the status of the member that they are of."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from mx_payloads import CREDENTIAL, account, member, page
from mx_vendor import NOT_FOUND, accounts
from scripted_vendor import ScriptedVendor, accounts_request, answer, failure_of, verdict

from orchestrator.domain import AccountType, Balances


async def test_accounts_come_from_all_pages_and_from_this_member_alone() -> None:
    """The loop follows the vendor's page count, and rows of other members are dropped."""
    rows = [account(guid="ACT-1"), account(guid="ACT-x", member_guid="MBR-x")]
    vendor = ScriptedVendor(
        answer(member()),
        answer(page("accounts", rows, 1, 2, 3)),
        answer(page("accounts", [account(guid="ACT-2")], 2, 2, 3)),
    )

    result = await vendor.mx().get_accounts(accounts_request(CREDENTIAL))

    assert [one.provider_account_id for one in result.accounts] == ["ACT-1", "ACT-2"]
    assert [one.url.params["page"] for one in vendor.requests[1:]] == ["1", "2"]
    assert {"1000"} == {one.url.params["records_per_page"] for one in vendor.requests[1:]}
    assert datetime(2026, 3, 18, 6, tzinfo=UTC) == result.as_of


async def test_an_account_is_mapped_with_what_there_is() -> None:
    """Numbers are exact, the mask is the number's end, an unknown currency is flagged."""
    rows = [
        account(),
        account(
            guid="ACT-2",
            type="CREDIT_CARD",
            nickname="My card",
            available_balance=None,
            available_credit=4000,
            credit_limit=5000.5,
            currency_code=None,
            account_number=None,
        ),
        account(guid="ACT-3", type=None, subtype="MONEY_MARKET", name=None),
    ]
    vendor = ScriptedVendor(answer(member()), accounts(*rows))

    one, two, three = (await vendor.mx().get_accounts(accounts_request(CREDENTIAL))).accounts

    assert (
        one.type,
        one.subtype,
        one.mask,
        one.currency,
    ) == (AccountType.DEPOSITORY, "checking", "1234", "USD")
    assert Balances(Decimal(900), Decimal("1000.1"), None) == one.balances
    assert (
        two.type,
        two.name,
        two.mask,
        two.currency,
    ) == (AccountType.CREDIT, "My card", None, "XXX")
    assert Balances(Decimal(4000), Decimal("1000.1"), Decimal("5000.5")) == two.balances
    assert (three.type, three.subtype, three.name) == (AccountType.OTHER, "money market", "")


@pytest.mark.parametrize(
    ("told", "kind", "subtype"),
    [
        ({"type": "ANY"}, AccountType.OTHER, None),
        ({"type": "SOMETHING_NEW"}, AccountType.OTHER, None),
        ({"type": "CASH"}, AccountType.OTHER, "cash"),
        ({"type": "CHECKING"}, AccountType.DEPOSITORY, "checking"),
        ({"type": "CHECKING", "subtype": "NONE"}, AccountType.DEPOSITORY, "checking"),
        ({"type": "CHECKING_LINE_OF_CREDIT"}, AccountType.LOAN, "line of credit"),
        ({"type": "CREDIT_CARD"}, AccountType.CREDIT, "credit card"),
        ({"type": "LOAN", "subtype": "HOME_EQUITY"}, AccountType.LOAN, "home equity"),
        ({"type": "LOAN"}, AccountType.LOAN, None),
        ({"type": "LINE_OF_CREDIT"}, AccountType.LOAN, "line of credit"),
        ({"type": "SAVINGS", "subtype": "MONEY_MARKET"}, AccountType.DEPOSITORY, "money market"),
        ({"type": "INVESTMENT", "subtype": "PLAN_401_K"}, AccountType.INVESTMENT, "401k"),
        ({"type": "MORTGAGE"}, AccountType.LOAN, "mortgage"),
        ({"type": "INSURANCE"}, AccountType.OTHER, "insurance"),
        ({"type": "PREPAID"}, AccountType.DEPOSITORY, "prepaid"),
        ({"type": "PROPERTY", "property_type": "VEHICLE"}, AccountType.OTHER, "vehicle"),
        ({"type": "PROPERTY"}, AccountType.OTHER, "property"),
    ],
)
async def test_every_type_has_its_place(
    told: dict[str, object], kind: AccountType, subtype: str | None
) -> None:
    """All of MX's types are ours of some kind, and a subtype is written as words."""
    vendor = ScriptedVendor(answer(member()), accounts(account(**told)))

    (one,) = (await vendor.mx().get_accounts(accounts_request(CREDENTIAL))).accounts

    assert (kind, subtype) == (one.type, one.subtype)


async def test_closed_and_manual_accounts_are_left_out_and_hidden_ones_are_not() -> None:
    """A closed account's balance is its last, and a manual one is not the bank's."""
    rows = [
        account(guid="ACT-1", is_hidden=True, is_closed=False, is_manual=False),
        account(guid="ACT-2", is_closed=True),
        account(guid="ACT-3", is_manual=True),
    ]
    vendor = ScriptedVendor(answer(member()), accounts(*rows))

    result = await vendor.mx().get_accounts(accounts_request(CREDENTIAL))

    assert ["ACT-1"] == [one.provider_account_id for one in result.accounts]


async def test_a_debt_is_what_is_owed_and_below_zero_when_overpaid() -> None:
    """The sign of a balance is MX's own, for every kind of account."""
    rows = [
        account(guid="ACT-1", type="CREDIT_CARD", balance=120.5),
        account(guid="ACT-2", type="CREDIT_CARD", balance=-20),
        account(guid="ACT-3", balance=-7),
    ]
    vendor = ScriptedVendor(answer(member()), accounts(*rows))

    result = await vendor.mx().get_accounts(accounts_request(CREDENTIAL))

    assert [Decimal("120.5"), Decimal(-20), Decimal(-7)] == [
        one.balances.current for one in result.accounts
    ]


async def test_an_account_is_as_of_when_it_was_gathered() -> None:
    """Balances alone may be newer than the member's last success."""
    rows = [
        account(guid="ACT-1", imported_at="2026-03-18T09:00:00Z"),
        account(guid="ACT-2", imported_at=None),
    ]
    vendor = ScriptedVendor(answer(member()), accounts(*rows))

    result = await vendor.mx().get_accounts(accounts_request(CREDENTIAL))

    assert [9, 6] == [one.as_of.hour for one in result.accounts if one.as_of]


@pytest.mark.parametrize("status", ["CONNECTED", "RECONNECTED", "IMPORTED"])
async def test_a_well_member_is_not_stale(status: str) -> None:
    """A later background job does not make yesterday's good data stale."""
    vendor = ScriptedVendor(answer(member(status, is_being_aggregated=True)), accounts(account()))

    result = await vendor.mx().get_accounts(accounts_request(CREDENTIAL))

    assert not result.stale


async def test_old_data_of_a_broken_member_are_told_only_where_wanted() -> None:
    """DENIED is an auth failure before any data are read; with `allow_stale` a stale success."""
    vendor = ScriptedVendor(answer(member("DENIED")), answer(member("DENIED")), accounts(account()))
    mx = vendor.mx()

    failure = await failure_of(mx.get_accounts(accounts_request(CREDENTIAL)))
    result = await mx.get_accounts(accounts_request(CREDENTIAL, allow_stale=True))

    assert verdict(failure) == ("auth", "connection", "DENIED")
    assert "connectionId" in str(failure.user_action)
    assert result.stale


@pytest.mark.parametrize("scope", ["connection", "client"])
async def test_what_disabled_is_about_is_a_setting(scope: str) -> None:
    """MX does not say whose trouble DISABLED is."""
    vendor = ScriptedVendor(answer(member("DISABLED")))

    failure = await failure_of(
        vendor.mx(disabled_scope=scope).get_accounts(accounts_request(CREDENTIAL))
    )

    assert ("auth", scope, "DISABLED") == verdict(failure)


async def test_a_member_that_is_gone_is_an_auth_failure() -> None:
    """A 404 on what was known means that the connection no longer exists."""
    failure = await failure_of(
        ScriptedVendor(NOT_FOUND).mx().get_accounts(accounts_request(CREDENTIAL))
    )

    assert verdict(failure)[:2] == ("auth", "connection")
    assert "anew" in str(failure.user_action)

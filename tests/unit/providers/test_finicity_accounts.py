"""Finicity's accounts: stored data, what became of the last reading, signs, masks and refreshes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from finicity_payloads import (
    CREDENTIAL,
    READ_AT,
    account,
    accounts,
    error,
    never_read,
)
from scripted_vendor import ScriptedVendor, accounts_request, answer, failure_of, verdict

from orchestrator.domain import AccountType, Balances
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.protocol import AccountsRead

BROKEN = [account(aggregationStatusCode=103)]
DAY_S = 86_400
REFRESH_ID = "bec83f1a-5f65-44f5-8f00-b4a0fc60c2cc"
STARTED = answer({"refreshId": REFRESH_ID, "status": "NEW"}, 202)
OLD = accounts(
    account(aggregationSuccessDate=READ_AT - 5 * DAY_S, aggregationAttemptDate=READ_AT - 5 * DAY_S)
)


async def read(*rows: object, allow_stale: bool = False, **options: str) -> AccountsRead:
    """The reading of a login with these accounts."""
    vendor = ScriptedVendor(answer(accounts(*rows)))
    return await vendor.finicity(**options).get_accounts(
        accounts_request(CREDENTIAL, allow_stale=allow_stale)
    )


async def read_by(
    vendor: ScriptedVendor, *, interactive: bool = True, left_s: float = 60.0, **options: str
) -> AccountsRead:
    """A reading within an attempt that somebody waits for."""
    trace = AttemptTrace(
        "a-1", time_left_s=lambda: left_s - sum(vendor.pauses), interactive=interactive
    )
    running = current_attempt.set(trace)
    try:
        return await vendor.finicity(**options).get_accounts(accounts_request(CREDENTIAL))
    finally:
        current_attempt.reset(running)


def refreshing(status: str) -> httpx.Response:
    """What a refresh looks like on the way."""
    return answer({"refreshId": REFRESH_ID, "status": status})


async def test_an_account_is_mapped_with_what_there_is() -> None:
    """Numbers are exact, a nickname is the name, an unknown currency is flagged."""
    one, two, three, four = (
        await read(
            account(),
            account(
                "2",
                type="creditCard",
                accountNickname="My card",
                balance=-250.25,
                realAccountNumberLast4=None,
                accountNumberDisplay="XX-0042",
                detail={"creditAvailableAmount": 4749.75, "creditMaxAmount": 5000},
            ),
            account("3", type="mortgage", currency=None, balance=None, detail=None),
            account(
                4,
                type="beaverFund",
                name=None,
                realAccountNumberLast4=None,
                accountNumberDisplay="n/a",
                number="",
            ),
        )
    ).accounts

    assert (one.type, one.subtype, one.mask, one.currency, one.name) == (
        AccountType.DEPOSITORY,
        "checking",
        "1234",
        "USD",
        "Checking",
    )
    assert Balances(Decimal(900), Decimal("1000.1"), None) == one.balances
    assert datetime(2026, 3, 18, 6, tzinfo=UTC) == one.as_of
    assert (two.type, two.name, two.official_name, two.mask) == (
        AccountType.CREDIT,
        "My card",
        "Checking",
        "0042",
    )
    assert Balances(Decimal("4749.75"), Decimal("250.25"), Decimal(5000)) == two.balances
    assert (three.type, three.currency, three.balances) == (
        AccountType.LOAN,
        "XXX",
        Balances(None, None, None),
    )
    assert (four.provider_account_id, four.type, four.subtype, four.mask, four.name) == (
        "4",
        AccountType.OTHER,
        None,
        None,
        "",
    )


@pytest.mark.parametrize(
    ("option", "told", "owed"),
    [
        ("magnitude", "-250.25", "250.25"),
        ("magnitude", "250.25", "250.25"),
        ("as_is", "-250.25", "-250.25"),
        ("reversed", "-250.25", "250.25"),
        ("reversed", "0", "0"),
    ],
)
@pytest.mark.parametrize("kind", ["creditCard", "lineOfCredit", "mortgage", "studentLoan"])
async def test_what_is_owed_is_positive(option: str, told: str, owed: str, kind: str) -> None:
    """Finicity's examples show debts with either sign, so that is a setting."""
    result = await read(account(type=kind, balance=told), debt_balance=option)

    assert Decimal(owed) == result.accounts[0].balances.current


async def test_an_overdrawn_account_stays_negative() -> None:
    """Only debts are turned."""
    result = await read(account(balance=-12.5), debt_balance="magnitude")

    assert Decimal("-12.5") == result.accounts[0].balances.current


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("savings", AccountType.DEPOSITORY),
        ("cd", AccountType.DEPOSITORY),
        ("moneyMarket", AccountType.DEPOSITORY),
        ("lineOfCredit", AccountType.LOAN),
        ("studentLoanGroup", AccountType.LOAN),
        ("401k", AccountType.INVESTMENT),
        ("529plan", AccountType.INVESTMENT),
        ("brokerageAccount", AccountType.INVESTMENT),
        ("cryptocurrency", AccountType.CRYPTO),
    ],
)
async def test_kinds_of_account_are_ours(kind: str, expected: AccountType) -> None:
    """Thirty-odd kinds become seven."""
    assert expected is (await read(account(type=kind))).accounts[0].type


async def test_accounts_of_other_logins_and_customers_are_dropped() -> None:
    """Each row says whose it is."""
    result = await read(
        account("1"), account("2", institutionLoginId=9), account("3", customerId="9")
    )

    assert ["1"] == [one.provider_account_id for one in result.accounts]


async def test_accounts_that_are_not_shared_are_not_told() -> None:
    """Those that were found and not chosen stay pending for ever, and make nothing old."""
    result = await read(account("1"), never_read("2"))

    assert (["1"], False) == ([one.provider_account_id for one in result.accounts], result.stale)


async def test_a_login_in_its_first_reading_is_stale_and_empty() -> None:
    """Linked, and nothing of it known yet."""
    result = await read(never_read("1"), never_read("2"))

    assert (result.accounts, result.as_of, result.stale) == ((), None, True)


@pytest.mark.parametrize(
    ("over", "stale"),
    [
        ({}, False),
        ({"aggregationStatusCode": "0"}, False),
        ({"aggregationStatusCode": None}, True),
        ({"aggregationAttemptDate": READ_AT + 60}, True),
        ({"aggregationAttemptDate": READ_AT - 60}, False),
        ({"aggregationAttemptDate": None, "aggregationSuccessDate": None}, False),
        ({"aggregationStatusCode": 325}, True),
        ({"aggregationStatusCode": 5006}, True),
        ({"aggregationStatusCode": "44002"}, True),
    ],
)
async def test_what_is_being_read_is_a_stale_success(
    over: dict[str, object], *, stale: bool
) -> None:
    """Well means code 0, and no try after the last success."""
    assert stale == (await read(account(**over))).stale


async def test_the_age_of_a_login_is_that_of_its_oldest_well_account() -> None:
    """An account that is closed at the bank grows old for itself."""
    result = await read(
        account("1"),
        account("2", aggregationSuccessDate=READ_AT - 60, aggregationAttemptDate=READ_AT - 60),
        account("3", aggregationSuccessDate=READ_AT - DAY_S, aggregationStatusCode=913),
    )

    assert datetime(2026, 3, 18, 5, 59, tzinfo=UTC) == result.as_of
    assert not result.stale


async def test_old_data_of_a_broken_login_are_told_only_where_wanted() -> None:
    """103 in a 200 is an auth failure; with `allow_stale` a stale success."""
    vendor = ScriptedVendor(answer(accounts(*BROKEN)))

    failure = await failure_of(vendor.finicity().get_accounts(accounts_request(CREDENTIAL)))
    result = await read(*BROKEN, allow_stale=True)

    assert verdict(failure) == ("auth", "connection", "103")
    assert "connectionId" in str(failure.user_action)
    assert (len(result.accounts), result.stale) == (1, True)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0, 904), ("provider_down", "institution", "904")),
        ((904, 103), ("auth", "connection", "103")),
        ((103, 904), ("auth", "connection", "103")),
        ((920, 910), ("validation", "institution", "920")),
        ((0, 188), ("provider_down", "connection", "188")),
        ((913, 914), ("validation", "connection", "913")),
        ((400, 913), ("auth", "connection", "400")),
    ],
)
async def test_of_several_troubles_the_users_comes_first(
    codes: tuple[int, ...], expected: tuple[str, str, str]
) -> None:
    """What only the user can mend hides what mends by itself; an unknown code opens nothing."""
    rows = [account(str(n), aggregationStatusCode=code) for n, code in enumerate(codes)]

    failure = await failure_of(read(*rows))

    assert expected == verdict(failure)


@pytest.mark.parametrize("code", [169, 400, 403, 913, 914])
async def test_one_accounts_own_trouble_is_not_the_logins(code: int) -> None:
    """While another account of the login is well, the login is."""
    result = await read(account("1"), account("2", aggregationStatusCode=code))

    assert (2, False) == (len(result.accounts), result.stale)


async def test_a_login_that_is_gone_asks_for_a_new_link() -> None:
    """What was known and is not found is a lost connection."""
    vendor = ScriptedVendor(answer(error("38007"), 404))

    failure = await failure_of(vendor.finicity().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("auth", "connection", "38007")
    assert "anew" in str(failure.user_action)


async def test_a_202_that_asks_to_wait_is_no_answer() -> None:
    """A code can stand in a success, too."""
    vendor = ScriptedVendor(answer(error(44002), 202))

    failure = await failure_of(vendor.finicity().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "connection", "44002")


@pytest.mark.parametrize(
    "over",
    [
        {"id": None},
        {"id": "a/b"},
        {"id": True},
        {"customerId": None},
        {"institutionLoginId": []},
        {"aggregationSuccessDate": "yesterday"},
        {"aggregationSuccessDate": 10**15},
        {"aggregationSuccessDate": True},
        {"balance": "much"},
        {"detail": []},
    ],
)
async def test_an_account_of_another_shape_is_malformed(over: dict[str, object]) -> None:
    """Never an error of ours."""
    failure = await failure_of(read(account(**over)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


@pytest.mark.parametrize("when", [1_773_813_600, "1773813600"])
async def test_times_are_read_as_numbers_and_as_texts(when: object) -> None:
    """Seconds since 1970 in both forms."""
    result = await read(account(aggregationSuccessDate=when))

    assert datetime(2026, 3, 18, 6, tzinfo=UTC) == result.as_of


async def test_old_data_are_read_anew_for_a_person_who_waits() -> None:
    """Ask, look until it has ended, and answer what came."""
    vendor = ScriptedVendor(
        answer(OLD),
        STARTED,
        refreshing("NEW"),
        refreshing("IN_PROGRESS"),
        refreshing("COMPLETED"),
        answer(accounts(account())),
    )

    result = await read_by(vendor, refresh="interactive")

    assert (result.stale, result.as_of) == (False, datetime(2026, 3, 18, 6, tzinfo=UTC))
    assert vendor.pauses == [1.0, 1.5, 2.25]
    assert vendor.paths[2].endswith(f"/transactions/refreshes/{REFRESH_ID}")


async def test_what_is_not_ready_in_time_is_answered_as_it_is() -> None:
    """A refresh that outlasts the attempt leaves an honest old answer."""
    vendor = ScriptedVendor(answer(OLD), STARTED, refreshing("NEW"), answer(OLD))

    result = await read_by(vendor, refresh="interactive", left_s=4.0)

    assert (len(result.accounts), result.stale, vendor.pauses) == (1, True, [1.0])


@pytest.mark.parametrize(
    "trouble",
    [answer(error(325), 500), answer(error("10405"), 403), httpx.ReadTimeout("x"), answer({})],
)
async def test_a_refresh_that_fails_leaves_the_data_as_they_were(
    trouble: httpx.Response | Exception,
) -> None:
    """Stored data can be read all the same."""
    vendor = ScriptedVendor(answer(OLD), trouble, answer(OLD))

    result = await read_by(vendor, refresh="interactive")

    assert (len(result.accounts), result.stale) == (1, True)


async def test_a_refresh_that_is_lost_on_the_way_leaves_the_data_as_they_were() -> None:
    """Nor does a failing look at it cost the answer."""
    vendor = ScriptedVendor(answer(OLD), STARTED, answer(None, 503), answer(OLD))

    result = await read_by(vendor, refresh="interactive")

    assert result.stale


@pytest.mark.parametrize(
    ("body", "interactive", "options"),
    [
        (OLD, True, {}),
        (OLD, True, {"refresh": "never"}),
        (OLD, False, {"refresh": "interactive"}),
        (OLD, True, {"refresh": "interactive", "refresh_after_hours": "200"}),
        (accounts(account()), True, {"refresh": "interactive"}),
        (accounts(), True, {"refresh": "interactive"}),
    ],
)
async def test_a_refresh_is_only_asked_for_where_it_may_be(
    body: object, options: dict[str, str], *, interactive: bool
) -> None:
    """Finicity forbids those that a timer drives: by default a reading asks for none."""
    vendor = ScriptedVendor(answer(body))

    result = await read_by(vendor, interactive=interactive, **options)

    assert len(vendor.requests) == 1
    assert not result.stale


async def test_a_login_that_needs_its_user_is_not_read_anew() -> None:
    """A refresh does not mend credentials."""
    long_ago = READ_AT - timedelta(days=9).total_seconds()
    broken = account(aggregationStatusCode=103, aggregationAttemptDate=int(long_ago))
    vendor = ScriptedVendor(answer(accounts(broken)))

    failure = await failure_of(read_by(vendor, refresh="interactive"))

    assert (verdict(failure)[0], len(vendor.requests)) == ("auth", 1)

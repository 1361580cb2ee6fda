"""MX: users and widgets, proof of ownership, member status, pages, windows and cursors."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from mx_payloads import (
    CREDENTIAL,
    MEMBER_GUID,
    USER_GUID,
    account,
    error,
    member,
    movement,
    page,
    user,
)
from scripted_vendor import (
    NOW,
    USER,
    ScriptedVendor,
    accounts_request,
    answer,
    exchange_request,
    failure_of,
    link_request,
    transactions_request,
    verdict,
)

from orchestrator.domain import (
    AccountType,
    Balances,
    ConfigurationError,
    ConnectionStatus,
    Credential,
    Direction,
    LinkType,
)
from orchestrator.providers.mx import ADAPTER

WIDGET = {"widget_url": {"type": "connect_widget", "url": "https://w.test/x", "user_id": USER}}
NOT_FOUND = answer(error("not_found", 404), 404)


def transactions(*rows: object, **over: int) -> object:
    """A page of transactions."""
    return answer(page("transactions", list(rows), **over))


def accounts(*rows: object) -> object:
    """A page of accounts."""
    return answer(page("accounts", list(rows)))


async def read(*rows: object, **over: object) -> object:
    """The reading of a well member's transactions."""
    vendor = ScriptedVendor(answer(member()), transactions(*rows))
    return await vendor.mx().sync_transactions(transactions_request(CREDENTIAL, **over))


def ids(result: object) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


def store(rows: list[dict[str, object]]) -> Callable[[httpx.Request], httpx.Response]:
    """A vendor that lists what it stores within the asked window, ten rows a page."""

    def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        query = request.url.params
        found = [row for row in rows if query["from_date"] <= str(row["date"]) <= query["to_date"]]
        number, pages = int(query["page"]), max(1, -(-len(found) // 10))
        shown = found[(number - 1) * 10 : number * 10]
        return answer(page("transactions", shown, number, pages, len(found)))

    return respond


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


async def test_the_sign_comes_from_the_type() -> None:
    """Credit is money in, debit money out, and no type leaves the row unsigned and flagged."""
    result = await read(
        movement("TRN-1", type="CREDIT"),
        movement("TRN-2", type="DEBIT", amount=-61.11),
        movement("TRN-3", type=None),
    )

    assert [
        (Decimal("61.11"), Direction.IN),
        (Decimal("-61.11"), Direction.OUT),
        (Decimal("61.11"), Direction.UNKNOWN),
    ] == [(row.amount, row.direction) for row in result.transactions]


async def test_a_movement_without_date_or_amount_waits_until_it_has_both() -> None:
    """The specification lets both be null; such a row is told once the vendor filled it in."""
    result = await read(
        movement("TRN-1", amount=None),
        movement("TRN-2", date=None, transacted_at=None, posted_at=None, created_at=None),
        movement("TRN-3", date=None, transacted_at="2026-03-05T23:59:59Z"),
    )

    assert [("TRN-3", date(2026, 3, 5))] == [
        (row.provider_transaction_id, row.date) for row in result.transactions
    ]


async def test_a_row_that_waits_for_its_amount_is_not_gone() -> None:
    """The listing that is handed on names it, or it would count as removed meanwhile."""
    result = await read(
        movement("TRN-1", amount=None),
        movement("TRN-2", date=None, transacted_at=None, posted_at=None, created_at=None),
        movement("TRN-3", account_guid="ACT-2", amount=None),
        movement("TRN-4"),
        provider_account_id="ACT-1",
    )

    assert ["TRN-4"] == ids(result)
    assert {"TRN-1": date(2026, 3, 1), "TRN-2": date(2025, 12, 18), "TRN-4": date(2026, 3, 1)} == {
        seen.provider_transaction_id: seen.date for seen in result.listing.movements
    }
    assert "ACT-1" == result.listing.provider_account_id


async def test_merchants_are_asked_for_where_that_is_set() -> None:
    """Their names are an enhancement that not every contract may have."""
    rows = [
        movement("TRN-1", merchant={"guid": "MCH-1", "name": "Corner Market"}),
        movement("TRN-2"),
    ]
    vendor = ScriptedVendor(answer(member()), transactions(*rows))

    result = await vendor.mx(merchants="true").sync_transactions(transactions_request(CREDENTIAL))

    assert "merchants" == vendor.requests[-1].url.params["includes"]
    assert ["Corner Market", None] == [row.merchant_name for row in result.transactions]
    plain = ScriptedVendor(answer(member()), transactions())
    await plain.mx().sync_transactions(transactions_request(CREDENTIAL))
    assert "includes" not in plain.requests[-1].url.params


async def test_a_pending_row_is_told_as_pending() -> None:
    """Status decides, and null is not pending."""
    result = await read(movement("TRN-1", status="PENDING"), movement("TRN-2", status=None))

    assert [row.pending for row in result.transactions] == [True, False]


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [("iso", "2026-02-28", "2026-03-11"), ("unix", "1772236800", "1773187200")],
)
async def test_the_window_is_asked_with_a_day_to_spare_in_the_set_form(
    form: str, first: str, last: str
) -> None:
    """MX's specifications differ in the form of dates, and it cuts at some midnight."""
    rows = [movement("TRN-1", "2026-02-28"), movement("TRN-2", "2026-03-10")]
    vendor = ScriptedVendor(answer(member()), transactions(*rows))

    result = await vendor.mx(date_format=form).sync_transactions(
        transactions_request(CREDENTIAL, start_date=date(2026, 3, 1), end_date=date(2026, 3, 10))
    )

    query = vendor.requests[1].url.params
    assert (first, last) == (query["from_date"], query["to_date"])
    assert ids(result) == ["TRN-2"]


@pytest.mark.parametrize("over", [{"start_date": date.min}, {"end_date": date.max}])
async def test_the_ends_of_the_calendar_are_dates_too(over: dict[str, date]) -> None:
    """A window may begin at the first day there is, and end at the last."""
    result = await read(movement("TRN-1"), **over)
    again = await read(movement("TRN-1"), cursor=result.next_cursor)

    assert ids(result) == ["TRN-1"]
    assert ids(again) == []


async def test_one_account_is_picked_out() -> None:
    """Rows of other accounts are left out."""
    result = await read(
        movement("TRN-1"), movement("TRN-2", account_guid="ACT-2"), provider_account_id="ACT-2"
    )

    assert ids(result) == ["TRN-2"]


@pytest.mark.parametrize("limit", [1, 7, 30, 1000])
async def test_a_cut_answer_is_continued_until_every_row_was_told_once(limit: int) -> None:
    """Walking on by the cursor tells all rows of the window, each once, in order."""
    rows = [movement(f"TRN-{n:02d}", f"2026-03-{1 + n % 12:02d}") for n in range(33)]
    mx, told, cursor = ScriptedVendor(store(rows)).mx(), [], None

    for _ in range(40):
        result = await mx.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        )
        told += ids(result)
        cursor = result.next_cursor
        if not result.has_more:
            break

    expected = sorted((str(row["date"]), str(row["guid"])) for row in rows)
    assert [name for _, name in expected] == told


async def test_a_cursor_tells_what_was_written_since_an_hour_before_it() -> None:
    """Rows written before the last reading are not repeated; new and rewritten ones are told."""
    rows = [movement("TRN-1"), movement("TRN-2", "2026-03-15")]
    vendor = ScriptedVendor(store(rows))
    mx = vendor.mx()
    first = await mx.sync_transactions(transactions_request(CREDENTIAL))
    rows[1] |= {"updated_at": "2026-03-18T14:45:00Z", "amount": 70}
    rows.append(movement("TRN-3", "2026-03-17", updated_at=None, created_at=None))
    rows.append(movement("TRN-4", "2026-03-20", updated_at="2026-03-20T00:00:00Z"))
    vendor.now = NOW + timedelta(days=2)

    second = await mx.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, today=date(2026, 3, 20))
    )

    query = vendor.requests[-1].url.params
    assert (query["from_date"], query["to_date"]) == ("2026-03-03", "2026-03-26")
    assert ids(second) == ["TRN-2", "TRN-3", "TRN-4"]
    assert Decimal(-70) == second.transactions[0].amount
    assert not second.has_more


async def test_a_cursor_still_holds_after_several_readings() -> None:
    """Each reading since a cursor starts where the one before it ended."""
    rows = [movement("TRN-1")]
    vendor = ScriptedVendor(store(rows))
    mx = vendor.mx()
    result = await mx.sync_transactions(transactions_request(CREDENTIAL))
    told = ids(result)
    for day in (19, 20, 21):
        vendor.now = NOW + timedelta(days=day - 18)
        rows.append(movement(f"TRN-{day}", f"2026-03-{day}", updated_at=f"2026-03-{day}T12:00:00Z"))
        result = await mx.sync_transactions(
            transactions_request(
                CREDENTIAL, cursor=result.next_cursor, today=date(2026, 3, day), limit=1
            )
        )
        told += ids(result)

    assert told == ["TRN-1", "TRN-19", "TRN-20", "TRN-21"]


async def test_a_listing_that_shifted_is_read_again() -> None:
    """Fewer rows than the last page counts means that pages moved meanwhile."""
    vendor = ScriptedVendor(
        answer(member()),
        transactions(movement("TRN-1"), number=1, of=2, total=2),
        transactions(movement("TRN-1"), number=2, of=2, total=2),
        transactions(movement("TRN-1"), number=1, of=2, total=2),
        transactions(movement("TRN-2"), number=2, of=2, total=2),
    )

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert ids(result) == ["TRN-1", "TRN-2"]


async def test_a_listing_whose_counts_differ_is_read_again() -> None:
    """A row that went between two pages pulls another one past the reader."""
    vendor = ScriptedVendor(
        answer(member()),
        transactions(movement("TRN-1"), movement("TRN-2"), number=1, of=2, total=3),
        transactions(number=2, of=2, total=2),
        transactions(movement("TRN-2"), movement("TRN-3"), total=2),
    )

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert ids(result) == ["TRN-2", "TRN-3"]
    assert (False, True) == (result.stale, result.listing is not None)


async def test_a_listing_that_never_rests_proves_nothing() -> None:
    """After three readings it is told as stale, and no row counts as gone."""
    totals = iter(range(10, 99))

    def restless(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        rows = [movement(f"TRN-{number}{n}") for n in range(9)]
        return transactions(*rows, number=number, of=2, total=next(totals))

    vendor = ScriptedVendor(restless)

    result = await vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert (18, True, None) == (len(ids(result)), result.stale, result.listing)
    assert 7 == len(vendor.requests)


async def test_a_page_of_25_is_followed_all_the_same() -> None:
    """The loop goes by the vendor's count of pages, whatever size it chose."""
    rows = [movement(f"TRN-{n:03d}", f"2026-03-{1 + n % 12:02d}") for n in range(61)]

    def small(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        shown = rows[(number - 1) * 25 : number * 25]
        return transactions(*shown, number=number, of=3, total=61)

    result = await ScriptedVendor(small).mx().sync_transactions(transactions_request(CREDENTIAL))

    assert 61 == len(set(ids(result)))


async def test_a_listing_that_stays_short_is_truncated() -> None:
    """Rows that are counted and never come are a wrong success of the institution."""
    vendor = ScriptedVendor(answer(member()), transactions(movement("TRN-1"), total=9))

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_TRUNCATED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"transactions": [movement("TRN-1")]},
        {"transactions": [], "pagination": {"total_pages": "1", "total_entries": 0}},
        {"transactions": [], "pagination": {"total_pages": -1, "total_entries": 0}},
        page("transactions", [{**movement("TRN-1"), "guid": None}]),
        page("transactions", [movement("TRN-1", account_guid=None)]),
        page("transactions", [movement("TRN-1", amount="a lot")]),
        page("transactions", [movement("TRN-1", date=20260301)]),
        page("transactions", [movement("TRN-1", updated_at="now")]),
        page("transactions", ["TRN-1"]),
    ],
)
async def test_another_shape_is_malformed(body: object) -> None:
    """A required field that is missing or of another type makes the answer unreadable."""
    vendor = ScriptedVendor(answer(member()), answer(body))

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


async def test_pages_without_an_end_are_malformed() -> None:
    """A page count that runs ahead forever is cut off."""

    def running_ahead(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/transactions"):
            return answer(member())
        number = int(request.url.params["page"])
        return transactions(number=number, of=number + 1, total=0)

    failure = await failure_of(
        ScriptedVendor(running_ahead).mx().sync_transactions(transactions_request(CREDENTIAL))
    )

    assert failure.code == "MALFORMED"


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


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "w1",
        "{}",
        '["p1","c","2026-01-01",null,null,null,null]',
        '["w1","2026-01-01",null,null,null,"2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00","2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"0001-01-01T00:00:00+00:00","2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00+00:00",null,null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00+00:00","2026-01-01",null,"TRN-1"]',
        '["w1",1,null,null,"2026-01-01T00:00:00+00:00","2026-01-01",null,null]',
    ],
)
async def test_a_cursor_of_another_maker_is_refused_unsent(cursor: str) -> None:
    """Only what this adapter gave out is a cursor here."""
    vendor = ScriptedVendor(answer(member()))

    failure = await failure_of(
        vendor.mx().sync_transactions(transactions_request(CREDENTIAL, cursor=cursor))
    )

    assert ("validation", "request", "INVALID_CURSOR") == verdict(failure)
    assert [] == vendor.requests


async def test_a_listing_that_stays_on_one_page_is_frozen() -> None:
    """Another page than the one asked for is a wrong success of the institution."""
    stuck = transactions(movement("TRN-1"), number=1, of=3, total=9)
    vendor = ScriptedVendor(answer(member()), stuck)

    failure = await failure_of(vendor.mx().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_FROZEN")

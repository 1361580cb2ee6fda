"""Belvo: widget tokens, proof of ownership, link status, pages, windows and cursors."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from belvo_payloads import CREDENTIAL, HOST, LINK_ID, account, errors, link, movement, page
from scripted_vendor import (
    KEYS,
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
    Direction,
    LinkType,
)

TOKEN = answer({"access": "widget-access", "refresh": "widget-refresh"})
NOT_FOUND = answer(errors("not_found"), 404)


async def read(*rows: object, **over: object) -> object:
    """The reading of a valid link's transactions."""
    vendor = ScriptedVendor(answer(link()), answer(page(list(rows))))
    return await vendor.belvo().sync_transactions(transactions_request(CREDENTIAL, **over))


def ids(result: object) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


def store(rows: list[dict[str, object]]) -> Callable[[httpx.Request], httpx.Response]:
    """A vendor that lists what it stores by the filters asked for, ten rows a page."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/links/"):
            return answer(link())
        query = request.url.params
        found = [
            row
            for row in rows
            if query.get("value_date__gte", "") <= str(row["value_date"])
            and str(row["value_date"]) <= query.get("value_date__lte", "9")
            and query.get("created_at__gte", "") <= str(row["created_at"])
        ]
        number = int(query.get("page", "1"))
        more = number * 10 < len(found)
        following = f"{request.url.copy_set_param('page', number + 1)}" if more else None
        return answer(page(found[(number - 1) * 10 : number * 10], following, len(found)))

    return respond


async def test_a_widget_token_lasts_ten_minutes_and_carries_our_user() -> None:
    """Our keys travel in the body of this one call; the external id proves ownership later."""
    vendor = ScriptedVendor(TOKEN)

    made = await vendor.belvo().create_link(link_request(redirect_uri="https://app.test/done"))

    callbacks = dict.fromkeys(("success", "exit", "event"), "https://app.test/done")
    assert vendor.bodies == [
        {
            "id": KEYS["BELVO_SECRET_ID"],
            "password": KEYS["BELVO_SECRET_PASSWORD"],
            "scopes": "read_institutions,write_links",
            "external_id": USER,
            "fetch_resources": ["ACCOUNTS", "TRANSACTIONS"],
            "widget": {"callback_urls": callbacks},
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


async def test_a_repair_names_its_link() -> None:
    """Update mode is told by the link's id."""
    vendor = ScriptedVendor(TOKEN)

    await vendor.belvo(scopes="read_links", fetch_resources="").create_link(
        link_request(repair=CREDENTIAL)
    )

    assert vendor.bodies[0]["link_id"] == LINK_ID
    assert vendor.bodies[0]["scopes"] == "read_links"
    assert "fetch_resources" not in vendor.bodies[0]


@pytest.mark.parametrize("options", [{"count": "all"}, {"scope": "x"}])
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


@pytest.mark.parametrize(("status", "code"), BROKEN)
async def test_old_data_of_a_broken_link_are_told_only_where_wanted(status: str, code: str) -> None:
    """The stored data stay readable, which makes them no fresher."""
    broken = answer(link(status))
    vendor = ScriptedVendor(broken, broken, answer(page([account()])))
    belvo = vendor.belvo()

    failure = await failure_of(belvo.get_accounts(accounts_request(CREDENTIAL)))
    result = await belvo.get_accounts(accounts_request(CREDENTIAL, allow_stale=True))

    assert verdict(failure) == ("auth", "connection", code)
    assert "connectionId" in str(failure.user_action)
    assert result.stale


async def test_accounts_come_from_all_pages_and_from_this_link_alone() -> None:
    """The query of `next` is followed at our own host and path; other links' rows are dropped."""
    following = f"{HOST}/api/accounts/?page=2&link=other&page_size=1000"
    rows = [account(id="a1"), account(id="ax", link="00000000-0000-0000-0000-000000000000")]
    vendor = ScriptedVendor(
        answer(link()),
        answer(page(rows, following, 3)),
        answer(page([account(id="a2", link=None)], None, 3)),
    )

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    assert [one.provider_account_id for one in result.accounts] == ["a1", "a2"]
    assert vendor.paths[1:] == ["GET /api/accounts/"] * 2
    assert dict(vendor.requests[1].url.params) == {"link": LINK_ID, "page_size": "1000"}
    assert dict(vendor.requests[2].url.params) == {
        "page": "2",
        "link": LINK_ID,
        "page_size": "1000",
    }


async def test_an_account_is_mapped_with_what_there_is() -> None:
    """Numbers are exact, the mask is the bank's own number's end, the time is the collection's."""
    rows = [
        account(),
        account(
            id="a2",
            category="CREDIT_CARD",
            number=None,
            public_identification_value="4242-XX-7788",
            balance={"current": 10},
            credit_data={"credit_limit": 192000.5},
            collected_at="2026-03-16T00:00:00Z",
        ),
        account(id="a3", category=None, name=None, number=None, currency=None, balance=None)
        | {"public_identification_value": None},
    ]
    vendor = ScriptedVendor(answer(link()), answer(page(rows)))

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    one, two, three = result.accounts
    assert (
        one.type,
        one.subtype,
        one.mask,
        one.currency,
    ) == (AccountType.DEPOSITORY, "checking", "5181", "MXN")
    assert one.balances == Balances(Decimal("5621.12"), Decimal("5874.13"), None)
    assert (two.type, two.mask) == (AccountType.CREDIT, "7788")
    assert two.balances == Balances(None, Decimal(10), Decimal("192000.5"))
    assert (
        three.type,
        three.name,
        three.mask,
        three.currency,
    ) == (AccountType.OTHER, "Cuentas de efectivo", None, "XXX")
    assert result.as_of == datetime(2026, 3, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "following",
    ["https://evil.test/api/accounts/?page=2", "//evil.test/?page=2", "https://[/?page=2"],
)
async def test_a_next_page_at_another_host_is_not_followed(following: str) -> None:
    """Our credentials go to the configured host and to no other."""
    vendor = ScriptedVendor(answer(link()), answer(page([account()], following, 2)))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "FOREIGN_REDIRECT")
    assert len(vendor.requests) == 2


async def test_a_next_page_that_was_given_before_is_frozen() -> None:
    """A listing that leads in a circle never ends."""
    circle = answer(page([account()], f"{HOST}/api/accounts/?page=2", 9))
    vendor = ScriptedVendor(answer(link()), circle)

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_FROZEN")


async def test_a_listing_shorter_than_its_count_is_truncated() -> None:
    """Rows that are counted and never come are a wrong success, after a second look."""
    vendor = ScriptedVendor(answer(link()), answer(page([account()], None, 7)))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_TRUNCATED")
    assert len(vendor.requests) == 3


async def test_a_count_of_everything_says_nothing_about_this_listing() -> None:
    """Where `count` is set to mean the whole of Belvo's account, it is not held against a list."""
    vendor = ScriptedVendor(answer(link()), answer(page([account()], None, 700)))

    result = await vendor.belvo(count="everything").get_accounts(accounts_request(CREDENTIAL))

    assert len(result.accounts) == 1


async def test_the_sign_comes_from_the_type_and_is_never_guessed() -> None:
    """Without a type the amount stays unsigned and the row is flagged."""
    result = await read(
        movement("t1", type="INFLOW"), movement("t2", type="OUTFLOW"), movement("t3", type=None)
    )

    assert [(row.amount, row.direction) for row in result.transactions] == [
        (Decimal("2145.45"), Direction.IN),
        (Decimal("-2145.45"), Direction.OUT),
        (Decimal("2145.45"), Direction.UNKNOWN),
    ]


async def test_a_movement_is_mapped_with_what_there_is() -> None:
    """Currency falls back to the account's, the date to the accounting date."""
    result = await read(
        movement(
            "t1",
            None,
            accounting_date="2026-03-05T13:01:41.941Z",
            currency=None,
            status="PENDING",
            merchant={"merchant_name": "Buddha"},
            description=None,
            observations="lunch",
        ),
        movement("t2", "2026-3-7"),
        movement("t3", amount=None),
        movement("t4", None),
    )

    first, second = result.transactions
    assert (date(2026, 3, 5), "MXN", True, "Buddha", "lunch") == (
        first.date,
        first.currency,
        first.pending,
        first.merchant_name,
        first.description,
    )
    assert (date(2026, 3, 7), "Food & Groceries") == (second.date, second.category)


async def test_the_window_and_account_are_asked_of_the_vendor() -> None:
    """Filters are the vendor's, and held against the rows as well."""
    rows = [movement("t1"), movement("t2", account=account(id="a2")), movement("t3", "2025-01-01")]
    vendor = ScriptedVendor(answer(link()), answer(page(rows)))

    result = await vendor.belvo().sync_transactions(
        transactions_request(CREDENTIAL, provider_account_id="a2", start_date=date(2026, 2, 1))
    )

    assert dict(vendor.requests[1].url.params) == {
        "link": LINK_ID,
        "page_size": "1000",
        "account": "a2",
        "value_date__gte": "2026-02-01",
        "value_date__lte": "2026-03-18",
    }
    assert ids(result) == ["t2"]


@pytest.mark.parametrize("limit", [1, 7, 30, 1000])
async def test_a_cut_answer_is_continued_until_every_row_was_told_once(limit: int) -> None:
    """Walking on by the cursor tells all rows of the window, each once, in order."""
    rows = [movement(f"t{n:02d}", f"2026-03-{1 + n % 12:02d}") for n in range(33)]
    belvo, told, cursor = ScriptedVendor(store(rows)).belvo(), [], None

    for _ in range(40):
        result = await belvo.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        )
        told += ids(result)
        cursor = result.next_cursor
        if not result.has_more:
            break

    assert told == [
        name for _, name in sorted((str(row["value_date"]), str(row["id"])) for row in rows)
    ]


async def test_a_cursor_asks_for_what_was_written_since_an_hour_before_it() -> None:
    """`created_at` moves when a record is rewritten, which is how changes are found."""
    rows = [movement("t1"), movement("t2", "2026-03-15")]
    vendor = ScriptedVendor(store(rows))
    belvo = vendor.belvo()
    first = await belvo.sync_transactions(transactions_request(CREDENTIAL))
    rows[1] |= {"created_at": "2026-03-18T14:45:00Z", "status": "PENDING"}
    rows.append(movement("old", "2024-03-15", created_at="2026-03-19T00:00:00Z"))

    second = await belvo.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )

    asked = dict(vendor.requests[-1].url.params)
    assert asked["created_at__gte"] == "2026-03-18T14:30:00Z"
    assert not {"value_date__gte", "value_date__lte"} & set(asked)
    assert (ids(second), second.has_more) == (["t2"], False)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (428, errors("token_required"), ("auth", "connection", "token_required")),
        (408, errors("request_timeout"), ("provider_down", "institution", "request_timeout")),
        (408, None, ("provider_down", "institution", "HTTP_408")),
        (
            400,
            errors("field", "institution_down"),
            ("provider_down", "institution", "institution_down"),
        ),
        (404, errors("not_found"), ("auth", "connection", "not_found")),
        (404, None, ("auth", "connection", "HTTP_404")),
        (400, {"code": "too_many_sessions"}, ("provider_down", "connection", "too_many_sessions")),
        (400, [], ("validation", "request", "HTTP_400")),
        (400, [7, {"code": 7}], ("validation", "request", "HTTP_400")),
        (429, {"detail": "slow down"}, ("rate_limit", "client", "HTTP_429")),
        (502, None, ("provider_down", "provider", "HTTP_502")),
        (401, errors("authentication_failed"), ("auth", "client", "authentication_failed")),
    ],
)
async def test_errors_are_read_out_of_arrays_and_out_of_nothing(
    status: int, body: object, expected: tuple[str, str, str]
) -> None:
    """Bodies are arrays, sometimes objects, sometimes none: the code decides, else the status."""
    vendor = ScriptedVendor(answer(body, status))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == expected
    assert failure.http_status == status


async def test_a_failure_carries_the_vendors_request_id() -> None:
    """What Belvo's support asks for is kept."""
    vendor = ScriptedVendor(answer(errors("unexpected_error"), 500))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert failure.provider_request_id == "9e7b283c6efa449c9c028a16b5c249fb"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": [], "next": 7, "count": 0},
        {"results": {}, "next": None, "count": 0},
        {"results": [], "next": None, "count": "0"},
        page([{**movement("t1"), "id": None}]),
        page([movement("t1", account=None)]),
        page([movement("t1", account="a1")]),
        page([movement("t1", amount=[])]),
        page([movement("t1", value_date="soon")]),
        page([movement("t1", merchant="Buddha")]),
        page([None]),
    ],
)
async def test_another_shape_is_malformed(body: object) -> None:
    """A required field that is missing or of another type makes the answer unreadable."""
    vendor = ScriptedVendor(answer(link()), answer(body))

    failure = await failure_of(vendor.belvo().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


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

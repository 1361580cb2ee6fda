"""Belvo: the state of a link, pages of accounts and their mapping, error arrays."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from belvo_payloads import CREDENTIAL, HOST, LINK_ID, account, errors, link, page
from scripted_vendor import ScriptedVendor, accounts_request, answer, failure_of, verdict

from orchestrator.domain import AccountType, Balances

BROKEN = [
    ("invalid", "invalid_link"),
    ("unconfirmed", "unconfirmed_link"),
    ("token_required", "token_required"),
]


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


async def test_a_link_that_was_never_let_in_is_still_gathering() -> None:
    """What there is so far is told, and that more is awaited."""
    vendor = ScriptedVendor(answer(link(last_accessed_at=None)), answer(page([])))

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    assert (result.accounts, result.as_of, result.stale) == ((), None, True)


async def test_another_link_than_was_asked_for_is_malformed() -> None:
    """An answer about somebody else's link is no answer."""
    vendor = ScriptedVendor(answer(link(id="00000000-6e00-48a4-91c9-ca55968576c8")))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


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
    ("number", "name", "value", "mask"),
    [
        ("4057068115181", "CLABE", "150194683119900273", "5181"),
        (None, "CLABE", "150194683119900273", "0027"),
        (None, "CLABE", "15019468311990027X", None),
        (None, "AGENCY/ACCOUNT", "0444/45722-0", "7220"),
        (None, None, None, None),
    ],
)
async def test_the_mask_is_the_end_of_the_account_number(
    number: str | None, name: str | None, value: str | None, mask: str | None
) -> None:
    """Of a CLABE the check digit is left out, as no bank shows it for an account."""
    row = account(number=number, public_identification_name=name, public_identification_value=value)
    vendor = ScriptedVendor(answer(link()), answer(page([row])))

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    assert result.accounts[0].mask == mask


@pytest.mark.parametrize(
    ("category", "kind", "subtype"),
    [
        ("CHECKING_ACCOUNT", AccountType.DEPOSITORY, "checking"),
        ("SAVINGS_ACCOUNT", AccountType.DEPOSITORY, "savings"),
        ("CREDIT_CARD", AccountType.CREDIT, "credit card"),
        ("LOAN_ACCOUNT", AccountType.LOAN, None),
        ("INVESTMENT_ACCOUNT", AccountType.INVESTMENT, None),
        ("PENSION_FUND_ACCOUNT", AccountType.INVESTMENT, "pension"),
        ("RECEIVABLES_ACCOUNT", AccountType.OTHER, "receivables"),
        ("UNCATEGORIZED", AccountType.OTHER, None),
        ("BRAND_NEW", AccountType.OTHER, None),
        (None, AccountType.OTHER, None),
    ],
)
async def test_every_category_has_a_type(
    category: str | None, kind: AccountType, subtype: str | None
) -> None:
    """A category that is new is no failure."""
    vendor = ScriptedVendor(answer(link()), answer(page([account(category=category)])))

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    assert (result.accounts[0].type, result.accounts[0].subtype) == (kind, subtype)


async def test_what_is_owed_is_told_as_what_is_owed() -> None:
    """Belvo signs no balance; a loan's price of being paid off is nothing to spend."""
    rows = [
        account(
            id="card",
            category="CREDIT_CARD",
            balance_type="LIABILITY",
            balance={"current": 1200.5, "available": 8799.5},
            credit_data={"credit_limit": 10000},
        ),
        account(
            id="loan",
            category="LOAN_ACCOUNT",
            balance_type="LIABILITY",
            balance={"current": None, "available": 181000},
            loan_data={"outstanding_balance": 182000.25, "principal": 192000},
        ),
        account(
            id="due",
            category="RECEIVABLES_ACCOUNT",
            balance=None,
            receivables_data={"current": 2193.83, "available": 800.37},
        ),
    ]
    vendor = ScriptedVendor(answer(link()), answer(page(rows)))

    result = await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    assert [one.balances for one in result.accounts] == [
        Balances(Decimal("8799.5"), Decimal("1200.5"), Decimal(10000)),
        Balances(None, Decimal("182000.25"), None),
        Balances(None, Decimal("2193.83"), None),
    ]


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.test/api/accounts/?page=2",
        "//evil.test/?page=2",
        "https://[/?page=2",
        "https://sandbox.belvo.com@evil.test/api/accounts/?page=2",
        "https://sandbox.belvo.com.evil.test/api/accounts/?page=2",
        "https://sandbox.belvo.com:8443/api/accounts/?page=2",
    ],
)
async def test_a_next_page_at_another_host_is_not_followed(following: str) -> None:
    """Our credentials go to the configured host and to no other."""
    vendor = ScriptedVendor(answer(link()), answer(page([account()], following, 2)))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "FOREIGN_REDIRECT")
    assert len(vendor.requests) == 2


async def test_a_next_page_is_read_at_our_own_scheme_and_path() -> None:
    """A proxy in front of Belvo may name another scheme; only the query is taken over."""
    following = "http://sandbox.belvo.com/api/links/?page=2&cursor=c"
    vendor = ScriptedVendor(
        answer(link()),
        answer(page([account(id="a1")], following, 2)),
        answer(page([account(id="a2")], None, 2)),
    )

    await vendor.belvo().get_accounts(accounts_request(CREDENTIAL))

    url = vendor.requests[2].url
    assert (url.scheme, url.host, url.path) == ("https", "sandbox.belvo.com", "/api/accounts/")
    assert (url.params["page"], url.params["cursor"]) == ("2", "c")


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
        (
            400,
            [*errors("brand_new"), None, *errors("invalid_period", "institution_down")],
            ("validation", "request", "invalid_period"),
        ),
        (400, errors("brand_new", "another"), ("validation", "request", "brand_new")),
        (503, errors("brand_new"), ("provider_down", "provider", "brand_new")),
        (403, None, ("auth", "client", "HTTP_403")),
        (405, None, ("validation", "request", "HTTP_405")),
        (409, None, ("validation", "request", "HTTP_409")),
        (428, None, ("auth", "connection", "HTTP_428")),
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

"""Vendors' error tables: every code, held against the vendors' documented meaning."""

from collections.abc import Callable

import pytest
from belvo_payloads import CREDENTIAL as BELVO_CREDENTIAL
from belvo_payloads import errors, link, page
from bitso_payloads import CREDENTIAL as BITSO_CREDENTIAL
from bitso_payloads import error as bitso_error
from finicity_payloads import CREDENTIAL as FINICITY_CREDENTIAL
from finicity_payloads import account as finicity_account
from finicity_payloads import accounts as finicity_accounts
from finicity_payloads import error as finicity_error
from finicity_payloads import wrapped as finicity_wrapped
from mx_payloads import CREDENTIAL as MX_CREDENTIAL
from mx_payloads import error as mx_error
from mx_payloads import member
from plaid_payloads import CREDENTIAL as PLAID_CREDENTIAL
from plaid_payloads import error as plaid_error
from scripted_vendor import ScriptedVendor, accounts_request, answer, failure_of

from orchestrator.domain import ErrorClass, ErrorScope
from orchestrator.providers.belvo_errors import BELVO_ERRORS, BELVO_KNOWN_LINK_ERRORS
from orchestrator.providers.bitso_errors import bitso_errors
from orchestrator.providers.error_table import ErrorRule, ErrorTable, rule
from orchestrator.providers.finicity_errors import (
    FINICITY_AGGREGATION,
    FINICITY_ERRORS,
    FINICITY_KNOWN_LOGIN_ERRORS,
    TOKEN_CODES,
    WAITING,
)
from orchestrator.providers.mx_errors import (
    DISABLED_RULES,
    GATHERING,
    MEMBER_STATUSES,
    MX_ERRORS,
    MX_KNOWN_MEMBER_ERRORS,
    SETTLED,
)
from orchestrator.providers.plaid_errors import PLAID_ERRORS
from tests.support.error_sheets import belvo, bitso, finicity, mx, plaid
from tests.support.error_sheets.sheet import documented

BITSO_ERRORS = bitso_errors(throttle_scope="connection", address_scope="connection")
LIE = "RATE_LIMIT INVALID_API_KEYS ITEM_LOGIN_REQUIRED institution_down authentication_failed"


def words(row: ErrorRule) -> tuple[str, str, bool]:
    """The same three words of a row."""
    return (row.error_class.value, row.scope.value, row.elsewhere)


@pytest.mark.parametrize(
    ("rows", "sheet"),
    [
        (PLAID_ERRORS.codes, plaid.CODES),
        (PLAID_ERRORS.types, plaid.TYPES),
        (MX_ERRORS.codes, mx.CODES),
        (MEMBER_STATUSES, mx.MEMBERS),
        (FINICITY_ERRORS.codes, finicity.CODES),
        (BELVO_ERRORS.codes, belvo.CODES),
        (BITSO_ERRORS.codes, bitso.CODES),
        (BITSO_ERRORS.types, bitso.FAMILIES),
    ],
    ids=[
        "plaid",
        "plaid-types",
        "mx",
        "mx-members",
        "finicity",
        "belvo",
        "bitso",
        "bitso-families",
    ],
)
def test_a_table_holds_the_documented_rows_and_no_others(
    rows: dict[str, ErrorRule], sheet: str
) -> None:
    """Class, scope and the word about other providers are as documented, code by code."""
    assert {code: words(row) for code, row in rows.items()} == documented(sheet)


def test_mx_statuses_are_the_documented_ones() -> None:
    """MX tells most by the HTTP status alone."""
    told = {
        code: words(MX_ERRORS.rule_for(code=None, error_type=None, http_status=int(code)))
        for code in documented(mx.STATUSES)
    }

    assert told == documented(mx.STATUSES)


def test_belvo_statuses_are_the_documented_ones() -> None:
    """A status decides where no code tells more."""
    told = {
        code: words(BELVO_ERRORS.rule_for(code=None, error_type=None, http_status=int(code)))
        for code in documented(belvo.STATUSES)
    }

    assert told == documented(belvo.STATUSES)


def test_a_status_alone_at_bitso_is_about_the_users_key() -> None:
    """There are no keys of ours to be refused there."""
    told = {
        code: words(BITSO_ERRORS.rule_for(code=None, error_type=None, http_status=int(code)))
        for code in documented(bitso.STATUSES)
    }

    assert told == documented(bitso.STATUSES)


def test_every_member_status_has_one_meaning() -> None:
    """A status is bad, under way or well, and DISABLED is a setting's."""
    known = [*MEMBER_STATUSES, *GATHERING, *SETTLED, "DISABLED"]

    assert len(known) == len(set(known)) == 22
    assert {words(row) for row in DISABLED_RULES.values()} == {
        ("auth", "connection", False),
        ("auth", "client", True),
    }


@pytest.mark.parametrize(
    "table",
    [
        PLAID_ERRORS,
        MX_ERRORS,
        MX_KNOWN_MEMBER_ERRORS,
        FINICITY_ERRORS,
        FINICITY_KNOWN_LOGIN_ERRORS,
        FINICITY_AGGREGATION,
        BELVO_ERRORS,
        BELVO_KNOWN_LINK_ERRORS,
        BITSO_ERRORS,
    ],
)
def test_whoever_must_act_is_told_how(table: ErrorTable) -> None:
    """Every auth failure of a connection says what the user does; nobody acts for our keys."""
    rows = [*table.codes.values(), *table.types.values(), *table.statuses.values()]
    of_users = [row for row in rows if row.error_class is ErrorClass.AUTH]

    for row in of_users:
        acts = row.scope in {ErrorScope.CONNECTION, ErrorScope.REQUEST}

        assert acts == (row.user_action is not None)
    for row in rows:
        assert row.meaning
        assert row.meaning.isascii()


@pytest.mark.parametrize("code", sorted(PLAID_ERRORS.codes))
@pytest.mark.parametrize("status", [400, 429, 500])
async def test_plaid_codes_decide_over_status_and_message(code: str, status: int) -> None:
    """Plaid's status says little and its message nothing: the code alone decides."""
    row = PLAID_ERRORS.codes[code]
    vendor = ScriptedVendor(answer(plaid_error(code, "NEW_TYPE"), status))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(PLAID_CREDENTIAL)))

    assert (failure.error_class, failure.scope, failure.code) == (row.error_class, row.scope, code)
    assert (failure.elsewhere, failure.user_action) == (row.elsewhere, row.user_action)
    assert (failure.message, failure.http_status) == (row.meaning, status)
    assert failure.provider_request_id == "m8MDnv9okwxFNBV"


@pytest.mark.parametrize("error_type", sorted(PLAID_ERRORS.types))
async def test_a_new_plaid_code_is_classified_by_its_type(error_type: str) -> None:
    """Codes appear faster than tables grow."""
    row = PLAID_ERRORS.types[error_type]
    vendor = ScriptedVendor(answer(plaid_error("BRAND_NEW", error_type), 400))

    failure = await failure_of(vendor.plaid().get_accounts(accounts_request(PLAID_CREDENTIAL)))

    assert (failure.error_class, failure.scope) == (row.error_class, row.scope)
    assert failure.code == "BRAND_NEW"


@pytest.mark.parametrize("code", [*sorted(MX_ERRORS.codes), None])
@pytest.mark.parametrize("status", [400, 401, 403, 405, 406, 409, 422, 429, 500, 502, 503, 504])
async def test_mx_codes_decide_over_status_and_message(code: str | None, status: int) -> None:
    """MX's error type refines its status; its message is for people."""
    row = MX_ERRORS.rule_for(code=code, error_type=None, http_status=status)
    vendor = ScriptedVendor(answer(mx_error(code, status), status))

    failure = await failure_of(vendor.mx().get_accounts(accounts_request(MX_CREDENTIAL)))

    assert (failure.error_class, failure.scope) == (row.error_class, row.scope)
    assert failure.code == (code or f"HTTP_{status}")


@pytest.mark.parametrize("status", sorted(MEMBER_STATUSES))
async def test_mx_member_statuses_fail_a_reading_of_a_200(status: str) -> None:
    """A bad member fails before its stored data are read."""
    row = MEMBER_STATUSES[status]
    vendor = ScriptedVendor(answer(member(status)))

    failure = await failure_of(vendor.mx().get_accounts(accounts_request(MX_CREDENTIAL)))

    assert (failure.error_class, failure.scope, failure.code) == (
        row.error_class,
        row.scope,
        status,
    )
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("code", sorted(BELVO_KNOWN_LINK_ERRORS.codes))
@pytest.mark.parametrize("status", [400, 500])
async def test_belvo_codes_decide_over_status_and_message(code: str, status: int) -> None:
    """Belvo's code decides, wherever in the reading it comes."""
    row = BELVO_KNOWN_LINK_ERRORS.codes[code]
    vendor = ScriptedVendor(answer(link()), answer(errors(code), status))

    failure = await failure_of(vendor.belvo().get_accounts(accounts_request(BELVO_CREDENTIAL)))

    assert (failure.error_class, failure.scope, failure.code) == (row.error_class, row.scope, code)


@pytest.mark.parametrize("code", sorted(FINICITY_KNOWN_LOGIN_ERRORS.codes))
@pytest.mark.parametrize("form", [int, str, finicity_wrapped])
@pytest.mark.parametrize("status", [404, 500])
async def test_finicity_codes_decide_over_status_form_and_message(
    code: str, form: Callable[[str], object], status: int
) -> None:
    """Numbers, texts and the newer body mean the same, whatever the HTTP status."""
    row = FINICITY_KNOWN_LOGIN_ERRORS.codes[code]
    told = form(code)
    body = told if isinstance(told, dict) else finicity_error(told)
    fresh = answer({"token": "fresh"})
    renewed = (fresh, answer(body, status)) if code in TOKEN_CODES else ()
    vendor = ScriptedVendor(answer(body, status), *renewed)

    failure = await failure_of(
        vendor.finicity().get_accounts(accounts_request(FINICITY_CREDENTIAL))
    )

    assert (failure.error_class, failure.scope, failure.code) == (row.error_class, row.scope, code)
    assert (failure.message, failure.user_action) == (row.meaning, row.user_action)


@pytest.mark.parametrize("code", sorted(set(FINICITY_AGGREGATION.codes) - WAITING))
async def test_finicity_aggregation_codes_fail_a_reading_of_a_200(code: str) -> None:
    """What an account says of its last reading is as good as an error."""
    row = FINICITY_AGGREGATION.codes[code]
    body = finicity_accounts(finicity_account(aggregationStatusCode=int(code)))
    vendor = ScriptedVendor(answer(body))

    failure = await failure_of(
        vendor.finicity().get_accounts(accounts_request(FINICITY_CREDENTIAL))
    )

    assert (failure.error_class, failure.scope, failure.code) == (row.error_class, row.scope, code)


def test_what_finicity_can_heal_in_a_session_sends_the_user_to_one() -> None:
    """The vendor's list of codes for a repair; others of accounts mean a new link."""
    for code in finicity.HEALED_BY_CONNECT:
        assert "connectionId" in str(FINICITY_ERRORS.codes[code].user_action)
    for code in ("400", "403"):
        assert "anew" in str(FINICITY_ERRORS.codes[code].user_action)


def test_what_was_known_and_is_not_found_is_a_lost_connection() -> None:
    """The same 404 means two things, by what was asked for."""
    for table, code in (
        (MX_KNOWN_MEMBER_ERRORS, None),
        (FINICITY_KNOWN_LOGIN_ERRORS, None),
        (FINICITY_KNOWN_LOGIN_ERRORS, "14001"),
        (BELVO_KNOWN_LINK_ERRORS, "not_found"),
    ):
        row = table.rule_for(code=code, error_type=None, http_status=404)

        assert words(row) == ("auth", "connection", False)
    for table, code in ((MX_ERRORS, None), (BELVO_ERRORS, "not_found")):
        row = table.rule_for(code=code, error_type=None, http_status=404)

        assert words(row) == ("validation", "request", False)


def test_a_code_of_no_sane_form_is_not_shown() -> None:
    """A vendor's free text cannot come in through its code."""
    table = ErrorTable(codes={"known": rule("auth", "item", "x")})

    failure = table.failure(code="ask Jane Doe <jane@x>", http_status=400).failure

    assert failure.code == "HTTP_400"


async def test_messages_never_decide_nor_travel() -> None:
    """The same code with any message gives the same failure, and the message is nowhere in it."""
    failures = []
    for message in (LIE, "", None):
        body = plaid_error("SOMETHING_ELSE", "INVALID_INPUT") | {"error_message": message}
        vendor = ScriptedVendor(answer(body, 400))
        failures.append(
            await failure_of(vendor.plaid().get_accounts(accounts_request(PLAID_CREDENTIAL)))
        )

    assert failures[0] == failures[1] == failures[2]
    assert LIE not in repr(failures[0])


async def test_an_empty_page_of_belvo_is_no_error() -> None:
    """A reading with no rows is a success of this layer; whether it can be true is another's."""
    vendor = ScriptedVendor(answer(link()), answer(page([])))

    result = await vendor.belvo().get_accounts(accounts_request(BELVO_CREDENTIAL))

    assert result.accounts == ()


@pytest.mark.parametrize("code", sorted(BITSO_ERRORS.codes))
@pytest.mark.parametrize("status", [200, 401, 420, 500])
async def test_bitso_codes_decide_over_status_and_message(code: str, status: int) -> None:
    """Bitso's errors come with any status, a success's too, and their texts say nothing."""
    row = BITSO_ERRORS.codes[code]
    vendor = ScriptedVendor(answer(bitso_error(code), status))

    failure = await failure_of(vendor.bitso().get_accounts(accounts_request(BITSO_CREDENTIAL)))

    assert (failure.error_class, failure.scope, failure.code) == (row.error_class, row.scope, code)
    assert (failure.message, failure.http_status) == (row.meaning, status)

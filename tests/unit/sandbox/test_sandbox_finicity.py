"""Finicity's protocol as the sandbox speaks it."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import START, RunningSandbox, running_sandbox
from tests.support.vendor_callers import SPACE, FinicityCaller

ANY = "/institution/v2/institutions"
WINDOW = {"fromDate": "1767225600", "toDate": "1773847800"}


async def linked(running: RunningSandbox, bank: int = 5) -> FinicityCaller:
    """A caller with a linked login."""
    finicity = FinicityCaller(running)
    await finicity.link(bank)
    return finicity


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Finicity-App-Key": None}, "10026"),
        ({"Finicity-App-Token": None}, "10024"),
        ({"Finicity-App-Token": "made-up"}, "10022"),
    ],
)
async def test_keys_and_token_are_wanted_on_every_call(
    headers: dict[str, str | None], code: str
) -> None:
    """Each way of lacking them has its code, at 401."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        kept = {**finicity.headers, **headers}
        finicity.headers = {name: value for name, value in kept.items() if value is not None}
        reply = await finicity.call("GET", ANY)

    assert (401, code) == (reply.status, reply.body["code"])


async def test_a_wrong_app_key_is_refused_in_plain_text() -> None:
    """The one error that is no JSON, also where a token is asked for."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        finicity.headers["Finicity-App-Key"] = "another"
        replies = [await finicity.call("GET", ANY), await finicity.authenticate()]

    for reply in replies:
        assert (401, None) == (reply.status, reply.body)
        assert reply.headers["Content-Type"].startswith("text/plain")


async def test_a_token_is_good_for_two_hours() -> None:
    """Then it has expired, and a new one is given."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        running.clock.move(seconds=7199)
        before = await finicity.call("GET", ANY)
        running.clock.move(seconds=1)
        after = await finicity.call("GET", ANY)
        await finicity.authenticate()
        renewed = await finicity.call("GET", ANY)

    assert [200, 401, 200] == [before.status, after.status, renewed.status]
    assert after.body["code"] == "10023"


async def test_five_failed_authentications_lock_the_partner() -> None:
    """After them the right secret is refused too; a success in between begins the count anew."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        early = [(await finicity.authenticate("wrong")).status for _ in range(4)]
        saved = (await finicity.authenticate()).status
        failed = [(await finicity.authenticate("wrong")).body["code"] for _ in range(6)]
        locked = await finicity.authenticate()
        token = finicity.headers["Finicity-App-Token"]
        held = await finicity.call("GET", ANY)

    assert ([401] * 4, 200) == (early, saved)
    assert ["10001"] * 5 + ["24302"] == failed
    assert (403, "24302") == (locked.status, locked.body["code"])
    assert (200, True) == (held.status, bool(token))


@pytest.mark.parametrize("missing", ["partnerId", "partnerSecret"])
async def test_half_a_credential_is_a_missing_parameter(missing: str) -> None:
    """And no failed try."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        body = {"partnerId": "sandbox_partner", "partnerSecret": "sandbox_secret", missing: ""}
        for _ in range(6):
            reply = await finicity.call("POST", "/aggregation/v2/partners/authentication", body)

    assert (400, "10005") == (reply.status, reply.body["code"])


async def test_a_customer_is_made_once_and_found_by_name() -> None:
    """A name is unique over both kinds of customers."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        customers = "/aggregation/v2/customers"
        made = await finicity.call("POST", f"{customers}/active", {"username": SPACE})
        again = await finicity.call("POST", f"{customers}/testing", {"username": SPACE})
        short = await finicity.call("POST", f"{customers}/testing", {"username": "five5"})
        none = await finicity.call("POST", f"{customers}/testing", {})
        lists = [
            await finicity.call("GET", "/aggregation/v1/customers", query=query)
            for query in (
                {"username": SPACE},
                {"username": made.body["id"]},
                {"search": SPACE[:9]},
                {"username": SPACE, "type": "testing"},
            )
        ]
        wrong = await finicity.call("GET", "/aggregation/v1/customers", query={"type": "x"})

    assert [201, 409, 400, 400] == [made.status, again.status, short.status, none.status]
    assert ["110002", "110039", "10005"] == [r.body["code"] for r in (again, short, none)]
    assert [1, 0, 1, 0] == [len(reply.body["customers"]) for reply in lists]
    assert lists[0].body["moreAvailable"] is False
    assert lists[0].body["customers"][0]["createdDate"] == str(int(START.timestamp()))
    assert made.body["createdDate"] == int(START.timestamp())
    assert wrong.body["code"] == "14016"


async def test_connect_wants_partner_customer_and_a_bank_it_knows() -> None:
    """What is missing or wrong is refused before there is an address."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        good = {"partnerId": "sandbox_partner", "customerId": finicity.customer}
        wrong = [
            ("", {"customerId": finicity.customer}, "10005"),
            ("", {**good, "partnerId": "x"}, "10010"),
            ("", {**good, "customerId": "1"}, "10010"),
            ("/lite", good, "10005"),
            ("/lite", {**good, "institutionId": 99}, "10010"),
            ("/lite", {**good, "institutionId": "5"}, "10010"),
            ("/fix", good, "10005"),
            ("/fix", {**good, "institutionLoginId": "1"}, "38007"),
        ]
        codes = [
            (await finicity.call("POST", f"/connect/v2/generate{variant}", body)).body["code"]
            for variant, body, _ in wrong
        ]

    assert [code for _, _, code in wrong] == codes


async def test_a_single_use_address_ends_with_its_session() -> None:
    """Without the flag it can be used until its time is over."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        once = await finicity.connect_url(singleUseUrl=True)
        often = await finicity.connect_url()
        statuses = []
        for url in (once, once, often, often):
            body = {"linkUrl": url}
            path = f"{running.base_url}/_control/complete"
            async with running.http.post(path, json=body) as response:
                statuses.append(response.status)
        running.clock.move(seconds=7200)
        async with running.http.post(path, json={"linkUrl": often}) as response:
            statuses.append(response.status)

    assert [200, 410, 200, 200, 410] == statuses


async def test_linking_the_same_login_again_makes_no_second_one() -> None:
    """Nor does a repair."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        first = finicity.login
        await finicity.link()
        body = {
            "partnerId": "sandbox_partner",
            "customerId": finicity.customer,
            "institutionLoginId": first,
        }
        fix = await finicity.call("POST", "/connect/v2/generate/fix", body)
        repaired = await running.complete(url=fix.body["link"])
        other = await FinicityCaller(running).link(11)

    assert [first, first] == [finicity.login, repaired]
    assert other != first


async def test_ids_are_the_seeds() -> None:
    """Two sandboxes of one seed give the same login, accounts and rows."""
    seen = []
    for _ in range(2):
        async with running_sandbox(seed=3) as running:
            finicity = await linked(running)
            account = (await finicity.accounts())[0]["id"]
            rows = [row["id"] for row in await finicity.listing(account)]
            seen.append((finicity.customer, finicity.login, account, rows))

    assert seen[0] == seen[1]


async def test_accounts_are_of_the_login_or_of_the_customer() -> None:
    """And of nobody else's: another customer's login is not found."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        at_chase = await finicity.accounts()
        await finicity.link(11)
        at_citi = await finicity.accounts()
        both = (await finicity.call("GET", finicity.path("/accounts"))).body["accounts"]
        made = await finicity.call(
            "POST", "/aggregation/v2/customers/testing", {"username": "another-one"}
        )
        foreign = await finicity.call(
            "GET",
            f"/aggregation/v1/customers/{made.body['id']}"
            f"/institutionLogins/{finicity.login}/accounts",
        )

    assert {row["id"] for row in both} == {row["id"] for row in (*at_chase, *at_citi)}
    assert {"5"} == {row["institutionId"] for row in at_chase}
    assert isinstance(at_chase[0]["institutionLoginId"], int)
    assert (404, "38007") == (foreign.status, foreign.body["code"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"fromDate": None}, "10005"),
        ({"toDate": "soon"}, "10100"),
        ({"fromDate": "1773847800", "toDate": "1767225600"}, "41002"),
        ({"start": "0"}, "41003"),
        ({"limit": "0"}, "41004"),
        ({"limit": "1001"}, "10100"),
    ],
)
async def test_a_wrong_window_is_refused(query: dict[str, str | None], code: str) -> None:
    """Each mistake has its code."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        asked = {name: part for name, part in (WINDOW | query).items() if part is not None}
        reply = await finicity.call("GET", finicity.path("/transactions", "v3"), query=asked)

    assert (400, code) == (reply.status, reply.body["code"])


async def test_records_are_counted_from_one_and_flags_are_texts() -> None:
    """Twenty-five by default, newest first, without pending ones."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        path = finicity.path("/transactions", "v3")

        async def page(**query: str) -> dict[str, object]:
            reply = await finicity.call("GET", path, query={**WINDOW, **query})
            return dict(reply.body)

        plain, second = await page(), await page(start="26")
        oldest, all_of = await page(sort="asc"), await page(limit="1000")
        with_pending = await page(limit="1000", includePending="true")

    rows = all_of["transactions"]
    assert isinstance(rows, list)
    assert (25, "true", "desc") == (plain["displaying"], plain["moreAvailable"], plain["sort"])
    assert plain["fromDate"] == WINDOW["fromDate"]
    assert [plain["transactions"], second["transactions"]] == [rows[:25], rows[25:50]]
    assert oldest["transactions"] != plain["transactions"]
    assert (len(rows), "false") == (all_of["found"], all_of["moreAvailable"])
    assert {"active"} == {row["status"] for row in rows}
    found = with_pending["transactions"]
    assert isinstance(found, list)
    assert {"active", "pending"} == {row["status"] for row in found}


async def test_institutions_are_paged_by_page() -> None:
    """There `start` is the number of a page, and the flag a boolean."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        first = (await finicity.call("GET", ANY, query={"limit": "2"})).body
        second = (await finicity.call("GET", ANY, query={"limit": "2", "start": "2"})).body
        search = (await finicity.call("GET", ANY, query={"search": "finbank"})).body

    assert (first["moreAvailable"], len(first["institutions"])) == (True, 2)
    assert not {row["id"] for row in first["institutions"]} & {
        row["id"] for row in second["institutions"]
    }
    assert [101732] == [row["id"] for row in search["institutions"]]


@pytest.mark.parametrize(
    ("mode", "statuses", "same_ids"),
    [
        ("shadow", {"active", "pending", "shadow"}, False),
        ("gone", {"active", "pending"}, False),
        ("same_id", {"active", "pending"}, True),
    ],
)
async def test_what_becomes_of_a_pending_row_is_an_option(
    mode: str, statuses: set[str], *, same_ids: bool
) -> None:
    """A shadow beside the posted one, nothing, or the posted one itself."""
    options = SandboxOptions(finicity_pending=mode)  # type: ignore[arg-type]
    async with running_sandbox(options=options) as running:
        finicity = await linked(running)
        account = (await finicity.accounts())[0]["id"]
        before = {r["id"] for r in await finicity.listing(account) if r["status"] == "pending"}
        running.clock.move(days=4)
        await finicity.authenticate()
        rows = await finicity.listing(account)

    assert before
    assert statuses == {row["status"] for row in rows}
    assert same_ids == bool(before & {row["id"] for row in rows if row["status"] == "active"})
    shadows = {row["id"] for row in rows if row["status"] == "shadow"}
    assert (shadows == set()) == (mode != "shadow")
    assert bool(shadows & before) == (mode == "shadow")


async def test_shadows_end_after_a_month() -> None:
    """They do not pile up in the listings."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        account = (await finicity.accounts())[0]["id"]
        running.clock.move(days=60)
        await finicity.authenticate()
        days = [
            datetime.fromtimestamp(row["transactionDate"], UTC).date()
            for row in await finicity.listing(account)
            if row["status"] == "shadow"
        ]

    assert days
    assert min(days) > date(2026, 4, 10)


async def test_card_signs_and_debts_are_options() -> None:
    """The same card at two sandboxes, turned and not."""
    seen = []
    turned = SandboxOptions(finicity_card_sign="reversed", finicity_debt_balance="negative")
    for options in (SandboxOptions(), turned):
        async with running_sandbox(options=options) as running:
            finicity = await linked(running)
            cards = [row for row in await finicity.accounts() if row["type"] == "creditCard"]
            amounts = [row["amount"] for row in await finicity.listing(cards[0]["id"])]
            seen.append((cards[0]["balance"], amounts))

    (owed, plain), (negative, reversed_amounts) = seen
    assert owed == -negative > 0
    assert plain == [-amount for amount in reversed_amounts]


async def test_a_bank_that_only_a_refresh_reads_is_pending_until_then() -> None:
    """No balance, no code, no movements; the job takes its time, and then all is there."""
    options = SandboxOptions(finicity_first_reading="refresh", finicity_refresh_s=30)
    async with running_sandbox(options=options) as running:
        finicity = await linked(running)
        before = await finicity.accounts()
        rows = await finicity.listing(before[0]["id"])
        path = f"/aggregation/customers/{finicity.customer}/transactions/refreshes"
        begun = await finicity.call("POST", path, {"institutionLoginId": finicity.login})
        refresh = f"{path}/{begun.body['refreshId']}"
        running.clock.move(seconds=29)
        during = await finicity.call("GET", refresh)
        still = await finicity.accounts()
        running.clock.move(seconds=1)
        after = await finicity.call("GET", refresh)
        read = await finicity.accounts()

    assert {"pending"} == {row["status"] for row in (*before, *still)}
    assert not {"balance", "aggregationStatusCode"} & set(before[0])
    assert rows == []
    assert ["NEW", "IN_PROGRESS", "COMPLETED"] == [
        reply.body["status"] for reply in (begun, during, after)
    ]
    assert {("active", 0)} == {(row["status"], row["aggregationStatusCode"]) for row in read}


async def test_a_running_refresh_shows_in_the_dates_of_its_accounts() -> None:
    """The last try is later than the last success."""
    async with running_sandbox(options=SandboxOptions(finicity_refresh_s=30)) as running:
        finicity = await linked(running)
        running.clock.move(seconds=60)
        path = f"/aggregation/customers/{finicity.customer}/transactions/refreshes"
        ids = [row["id"] for row in await finicity.accounts()]
        await finicity.call("POST", path, {"accountIds": ids})
        during = (await finicity.accounts())[0]
        running.clock.move(seconds=30)
        after = (await finicity.accounts())[0]

    assert during["aggregationAttemptDate"] > during["aggregationSuccessDate"]
    assert after["aggregationAttemptDate"] <= after["aggregationSuccessDate"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "deep"}, "10100"),
        ({"mode": "custom"}, "10005"),
        ({}, "38007"),
        ({"institutionLoginId": "1"}, "38007"),
    ],
)
async def test_a_wrong_refresh_is_refused(body: dict[str, str], code: str) -> None:
    """Its mode and its login are looked at."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        path = f"/aggregation/customers/{finicity.customer}/transactions/refreshes"
        reply = await finicity.call("POST", path, body)
        unknown = await finicity.call("GET", f"{path}/bec83f1a-5f65-44f5-8f00-b4a0fc60c2cc")

    assert code == reply.body["code"]
    assert (404, "10008") == (unknown.status, unknown.body["code"])


@pytest.mark.parametrize("code", ["103", "913", "910", "14003", "HTTP_401", "44002"])
async def test_an_ordered_error_comes_as_finicity_tells_it(code: str) -> None:
    """Some show in the accounts of a 200, one in plain text, some in the newer body."""
    async with running_sandbox() as running:
        finicity = await linked(running)
        fault = {"provider": "finicity", "kind": "error", "errorCode": code}
        await running.put_faults({**fault, "operation": "getAccounts"})
        path = finicity.path(f"/institutionLogins/{finicity.login}/accounts")
        reply = await finicity.call(
            "GET", path, headers={"X-Attempt-Operation": "getAccounts", "X-Attempt-Id": "a"}
        )

    told = {
        "103": lambda: reply.body["accounts"][0]["aggregationStatusCode"] == 103,
        "913": lambda: reply.body["accounts"][0]["aggregationStatusCode"] == 913,
        "910": lambda: reply.body["code"] == 910,
        "14003": lambda: reply.body["Errors"]["Error"][0]["ReasonCode"] == "14003",
        "HTTP_401": lambda: reply.body is None,
        "44002": lambda: reply.body["code"] == "44002",
    }
    statuses = {"103": 200, "913": 200, "910": 500, "14003": 404, "HTTP_401": 401, "44002": 202}
    assert statuses[code] == reply.status
    assert told[code]()


async def test_a_renewal_is_counted_by_itself_and_with_its_attempt() -> None:
    """`auth` shows how often tokens were asked for; the attempt has the call as well."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        finicity.attempt_id = "attempt-1"
        finicity.headers["X-Attempt-Operation"] = "createLink"
        await finicity.authenticate()
        counted = await running.calls()
        finicity.attempt_id = None
        await finicity.authenticate()
        again = await running.calls()

    auth, link = counted["finicity", "auth"], counted["finicity", "createLink"]
    assert (1, 1, ["attempt-1"]) == (auth["count"], auth["httpCalls"], auth["attemptIds"])
    assert (1, 1, ["attempt-1"]) == (link["count"], link["httpCalls"], link["attemptIds"])
    assert again["finicity", "auth"]["count"] == 2


@pytest.mark.parametrize(("kind", "status"), [("bad_keys", 401), ("down", 503)])
async def test_a_fault_of_auth_strikes_renewals_alone(kind: str, status: int) -> None:
    """Other calls go on with the token that they have; an ordered refusal locks nobody."""
    async with running_sandbox() as running:
        finicity = FinicityCaller(running)
        await finicity.authenticate()
        await running.put_faults({"provider": "finicity", "operation": "auth", "kind": kind})
        struck = [(await finicity.authenticate()).status for _ in range(6)]
        other = await finicity.call("GET", ANY)
        await running.clear_faults()
        healed = await finicity.authenticate()

    assert ([status] * 6, 200, 200) == (struck, other.status, healed.status)


async def test_what_was_linked_outlives_the_process(tmp_path: Path) -> None:
    """Customers and logins are kept; tokens are not."""
    state = tmp_path / "sandbox.json"
    async with running_sandbox(state_file=state) as running:
        finicity = await linked(running)
        before = await finicity.accounts()
    async with running_sandbox(state_file=state) as running:
        again = FinicityCaller(running)
        again.customer, again.login = finicity.customer, finicity.login
        again.headers = dict(finicity.headers)
        stale = await again.call("GET", ANY)
        await again.authenticate()
        after = await again.accounts()

    assert stale.body["code"] == "10022"
    assert before == after


async def test_a_path_that_there_is_not_is_not_found() -> None:
    """In Finicity's own words."""
    async with running_sandbox() as running:
        reply = await FinicityCaller(running).call("GET", "/aggregation/v9/customers")

    assert (404, "14001") == (reply.status, reply.body["code"])

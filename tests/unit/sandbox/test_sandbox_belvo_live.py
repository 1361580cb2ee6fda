"""What Belvo reads at the bank in the sandbox: codes, sessions, jobs, and what is stored of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import BelvoCaller, Reply

PERIOD = {"date_from": "2026-02-01", "date_to": "2026-03-18"}
ASYNC = {"X-Belvo-Request-Mode": "async"}


@asynccontextmanager
async def linked(**options: Any) -> AsyncIterator[tuple[RunningSandbox, BelvoCaller]]:
    """A sandbox with a link at Belvo."""
    async with running_sandbox(options=SandboxOptions(**options)) as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        yield running, belvo


async def live(belvo: BelvoCaller, name: str = "transactions", **more: object) -> Reply:
    """Have something read at the bank."""
    body = {"link": belvo.link_id, **({} if name == "accounts" else PERIOD), **more}
    return await belvo.call("POST", f"/api/{name}/", body)


async def background(belvo: BelvoCaller, name: str = "transactions") -> Reply:
    """Have something read by a job."""
    body = {"link": belvo.link_id, **({} if name == "accounts" else PERIOD)}
    return await belvo.call("POST", f"/api/{name}/", body, headers=ASYNC)


async def resume(belvo: BelvoCaller, name: str, its_session: str, **more: object) -> Reply:
    """Go on with a session."""
    body = {"session": its_session, "link": belvo.link_id, "token": "1234", **more}
    return await belvo.call("PATCH", f"/api/{name}/", body)


async def link_of(belvo: BelvoCaller) -> dict[str, Any]:
    """The link as it is told."""
    found: dict[str, Any] = (await belvo.call("GET", f"/api/links/{belvo.link_id}/")).body
    return found


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    return reply.status, reply.body[0]["code"]


@pytest.mark.parametrize("name", ["accounts", "transactions", "balances"])
async def test_a_code_is_asked_for_and_goes_on_with_its_session(name: str) -> None:
    """428 opens a session, the link waits for its user, and PATCH on the same resource ends both."""
    async with linked(belvo_asks_code=True) as (_, belvo):
        asked = await live(belvo, name)
        waiting = (await link_of(belvo))["status"]
        second = await live(belvo, name)
        session = asked.body[0]["session"]
        done = await resume(belvo, name, session)
        again = await resume(belvo, name, session)
        settled = (await link_of(belvo))["status"]

    assert code(asked) == (428, "token_required")
    assert (asked.body[0]["expiry"], asked.body[0]["link"]) == (9600, belvo.link_id)
    assert asked.body[0]["token_generation_data"]["expects_user_input"] is True
    assert (waiting, settled) == ("token_required", "valid")
    assert code(second) == (400, "too_many_sessions")
    assert (done.status, len(done.body) > 0) == (201, True)
    assert code(again) == (400, "session_expired")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"token": None}, (400, "required")),
        ({"session": "0" * 32}, (400, "session_expired")),
        ({"link": "00000000-0000-4000-8000-000000000000"}, (404, "not_found")),
    ],
)
async def test_a_code_must_fit_its_session(
    change: dict[str, object], expected: tuple[int, str]
) -> None:
    """Session, link, resource and code are checked."""
    async with linked(belvo_asks_code=True) as (_, belvo):
        session = (await live(belvo)).body[0]["session"]
        wrong = await resume(belvo, "transactions", session, **change)
        elsewhere = await resume(belvo, "accounts", session)

    assert code(wrong) == expected
    assert code(elsewhere) == (400, "session_expired")


async def test_a_session_waits_for_its_code_for_so_long_only() -> None:
    """After 9600 seconds it is over, and the reading has to be begun again."""
    async with linked(belvo_asks_code=True) as (running, belvo):
        session = (await live(belvo)).body[0]["session"]
        running.clock.move(seconds=9600)
        late = await resume(belvo, "transactions", session)
        again = await live(belvo, token="1234")

    assert code(late) == (400, "session_expired")
    assert again.status == 201


async def test_mending_a_link_ends_what_it_waited_for() -> None:
    """New credentials, or the widget in update mode, let Belvo in again."""
    async with linked(belvo_asks_code=True) as (running, belvo):
        await live(belvo)
        token = await belvo.widget_token(link_id=belvo.link_id)
        same = await running.complete(token=token)
        mended = await link_of(belvo)
        await live(belvo)
        renewed = await belvo.call("PUT", f"/api/links/{belvo.link_id}/", {"password": "secret"})
        read = await live(belvo, token="1234")

    assert same == belvo.link_id
    assert (mended["status"], renewed.body["status"], read.status) == ("valid", "valid", 201)


async def test_a_job_brings_its_data_later() -> None:
    """The answer is a request id; what it reads is listed once it has ended."""
    async with linked(belvo_refresh_days=0, belvo_job_s=30.0) as (running, belvo):
        running.clock.move(days=5)
        before = await belvo.listing("transactions")
        accepted = await background(belvo)
        busy = await live(belvo, "accounts")
        meanwhile = await belvo.listing("transactions")
        accessed = (await link_of(belvo))["last_accessed_at"]
        running.clock.move(seconds=30)
        after = await belvo.listing("transactions", value_date__lte="2026-03-18")
        accessed_then = (await link_of(belvo))["last_accessed_at"]
        free = await live(belvo, "accounts")

    pending = {row["id"] for row in before if row["status"] == "PENDING"}
    assert (accepted.status, list(accepted.body)) == (202, ["request_id"])
    assert code(busy) == (400, "too_many_sessions")
    assert before == meanwhile
    assert {row["id"] for row in after if row["status"] == "PROCESSED"} & pending
    assert accessed < accessed_then
    assert free.status == 201


@pytest.mark.parametrize(("background_of", "status"), [("transactions", 201), ("all", 202)])
async def test_accounts_are_read_by_jobs_where_that_is_so(background_of: str, status: int) -> None:
    """The document knows jobs for transactions alone; newer ones may know more."""
    async with linked(belvo_background=background_of) as (_, belvo):
        assert (await background(belvo, "accounts")).status == status


async def test_a_reading_keeps_the_session_while_it_lasts() -> None:
    """A second one of the same login is refused meanwhile, another login's is not."""
    async with linked(belvo_session_s=20.0) as (running, belvo):
        first = belvo.link_id
        await live(belvo, "accounts")
        refused = await live(belvo, "accounts")
        await belvo.link("ins_banorte_mx")
        other = await live(belvo, "accounts")
        belvo.link_id = first
        running.clock.move(seconds=20)
        later = await live(belvo, "accounts")

    assert code(refused) == (400, "too_many_sessions")
    assert (other.status, later.status) == (201, 201)


async def test_a_wide_window_times_out_and_a_narrow_one_does_not() -> None:
    """The bank gives so many days in time; a job has as long as it takes."""
    async with linked(belvo_widest_days=10) as (_, belvo):
        wide = await live(belvo)
        narrow = await live(belvo, date_from="2026-03-09")
        job = await background(belvo)

    assert code(wide) == (408, "request_timeout")
    assert (narrow.status, job.status) == (201, 202)


@pytest.mark.parametrize(
    ("days", "read_on"), [(1, "2026-03-28"), (7, "2026-03-25"), (0, "2026-03-18")]
)
async def test_belvo_reads_a_recurrent_link_by_itself_now_and_then(days: int, read_on: str) -> None:
    """What is stored is of its last reading, however long ago."""
    async with linked(belvo_refresh_days=days) as (running, belvo):
        running.clock.move(days=10)
        accounts = await belvo.listing("accounts")
        newest = max(row["value_date"] for row in await belvo.listing("transactions"))
        told = await link_of(belvo)

    assert {row["collected_at"][:10] for row in accounts} == {read_on}
    assert told["last_accessed_at"][:10] == read_on
    assert newest <= read_on


async def test_a_single_link_is_read_when_asked_to_alone() -> None:
    """What was stored before it became single stays, and no more comes by itself."""
    async with linked() as (running, belvo):
        running.clock.move(days=3)
        single = await belvo.call(
            "PATCH", f"/api/links/{belvo.link_id}/", {"access_mode": "single"}
        )
        before = await belvo.listing("transactions")
        running.clock.move(days=6)
        meanwhile = await belvo.listing("transactions")
        asked = await live(belvo, date_to="2026-03-27")
        after = await belvo.listing("transactions")

    assert (single.body["access_mode"], single.body["refresh_rate"]) == ("single", None)
    assert before == meanwhile
    assert asked.status == 201
    assert len(after) > len(before)


async def test_what_is_not_saved_is_told_and_not_stored() -> None:
    """`save_data` false answers 200 and leaves the store as it was."""
    async with linked(belvo_refresh_days=0) as (running, belvo):
        running.clock.move(days=8)
        before = await belvo.listing("transactions")
        told = await live(belvo, date_to="2026-03-26", save_data=False)
        after = await belvo.listing("transactions")

    assert told.status == 200
    assert max(row["value_date"] for row in told.body) > "2026-03-18"
    assert before == after


@pytest.mark.parametrize(("movement_ids", "times"), [("lasting", 1), ("per_retrieval", 2)])
async def test_ids_last_or_do_not(movement_ids: str, times: int) -> None:
    """Where they do not, a second reading of the same days stores each movement once more."""
    async with linked(belvo_movement_ids=movement_ids) as (_, belvo):
        before = await belvo.listing("transactions", value_date__gte="2026-02-01")
        told = await live(belvo)
        after = await belvo.listing("transactions", value_date__gte="2026-02-01")

    assert len(after) == times * len(before)
    assert {row["id"] for row in told.body} <= {row["id"] for row in after}


async def test_the_first_data_are_gathered_for_a_while() -> None:
    """Until then nothing is stored, and the link was never let in."""
    async with linked(belvo_gathering_s=60.0) as (running, belvo):
        early = (await link_of(belvo))["last_accessed_at"]
        nothing = [*await belvo.listing("accounts"), *await belvo.listing("transactions")]
        running.clock.move(seconds=60)
        late = (await link_of(belvo))["last_accessed_at"]
        accounts = await belvo.listing("accounts")

    assert (early, nothing) == (None, [])
    assert late is not None
    assert accounts


@pytest.mark.parametrize(("counts", "more"), [("filtered", 0), ("everything", 1000)])
async def test_a_count_is_of_the_rows_asked_for_or_of_all(counts: str, more: int) -> None:
    """The specification's words and its makers' habits differ."""
    async with linked(belvo_count=counts) as (_, belvo):
        reply = await belvo.call("GET", "/api/accounts/", query={"link": belvo.link_id})

    assert reply.body["count"] == len(reply.body["results"]) + more


@pytest.mark.parametrize(("fields", "status"), [("any", 200), ("documented", 400)])
async def test_a_token_is_strict_about_its_fields_or_not(fields: str, status: int) -> None:
    """Settings of a widget that are not documented for its token are taken or refused."""
    async with running_sandbox(options=SandboxOptions(belvo_token_fields=fields)) as running:  # type: ignore[arg-type]
        body = {
            "id": "sandbox_id",
            "password": "sandbox_password",
            "scopes": "read_institutions",
            "widget": {"locale": "es"},
        }
        reply = await BelvoCaller(running).call("POST", "/api/token/", body)

    assert reply.status == status


async def test_a_link_is_made_with_a_users_credentials() -> None:
    """Institution, user and password are wanted; another access mode or a wrong password is refused."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        body = {"institution": "erebor_mx_retail", "username": "bnk100", "password": "full"}
        made = await belvo.call("POST", "/api/links/", {**body, "external_id": "our-user"})
        again = await belvo.call("POST", "/api/links/", {**body, "access_mode": "single"})
        refused = [
            await belvo.call("POST", "/api/links/", {**body, **wrong})
            for wrong in (
                {"institution": "narnia"},
                {"password": "wrong"},
                {"password": None},
                {"access_mode": "always"},
                {"external_id": "ab"},
            )
        ]
        belvo.link_id = made.body["id"]
        accounts = await belvo.listing("accounts")
        listed = await belvo.call("GET", "/api/links/", query={"access_mode": "single"})

    assert (made.status, made.body["institution"], made.body["external_id"]) == (
        201,
        "erebor_mx_retail",
        "our-user",
    )
    assert accounts
    assert [row["id"] for row in listed.body["results"]] == [again.body["id"]]
    assert [code(reply) for reply in refused] == [
        (400, "does_not_exist"),
        (400, "login_error"),
        (400, "required"),
        (400, "invalid_choice"),
        (400, "invalid"),
    ]


async def test_a_new_link_may_want_a_code_first() -> None:
    """Until it comes the link is unconfirmed, and nothing can be read through it."""
    async with running_sandbox(options=SandboxOptions(belvo_asks_code=True)) as running:
        belvo = BelvoCaller(running)
        body = {"institution": "erebor_mx_retail", "username": "bnk100", "password": "full"}
        asked = await belvo.call("POST", "/api/links/", body)
        belvo.link_id = asked.body[0]["link"]
        unconfirmed = await link_of(belvo)
        too_early = await live(belvo, "accounts")
        done = await resume(belvo, "links", asked.body[0]["session"])

    assert code(asked) == (428, "token_required")
    assert unconfirmed["status"] == "unconfirmed"
    assert code(too_early) == (400, "unconfirmed_link")
    assert (done.status, done.body["status"]) == (200, "valid")


async def test_a_link_without_stored_credentials_stays_single() -> None:
    """Belvo cannot come back to a bank without them."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        token = await belvo.widget_token(
            credentials_storage="nostore", widget={"access_mode": "single"}
        )
        link_id = await running.complete(token=token, institution_id="ins_bbva_mx")
        reply = await belvo.call("PATCH", f"/api/links/{link_id}/", {"access_mode": "recurrent"})

    assert code(reply) == (400, "invalid_access_mode_switch")


async def test_details_are_those_of_the_lists() -> None:
    """One account, transaction, balance or institution is told as in its list."""
    async with linked() as (_, belvo):
        pairs = []
        for name in ("accounts", "transactions", "balances", "institutions"):
            listed = (await belvo.call("GET", f"/api/{name}/", query={"link": belvo.link_id})).body[
                "results"
            ]
            one = await belvo.call("GET", f"/api/{name}/{listed[0]['id']}/")
            none = await belvo.call("GET", f"/api/{name}/00000000-0000-4000-8000-000000000000/")
            pairs.append((listed[0], one.body, code(none)))

    assert all(listed == one for listed, one, _ in pairs)
    assert {none for _, _, none in pairs} == {(404, "not_found")}


async def test_balances_are_of_accounts_that_hold_money_day_by_day() -> None:
    """A live reading tells each day of its window, of one account where one is asked for."""
    async with linked() as (_, belvo):
        accounts = {row["id"]: row for row in await belvo.listing("accounts")}
        everything = await live(belvo, "balances", date_from="2026-03-16")
        first = everything.body[0]["account"]["id"]
        one = await live(belvo, "balances", date_from="2026-03-16", account=first)
        stored = await belvo.listing("balances", account=first)

    days = ["2026-03-16", "2026-03-17", "2026-03-18"]
    assert {accounts[row["account"]["id"]]["category"] for row in everything.body} == {
        "CHECKING_ACCOUNT",
        "SAVINGS_ACCOUNT",
    }
    assert [row["value_date"] for row in one.body] == days
    assert one.body[-1]["balance"] == accounts[first]["balance"]["current"]
    assert stored[-3:] == one.body
    assert isinstance(one.body[0]["balance"], Decimal)


async def test_a_clabe_ends_in_its_check_digit() -> None:
    """Eighteen digits, of which the weighted sum is a multiple of ten."""
    async with linked() as (_, belvo):
        rows = [row for row in await belvo.listing("accounts") if row["public_identification_name"]]

    assert rows
    for row in rows:
        digits = [int(digit) for digit in row["public_identification_value"]]
        weighted = [digit * (3, 7, 1)[at % 3] % 10 for at, digit in enumerate(digits[:17])]
        assert len(digits) == 18
        assert (sum(weighted) + digits[17]) % 10 == 0
        assert row["public_identification_value"][13:17] == row["number"][-4:]


async def test_a_path_without_that_method_says_so() -> None:
    """405 where another method is there, 404 where nothing is."""
    async with linked() as (_, belvo):
        wrong = await belvo.call("DELETE", "/api/accounts/")
        nowhere = await belvo.call("GET", "/api/owners/")

    assert code(wrong) == (405, "method_not_allowed")
    assert code(nowhere) == (404, "not_found")


async def test_any_error_can_be_ordered() -> None:
    """A code comes with its status, a bare status without a code, and a link's state on the link."""
    async with linked() as (running, belvo):

        async def ordered(wanted: str) -> Reply:
            await running.put_faults({"provider": "belvo", "kind": "error", "errorCode": wanted})
            return await live(belvo, "accounts")

        conflict, bare = await ordered("conflict"), await ordered("HTTP_503")
        asked = await ordered("token_required")
        await running.clear_faults()
        done = await resume(belvo, "accounts", asked.body[0]["session"])
        await ordered("unconfirmed_link")
        shown = (await link_of(belvo))["status"]
        stored = await belvo.listing("accounts")

    assert code(conflict) == (409, "conflict")
    assert (bare.status, isinstance(bare.body, list)) == (503, False)
    assert code(asked) == (428, "token_required")
    assert done.status == 201
    assert shown == "unconfirmed"
    assert stored

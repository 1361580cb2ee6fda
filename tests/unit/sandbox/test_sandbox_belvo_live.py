"""What Belvo reads at the bank in the sandbox: codes, sessions, jobs, slow banks, ordered errors."""

import pytest
from belvo_visits import background, code, link_of, linked, live, resume

from sandbox.options import SandboxOptions
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller, Reply


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

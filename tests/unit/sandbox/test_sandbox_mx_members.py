"""MX's members in the sandbox: logins, jobs that take their time, challenges."""

from datetime import timedelta

import pytest

from sandbox.options import SandboxOptions
from tests.support.mx_members import asked_credentials, job, log_in, logging_in, look, resume
from tests.support.sandbox import START, running_sandbox
from tests.support.vendor_callers import MxCaller

LEGACY = "application/vnd.mx.api.v1+json"


def clock_time(seconds: float) -> str:
    """The wire form of an instant that long after the start."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("pass", "CONNECTED"),
        ("challenge", "CHALLENGED"),
        ("options", "CHALLENGED"),
        ("image", "CHALLENGED"),
        ("UNAUTHORIZED", "DENIED"),
        ("INVALID", "DENIED"),
        ("DISABLED", "DENIED"),
        ("LOCKED", "LOCKED"),
        ("BAD_REQUEST", "FAILED"),
        ("SERVER_ERROR", "FAILED"),
        ("UNAVAILABLE", "FAILED"),
    ],
)
async def test_password_chooses_what_happens_at_mxbank(password: str, status: str) -> None:
    """At MX's test bank the password of `mxuser` picks how the member's first job ends."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        made = await log_in(mx, password)
        during = await look(mx, seconds=1)
        after = await look(mx, seconds=1)

    assert 202 == made.status
    assert ("CREATED", True) == (during["connection_status"], during["is_being_aggregated"])
    assert (status, False) == (after["connection_status"], after["is_being_aggregated"])
    assert (clock_time(2) if status == "CONNECTED" else None) == after["successfully_aggregated_at"]


async def test_another_user_name_is_denied_at_mxbank_and_taken_elsewhere() -> None:
    """MX's test bank knows one user; at the others the name chooses the user in the world."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "pass", name="somebody")
        denied = await look(mx, seconds=3)
        await log_in(mx, "LOCKED", name="somebody", code="chase")
        taken = await look(mx, seconds=3)

    assert "DENIED" == denied["connection_status"]
    assert "CONNECTED" == taken["connection_status"]


async def test_a_member_is_made_once() -> None:
    """The same login again is a 409, and so is another member's own id."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        first = await log_in(mx, "pass", id="mine")
        again = await log_in(mx, "challenge")
        same_id = await log_in(mx, "pass", name="another", id="mine")

    assert (202, 409, 409) == (first.status, again.status, same_id.status)
    assert "conflict" == again.body["error"]["type"]


async def test_a_member_made_without_its_job_waits() -> None:
    """v20111101 can skip the first aggregation: 200, and nothing runs until it is asked for."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        made_user = await mx.call("POST", "/users", {"user": {"id": "u"}})
        mx.user = made_user.body["user"]["guid"]
        made = await log_in(mx, "pass", skip_aggregation=True)
        later = await look(mx, seconds=60)
        await job(mx)
        done = await look(mx, seconds=3)

    assert (200, "CREATED") == (made.status, later["connection_status"])
    assert (False, None) == (later["is_being_aggregated"], later["aggregated_at"])
    assert "CONNECTED" == done["connection_status"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"institution_code": None},
        {"institution_code": "nowhere"},
        {"credentials": None},
        {"credentials": []},
        {"credentials": [{"guid": "CRD-1", "value": "mxuser"}]},
        {"credentials": [{"guid": "CRD-1"}]},
        {"credentials": "mxuser"},
        {"id": 5},
        {"use_cases": ["ANY"]},
        {"background_aggregation_is_disabled": "no"},
    ],
)
async def test_a_member_of_another_shape_is_refused(wrong: dict[str, object]) -> None:
    """Missing fields, unknown banks and credentials that were not asked for are a 400."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.widget_url()
        body = await logging_in(mx, "pass")
        member = {**body["member"], **wrong}  # type: ignore[dict-item]
        reply = await mx.call("POST", f"/users/{mx.user}/members", {"member": member})

    assert (400, "bad_request") == (reply.status, reply.body["error"]["type"])


async def test_a_member_is_found_by_its_own_id_in_the_newer_version() -> None:
    """v20250224 takes the client's ids in paths, v20111101 guids alone."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "pass", id="mine", metadata="kept", use_cases=["MONEY_MOVEMENT"])
        guid, mx.member = mx.member, "mine"
        new = await mx.read()
        listed = [
            (await mx.call("GET", f"/users/{mx.user}/members", query={"use_case": case})).body[
                "members"
            ]
            for case in ("PFM", "MONEY_MOVEMENT")
        ]
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        old = await mx.read()

    assert (200, guid) == (new.status, new.body["member"]["guid"])
    assert ("mine", "kept") == (new.body["member"]["id"], new.body["member"]["metadata"])
    assert [0, 1] == [len(rows) for rows in listed]
    assert 404 == old.status


async def test_other_credentials_start_a_job() -> None:
    """A denied member is tried again once its credentials are updated, and not before."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "INVALID")
        await look(mx, seconds=3)
        asked = await job(mx)
        path = f"/users/{mx.user}/members/{mx.member}"
        wrong = await mx.call("PUT", path, {"member": {"credentials": []}})
        renamed = await mx.call("PUT", path, {"member": {"metadata": "m"}})
        given = (await logging_in(mx, "pass"))["member"]["credentials"]  # type: ignore[index]
        updated = await mx.call("PUT", path, {"member": {"credentials": given}})
        done = await look(mx, seconds=3)

    assert (202, False) == (asked.status, asked.body["member"]["is_being_aggregated"])
    assert asked.body["member"]["needs_updated_credentials"]
    assert 400 == wrong.status
    assert ("DENIED", "m") == tuple(
        renamed.body["member"][name] for name in ("connection_status", "metadata")
    )
    assert ("UPDATED", True) == tuple(
        updated.body["member"][name] for name in ("connection_status", "is_being_aggregated")
    )
    assert "CONNECTED" == done["connection_status"]


async def test_three_denials_in_a_row_prevent_a_fourth() -> None:
    """MX stops trying before the bank locks the user out."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "INVALID")
        given = (await logging_in(mx, "INVALID"))["member"]["credentials"]  # type: ignore[index]
        statuses = [(await look(mx, seconds=3))["connection_status"]]
        for _ in range(2):
            path = f"/users/{mx.user}/members/{mx.member}"
            await mx.call("PUT", path, {"member": {"credentials": given}})
            statuses.append((await look(mx, seconds=3))["connection_status"])

    assert ["DENIED", "DENIED", "PREVENTED"] == statuses


@pytest.mark.parametrize(
    ("password", "kind"), [("challenge", "TEXT"), ("options", "OPTIONS"), ("image", "IMAGE_DATA")]
)
async def test_the_right_answer_to_a_challenge_connects(password: str, kind: str) -> None:
    """The question shows in the status and in a listing; its answer resumes the job."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, password)
        asked = await look(mx, seconds=3)
        listed = (await mx.read("/challenges")).body["challenges"]
        resumed = await resume(mx, "correct")
        done = await look(mx, seconds=3)
        none = await mx.read("/challenges")

    assert [kind] == [row["type"] for row in listed]
    assert listed == asked["challenges"]
    assert (kind == "OPTIONS", kind == "IMAGE_DATA") == (
        bool(listed[0].get("options")),
        bool(listed[0].get("image_data")),
    )
    assert (202, "RESUMED") == (resumed.status, resumed.body["member"]["connection_status"])
    assert ("CONNECTED", []) == (done["connection_status"], done["challenges"])
    assert (204, b"") == (none.status, none.raw)


@pytest.mark.parametrize(("answer", "status"), [("blue", "REJECTED"), ("LOCKED", "LOCKED")])
async def test_a_wrong_answer_is_rejected(answer: str, status: str) -> None:
    """Anything else than the right answer is rejected, and a test word fails as it says."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "challenge")
        await look(mx, seconds=3)
        await resume(mx, answer)
        done = await look(mx, seconds=3)
        path = f"/users/{mx.user}/members/{mx.member}/resume"
        late = await mx.call("PUT", path, {"member": {"challenges": []}})

    assert status == done["connection_status"]
    assert 405 == late.status


@pytest.mark.parametrize(
    "body", [{}, {"member": {}}, {"member": {"challenges": []}}, {"member": 5}]
)
async def test_an_answer_to_no_question_is_refused(body: object) -> None:
    """A resumption without the answers that were asked for is a 400."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "challenge")
        await look(mx, seconds=3)
        path = f"/users/{mx.user}/members/{mx.member}/resume"
        reply = await mx.call("PUT", path, body)

    assert 400 == reply.status


async def test_an_unanswered_challenge_expires() -> None:
    """After its time a challenge becomes EXPIRED."""
    async with running_sandbox(options=SandboxOptions(mx_challenge_s=60)) as running:
        mx = MxCaller(running)
        await log_in(mx, "challenge")
        waiting, over = await look(mx, seconds=61), await look(mx, seconds=1)

    assert ["CHALLENGED", "EXPIRED"] == [one["connection_status"] for one in (waiting, over)]


async def test_a_job_takes_its_time() -> None:
    """The start is told at once, the success when the job has ended."""
    async with running_sandbox(options=SandboxOptions(mx_job_s=30)) as running:
        mx = MxCaller(running)
        await log_in(mx, "pass")
        await look(mx, seconds=30)
        started = await job(mx)
        running_still, done = await look(mx, seconds=29), await look(mx, seconds=1)

    assert 202 == started.status
    assert (True, clock_time(30)) == (
        started.body["member"]["is_being_aggregated"],
        started.body["member"]["aggregated_at"],
    )
    assert (True, clock_time(30)) == (
        running_still["is_being_aggregated"],
        running_still["successfully_aggregated_at"],
    )
    assert (False, clock_time(60)) == (
        done["is_being_aggregated"],
        done["successfully_aggregated_at"],
    )


async def test_aggregation_is_held_back_for_three_hours() -> None:
    """A 202 promises nothing: within three hours of a success no job begins, but at mxbank."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(seconds=3 * 3600 - 1)
        too_soon = await job(mx)
        running.clock.move(seconds=1)
        later = await job(mx)
        done = await look(mx, seconds=2)
        await mx.link("mxbank")
        test_bank = await job(mx)

    replies = (too_soon, later, test_bank)
    assert [202, 202, 202] == [reply.status for reply in replies]
    assert [False, True, True] == [reply.body["member"]["is_being_aggregated"] for reply in replies]
    assert "2026-03-18T18:30:02Z" == done["successfully_aggregated_at"]


@pytest.mark.parametrize("kind", ["check_balance", "extend_history"])
async def test_a_job_of_another_kind_is_in_the_way(kind: str) -> None:
    """While one job runs the same kind is a 202 without a new one, and another kind a 409."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(days=0.2)
        first, same, other = await job(mx, kind), await job(mx, kind), await job(mx)
        await look(mx, seconds=2)
        again = await job(mx, kind)

    assert (202, 202, 409, 202) == (first.status, same.status, other.status, again.status)
    assert first.body["member"]["aggregated_at"] == same.body["member"]["aggregated_at"]


@pytest.mark.parametrize("nights", [1, 3, 100])
async def test_well_members_are_read_each_midnight(nights: int) -> None:
    """However long nobody looks, the last success is of the last midnight."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        running.clock.move(days=nights)
        status = (await mx.read("/status")).body["member"]

    day = START.date() + timedelta(days=nights)
    assert f"{day}T00:00:02Z" == status["successfully_aggregated_at"]
    assert f"{day}T00:00:00Z" == status["aggregated_at"]


@pytest.mark.parametrize("why", ["member", "user", "denied", "switch"])
async def test_others_are_not_read_at_night(why: str) -> None:
    """Members that say so, whose user is disabled or whose login is refused stay as they are."""
    options = SandboxOptions(mx_background=why != "switch")
    async with running_sandbox(options=options) as running:
        mx = MxCaller(running)
        await log_in(mx, "pass", background_aggregation_is_disabled=why == "member")
        await look(mx, seconds=2)
        if why == "user":
            await mx.call("PUT", f"/users/{mx.user}", {"user": {"is_disabled": True}})
        if why == "denied":
            given = (await logging_in(mx, "INVALID"))["member"]["credentials"]  # type: ignore[index]
            path = f"/users/{mx.user}/members/{mx.member}"
            await mx.call("PUT", path, {"member": {"credentials": given}})
        later = await look(mx, seconds=3 * 86_400)

    assert clock_time(2) == later["successfully_aggregated_at"]


async def test_a_widget_can_say_that_nothing_is_read_at_night() -> None:
    """`disable_background_agg` stays with the member that the widget makes."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        mx.member = await running.complete(url=await mx.widget_url(disable_background_agg=True))
        later = await look(mx, seconds=3 * 86_400)
        member = (await mx.read()).body["member"]

    assert clock_time(0) == later["successfully_aggregated_at"]
    assert member["background_aggregation_is_disabled"]


async def test_a_first_aggregation_can_run_on_after_the_widget() -> None:
    """The widget may report a member whose data are still being gathered."""
    async with running_sandbox(options=SandboxOptions(mx_first_job_s=20)) as running:
        mx = MxCaller(running)
        await mx.link()
        during = await look(mx, seconds=19)
        nothing = await mx.listing("accounts")
        done = await look(mx, seconds=1)

    assert ("CREATED", True, False) == tuple(
        during[name]
        for name in ("connection_status", "is_being_aggregated", "has_processed_accounts")
    )
    assert [] == nothing
    assert ("CONNECTED", False, True) == tuple(
        done[name]
        for name in ("connection_status", "is_being_aggregated", "has_processed_accounts")
    )


async def test_a_fresh_member_may_not_be_found_for_a_moment() -> None:
    """As at MX, a member can be a 404 in its first moment."""
    async with running_sandbox(options=SandboxOptions(mx_fresh_member_s=0.5)) as running:
        mx = MxCaller(running)
        await mx.link()
        early = await mx.read()
        running.clock.move(seconds=0.5)
        late = await mx.read()

    assert (404, 200) == (early.status, late.status)


async def test_members_keep_their_jobs_over_a_restart(tmp_path: object) -> None:
    """A sandbox with the old one's state file goes on where that one was."""
    state = tmp_path / "links"  # type: ignore[operator]
    async with running_sandbox(state_file=state) as running:
        mx = MxCaller(running)
        await log_in(mx, "challenge")
        before = await look(mx, seconds=1)
        clock = running.clock
    async with running_sandbox(state_file=state, clock=clock) as again:
        mx.running = again
        during, after = await look(mx), await look(mx, seconds=1)

    assert before == during
    assert "CHALLENGED" == after["connection_status"]


async def test_credentials_are_told_by_institution_and_by_member() -> None:
    """A bank asks for a user name and a password; v20250224 finds it by its guid, too."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await log_in(mx, "pass")
        by_member = (await mx.read("/credentials")).body["credentials"]
        institution = (await mx.read()).body["member"]["institution_guid"]
        by_code, by_guid = await asked_credentials(mx), await asked_credentials(mx, institution)
        unknown = await mx.call("GET", "/institutions/nowhere/credentials")
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
        old = await mx.call("GET", f"/institutions/{institution}/credentials")

    assert ["LOGIN", "PASSWORD"] == [row["field_name"] for row in by_member]
    assert {row["field_name"]: row["guid"] for row in by_member} == by_code == by_guid
    assert (404, 404) == (unknown.status, old.status)

"""MX: data that are too old are asked for first, and waited for as long as there is time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from mx_payloads import CREDENTIAL, MEMBER_GUID, USER_GUID, account, error, member, movement, page
from scripted_vendor import (
    NOW,
    ScriptedVendor,
    accounts_request,
    answer,
    exchange_request,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.domain import ConnectionStatus
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.mx_errors import GATHERING, MEMBER_STATUSES

ASKED = f"POST /users/{USER_GUID}/members/{MEMBER_GUID}/aggregate"
LOOKED = f"GET /users/{USER_GUID}/members/{MEMBER_GUID}/status"
YESTERDAY = NOW - timedelta(hours=30)


def text(at: datetime | None) -> str | None:
    """The wire form of an instant."""
    return at and f"{at:%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Bank:
    """MX with one member, whose clock is moved by the adapter's pauses.

    `job_s` is how long an aggregation takes once it is accepted, None where MX accepts and does
    nothing; it ends with `ends_as`. `runs_s` is for how long a job runs already, `blocked_s` for
    how long another job, which began unseen, stands in the way of one.
    """

    status: str | None = "CONNECTED"
    succeeded_at: datetime | None = YESTERDAY
    started_at: datetime | None = YESTERDAY
    job_s: float | None = 4.0
    ends_as: str = "CONNECTED"
    runs_s: float = 0.0
    blocked_s: float = 0.0
    refusal: tuple[str | None, int] | None = None
    vendor: ScriptedVendor = field(init=False)
    asked_at_s: float | None = None

    def __post_init__(self) -> None:
        self.vendor = ScriptedVendor(self.respond)

    @property
    def elapsed_s(self) -> float:
        """How long the adapter has paused."""
        return sum(self.vendor.pauses)

    def shown(self) -> dict[str, object]:
        """The member by now."""
        ends_s = self.runs_s
        if self.asked_at_s is not None and self.job_s is not None:
            ends_s = self.asked_at_s + self.job_s
        blocked_s = self.blocked_s if self.count(ASKED) else 0.0
        runs = self.elapsed_s < max(ends_s, blocked_s)
        has_run = bool(ends_s) and not runs
        is_well = has_run and self.ends_as == "CONNECTED"
        return member(
            self.ends_as if has_run else self.status,
            is_being_aggregated=runs,
            aggregated_at=text(NOW if runs or has_run else self.started_at),
            successfully_aggregated_at=text(
                NOW + timedelta(seconds=ends_s) if is_well else self.succeeded_at
            ),
        )

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Answer by the path's end."""
        match request.url.path.rsplit("/", 1)[-1]:
            case "aggregate":
                if self.refusal:
                    return answer(error(*self.refusal), self.refusal[1])
                if self.elapsed_s < self.blocked_s:
                    return answer(error(None, 409), 409)
                self.asked_at_s = self.elapsed_s
                return answer(self.shown(), 202)
            case "accounts":
                return answer(page("accounts", [account()]))
            case "transactions":
                return answer(page("transactions", [movement("TRN-1")]))
            case _:
                return answer(self.shown())

    async def read(self, *, allow_stale: bool = False, **options: str) -> tuple[bool, object]:
        """A reading of accounts: whether it is stale, and of when it is."""
        result = await self.vendor.mx(**options).get_accounts(
            accounts_request(CREDENTIAL, allow_stale=allow_stale)
        )
        assert ["ACT-1"] == [one.provider_account_id for one in result.accounts]
        return result.stale, result.as_of

    def count(self, call: str) -> int:
        """How often MX was called in this way."""
        return self.vendor.paths.count(call)


async def test_old_data_are_asked_for_and_waited_for() -> None:
    """The first look comes after three seconds, the next ones later and later."""
    bank = Bank(job_s=7.0)

    stale, as_of = await bank.read()

    assert (False, NOW + timedelta(seconds=7)) == (stale, as_of)
    assert (1, [3.0, 4.5]) == (bank.count(ASKED), bank.vendor.pauses)


async def test_a_reading_of_movements_waits_as_well() -> None:
    """Its listing is whole once the data are fresh."""
    bank = Bank()

    result = await bank.vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert (False, True, 1) == (result.stale, result.listing is not None, bank.count(ASKED))


@pytest.mark.parametrize(
    ("age_h", "options", "asked"),
    [
        (23.9, {}, 0),
        (24, {}, 1),
        (5.9, {"refresh_after_hours": "6"}, 0),
        (6, {"refresh_after_hours": "6"}, 1),
        (800, {"refresh_after_hours": "8760"}, 0),
    ],
)
async def test_the_age_from_which_data_are_old_is_a_setting(
    age_h: float, options: Mapping[str, str], asked: int
) -> None:
    """Fresher data are told as they are, without asking for more."""
    at = NOW - timedelta(hours=age_h)
    bank = Bank(succeeded_at=at, started_at=at)

    stale, _ = await bank.read(**options)

    assert (False, asked) == (stale, bank.count(ASKED))


async def test_what_is_not_ready_in_time_is_told_as_stale() -> None:
    """The wait is bounded by a setting, and old data are better than none."""
    bank = Bank(job_s=60.0)

    assert (True, YESTERDAY) == await bank.read()
    assert [3.0, 4.5, 6.75] == bank.vendor.pauses
    assert (True, YESTERDAY) == await Bank(job_s=60.0).read(refresh_wait_s="0")


async def test_a_reading_that_is_not_ready_hands_no_listing_on() -> None:
    """Old data prove nothing about what is gone."""
    bank = Bank(job_s=60.0)

    result = await bank.vendor.mx().sync_transactions(transactions_request(CREDENTIAL))

    assert (True, None) == (result.stale, result.listing)


async def test_the_attempts_own_time_bounds_the_wait() -> None:
    """Two seconds of it are left for reading what there is."""
    bank = Bank(job_s=60.0)
    trace = AttemptTrace("a", time_left_s=lambda: 9.0 - bank.elapsed_s)
    token = current_attempt.set(trace)
    try:
        stale, _ = await bank.read()
    finally:
        current_attempt.reset(token)

    assert stale
    assert [3.0] == bank.vendor.pauses


async def test_an_acceptance_without_a_job_is_seen_through() -> None:
    """MX accepts and does nothing: one look shows that nothing runs, and nothing newer came."""
    bank = Bank(job_s=None)

    assert (True, YESTERDAY) == await bank.read()
    assert (1, [3.0]) == (bank.count(ASKED), bank.vendor.pauses)


@pytest.mark.parametrize(("since_h", "asked"), [(2.9, 0), (3, 1)])
async def test_mx_is_not_asked_again_within_three_hours(since_h: float, asked: int) -> None:
    """It would start nothing, so that nothing is waited for either."""
    bank = Bank(started_at=NOW - timedelta(hours=since_h), job_s=None)

    stale, _ = await bank.read()

    assert stale
    assert (asked, asked) == (bank.count(ASKED), len(bank.vendor.pauses))


async def test_a_job_that_runs_already_is_waited_for() -> None:
    """Nobody has to ask for what is under way."""
    bank = Bank(runs_s=5.0)

    stale, as_of = await bank.read()

    assert (False, NOW + timedelta(seconds=5)) == (stale, as_of)
    assert (0, [3.0, 4.5]) == (bank.count(ASKED), bank.vendor.pauses)


async def test_a_job_of_another_kind_is_waited_for_and_then_ours_begins() -> None:
    """A conflict is no failure: once the other job is over MX is asked again."""
    bank = Bank(blocked_s=2.0, job_s=4.0)

    stale, as_of = await bank.read()

    assert (False, NOW + timedelta(seconds=7)) == (stale, as_of)
    assert (2, [3.0, 4.5]) == (bank.count(ASKED), bank.vendor.pauses)


async def test_a_job_of_another_kind_without_end_leaves_the_old_data() -> None:
    """It is waited for like ours, within the same bound."""
    bank = Bank(blocked_s=600.0)

    assert (True, YESTERDAY) == await bank.read()
    assert 1 == bank.count(ASKED)


@pytest.mark.parametrize(
    "refusal", [("institution_maintenance_error", 400), (None, 405), (None, 422)]
)
async def test_a_refused_refresh_leaves_the_old_data(refusal: tuple[str | None, int]) -> None:
    """That the bank cannot be read now takes nothing away from what was stored."""
    bank = Bank(refusal=refusal)

    assert (True, YESTERDAY) == await bank.read()
    assert bank.vendor.pauses == []


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, ("auth", "client")),
        (404, ("auth", "connection")),
        (429, ("rate_limit", "client")),
        (503, ("provider_down", "provider")),
    ],
)
async def test_trouble_of_mx_itself_is_the_attempts(status: int, told: tuple[str, str]) -> None:
    """What speaks against all of MX, or says that the connection is gone, is not passed over."""
    bank = Bank(refusal=(None, status))

    failure = await failure_of(bank.read())

    assert told == verdict(failure)[:2]


@pytest.mark.parametrize("status", ["CHALLENGED", "DENIED", "LOCKED"])
async def test_a_job_that_ends_with_the_user_is_an_auth_failure(status: str) -> None:
    """The bank asks for the user during the refresh; who takes old data gets them."""
    failure = await failure_of(Bank(ends_as=status).read())
    stale, as_of = await Bank(ends_as=status).read(allow_stale=True)

    assert ("auth", "connection", status) == verdict(failure)
    assert (True, YESTERDAY) == (stale, as_of)


@pytest.mark.parametrize("status", sorted(MEMBER_STATUSES))
async def test_a_member_that_waits_for_others_is_not_asked_for(status: str) -> None:
    """Where the user has to act, or all is over, MX would start nothing."""
    bank = Bank(status=status)
    is_trouble = MEMBER_STATUSES[status].error_class == "provider_down"

    stale, _ = await bank.read(allow_stale=True)

    assert stale is not is_trouble
    assert int(is_trouble) == bank.count(ASKED)


async def test_a_failed_member_is_tried_again_once_its_data_are_old() -> None:
    """A refresh mends what only failed; while it cannot, the failure stays what it is."""
    mended = await Bank(status="FAILED").read()
    failure = await failure_of(Bank(status="FAILED", ends_as="FAILED").read())

    assert (False, NOW + timedelta(seconds=4)) == mended
    assert ("provider_down", "connection", "FAILED") == verdict(failure)


@pytest.mark.parametrize("status", sorted(GATHERING))
async def test_a_member_that_was_never_read_is_asked_for(status: str) -> None:
    """Nothing runs and nothing is there: MX is asked, and what came in time is fresh."""
    bank = Bank(status=status, succeeded_at=None, started_at=None)

    stale, as_of = await bank.read()

    assert (False, NOW + timedelta(seconds=4), 1) == (stale, as_of, bank.count(ASKED))


@pytest.mark.parametrize("status", sorted(GATHERING))
async def test_a_first_job_that_takes_longer_is_a_stale_success(status: str) -> None:
    """What there is so far is told, and no time is claimed for it."""
    bank = Bank(status=status, succeeded_at=None, runs_s=60.0)

    assert (True, None) == await bank.read()
    assert 0 == bank.count(ASKED)


async def test_a_member_without_a_login_is_old_and_left_alone() -> None:
    """MX never reads it: there is nothing to ask for."""
    bank = Bank(status=None)

    assert (True, YESTERDAY) == await bank.read()
    assert 0 == bank.count(ASKED)


async def exchanged(bank: Bank) -> ConnectionStatus:
    """The status of a connection that is made of this member."""
    request = exchange_request(MEMBER_GUID, user_guid=USER_GUID)
    return (await bank.vendor.mx().exchange_token(request)).status


@pytest.mark.parametrize(("runs_s", "looks"), [(0.0, 0), (5.0, 2), (600.0, 3)])
async def test_an_exchange_waits_a_little_for_the_first_job(runs_s: float, looks: int) -> None:
    """A member that is still being read is a connection; a refusal would show within the wait."""
    bank = Bank(status="CREATED", succeeded_at=None, runs_s=runs_s)

    assert ConnectionStatus.ACTIVE is await exchanged(bank)
    assert (0, looks) == (bank.count(ASKED), bank.count(LOOKED))


async def test_an_exchange_does_not_wait_for_a_job_of_a_well_member() -> None:
    """Once a login has worked, no later job says anything about it."""
    bank = Bank(status="CONNECTED", runs_s=60.0)

    assert ConnectionStatus.ACTIVE is await exchanged(bank)
    assert 0 == bank.count(LOOKED)


async def test_a_login_that_is_refused_during_the_exchange_starts_anew() -> None:
    """There is no connection yet that could be repaired."""
    bank = Bank(status="CREATED", succeeded_at=None, runs_s=2.0, ends_as="DENIED")

    failure = await failure_of(exchanged(bank))

    assert ("auth", "connection", "DENIED") == verdict(failure)
    assert "new link session" in str(failure.user_action)


async def test_the_time_of_success_is_utc() -> None:
    """Ages are compared on one clock."""
    _, as_of = await Bank(succeeded_at=NOW, started_at=NOW).read()

    assert isinstance(as_of, datetime)
    assert UTC == as_of.tzinfo

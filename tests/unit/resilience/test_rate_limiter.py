"""A vendor's limits, exactly and all at once."""

import pytest

from orchestrator.resilience import (
    Granted,
    Limited,
    Quota,
    QuotaScope,
    RateLimiter,
    Reach,
    ToldAllowance,
    VendorCall,
)

CLIENT, CONNECTION = QuotaScope.CLIENT, QuotaScope.CONNECTION
NOBODYS = VendorCall("e")
OF_A, OF_B, OF_C = (VendorCall("e", name) for name in ("con_a", "con_b", "con_c"))


def takes(limiter: RateLimiter, times: int, now: float, call: VendorCall = NOBODYS) -> int:
    """How many of so many calls pass."""
    answers = [limiter.try_acquire(call, now) for _ in range(times)]
    return sum(isinstance(answer, Granted) for answer in answers)


def test_without_quotas_everything_passes() -> None:
    """A vendor that publishes nothing is not limited by us."""
    limiter = RateLimiter()

    assert takes(limiter, 1000, 0.0) == 1000
    assert limiter.remaining_ratio(0.0) == 1.0
    assert repr(limiter) == "RateLimiter(open)"


def test_a_window_lets_its_calls_through_and_then_none_until_the_first_is_out() -> None:
    """Exactly `calls` in `window_s` and its slack, sliding."""
    quota = Quota(CLIENT, 3, 10.0)
    limiter = RateLimiter([quota])
    assert takes(limiter, 1, 0.0) == 1
    assert takes(limiter, 5, 4.0) == 2
    assert repr(limiter) == "RateLimiter(* 3/3)"

    answer = limiter.try_acquire(NOBODYS, 6.0)

    assert isinstance(answer, Limited)
    assert answer.quota == quota
    assert answer.retry_after_s == pytest.approx(4.2, abs=1e-5)
    assert takes(limiter, 5, 10.199) == 0
    assert takes(limiter, 5, 10.2) == 1
    assert takes(limiter, 5, 14.2) == 2


def test_who_waits_as_told_is_never_too_early() -> None:
    """The hint is over the rounding of a clock with large numbers."""
    limiter = RateLimiter([Quota(CLIENT, 1, 0.1)])
    now = 1_763_900_000.123456

    for _ in range(1000):
        assert isinstance(limiter.try_acquire(NOBODYS, now), Granted)
        limited = limiter.try_acquire(NOBODYS, now)
        assert isinstance(limited, Limited)
        now += limited.retry_after_s


def test_a_call_fits_into_all_windows_or_none_counts_it() -> None:
    """What one quota refuses burns no token of another."""
    limiter = RateLimiter([Quota(CLIENT, 10, 60.0), Quota(CONNECTION, 1, 60.0)])

    assert takes(limiter, 5, 0.0, OF_A) == 1

    assert limiter.remaining_ratio(0.0) == pytest.approx(0.9)
    assert takes(limiter, 20, 0.0) == 9


def test_the_longest_wait_is_told() -> None:
    """Coming back sooner would be in vain."""
    slow = Quota(CLIENT, 1, 100.0)
    limiter = RateLimiter([Quota(CLIENT, 1, 10.0), slow, Quota(CLIENT, 5, 1000.0)])
    takes(limiter, 1, 0.0)

    answer = limiter.check(NOBODYS, 5.0)

    assert answer is not None
    assert answer.quota == slow
    assert answer.retry_after_s == pytest.approx(97.0, abs=1e-5)


def test_connections_do_not_share_a_connection_quota() -> None:
    """Each has its own window; a call of nobody's has none."""
    limiter = RateLimiter([Quota(CONNECTION, 2, 60.0)])

    assert [takes(limiter, 9, 0.0, call) for call in (OF_A, OF_B, NOBODYS)] == [2, 2, 9]


def test_an_endpoints_quota_holds_for_that_endpoint_alone() -> None:
    """An unknown endpoint meets only the limits over all."""
    limiter = RateLimiter(
        [
            Quota(CLIENT, 2, 60.0, "/accounts/get"),
            Quota(CONNECTION, 1, 60.0, "/sync"),
            Quota(CLIENT, 6, 60.0),
        ]
    )

    assert takes(limiter, 5, 0.0, VendorCall("/accounts/get")) == 2
    assert takes(limiter, 5, 0.0, VendorCall("/sync", "con_a")) == 1
    assert takes(limiter, 5, 0.0, VendorCall(None, "con_a")) == 3


def test_checking_takes_nothing() -> None:
    """Looking does not use up what is looked at."""
    limiter = RateLimiter([Quota(CLIENT, 1, 60.0), Quota(CONNECTION, 1, 60.0)])

    for _ in range(10):
        assert limiter.check(OF_A, 0.0) is None

    assert takes(limiter, 2, 0.0, OF_A) == 1


def test_a_pause_holds_every_call_until_it_is_over() -> None:
    """A 429's Retry-After closes the whole client."""
    limiter = RateLimiter([Quota(CLIENT, 10, 60.0)])

    limiter.block(5.0, 0.0)

    answer = limiter.check(OF_A, 2.0)
    assert answer is not None
    assert answer.quota is None
    assert answer.retry_after_s == pytest.approx(3.0, abs=1e-5)
    assert limiter.remaining_ratio(2.0) == 0.0
    assert repr(limiter) == "RateLimiter(paused for 3.0 s; * 0/10)"
    assert limiter.check(NOBODYS, 5.0) is None


@pytest.mark.parametrize(
    ("reach", "name"), [(Reach.EVERYONE, None), (Reach.ENDPOINT, "e"), (Reach.CONNECTION, "con_a")]
)
def test_a_pause_is_never_made_shorter(reach: Reach, name: str | None) -> None:
    """A second 429 with a smaller hint does not undo the first."""
    limiter = RateLimiter()

    limiter.block(60.0, 0.0, reach=reach, name=name)
    limiter.block(1.0, 0.0, reach=reach, name=name)

    assert limiter.check(OF_A, 59.0) is not None
    assert limiter.check(OF_A, 60.0) is None


@pytest.mark.parametrize(("asked_s", "held_s"), [(-5.0, 0.0), (1e12, 604_800.0)])
def test_a_pause_is_cut_to_reason(asked_s: float, held_s: float) -> None:
    """Nothing negative, nothing over a week."""
    limiter = RateLimiter()

    limiter.block(asked_s, 0.0)

    assert limiter.paused_for_s(0.0) == held_s


def test_a_connections_pause_holds_that_connection_alone() -> None:
    """Others of the same client go on."""
    limiter = RateLimiter()

    limiter.block(60.0, 0.0, reach=Reach.CONNECTION, name="con_a")

    answer = limiter.check(OF_A, 10.0)
    assert answer is not None
    assert answer.retry_after_s == pytest.approx(50.0, abs=1e-5)
    assert limiter.check(OF_B, 10.0) is None
    assert limiter.check(NOBODYS, 10.0) is None
    assert limiter.remaining_ratio(10.0) == 1.0


def test_disabled_local_limits_leave_the_vendors_pauses() -> None:
    """`enabled = false` does not make us deaf."""
    limiter = RateLimiter([Quota(CLIENT, 1, 60.0)], enabled=False)
    assert takes(limiter, 100, 0.0) == 100

    limiter.block(5.0, 0.0)

    assert takes(limiter, 100, 1.0) == 0
    assert takes(limiter, 100, 5.0) == 100


def test_remaining_is_what_is_left_of_the_fullest_client_window() -> None:
    """Connections' windows are not the client's."""
    limiter = RateLimiter(
        [Quota(CLIENT, 10, 60.0), Quota(CLIENT, 4, 60.0, "e"), Quota(CONNECTION, 2, 60.0)]
    )

    takes(limiter, 1, 0.0, OF_A)

    assert limiter.remaining_ratio(0.0) == 0.75
    assert limiter.remaining_ratio(61.2) == 1.0


def test_throttled_calls_are_counted_for_a_day() -> None:
    """To within a minute."""
    limiter = RateLimiter()
    for at in (0.0, 0.0, 30.0, 3600.0):
        limiter.note_throttled(at)

    assert limiter.snapshot(3600.0).throttled_24h == 4
    assert limiter.snapshot(86_400.0).throttled_24h == 1
    assert limiter.snapshot(90_000.0).throttled_24h == 0


def test_idle_connections_leave_no_window_behind() -> None:
    """Memory follows the connections in use."""
    limiter = RateLimiter([Quota(CONNECTION, 2, 60.0)])
    for number in range(100):
        takes(limiter, 1, number / 100, VendorCall("e", f"con_{number}"))
    takes(limiter, 1, 30.0, VendorCall("e", "con_0"))
    assert limiter.snapshot(30.0).connection_windows == 100

    limiter.observe(62.2)

    assert limiter.snapshot(62.2).connection_windows == 1
    assert takes(limiter, 2, 62.2, VendorCall("e", "con_0")) == 1


def test_at_the_bound_new_connections_wait_for_a_window_to_empty() -> None:
    """A live window is never given up, as that would break the vendor's limit."""
    limiter = RateLimiter([Quota(CONNECTION, 5, 60.0)], max_connections=2)
    takes(limiter, 1, 0.0, OF_A)
    takes(limiter, 1, 10.0, OF_B)

    answer = limiter.try_acquire(OF_C, 20.0)

    assert isinstance(answer, Limited)
    assert answer.retry_after_s == pytest.approx(41.2, abs=1e-5)
    assert takes(limiter, 1, 20.0, OF_A) == 1
    assert takes(limiter, 1, 71.2, OF_C) == 1


def test_pauses_of_connections_are_bounded() -> None:
    """Ended ones go first, then the one begun longest ago."""
    limiter = RateLimiter(max_connections=2)
    limiter.block(60.0, 0.0, reach=Reach.CONNECTION, name="con_a")
    limiter.block(1.0, 0.0, reach=Reach.CONNECTION, name="con_b")

    def paused(now: float) -> str:
        names = ("con_a", "con_b", "con_c", "con_d")
        return " ".join(
            name for name in names if limiter.check(VendorCall("e", name), now) is not None
        )

    assert paused(0.5) == "con_a con_b"
    limiter.block(60.0, 5.0, reach=Reach.CONNECTION, name="con_c")
    assert paused(5.0) == "con_a con_c"
    limiter.block(60.0, 5.0, reach=Reach.CONNECTION, name="con_d")
    assert paused(5.0) == "con_c con_d"


def test_the_bound_must_leave_room_for_one() -> None:
    """A limiter without room is a programming error."""
    with pytest.raises(ValueError, match="max_connections"):
        RateLimiter(max_connections=0)


def test_time_never_goes_back() -> None:
    """An earlier `now` is taken as the last one seen."""
    limiter = RateLimiter([Quota(CLIENT, 1, 10.0)])
    takes(limiter, 1, 100.0)

    answer = limiter.check(NOBODYS, 50.0)

    assert answer is not None
    assert answer.retry_after_s == pytest.approx(10.2, abs=1e-5)


def test_a_snapshot_names_the_endpoints_that_wait_longer() -> None:
    """The general wait, and the longer ones by endpoint."""
    limiter = RateLimiter(
        [
            Quota(CLIENT, 2, 10.0),
            Quota(CLIENT, 1, 60.0, "slow"),
            Quota(CLIENT, 9, 60.0, "fast"),
        ]
    )
    takes(limiter, 1, 0.0, VendorCall("slow"))
    takes(limiter, 1, 0.0, VendorCall("fast"))

    snapshot = limiter.snapshot(0.0)

    assert snapshot.retry_after_s == pytest.approx(10.2, abs=1e-5)
    assert dict(snapshot.endpoint_waits_s) == pytest.approx({"slow": 61.2}, abs=1e-5)
    assert snapshot.remaining_ratio == 0.0
    assert snapshot.paused_for_s == 0.0


@pytest.mark.parametrize(
    ("quotas", "reach", "reach_s"),
    [
        ([Quota(CONNECTION, 1, 60.0)], Reach.CONNECTION, 61.2),
        ([Quota(CONNECTION, 1, 60.0), Quota(CLIENT, 1, 5.0, "e")], Reach.ENDPOINT, 5.1),
        ([Quota(CLIENT, 1, 5.0, "e"), Quota(CLIENT, 1, 2.0)], Reach.EVERYONE, 2.04),
        ([Quota(CLIENT, 1, 2.0), Quota(CLIENT, 1, 5.0)], Reach.EVERYONE, 5.1),
        ([Quota(CLIENT, 1, 5.0), Quota(CONNECTION, 1, 60.0)], Reach.EVERYONE, 5.1),
    ],
)
def test_a_refusal_tells_whom_the_widest_limit_in_the_way_holds(
    quotas: list[Quota], reach: Reach, reach_s: float
) -> None:
    """Others who meet the same limit need not be tried; who meets a narrower one alone must be."""
    limiter = RateLimiter(quotas)
    takes(limiter, 1, 0.0, OF_A)

    answer = limiter.check(OF_A, 0.0)

    assert answer is not None
    assert reach is answer.reach
    assert answer.reach_s == pytest.approx(reach_s, abs=1e-5)


@pytest.mark.parametrize(
    ("reach", "name", "held"),
    [
        (Reach.EVERYONE, None, [True, True, True]),
        (Reach.ENDPOINT, "e", [True, True, False]),
        (Reach.INSTITUTION, "ins_a", [True, False, True]),
        (Reach.CONNECTION, "con_a", [True, False, False]),
    ],
)
def test_a_pause_holds_whom_it_concerns(reach: Reach, name: str | None, held: list[bool]) -> None:
    """The client, one endpoint, one bank or one connection, and nobody else."""
    limiter = RateLimiter()
    calls = [
        VendorCall("e", "con_a", "ins_a"),
        VendorCall("e", "con_b", "ins_b"),
        VendorCall("f", "con_c", "ins_a"),
    ]

    limiter.block(10.0, 0.0, reach=reach, name=name)

    answers = [limiter.check(call, 5.0) for call in calls]
    assert held == [answer is not None for answer in answers]
    assert {reach} == {answer.reach for answer in answers if answer is not None}
    assert [None] * 3 == [limiter.check(call, 10.0) for call in calls]


def test_a_told_end_of_the_quota_pauses_that_endpoint_until_it_resets() -> None:
    """`remaining: 0` is believed; other endpoints go on."""
    limiter = RateLimiter()

    limiter.told(OF_A, ToldAllowance(0, 30.0), 0.0)

    answer = limiter.check(OF_B, 10.0)
    assert answer is not None
    assert (Reach.ENDPOINT, None) == (answer.reach, answer.quota)
    assert answer.retry_after_s == pytest.approx(20.0, abs=1e-5)
    assert limiter.check(VendorCall("f", "con_a"), 10.0) is None
    assert limiter.check(OF_A, 30.0) is None


def test_a_told_rest_of_the_quota_is_used_up_and_no_more() -> None:
    """Another user of our keys may have taken the rest; answers that overtake each other add none."""
    limiter = RateLimiter([Quota(CLIENT, 100, 60.0)])

    limiter.told(NOBODYS, ToldAllowance(2, 30.0), 0.0)
    assert 1 == takes(limiter, 1, 0.0)
    limiter.told(NOBODYS, ToldAllowance(5, 30.0), 1.0)

    assert 1 == takes(limiter, 9, 2.0)
    assert 9 == takes(limiter, 9, 31.0)


def test_a_newly_told_period_counts_anew() -> None:
    """Once the old one has reset, the vendor's new number holds."""
    limiter = RateLimiter()
    limiter.told(NOBODYS, ToldAllowance(0, 10.0), 0.0)

    limiter.told(NOBODYS, ToldAllowance(3, 10.0), 10.0)

    assert 3 == takes(limiter, 9, 10.0)


def test_what_is_told_is_the_connections_where_only_connections_are_limited() -> None:
    """A user's own quota, as at an exchange, must not stop all others."""
    limiter = RateLimiter([Quota(CONNECTION, 100, 60.0)])

    limiter.told(OF_A, ToldAllowance(0, 30.0), 0.0)

    answer = limiter.check(OF_A, 0.0)
    assert answer is not None
    assert Reach.CONNECTION is answer.reach
    assert limiter.check(OF_B, 0.0) is None
    assert limiter.check(NOBODYS, 0.0) is None


def test_a_negative_reset_is_over_at_once() -> None:
    """A vendor whose clock is ahead of ours pauses nobody."""
    limiter = RateLimiter()

    limiter.told(NOBODYS, ToldAllowance(0, -5.0), 0.0)

    assert limiter.check(NOBODYS, 0.0) is None

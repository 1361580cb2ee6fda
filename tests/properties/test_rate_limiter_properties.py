"""A limiter against brute force over everything it ever let through."""

import bisect
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

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

ENDPOINTS = (None, "accounts", "sync")
CONNECTIONS = (None, "con_a", "con_b")

quotas = st.lists(
    st.builds(
        Quota,
        scope=st.sampled_from(QuotaScope),
        calls=st.integers(1, 4),
        window_s=st.sampled_from([0.5, 1.0, 4.0, 60.0]),
        endpoint=st.sampled_from(ENDPOINTS),
    ),
    max_size=4,
)
Call = tuple[float, str | None, str | None]


def counts(quota: Quota, call: Call, endpoint: str | None, connection_id: str | None) -> bool:
    """Whether a call sent earlier and one asked for now share this quota's window."""
    _, its_endpoint, its_connection = call
    if quota.endpoint is not None and not quota.endpoint == its_endpoint == endpoint:
        return False
    if quota.scope is QuotaScope.CLIENT:
        return True
    return connection_id is not None and its_connection == connection_id


def fits(
    held: Sequence[Quota], sent: Sequence[Call], endpoint: str | None, whose: str | None, now: float
) -> bool:
    """Whether every quota has room, counting all that was ever sent."""
    return all(
        sum(
            counts(quota, call, endpoint, whose) and now - call[0] < quota.counted_s
            for call in sent
        )
        < quota.calls
        for quota in held
    )


class LimiterMachine(RuleBasedStateMachine):
    """Callers of several connections and endpoints, vendors that ask for pauses."""

    @initialize(held=quotas)
    def start(self, held: list[Quota]) -> None:
        """Begin empty."""
        self.held = held
        self.limiter = RateLimiter(held)
        self.now = 0.0
        self.sent: list[Call] = []
        self.paused_until: dict[str | None, float] = {}
        self.told: dict[str | None, tuple[int, float]] = {}

    @rule(seconds=st.sampled_from([0.0, 0.125, 0.5, 3.5, 60.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; sums of these are exact."""
        self.now += seconds

    @rule(
        endpoint=st.sampled_from(ENDPOINTS),
        whose=st.sampled_from(CONNECTIONS),
        times=st.integers(1, 3),
    )
    def ask(self, endpoint: str | None, whose: str | None, times: int) -> None:
        """A call passes exactly when brute force says that it may."""
        for _ in range(times):
            call = VendorCall(endpoint, whose)
            paused = any(self.paused_until.get(name, self.now) > self.now for name in {None, whose})
            left, until = self.told.get(endpoint, (1, self.now))
            held = paused or (left < 1 and self.now < until)
            expected = not held and fits(self.held, self.sent, endpoint, whose, self.now)

            assert expected == (self.limiter.check(call, self.now) is None)
            answer = self.limiter.try_acquire(call, self.now)

            assert expected == isinstance(answer, Granted)
            if isinstance(answer, Granted):
                self.sent.append((self.now, endpoint, whose))
                self.told[endpoint] = (left - 1, until)
            else:
                assert 0.0 < answer.reach_s <= answer.retry_after_s

    @rule(
        endpoint=st.sampled_from(ENDPOINTS),
        left=st.integers(0, 3),
        reset_s=st.sampled_from([0.5, 4.0]),
    )
    def tell(self, endpoint: str | None, left: int, reset_s: float) -> None:
        """The vendor says beside an answer what is left of its own limit."""
        shared = any(
            quota.scope is QuotaScope.CLIENT and quota.endpoint in (None, endpoint)
            for quota in self.held
        )
        if not shared and any(quota.endpoint in (None, endpoint) for quota in self.held):
            return  # then it is the connection's, which other tests look at
        self.limiter.told(VendorCall(endpoint), ToldAllowance(left, reset_s), self.now)
        known, until = self.told.get(endpoint, (left, self.now))
        least = min(left, known) if self.now < until else left
        self.told[endpoint] = (least, self.now + reset_s)

    @rule(endpoint=st.sampled_from(ENDPOINTS), whose=st.sampled_from(CONNECTIONS))
    def wait_as_told(self, endpoint: str | None, whose: str | None) -> None:
        """Who waits as told, alone, gets through at the first try."""
        call = VendorCall(endpoint, whose)
        answer = self.limiter.check(call, self.now)
        if answer is None:
            return
        # Up to the next exact instant, so that later sums stay exact.
        self.now += -(-answer.retry_after_s // 0.125) * 0.125

        assert self.limiter.check(call, self.now) is None

    @rule(seconds=st.sampled_from([0.5, 5.0]), whose=st.sampled_from(CONNECTIONS))
    def pause(self, seconds: float, whose: str | None) -> None:
        """The vendor answers 429."""
        reach = Reach.EVERYONE if whose is None else Reach.CONNECTION
        self.limiter.block(seconds, self.now, reach=reach, name=whose)
        until = max(self.paused_until.get(whose, 0.0), self.now + seconds)
        self.paused_until[whose] = until

    @rule()
    def look(self) -> None:
        """A snapshot says how full the fullest client window is, and changes nothing."""
        self.limiter.observe(self.now)
        snapshot = self.limiter.snapshot(self.now)
        left = [
            1
            - sum(
                quota.endpoint in (None, call[1]) and self.now - call[0] < quota.counted_s
                for call in self.sent
            )
            / quota.calls
            for quota in self.held
            if quota.scope is QuotaScope.CLIENT
        ]
        paused = self.paused_until.get(None, 0.0) > self.now
        assert (0.0 if paused else min(left, default=1.0)) == snapshot.remaining_ratio

    def teardown(self) -> None:
        """It never deadlocks: after the longest window everything passes again."""
        if not hasattr(self, "limiter"):
            return
        self.now += 61.25
        for whose in CONNECTIONS:
            assert self.limiter.check(VendorCall("sync", whose), self.now) is None


TestLimiter = LimiterMachine.TestCase
TestLimiter.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
)


def saturated(quotas: Sequence[Quota], started_at: float, seconds: float) -> list[float]:
    """When a caller that always waits as told sends its calls."""
    limiter = RateLimiter(quotas)
    now, sent = started_at, []
    while now < started_at + seconds:
        answer = limiter.try_acquire(VendorCall("e"), now)
        if isinstance(answer, Limited):
            now += answer.retry_after_s
        else:
            sent.append(now)
    return sent


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    calls=st.integers(1, 50),
    window_s=st.sampled_from([0.1, 0.5, 1.0, 10.0, 60.0, 3600.0]),
    start=st.floats(0.0, 2e9),
    windows=st.integers(20, 25),
)
def test_saturation_uses_nearly_the_whole_limit(
    calls: int, window_s: float, start: float, windows: int
) -> None:
    """A caller that always waits as told gets at least 95 % of what is allowed, on any clock."""
    quota = Quota(QuotaScope.CLIENT, calls, window_s)

    sent = saturated([quota], start, windows * window_s)

    assert len(sent) >= 0.95 * calls * windows


def most_in_any_window(arrivals: Sequence[float], window_s: float) -> int:
    """The most that a vendor counts which looks back from every arrival."""
    ordered = sorted(arrivals)
    return max(
        number + 1 - bisect.bisect_right(ordered, at - window_s)
        for number, at in enumerate(ordered)
    )


def most_in_fixed_windows(arrivals: Sequence[float], window_s: float, phase_s: float) -> int:
    """The most that a vendor counts which begins anew each so many seconds."""
    counted: dict[float, int] = {}
    for at in arrivals:
        window = (at - phase_s) // window_s
        counted[window] = counted.get(window, 0) + 1
    return max(counted.values())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    quotas=st.lists(
        st.builds(
            Quota,
            scope=st.just(QuotaScope.CLIENT),
            calls=st.integers(1, 60),
            window_s=st.sampled_from([0.5, 1.0, 10.0, 60.0]),
        ),
        min_size=1,
        max_size=3,
    ),
    base_s=st.floats(0.0, 2.0),
    phase_ratio=st.floats(0.0, 1.0),
    jitter=st.randoms(use_true_random=False),
)
def test_a_vendor_that_counts_arrivals_never_counts_too_many(
    quotas: list[Quota], base_s: float, phase_ratio: float, jitter: random.Random
) -> None:
    """No 429, whether its windows slide or are fixed, while ways there differ by less than the slack."""
    sent = saturated(quotas, 1000.0, 4 * max(quota.window_s for quota in quotas))
    slack_s = min(quota.counted_s - quota.window_s for quota in quotas)

    arrivals = [at + base_s + slack_s * jitter.random() for at in sent]

    for quota in quotas:
        assert most_in_any_window(arrivals, quota.window_s - 1e-9) <= quota.calls
        phase_s = phase_ratio * quota.window_s
        assert most_in_fixed_windows(arrivals, quota.window_s, phase_s) <= quota.calls


@settings(max_examples=30, deadline=None, derandomize=True)
@given(true_calls=st.integers(20, 80), hint_s=st.sampled_from([None, 5.0, 30.0]))
def test_a_limit_below_the_published_one_is_learned(true_calls: int, hint_s: float | None) -> None:
    """Saturated for two hours, a vendor that takes fewer says no ever less often, and most is used."""
    limiter = RateLimiter([Quota(QuotaScope.CLIENT, 100, 60.0)])
    call, now = VendorCall("e"), 0.0
    taken: list[float] = []
    refused: list[float] = []
    while now < 7200.0:
        answer = limiter.try_acquire(call, now)
        if isinstance(answer, Limited):
            now += answer.retry_after_s
        elif len(taken) - bisect.bisect_right(taken, now - 60.0) < true_calls:
            taken.append(now)
        else:
            refused.append(now)
            limiter.learn(call, Reach.EVERYONE, now)
            limiter.block(hint_s or 1.0, now)
    late = [at for at in refused if at > 3600.0]

    assert len(refused) <= 14
    assert len(late) <= 5
    assert len(taken) >= 0.6 * true_calls * 120

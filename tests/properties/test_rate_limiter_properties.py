"""A limiter against brute force over everything it ever let through."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from orchestrator.resilience import Granted, Limited, Quota, QuotaScope, RateLimiter

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
            counts(quota, call, endpoint, whose) and now - call[0] < quota.window_s for call in sent
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
            paused = any(self.paused_until.get(name, self.now) > self.now for name in {None, whose})
            expected = not paused and fits(self.held, self.sent, endpoint, whose, self.now)

            assert expected == (self.limiter.check(endpoint, whose, self.now) is None)
            answer = self.limiter.try_acquire(endpoint, whose, self.now)

            assert expected == isinstance(answer, Granted)
            if isinstance(answer, Granted):
                self.sent.append((self.now, endpoint, whose))
            else:
                assert answer.retry_after_s > 0.0

    @rule(endpoint=st.sampled_from(ENDPOINTS), whose=st.sampled_from(CONNECTIONS))
    def wait_as_told(self, endpoint: str | None, whose: str | None) -> None:
        """Who waits as told, alone, gets through at the first try."""
        answer = self.limiter.check(endpoint, whose, self.now)
        if answer is None:
            return
        # Up to the next exact instant, so that later sums stay exact.
        self.now += -(-answer.retry_after_s // 0.125) * 0.125

        assert self.limiter.check(endpoint, whose, self.now) is None

    @rule(seconds=st.sampled_from([0.5, 5.0]), whose=st.sampled_from(CONNECTIONS))
    def pause(self, seconds: float, whose: str | None) -> None:
        """The vendor answers 429."""
        self.limiter.block(seconds, self.now, connection_id=whose)
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
                quota.endpoint in (None, call[1]) and self.now - call[0] < quota.window_s
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
        self.now += 60.0
        for whose in CONNECTIONS:
            assert self.limiter.check("sync", whose, self.now) is None


TestLimiter = LimiterMachine.TestCase
TestLimiter.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    calls=st.integers(1, 50),
    window_s=st.floats(0.1, 60.0),
    start=st.floats(0.0, 2e9),
    windows=st.integers(1, 6),
)
def test_saturation_uses_the_whole_quota_and_no_more(
    calls: int, window_s: float, start: float, windows: int
) -> None:
    """A caller that always waits as told gets at least 95 % of what is allowed, on any clock."""
    limiter = RateLimiter([Quota(QuotaScope.CLIENT, calls, window_s)])
    now, sent = start, []
    while now < start + windows * window_s:
        answer = limiter.try_acquire("e", None, now)
        if isinstance(answer, Limited):
            now += answer.retry_after_s
        else:
            sent.append(now)

    assert all(late - early >= window_s for early, late in zip(sent, sent[calls:], strict=False))
    assert len(sent) >= 0.95 * calls * windows

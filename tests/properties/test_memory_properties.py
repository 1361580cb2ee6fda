"""A restart never lets through more than going on would have."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain import ErrorClass, ErrorScope, Failure, Lane, Operation
from orchestrator.resilience import (
    BoardMemory,
    BreakerOptions,
    CircuitBoard,
    CircuitPermit,
    Control,
    Granted,
    LimiterMemory,
    Quota,
    QuotaScope,
    RateLimiter,
    Reach,
    SentSince,
    VendorCall,
    limiter_memory,
    restore_limiter,
)

ENDPOINTS = (None, "accounts", "sync")
CONNECTIONS = (None, "con_a", "con_b", "con_c")
INSTITUTIONS = (None, "ins_a", "ins_b")
OPERATIONS = (Operation.GET_ACCOUNTS, Operation.SYNC_TRANSACTIONS)
OPTIONS = BreakerOptions(
    failure_threshold=3, success_threshold=2, timeout_s=8.0, max_timeout_s=40.0, permit_lease_s=60.0
)
CLOSE = 1e-6

quotas = st.lists(
    st.builds(
        Quota,
        scope=st.sampled_from(QuotaScope),
        calls=st.integers(1, 12),
        window_s=st.sampled_from([1.0, 4.0, 60.0]),
        endpoint=st.sampled_from(ENDPOINTS),
    ),
    max_size=4,
    unique_by=lambda quota: (quota.scope, quota.window_s, quota.endpoint),
)
calls = st.builds(
    VendorCall,
    endpoint=st.sampled_from(ENDPOINTS),
    connection_id=st.sampled_from(CONNECTIONS),
    lane=st.sampled_from(Lane),
)
story = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.0, 7.0]), calls), max_size=60)
Sent = tuple[float, VendorCall]


def send(limiter: RateLimiter, story_: Sequence[Sent], started_at: float) -> list[Sent]:
    """What gets through of calls that come so many seconds after each other, and when."""
    now, sent = started_at, []
    for wait_s, call in story_:
        now += wait_s
        if isinstance(limiter.try_acquire(call, now), Granted):
            sent.append((now, call))
    return sent


def keeps(quota: Quota, sent: Sequence[Sent]) -> bool:
    """Whether no window of a quota held more than it may."""
    groups: dict[str | None, list[float]] = {}
    for at, call in sent:
        if quota.endpoint not in (None, call.endpoint):
            continue
        if quota.scope is QuotaScope.CLIENT:
            groups.setdefault(None, []).append(at)
        elif call.connection_id is not None:
            groups.setdefault(call.connection_id, []).append(at)
    return all(
        late - early >= quota.counted_s - CLOSE
        for times in groups.values()
        for early, late in zip(times, times[quota.calls :], strict=False)
    )


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    held=quotas,
    stories=st.tuples(story, story, story),
    down_s=st.sampled_from([0.0, 0.5, 5.0, 61.0]),
    known=st.sampled_from(["nothing", "number", "connections"]),
)
def test_a_vendor_sees_no_more_than_its_limits_across_a_death(
    held: list[Quota],
    stories: tuple[list[Sent], list[Sent], list[Sent]],
    down_s: float,
    known: str,
) -> None:
    """Whatever was sent between the last writing and the death, and whatever is known of that."""
    before, unseen, after = stories
    limiter = RateLimiter(held)
    sent = send(limiter, before, 0.0)
    written_at = sum(wait_s for wait_s, _ in before)
    memory = json.loads(json.dumps(limiter_memory(limiter, written_at)))
    unwritten = send(limiter, unseen, written_at)
    reborn_at = written_at + sum(wait_s for wait_s, _ in unseen) + down_s
    fresh = RateLimiter(held)
    since: dict[str, SentSince] = {
        "nothing": None,
        "number": len(unwritten),
        "connections": Counter(call.connection_id for _, call in unwritten),
    }
    shift = 5000.0  # another process, another clock

    restore_limiter(
        fresh,
        cast(LimiterMemory, memory),
        reborn_at + shift,
        reborn_at - written_at,
        sent_since=since[known],
    )
    sent += unwritten
    sent += [(at - shift, call) for at, call in send(fresh, after, reborn_at + shift)]

    for quota in held:
        assert keeps(quota, sent)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    held=quotas,
    pauses=st.lists(
        st.tuples(
            st.sampled_from([Reach.EVERYONE, Reach.ENDPOINT, Reach.CONNECTION]),
            st.sampled_from(["accounts", "con_a"]),
            st.floats(0.0, 100.0),
        ),
        max_size=4,
    ),
    before=story,
    down_s=st.sampled_from([0.0, 5.0, 61.0]),
    asked=st.lists(st.tuples(st.sampled_from([0.0, 10.0, 60.0, 300.0]), calls), max_size=20),
)
def test_what_holds_a_call_back_goes_on_holding_it(
    held: list[Quota],
    pauses: list[tuple[Reach, str, float]],
    before: list[Sent],
    down_s: float,
    asked: list[Sent],
) -> None:
    """Pauses, lessons and windows: what the other would have refused is refused."""
    limiter = RateLimiter(held)
    send(limiter, before, 0.0)
    now = sum(wait_s for wait_s, _ in before)
    for _, call in before[-1:]:
        limiter.learn(call, Reach.EVERYONE, now)
    for reach, name, pause_s in pauses:
        limiter.block(pause_s, now, reach=reach, name=name)
    memory = json.loads(json.dumps(limiter_memory(limiter, now)))
    fresh = RateLimiter(held)

    restore_limiter(fresh, cast(LimiterMemory, memory), now + down_s, down_s, sent_since=0)

    now += down_s
    for wait_s, call in asked:
        now += wait_s + 3 * CLOSE
        if fresh.check(call, now) is None:
            assert limiter.check(call, now) is None


def failures() -> st.SearchStrategy[Failure]:
    """Any class with any scope."""
    return st.builds(
        Failure,
        error_class=st.sampled_from(ErrorClass),
        scope=st.sampled_from(ErrorScope),
        code=st.just("CODE"),
        message=st.just("made for a test"),
    )


attempts = st.tuples(
    st.sampled_from([0.0, 1.0, 8.0, 20.0]),
    st.sampled_from(OPERATIONS),
    st.sampled_from(INSTITUTIONS),
    st.none() | failures(),
)
Attempt = tuple[float, Operation, str | None, Failure | None]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    before=st.lists(attempts, max_size=40),
    control=st.none() | st.sampled_from(Control),
    down_s=st.sampled_from([0.0, 3.0, 9.0, 100.0]),
    after=st.lists(attempts, max_size=40),
)
def test_a_restored_board_admits_nothing_that_the_other_would_not(
    before: list[Attempt], control: Control | None, down_s: float, after: list[Attempt]
) -> None:
    """Both go on with the same calls and results; the restored one is never the laxer."""
    board, now = CircuitBoard(OPTIONS), 0.0
    for wait_s, operation, institution_id, outcome in before:
        now += wait_s
        permit = board.admit(operation, institution_id, now)
        if isinstance(permit, CircuitPermit):
            board.record(permit, outcome, now)
    if control is not None:
        board.force(control, now, "drill")
    memory = json.loads(json.dumps(board.memory(now)))
    fresh = CircuitBoard(OPTIONS)
    now += down_s

    fresh.restore(cast(BoardMemory, memory), now, down_s)

    for wait_s, operation, institution_id, outcome in after:
        now += wait_s
        permit, other = (each.admit(operation, institution_id, now) for each in (fresh, board))
        assert isinstance(other, CircuitPermit) or not isinstance(permit, CircuitPermit)
        if not isinstance(permit, CircuitPermit):
            break  # from here on they see different calls
        assert isinstance(other, CircuitPermit)
        fresh.record(permit, outcome, now)
        board.record(other, outcome, now)

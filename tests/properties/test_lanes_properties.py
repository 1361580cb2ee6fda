"""Fairness as a bound, and backfill beside people as a simulation."""

import heapq
import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain import Lane, Operation
from orchestrator.resilience import (
    AdmitRequest,
    Bulkheads,
    CircuitBoard,
    GuardPermit,
    Lanes,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    Ticket,
)
from orchestrator.resilience.fair_queue import FairQueue, Queued

PEOPLE, BULK = Lane.INTERACTIVE, Lane.BACKFILL


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    weights=st.fixed_dictionaries(
        {flow: st.sampled_from([0.5, 1.0, 2.0, 3.0]) for flow in ("a", "b", "c")}
    ),
    served=st.integers(1, 80),
    gone=st.sets(st.integers(0, 300)),
)
def test_flows_that_always_want_more_are_never_further_apart_than_a_turn_each(
    weights: dict[str, float], served: int, gone: set[int]
) -> None:
    """The bound of start-time fair queueing, whoever leaves the queue unserved."""
    queue = FairQueue[str](weights)
    for rank in range(300):
        queue.add(Queued(rank, "abc"[rank % 3], "d"))
    turns: Counter[str] = Counter()
    for rank in range(served):
        if rank in gone and rank in queue:
            queue.discard(rank)
        place = queue.first(lambda _: False)
        assert place is not None
        queue.serve(place.rank)
        turns[place.flow] += 1

    for one, other in combinations("abc", 2):
        apart = abs(turns[one] / weights[one] - turns[other] / weights[other])
        assert apart <= 1 / weights[one] + 1 / weights[other] + 1e-9


class Simulation:
    """People who come at random and bulk jobs that always want more, before one guard."""

    def __init__(self, quotas: list[Quota], seed: int) -> None:
        self.guard = ProviderGuard(
            "plaid",
            CircuitBoard(),
            RateLimiter(quotas),
            bulkheads=Bulkheads(10_000, most_per_institution=10_000),
            lanes=Lanes(1000),
        )
        self.rng = random.Random(seed)
        self.sent: dict[Lane, list[float]] = {PEOPLE: [], BULK: []}
        self.waits_s: list[float] = []
        self.came: dict[int, tuple[Lane, float]] = {}
        self.bulk_waiting = 0

    def ask(self, lane: Lane, now: float) -> None:
        """One caller of a lane."""
        request = AdmitRequest(Operation.GET_ACCOUNTS, lane=lane, endpoint="e", space="s")
        answer = self.guard.admit(request, now, wait_s=600.0)
        if isinstance(answer, GuardPermit):
            self.pass_on(lane, answer, now, now)
        elif isinstance(answer, Ticket):
            self.came[answer.id] = lane, now
            self.bulk_waiting += lane is BULK

    def pass_on(self, lane: Lane, permit: GuardPermit, came: float, now: float) -> None:
        """It is sent, and answered at once."""
        self.sent[lane].append(now)
        if lane is PEOPLE:
            self.waits_s.append(now - came)
        self.guard.record(permit, None, now)

    def serve(self, now: float) -> None:
        """What the shell does."""
        for served in self.guard.serve(now).served:
            lane, came = self.came.pop(served.ticket)
            self.bulk_waiting -= lane is BULK
            assert isinstance(served.answer, GuardPermit)
            self.pass_on(lane, served.answer, came, now)

    def run(self, arrivals: list[float], until: float) -> None:
        """Twenty bulk jobs always wait; people come when they come."""
        events = list(arrivals)
        heapq.heapify(events)
        now = 0.0
        while now < until:
            while self.bulk_waiting < 20:
                before = len(self.sent[BULK])
                self.ask(BULK, now)
                if len(self.sent[BULK]) == before and not self.bulk_waiting:
                    break
            due_s = self.guard.due_in_s(now)
            due = until if due_s is None else now + max(due_s, 1e-6)
            if events and events[0] <= due:
                now = heapq.heappop(events)
                self.serve(now)
                self.ask(PEOPLE, now)
            else:
                now = due
                self.serve(now)


def poisson(rng: random.Random, per_s: float, until: float) -> list[float]:
    """Arrivals of a crowd."""
    times, now = [], 0.0
    while per_s and now < until:
        now += rng.expovariate(per_s)
        times.append(now)
    return times


@pytest.mark.parametrize(
    ("share", "steady"),
    # A crowd's own unevenness is more than a tenth of what it leaves beyond a half.
    [(0.0, True), (0.2, True), (0.5, True), (0.8, True), (0.03, False), (0.2, False), (0.5, False)],
)
def test_backfill_takes_what_people_leave_and_never_delays_them(share: float, steady: bool) -> None:
    """People find room at once, and at least nine tenths of what they leave is used."""
    calls, window_s, windows = 3000, 60.0, 8
    counted_s = 1.02 * window_s
    simulation = Simulation([Quota(QuotaScope.CLIENT, calls, window_s)], seed=1)
    per_s, until = share * calls / window_s, windows * window_s
    arrivals = poisson(simulation.rng, per_s, until)
    if steady:
        arrivals = [number / per_s for number in range(int(until * per_s))] if per_s else []

    simulation.run(arrivals, until)

    # The first two windows, as it counts them, are where it learns how much people want.
    learned = 2 * counted_s
    late = [at for at in arrivals if at >= learned]
    waits_s = simulation.waits_s[len(arrivals) - len(late) :]
    people = sum(at >= learned for at in simulation.sent[PEOPLE])
    bulk = sum(at >= learned for at in simulation.sent[BULK])
    left = calls * (until - learned) / counted_s - people
    assert sum(wait_s > 0.0 for wait_s in waits_s) <= 0.001 * len(late)
    assert bulk >= 0.9 * left


def test_people_who_come_all_at_once_wait_for_no_bulk_job() -> None:
    """Beyond what is kept free they wait for the window, and go before everything else."""
    simulation = Simulation([Quota(QuotaScope.CLIENT, 600, 60.0)], seed=1)

    simulation.run([130.0] * 400, 300.0)

    assert 30 == sum(wait_s == 0.0 for wait_s in simulation.waits_s)
    assert max(simulation.waits_s) < 61.2
    first_wait, last_wait = 130.0, 130.0 + max(simulation.waits_s)
    assert not [at for at in simulation.sent[BULK] if first_wait < at < last_wait]


def test_many_windows_are_kept_at_once() -> None:
    """People find room in each of them."""
    quotas = [
        Quota(QuotaScope.CLIENT, 100, 1.0),
        Quota(QuotaScope.CLIENT, 3000, 60.0),
        Quota(QuotaScope.CLIENT, 2000, 60.0, "e"),
    ]
    simulation = Simulation(quotas, seed=2)

    simulation.run(poisson(simulation.rng, 5.0, 240.0), 240.0)

    assert sum(wait_s > 0.0 for wait_s in simulation.waits_s) <= 0.002 * len(simulation.waits_s)
    late = [at for at in simulation.sent[BULK] if at >= 120.0]
    assert len(late) >= 0.9 * (2 * 2000 / 1.02 - 5.0 * 120.0)

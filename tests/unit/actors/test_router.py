"""The router: failover, lost actors, and what is kept of a request."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import orjson
import pytest

from actors.health_board import HealthBoard
from actors.messages import AccountsCall, AttemptOrder, AttemptReply, ExchangeCall
from actors.ports import ActorLost, VaultPort
from actors.router import RouterDesk
from actors.targets import Target, Targets
from models import SelectionPolicy
from models.promotion import TrialPolicy
from orchestrator.domain import (
    ConnectionAttempt,
    ConnectionStatus,
    ErrorClass,
    ErrorScope,
    ErrorType,
    Failure,
    Operation,
    OperationRequest,
    RequestRecord,
    StoreError,
)
from orchestrator.resilience import CircuitBoard, Latencies, ProviderGuard, RateLimiter
from orchestrator.routing import Candidate, CandidateFacts, PlanOptions, Rejected
from tests.support.clock import SteppedClock
from tests.support.orders import (
    NO_ACCOUNTS,
    RecordingSpool,
    ScriptedProvider,
    params_of,
    snapshot_of,
)

Act = Callable[[AttemptOrder], Awaitable[AttemptReply]]
DOWN = Failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER, "DOWN", "it is down")
NEEDS_USER = Failure(ErrorClass.AUTH, ErrorScope.CONNECTION, "LOGIN", "log in again")


def answering(outcome: object) -> Act:
    """Reply with an outcome."""

    async def act(_order: AttemptOrder) -> AttemptReply:
        return AttemptReply(cast("Failure", outcome), 5.0, 0.0, None)

    return act


async def lost(_order: AttemptOrder) -> AttemptReply:
    """Die."""
    raise ActorLost("killed")


async def hang(_order: AttemptOrder) -> AttemptReply:
    """Never reply."""
    await asyncio.Event().wait()
    raise AssertionError


class Vault:
    """What the router itself asks of the vault."""

    def __init__(self) -> None:
        self.doubted: list[str] = []
        self.statuses: list[tuple[str, ConnectionStatus]] = []
        self.error: Exception | None = None

    async def doubt_exchange(self, link_session_id: str) -> None:
        """Remember."""
        self.doubted.append(link_session_id)

    async def set_status(self, connection_id: str, status: ConnectionStatus) -> None:
        """Remember, or fail."""
        if self.error is not None:
            raise self.error
        self.statuses.append((connection_id, status))


class FixedTargets:
    """Every request is about the same candidates; `error` is raised instead where it is set."""

    def __init__(self, *providers: str) -> None:
        self.error: Exception | None = None
        self.needs_user: frozenset[str] = frozenset()
        self._providers = providers

    async def of(self, request: OperationRequest, _block_of: object) -> Target:
        """The target."""
        if self.error is not None:
            raise self.error
        exchange = request.operation is Operation.EXCHANGE_TOKEN

        def call(candidate: Candidate) -> ExchangeCall | AccountsCall:
            if exchange:
                return ExchangeCall("space_1", "ls_1", b"sealed")
            return AccountsCall(str(candidate.connection_id), 1, False, None)

        facts = tuple(
            CandidateFacts(
                Candidate(name, None if exchange else f"conn_{name}", "ins_chase"),
                configured=True,
                in_region=True,
                covers_institution=True,
                linked=True,
                needs_user=False,
                block=None,
            )
            for name in self._providers
        )
        return Target("US", "ins_chase", facts, call, needs_user=self.needs_user)


class Bench:
    """A router with everything around it in reach; `hedge` makes it take 20 ms for slow."""

    def __init__(self, *, hedge: bool = False, **acts: Act) -> None:
        self.spool = RecordingSpool()
        self.vault = Vault()
        self.targets = FixedTargets(*acts)
        self.providers = {name: ScriptedProvider(act, name) for name, act in acts.items()}
        clock = SteppedClock()
        board = HealthBoard(self.providers, clock)
        for name in acts if hedge else ():
            latencies = Latencies[Operation]()
            for _ in range(20):
                latencies.note(Operation.GET_ACCOUNTS, 0.02)
            guard = ProviderGuard(name, CircuitBoard(), RateLimiter(), latencies=latencies)
            board.update(snapshot_of(guard=guard))
        self.router = RouterDesk(
            targets=cast(Targets, self.targets),
            providers=self.providers,
            board=board,
            policy=TrialPolicy(SelectionPolicy(policy="priority", seed=0)),
            vault=cast(VaultPort, self.vault),
            spool=self.spool,
            clock=clock,
            rng=random.Random(0),
            options=PlanOptions(retry_base_s=0.001, retry_cap_s=0.001, hedge=hedge),
            space_hash=lambda space_id: f"hash of {space_id}",
        )

    @property
    def attempts(self) -> list[ConnectionAttempt]:
        """Rows of attempts that the router itself has written."""
        return [row for row in self.spool.rows if isinstance(row, ConnectionAttempt)]

    @property
    def requests(self) -> list[RequestRecord]:
        """Rows of requests."""
        return [row for row in self.spool.rows if isinstance(row, RequestRecord)]


Make = Callable[..., Bench]


@pytest.fixture
def make() -> Make:
    """Makes routers."""
    return Bench


def request_for(
    operation: Operation = Operation.GET_ACCOUNTS, *, deadline_ms: int = 2000
) -> OperationRequest:
    """A request of the space's."""
    return OperationRequest("req_1", operation, params_of(), "US", deadline_ms=deadline_ms)


async def test_first_candidate_answers(make: Make) -> None:
    """Answer from the first candidate, and ask nobody else."""
    bench = make(plaid=answering(NO_ACCOUNTS), mx=answering(NO_ACCOUNTS))
    result = await bench.router.execute(request_for())

    assert (True, "plaid", False) == (result.success, result.provider, result.failover_used)
    assert [] == bench.providers["mx"].orders


async def test_orders_tell_the_decision(make: Make) -> None:
    """Put what was decided into every order, the propensity into the first alone."""
    bench = make(plaid=answering(DOWN), mx=answering(NO_ACCOUNTS))
    await bench.router.execute(request_for())
    (first,), (second,) = (bench.providers[name].orders for name in ("plaid", "mx"))

    assert ("plaid", "mx") == first.candidates == second.eligible
    assert (1, False, 1.0) == (first.attempt_number, first.failover, first.propensity)
    assert (2, True, None) == (second.attempt_number, second.failover, second.propensity)
    assert "hash of space_1" == first.space_hash
    assert first.attempt_id != second.attempt_id


async def test_lost_actor_fails_over_and_has_a_row(make: Make) -> None:
    """Go on elsewhere when an actor dies mid-call, and write the row that it no longer can."""
    bench = make(plaid=lost, mx=answering(NO_ACCOUNTS))
    result = await bench.router.execute(request_for())
    (row,) = bench.attempts

    assert (True, "mx", True) == (result.success, result.provider, result.failover_used)
    assert ["ACTOR_LOST", None] == [attempt.error_code for attempt in result.attempts]
    assert (bench.providers["plaid"].orders[0].attempt_id, "plaid", "network", "ACTOR_LOST") == (
        row.attempt_id,
        row.provider,
        row.outcome,
        row.error_code,
    )


async def test_a_caller_that_leaves_ends_its_request_and_leaves_its_story(make: Make) -> None:
    """The attempt is given up at its provider, and the request's record says why."""
    given_up = asyncio.Event()

    async def waiting(_order: AttemptOrder) -> AttemptReply:
        try:
            return await hang(_order)
        finally:
            given_up.set()

    bench = make(plaid=waiting)
    asking = asyncio.create_task(bench.router.execute(request_for()))
    while not bench.providers["plaid"].orders:  # noqa: ASYNC110  the double has no event
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (record,) = bench.requests

    assert given_up.is_set()
    assert ("deadline", "CALLER_GONE") == (
        record.outcome,
        orjson.loads(record.story)["error"]["code"],
    )


async def test_late_reply_is_a_deadline_and_has_a_row(make: Make) -> None:
    """Give up an actor that replies too late within the deadline, and write the attempt's row."""
    bench = make(plaid=hang)
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = await bench.router.execute(request_for(deadline_ms=100))
    took = loop.time() - started

    assert result.error is not None
    assert ErrorType.DEADLINE is result.error.type
    assert took < 0.5
    assert ["DEADLINE"] == [attempt.error_code for attempt in result.attempts]
    assert ["DEADLINE"] == [row.error_code for row in bench.attempts]


async def test_actor_lost_during_an_exchange_leaves_it_in_doubt(make: Make) -> None:
    """Doubt an exchange whose actor was lost, in the vault too, and send no other."""
    bench = make(plaid=lost)
    result = await bench.router.execute(request_for(Operation.EXCHANGE_TOKEN))

    assert result.error is not None
    assert ErrorType.IN_DOUBT is result.error.type
    assert ["ls_1"] == bench.vault.doubted
    assert 1 == len(bench.providers["plaid"].orders)


async def test_late_exchange_is_left_to_its_actor(make: Make) -> None:
    """Tell a late exchange as in doubt, and leave its settling to the actor that still runs it."""
    bench = make(plaid=hang)
    result = await bench.router.execute(request_for(Operation.EXCHANGE_TOKEN, deadline_ms=100))

    assert result.error is not None
    assert ErrorType.IN_DOUBT is result.error.type
    assert [] == bench.vault.doubted


@pytest.mark.parametrize(
    ("error", "code"), [(ActorLost("vault"), "ACTOR_LOST"), (StoreError("away"), "STORE_FAILED")]
)
async def test_lost_vault_is_told_and_kept(make: Make, error: Exception, code: str) -> None:
    """Answer that a part was lost, or could not do its work, when there is no target without it."""
    bench = make(plaid=answering(NO_ACCOUNTS))
    bench.targets.error = error
    result = await bench.router.execute(request_for())

    assert result.error is not None
    assert (ErrorType.NETWORK, code) == (result.error.type, result.error.code)
    assert ["network"] == [row.outcome for row in bench.requests]


@pytest.mark.parametrize("error", [ActorLost("vault"), StoreError("away")])
async def test_what_was_read_is_not_lost_with_the_vault(make: Make, error: Exception) -> None:
    """Answer what a provider has given although its connection's status could not be noted."""
    bench = make(plaid=answering(NO_ACCOUNTS))
    bench.targets.needs_user = frozenset({"conn_plaid"})
    bench.vault.error = error
    result = await bench.router.execute(request_for())

    assert result.success


async def test_refusal_of_a_guard_costs_nothing(make: Make) -> None:
    """Pass on from a provider whose own guard refuses, without an attempt, and say why."""
    bench = make(plaid=answering(Rejected("circuit_open", 30.0)), mx=answering(NO_ACCOUNTS))
    result = await bench.router.execute(request_for())

    assert ["mx"] == [attempt.provider for attempt in result.attempts]
    assert result.failover_used is False
    assert ["circuit_open", None] == [seen.reason for seen in result.decision.candidates]


async def test_every_request_has_one_record(make: Make) -> None:
    """Keep one record of a request, failed or not, with its number of attempts."""
    bench = make(plaid=answering(DOWN), mx=answering(DOWN))
    await bench.router.execute(request_for())
    (record,) = bench.requests

    assert ("req_1", "provider_down", False) == (
        record.request_id,
        record.outcome,
        record.failover,
    )
    assert record.attempts >= 2


async def test_connection_is_noted_as_needing_its_user(make: Make) -> None:
    """Note a connection that the institution refuses, once, and as mended when it answers."""
    bench = make(plaid=answering(NEEDS_USER))
    await bench.router.execute(request_for())
    bench.targets.needs_user = frozenset({"conn_plaid"})
    await bench.router.execute(request_for())
    mended = make(plaid=answering(NO_ACCOUNTS))
    mended.targets.needs_user = frozenset({"conn_plaid"})
    await mended.router.execute(request_for())

    assert [("conn_plaid", ConnectionStatus.NEEDS_USER)] == bench.vault.statuses
    assert [("conn_plaid", ConnectionStatus.ACTIVE)] == mended.vault.statuses


async def test_stale_answer_does_not_mend_a_connection(make: Make) -> None:
    """Leave a connection as needing its user when it answers with old data."""
    bench = make(plaid=answering(replace(NO_ACCOUNTS, stale=True)))
    bench.targets.needs_user = frozenset({"conn_plaid"})
    await bench.router.execute(request_for())

    assert [] == bench.vault.statuses


@pytest.mark.parametrize("failure", [DOWN, NEEDS_USER])
async def test_error_is_that_of_the_last_attempt(make: Make, failure: Failure) -> None:
    """Tell the caller the last attempt's error, and who gave it."""
    bench = make(plaid=answering(DOWN), mx=answering(failure))
    result = await bench.router.execute(request_for())

    assert result.error is not None
    assert failure.code == result.error.code
    assert result.error.provider in {"plaid", "mx"}
    assert result.provider is None


def after(seconds: float, outcome: object) -> Act:
    """Reply with an outcome, once so many seconds are over."""

    async def act(_order: AttemptOrder) -> AttemptReply:
        await asyncio.sleep(seconds)
        return AttemptReply(cast("Failure", outcome), seconds * 1000, 0.0, None)

    return act


async def test_a_slow_read_is_hedged_and_the_first_answer_given(make: Make) -> None:
    """Ask the next candidate too, answer what comes first, and give the other up without waiting."""
    bench = make(hedge=True, plaid=hang, mx=answering(NO_ACCOUNTS))
    result = await bench.router.execute(request_for())
    await asyncio.sleep(0)
    (hedge,) = bench.providers["mx"].orders

    assert (True, "mx", True) == (result.success, result.provider, result.failover_used)
    assert [
        ("plaid", 1, "network", "OUTRUN", False),
        ("mx", 2, "success", None, True),
    ] == [
        (seen.provider, seen.attempt_number, seen.outcome, seen.error_code, seen.hedge)
        for seen in result.attempts
    ]
    assert (True, True, True, None) == (hedge.hedge, hedge.extra, hedge.failover, hedge.propensity)
    assert [bench.providers["plaid"].orders[0].attempt_id] == bench.providers["plaid"].abandoned
    assert [("plaid", "OUTRUN", "request", None)] == [
        (row.provider, row.error_code, row.error_scope, row.node_id) for row in bench.attempts
    ]


async def test_a_hedge_that_is_outrun_is_no_failover(make: Make) -> None:
    """Tell both attempts in their order, and that the first provider gave the answer."""
    bench = make(hedge=True, plaid=after(0.08, NO_ACCOUNTS), mx=hang)
    result = await bench.router.execute(request_for())

    assert ("plaid", False) == (result.provider, result.failover_used)
    assert [("plaid", None, False), ("mx", "OUTRUN", True)] == [
        (seen.provider, seen.error_code, seen.hedge) for seen in result.attempts
    ]
    assert 20.0 <= result.attempts[1].latency_ms < 80.0
    assert [(True, True)] == [(row.hedge, row.failover) for row in bench.attempts]


async def test_an_answer_in_time_is_not_hedged(make: Make) -> None:
    """Leave the second provider alone where the first is not slow, and where hedging is off."""
    quick = make(hedge=True, plaid=answering(NO_ACCOUNTS), mx=answering(NO_ACCOUNTS))
    off = make(plaid=after(0.06, NO_ACCOUNTS), mx=answering(NO_ACCOUNTS))
    for bench in (quick, off):
        result = await bench.router.execute(request_for())

        assert "plaid" == result.provider
        assert [] == bench.providers["mx"].orders


async def test_an_exchange_is_never_hedged(make: Make) -> None:
    """Send a token to one provider once, however slow it is."""
    bench = make(hedge=True, plaid=after(0.06, DOWN), mx=answering(NO_ACCOUNTS))
    await bench.router.execute(request_for(Operation.EXCHANGE_TOKEN))

    assert not [order for order in bench.providers["mx"].orders if order.hedge]


async def test_a_hedge_without_room_in_the_budget_is_not_told_of_the_candidate(make: Make) -> None:
    """Leave a candidate eligible that took no extra attempt, and go to it when the first has failed."""
    replies = iter([Rejected("rate_limited", None, over_budget=True), NO_ACCOUNTS])

    async def first_over_budget(_order: AttemptOrder) -> AttemptReply:
        return AttemptReply(next(replies), 1.0, 0.0, None)

    bench = make(hedge=True, plaid=after(0.06, DOWN), mx=first_over_budget)
    result = await bench.router.execute(request_for())

    assert [True, True] == [seen.eligible for seen in result.decision.candidates]
    assert [False, False] == [seen.hedge for seen in result.attempts]
    assert ("mx", True) == (result.provider, result.failover_used)


async def test_a_request_cut_short_leaves_nothing_under_way(make: Make) -> None:
    """Cancel what is under way when the request itself is cancelled."""
    ended: list[str] = []

    async def held(order: AttemptOrder) -> AttemptReply:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(order.attempt_id)
        raise AssertionError

    bench = make(hedge=True, plaid=held, mx=held)
    running = asyncio.create_task(bench.router.execute(request_for()))
    await asyncio.sleep(0.06)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert 2 == len(ended)


async def test_a_lost_actor_is_not_waited_for_when_it_is_outrun(make: Make) -> None:
    """Give the answer although the actor of the slower attempt cannot be told to stop."""
    bench = make(hedge=True, plaid=hang, mx=answering(NO_ACCOUNTS))

    async def gone(_attempt_id: str) -> None:
        raise ActorLost("killed")

    bench.providers["plaid"].abandon = gone
    result = await bench.router.execute(request_for())
    await asyncio.sleep(0.01)

    assert result.success
    assert set() == bench.router._providers._abandoning


async def test_only_limited_candidates_are_waited_at(make: Make) -> None:
    """Let an attempt wait where nobody else can be asked, and only there."""
    bench = make(plaid=answering(DOWN), mx=answering(NO_ACCOUNTS))
    await bench.router.execute(request_for())
    (first,), (second,) = (bench.providers[name].orders for name in ("plaid", "mx"))

    assert 0.0 == first.wait_s
    assert 1.0 < second.wait_s < second.time_left_s <= 2.0
    assert (20.0, 20.0) == (first.timeout_s, second.timeout_s)
    assert (False, False) == (first.extra, second.extra)

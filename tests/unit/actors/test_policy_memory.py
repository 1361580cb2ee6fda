"""A policy's memory, out of the attempt log."""

from pathlib import Path

import pytest

from actors.attempt_log import AttemptLogDesk
from actors.policy_memory import recall
from actors.ports import ActorLost
from models import SelectionContext, SelectionPolicy
from models.promotion import TrialPolicy
from orchestrator.attempt_log import AttemptLogStore
from orchestrator.domain import ErrorScope, StoreError, from_unix
from orchestrator.spool import SpoolWriter
from tests.support.clock import SteppedClock
from tests.support.log_rows import attempt
from tests.support.orders import EmptyLog


def first_choice(policy: TrialPolicy, at: float) -> str:
    """Whom the policy would ask first."""
    context = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=("plaid", "mx"),
        at=at,
    )
    return policy.decide(context, "req_1").order[0]


@pytest.mark.parametrize(("minutes_ago", "chosen"), [(1, "mx"), (90, "plaid")])
async def test_a_new_policy_knows_the_last_hours_failures(
    tmp_path: Path, minutes_ago: int, chosen: str
) -> None:
    """A provider that failed just before the restart is not asked first after it."""
    clock = SteppedClock(running=False)
    spool = SpoolWriter(tmp_path / "spool", "provider-plaid")
    for number in range(8):
        spool.put(
            attempt(
                number,
                provider="plaid",
                started_at=from_unix(clock.unix_s() - 60 * minutes_ago + number),
                outcome="provider_down",
                error_code="DOWN",
                error_scope=ErrorScope.PROVIDER,
            )
        )
    log = AttemptLogDesk(
        lambda: AttemptLogStore(tmp_path / "attempts.duckdb", memory_limit_mb=64),
        tmp_path / "spool",
        clock,
        query_timeout_s=5,
        query_max_rows=20_000,
        collect_every_s=None,
    )
    policy = TrialPolicy(SelectionPolicy(policy="adaptive", seed=0, exploration_ratio=0.0))
    shown = await recall(policy, log, clock)
    await log.close()
    spool.close()

    assert (8 if minutes_ago < 60 else 0) == shown
    assert chosen == first_choice(policy, clock.unix_s())


class Away(EmptyLog):
    """A log that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def collect(self) -> None:
        """Be away."""
        raise self._error


@pytest.mark.parametrize("error", [ActorLost("log"), StoreError("damaged")])
async def test_a_policy_begins_without_memory_where_the_log_is_away(error: Exception) -> None:
    """A router starts all the same."""
    policy = TrialPolicy(SelectionPolicy(policy="adaptive", seed=0))

    assert 0 == await recall(policy, Away(error), SteppedClock())

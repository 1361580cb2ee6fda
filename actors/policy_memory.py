"""What a router's policy has seen lately, back after a restart: out of the attempt log.

The log knows of every router's attempts, so a new router begins with what all of them have learned.
"""

import datetime as dt
from typing import Final

import structlog

from actors.ports import ActorLost, AttemptLogPort
from models import AttemptOutcome
from models.promotion import TrialPolicy
from orchestrator.domain import Clock, Json, StoreError

__all__ = ["recall"]

_MEMORY_MINUTES: Final = 60
_SQL: Final = """
    select provider, operation, region, institution_id, outcome, error_scope, attempt_number,
        latency_ms, epoch(started_at) + (latency_ms + waited_ms) / 1000 as ended_at
    from attempts
    where started_at > '{since}' and started_at <= '{until}'
    order by started_at desc
    limit 20000
"""

_log = structlog.get_logger("router")


async def recall(policy: TrialPolicy, log: AttemptLogPort, clock: Clock) -> int:
    """Show a policy the attempts of the last hour, in the order in which they ended; how many.

    Where the log cannot be read, the policy begins with what its model says.
    """
    until = dt.datetime.fromtimestamp(clock.unix_s(), tz=dt.UTC)
    since = until - dt.timedelta(minutes=_MEMORY_MINUTES)
    try:
        await log.collect()
        rows = await log.query(_SQL.format(since=since.isoformat(), until=until.isoformat()))
    except (ActorLost, StoreError) as error:
        _log.warning("policy_begins_without_memory", error=type(error).__name__)
        return 0
    outcomes = sorted((_outcome(row) for row in rows), key=lambda outcome: outcome.at)
    for outcome in outcomes:
        policy.observe(outcome)
    return len(outcomes)


def _outcome(row: Json) -> AttemptOutcome:
    if not isinstance(row, dict):
        raise StoreError("the attempt log answered something else than rows")
    institution_id, scope = row["institution_id"], row["error_scope"]
    return AttemptOutcome(
        provider=str(row["provider"]),
        operation=str(row["operation"]),
        region=str(row["region"]),
        institution_id=None if institution_id is None else str(institution_id),
        at=_number(row["ended_at"]),
        latency_s=_number(row["latency_ms"]) / 1000,
        outcome=str(row["outcome"]),
        attempt_number=int(_number(row["attempt_number"])),
        scope=None if scope is None else str(scope),
    )


def _number(value: Json) -> float:
    if not isinstance(value, int | float):
        raise StoreError("the attempt log answered something else than a number")
    return float(value)

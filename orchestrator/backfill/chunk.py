"""What a ledger is told: a new job, what became durable together, and the counts of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.domain import OperationError

from .plan import BackfillPlan
from .verdicts import OpenItem

__all__ = ["Chunk", "Ending", "NewJob", "Tally", "counted"]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is first written down."""

    plan: BackfillPlan
    digest: str
    items: int
    duplicates: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one run. `skipped` were done before it; `providers` counts items by who answered.

    `attempts` and `transactions` (rows read, whatever the dataset) count what this run committed.
    """

    done: int = 0
    failed: int = 0
    stale: int = 0
    skipped: int = 0
    attempts: int = 0
    rows: int = 0
    providers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an item ended: read by `provider`, or failed with `error`."""

    open: OpenItem
    provider: str | None
    error: OperationError | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """What becomes durable together.

    `records` and `removed` are Arrow streams of the rows (`rows` many) of all pages in it.
    """

    endings: Sequence[Ending] = ()
    going_on: Sequence[OpenItem] = ()
    attempts: int = 0
    rows: int = 0
    records: bytes = b""
    removed: bytes = b""


def counted(tally: Tally, chunk: Chunk) -> Tally:
    """The counts after a chunk."""
    done = [e for e in chunk.endings if e.error is None]
    providers = dict(tally.providers)
    for ending in done:
        if ending.provider is not None:
            providers[ending.provider] = providers.get(ending.provider, 0) + 1
    return replace(
        tally,
        done=tally.done + len(done),
        failed=tally.failed + len(chunk.endings) - len(done),
        stale=tally.stale + sum(e.open.stale for e in done),
        attempts=tally.attempts + chunk.attempts,
        rows=tally.rows + chunk.rows,
        providers=providers,
    )

"""Whether any process of a system grows with what it has done: PSS after 10,000 and 100,000 operations."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from benchmarks.batch_ops import batch_body, batches_per_s
from benchmarks.programs import wait
from benchmarks.resident import Resident, residents, total_mb
from benchmarks.results import Figure, Floor, Reach, Result
from benchmarks.served import served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream

_EARLY: Final = 10_000
_LATE: Final = 100_000
_ITEMS: Final = 500
_SPACES: Final = 64
_LONGEST_LOAD_S: Final = 400.0
_SETTLE_S: Final = 5.0
_REACH: Final = 1.15


def run(setting: Setting) -> Result:
    """Measure; see the module. One long run: what grows with the work does not come and go between runs."""
    early, late = setting.sized(_EARLY, 500), setting.sized(_LATE, 1_000)
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor))
        body = batch_body(system.link(_SPACES), _ITEMS)
        url = f"{system.url}/v1/batch"

        def worked(done: int, wanted: int, until: float) -> int:
            while done < wanted and time.monotonic() < until:
                asyncio.run(batches_per_s(url, body, _ITEMS, in_parallel=1, rounds=1))
                done += _ITEMS
                setting.progress(f"{done:,} of {wanted:,} operations")
            wait(_SETTLE_S)
            return done

        wait(_SETTLE_S)
        at_rest = residents(system.data_dir)
        until = time.monotonic() + _LONGEST_LOAD_S
        first = worked(0, early, until)
        after_early = residents(system.data_dir)
        last = worked(first, late, until)
        after_late = residents(system.data_dir)
    reach = Reach.ratio_at_most(_REACH) if last >= late else None
    floor = f"after {first:,}"
    figures = [
        Figure("all processes at rest", "MB", (total_mb(at_rest),)),
        Figure(
            f"all processes after {last:,} operations",
            "MB",
            (total_mb(after_late),),
            Floor(floor, (total_mb(after_early),)),
        ),
        *(
            Figure(name, "MB", (now,), Floor(floor, (before,)), reach)
            for name, before, now in _grown(after_early, after_late)
        ),
    ]
    notes = ["one long run"]
    if last < late:
        notes.append(f"time ran out before {late:,} operations, so that nothing is judged")
    return Result(tuple(figures), tuple(notes))


def _grown(
    before: Mapping[int, Resident], after: Mapping[int, Resident]
) -> list[tuple[str, float, float]]:
    """Processes that were there both times, the largest first: name, then and now."""
    both = sorted(before.keys() & after.keys(), key=lambda pid: -after[pid].pss_mb)
    return [(after[pid].name, before[pid].pss_mb, after[pid].pss_mb) for pid in both]

"""Every benchmark by its name; one more is a line here and a module of that name with a `run`."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from benchmarks.setting import Benchmark

__all__ = ["BENCHMARKS", "Listed", "benchmark"]


@dataclass(frozen=True, slots=True)
class Listed:
    """What a benchmark measures and against what, in a line, and when a full run is given up.

    `in_short`: it is part of a short run that names none.
    """

    summary: str
    longest_s: float
    in_short: bool = True


BENCHMARKS: Final[Mapping[str, Listed]] = {
    "decision": Listed(
        "one decision for five candidates, in microseconds: cached, fresh, and around it",
        120.0,
    ),
    "routed_ops": Listed(
        "operations router → provider actor without a network, against no-op actor calls",
        300.0,
    ),
    "http_ops": Listed(
        "getAccounts over HTTP at 1, 32 and 128 connections, against a no-op POST and peers",
        900.0,
    ),
    "batch_ops": Listed(
        "POST /v1/batch with items of 1,000, against a bare httpx loop as concurrent",
        600.0,
    ),
    "attempt_log": Listed(
        "rows a second at the log's store, and how soon an attempt's row is committed under load",
        900.0,
    ),
    "bad_cases": Listed(
        "a silent upstream under 10,000 operations, callers that leave, a batch that fails whole",
        400.0,
    ),
    "backfill": Listed(
        "a backfill job against a bare httpx loop, and its memory at 1,000 and 1,000,000 items",
        3600.0,
        in_short=False,
    ),
    "lanes": Listed(
        "how long people wait beside a backfill that saturates a limit, and how much of it it uses",
        1200.0,
        in_short=False,
    ),
    "memory": Listed(
        "PSS of every process after 100,000 operations, against itself after 10,000",
        600.0,
        in_short=False,
    ),
    "startup": Listed(
        "start to first answer, and PSS at rest, against bare Ray + Serve with as many actors",
        900.0,
        in_short=False,
    ),
}
"""In the order in which they run. Their modules are imported only where they run."""


def benchmark(name: str) -> Benchmark:
    """A benchmark's module.

    Raises:
        KeyError: there is none of this name.

    """
    if name not in BENCHMARKS:
        raise KeyError(name)
    return cast(Benchmark, import_module(f"{__package__}.{name}"))

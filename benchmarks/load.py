"""HTTP load from wrk, which costs a fraction of what it measures, and says how much."""

import json
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.results import BenchmarkFailed

__all__ = ["Load", "load"]

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_TIMEOUT_S: Final = 30
_MARK: Final = "LOAD "


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load.

    `answered` are answers of status 2xx or 3xx, `failed` all others and those that never came.
    `load_cpu_ratio` is the share of one processor that the load itself took.
    """

    answered: int
    failed: int
    duration_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    load_cpu_ratio: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.duration_s

    def check(self, what: str) -> None:
        """Refuse a load of which a part failed: its figures speak of something else.

        Raises:
            BenchmarkFailed: more than one in a hundred failed, or none was answered.

        """
        if self.answered == 0 or self.failed > 0.01 * (self.answered + self.failed):
            raise BenchmarkFailed(f"{what}: {self.failed} failed, {self.answered} answered")


def load(url: str, bodies: Sequence[str], folder: Path, *, connections: int, for_s: int) -> Load:
    """POST these bodies in turn over so many connections, each with one request at a time.

    Raises:
        BenchmarkFailed: wrk is not installed, or does not say what came of it.

    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchmarkFailed("wrk is not installed (Debian: apt-get install wrk)")
    listed = folder / "bodies.txt"
    listed.write_text("\n".join(bodies) + "\n", encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *(wrk, "-t1", f"-c{connections}", f"-d{for_s}s", f"--timeout={_TIMEOUT_S}s"),
            *("-s", str(_SCRIPT), url, "--", str(listed)),
        ],
        capture_output=True,
        text=True,
        timeout=for_s + 2 * _TIMEOUT_S,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), None)
    if told is None:
        raise BenchmarkFailed(f"wrk at {url}: {done.stdout[-500:]} {done.stderr[-500:]}")
    came = json.loads(told.removeprefix(_MARK))
    failed = came["refused"] + came["broken"] + came["late"]
    duration_s = came["duration_us"] / 1e6
    cpu_s = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Load(
        answered=came["requests"] - came["refused"],
        failed=failed,
        duration_s=duration_s,
        p50_ms=came["p50_us"] / 1000,
        p95_ms=came["p95_us"] / 1000,
        p99_ms=came["p99_us"] / 1000,
        load_cpu_ratio=cpu_s / duration_s,
    )

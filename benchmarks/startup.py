"""From a start to the first answer, and memory at rest, against bare Ray and Serve with as many actors."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.noop_app import READY_PATH
from benchmarks.programs import free_port, root, stop, wait
from benchmarks.resident import residents, total_mb
from benchmarks.results import Figure, Floor, Reach, Result
from benchmarks.served import await_answer, clean_environment, every_provider, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream

_BESIDE_PROVIDERS: Final = ("vault", "attempt log", "retraining")
_REST_S: Final = 5.0
_REACH: Final = 1.2


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    starts_s: list[float] = []
    bare_starts_s: list[float] = []
    rests_mb: list[float] = []
    bare_rests_mb: list[float] = []
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        keys = every_provider(vendor)
        actors = len(keys.providers) + len(_BESIDE_PROVIDERS)
        for number in range(setting.runs):
            told = f"run {number + 1} of {setting.runs}"
            setting.progress(f"{told}: the system")
            with served(setting.folder / f"system-{number}", vendor, keys=keys) as system:
                starts_s.append(system.first_answer_s)
                wait(_REST_S)
                rests_mb.append(total_mb(residents(system.data_dir)))
            setting.progress(f"{told}: the skeleton")
            with _skeleton(setting.folder / f"skeleton-{number}", actors) as (data_dir, took_s):
                bare_starts_s.append(took_s)
                wait(_REST_S)
                bare_rests_mb.append(total_mb(residents(data_dir)))
    bare = f"bare Ray + Serve, {actors} actors"
    reach = Reach.ratio_at_most(_REACH)
    return Result(
        (
            Figure(
                "start to first answer",
                "s",
                tuple(starts_s),
                Floor(bare, tuple(bare_starts_s)),
                reach,
            ),
            Figure("PSS at rest", "MB", tuple(rests_mb), Floor(bare, tuple(bare_rests_mb)), reach),
        ),
        notes=("all five providers configured; both with one HTTP replica beside the actors",),
    )


@contextmanager
def _skeleton(folder: Path, actors: int) -> Iterator[tuple[Path, float]]:
    folder.mkdir(parents=True, exist_ok=True)
    data_dir, log, port = folder / "data", folder / "skeleton.out", free_port()
    environ = {
        **clean_environment(),
        "ORCHESTRATOR_DATA_DIR": str(data_dir),
        "ORCHESTRATOR_PORT": str(port),
    }
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.skeleton", str(actors)],
            env=environ,
            cwd=root,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        await_answer(process, f"http://127.0.0.1:{port}{READY_PATH}", log)
        yield data_dir, time.monotonic() - began
    finally:
        stop(process)

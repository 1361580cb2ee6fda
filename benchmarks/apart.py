"""A benchmark in a process of its own: Ray, the environment and memory of one are not the next's."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NoReturn

from benchmarks.listing import benchmark
from benchmarks.results import BenchmarkFailed, Result
from benchmarks.setting import Setting

__all__ = ["run_apart"]

_TO_STOP_S: Final = 90.0
"""How long a benchmark that is given up may take to end what it has started."""


def run_apart(
    name: str,
    folder: Path,
    progress: Callable[[str], None],
    *,
    short: bool,
    runs: int | None,
    longest_s: float,
) -> Result:
    """Run one benchmark, and end it where it takes too long.

    Raises:
        BenchmarkFailed: it could not measure, took too long, or its process died.

    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, str(folder), short, runs, theirs))
    process.start()
    theirs.close()
    deadline = time.monotonic() + longest_s
    try:
        while True:
            if not ours.poll(max(0.0, deadline - time.monotonic())):
                raise BenchmarkFailed(f"{name} took longer than {longest_s:.0f} s")
            told = ours.recv()
            if isinstance(told, Result):
                return told
            if isinstance(told, BenchmarkFailed):
                raise told
            progress(str(told))
    except EOFError:
        process.join(_TO_STOP_S)
        raise BenchmarkFailed(f"the process of {name} died ({process.exitcode})") from None
    finally:
        process.join(5)
        if process.is_alive():
            process.terminate()
            process.join(_TO_STOP_S)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _child(name: str, folder: str, short: bool, runs: int | None, parent: Connection) -> None:
    def give_up(*_: object) -> NoReturn:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, give_up)
    setting = Setting.of(Path(folder), parent.send, short=short, runs=runs)
    try:
        told: Result | BenchmarkFailed = benchmark(name).run(setting)
    except BenchmarkFailed as failed:
        told = failed
    except Exception as error:  # told to the parent, which goes on with the next benchmark
        parent.send(BenchmarkFailed(f"{type(error).__name__}: {error}"))
        raise
    parent.send(told)
    parent.close()

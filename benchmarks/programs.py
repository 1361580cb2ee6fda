"""Processes that a benchmark starts, and ends by their number whatever happens."""

import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from benchmarks.results import BenchmarkFailed

__all__ = [
    "await_port",
    "free_port",
    "processes_of",
    "root",
    "serve_environment_of",
    "stop",
    "tail",
    "wait",
]

_STOP_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.02

root: Final = Path(__file__).resolve().parent.parent
"""The project's folder, which every process of a benchmark finds its imports in."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(
    process: subprocess.Popen[bytes], port: int, log: Path, *, within_s: float = 30.0
) -> None:
    """Wait until a process listens.

    Raises:
        BenchmarkFailed: it has ended, or does not in time; shows the end of its log.

    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            wait(_POLL_S)
        else:
            return
    raise BenchmarkFailed(f"{process.args!r} does not listen on {port}: {tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def wait(for_s: float) -> None:
    """Do nothing for a while, as others are to be let come up."""
    time.sleep(for_s)  # noqa: TID251  a benchmark's driver waits for processes, and owns no clock


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours: asked first, and then made to."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every live process that was started for a data folder, whoever started it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ORCHESTRATOR_DATA_DIR") == str(data_dir):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.pid != os.getpid() and p.status() != psutil.STATUS_ZOMBIE]


def serve_environment_of(data_dir: Path) -> dict[str, str]:
    """What the running Serve of a data folder reads in its environment, for who joins it.

    It is set by the system's start for its own processes, and hangs on that start.
    """
    found: dict[str, str] = {}
    for process in processes_of(data_dir):
        with suppress(psutil.Error):
            told = {k: v for k, v in process.environ().items() if k.startswith("RAY_SERVE_")}
            found = max(found, told, key=len)
    return found

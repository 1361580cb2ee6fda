"""Asks for a system's health as a load balancer does: from a process of its own, all the while.

`python -m benchmarks.health_probe URL` asks until its input ends, each time over a new connection,
and then prints how long each answer took, in milliseconds, as a list in JSON. Exit code 1 where an
answer was not a 200.
"""

import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from benchmarks.programs import root, stop
from benchmarks.results import BenchmarkFailed

__all__ = ["main", "probed"]

_EVERY_S: Final = 0.05
_TIMEOUT_S: Final = 30.0


@contextmanager
def probed(url: str, told_ms: list[float]) -> Iterator[None]:
    """Ask at this address while inside; afterwards `told_ms` is what each answer took.

    Raises:
        BenchmarkFailed: an answer was not a 200, or did not come.

    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.health_probe", url],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # the first answer: it is up, and asks
        yield
        said, problem = process.communicate(timeout=2 * _TIMEOUT_S)
    finally:
        stop(process)
    if process.returncode:
        raise BenchmarkFailed(problem.decode().strip().splitlines()[-1])
    told_ms += json.loads(said)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Ask until the input ends."""
    address = urlsplit(sys.argv[1])
    taken_ms: list[float] = []
    while True:
        began = time.perf_counter()
        connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_S)
        connection.request("GET", address.path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        taken_ms.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{sys.argv[1]} was answered with {answer.status}")
        if len(taken_ms) == 1:
            _tell("")
        if select.select([sys.stdin], [], [], _EVERY_S)[0]:
            break
    _tell(json.dumps(taken_ms))


if __name__ == "__main__":
    main()

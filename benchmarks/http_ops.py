"""`getAccounts` over HTTP: against a POST that does nothing, and against one process from PyPI."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.load import Load, load
from benchmarks.noop_app import PATH as NOOP_PATH
from benchmarks.programs import await_port, free_port, root, serve_environment_of, stop, wait
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result
from benchmarks.served import Served, accounts_bodies, clean_environment, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream

_CONNECTIONS: Final = (1, 32, 128)
_SPACES: Final = 16
_GET_ACCOUNTS: Final = "/v1/operations/getAccounts"
_OURS: Final = "orchestrator"
_NOOP: Final = "no-op POST"
_PEERS: Final = {"peer, httpx": "httpx", "peer, httpx on aiohttp": "aiohttp"}
_REACH_OF_PEER: Final = {32: 0.8, 128: 0.8}
_REACH_OF_NOOP: Final = {32: 0.4, 128: 0.5}
_MOST_OVER_NOOP_MS: Final = 5.0
_SETTLE_S: Final = 0.5
"""What was under way when a load ended is not to be the next one's burden."""

Seen = dict[tuple[str, int], list[Load]]
"""Every run's load, by target and connections."""


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor))
        spaces = system.link(_SPACES)
        setting.progress("deploying the no-op beside it")
        deploy_noop(system)
        targets = {_OURS: f"{system.url}{_GET_ACCOUNTS}", _NOOP: f"{system.url}{NOOP_PATH}"}
        for name, transport in _PEERS.items():
            peer_url = stack.enter_context(_peer(setting.folder, vendor, transport))
            targets[name] = f"{peer_url}{_GET_ACCOUNTS}"
        bodies = accounts_bodies(spaces)
        _warm(targets, bodies, setting)
        seen: Seen = {(name, c): [] for name in targets for c in _CONNECTIONS}
        for number in range(setting.runs):
            for connections in _CONNECTIONS:
                setting.progress(f"run {number + 1} of {setting.runs}, {connections} connections")
                for name, url in targets.items():
                    came = load(
                        url,
                        bodies,
                        setting.folder,
                        connections=connections,
                        for_s=setting.lasting_s(4, 1),
                    )
                    came.check(f"{name} at {connections} connections")
                    wait(_SETTLE_S)
                    seen[name, connections].append(came)
    return _result(seen)


def deploy_noop(system: Served) -> None:
    """Deploy the no-op beside the system's own application, under the same ingress.

    Raises:
        BenchmarkFailed: it could not be deployed.

    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.noop_app"],
        env={**system.environ, **serve_environment_of(system.data_dir)},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkFailed(f"the no-op was not deployed: {done.stderr[-1500:]}")


@contextmanager
def _peer(folder: Path, vendor: str, transport: str) -> Iterator[str]:
    port = free_port()
    log = folder / f"peer-{transport}.out"
    command = [sys.executable, "-m", "benchmarks.peer", "--port", str(port)]
    command += ["--upstream", vendor, "--transport", transport, "--spaces", str(_SPACES)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=clean_environment(), cwd=root, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        await_port(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def _warm(targets: Mapping[str, str], bodies: tuple[str, ...], setting: Setting) -> None:
    for name, url in targets.items():
        setting.progress(f"warming: {name}")
        for_s = setting.lasting_s(2, 1)
        load(url, bodies, setting.folder, connections=16, for_s=for_s).check(name)


def _result(seen: Seen) -> Result:
    figures: list[Figure] = []
    for connections in _CONNECTIONS:
        figures += _of(seen, connections)
    loads = [came.load_cpu_ratio for each in seen.values() for came in each]
    return Result(
        tuple(figures),
        notes=(
            "every target in turn within each run, over the same upstream",
            f"the load itself took at most {max(loads):.0%} of one processor",
        ),
    )


def _of(seen: Seen, connections: int) -> Iterator[Figure]:
    def per_s(name: str) -> tuple[float, ...]:
        return tuple(came.per_s for came in seen[name, connections])

    def p50_ms(name: str) -> tuple[float, ...]:
        return tuple(came.p50_ms for came in seen[name, connections])

    at = "1 connection" if connections == 1 else f"{connections} connections"
    noop = Floor(_NOOP, per_s(_NOOP))
    peers = [Floor(name, per_s(name)) for name in _PEERS]
    if connections == 1:
        reach = Reach.more_at_most(_MOST_OVER_NOOP_MS)
        yield Figure(f"p50 at {at}", "ms", p50_ms(_OURS), Floor(_NOOP, p50_ms(_NOOP)), reach)
        for name in _PEERS:
            yield Figure(f"p50 at {at}", "ms", p50_ms(_OURS), Floor(name, p50_ms(name)))
        yield Figure(f"operations at {at}", "1/s", per_s(_OURS), noop)
        return
    what = f"operations at {at}"
    wanted = Reach.ratio_at_least(_REACH_OF_NOOP[connections])
    yield Figure(what, "1/s", per_s(_OURS), noop, wanted)
    for peer in peers:
        yield Figure(what, "1/s", per_s(_OURS), peer)
    best = Floor.best_of("best of the peers", peers)
    yield Figure(what, "1/s", per_s(_OURS), best, Reach.ratio_at_least(_REACH_OF_PEER[connections]))
    p99_ms = tuple(came.p99_ms for came in seen[_OURS, connections])
    yield Figure(f"p99 at {at}", "ms", p99_ms)

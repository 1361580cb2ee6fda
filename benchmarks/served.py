"""The system under test as a user starts it: `orchestrator serve` over a loopback upstream."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.programs import free_port, root, stop, tail, wait
from benchmarks.results import BenchmarkFailed
from orchestrator.domain import Json
from orchestrator.provider_registry import REGISTRY

__all__ = [
    "Keys",
    "Served",
    "accounts_bodies",
    "await_answer",
    "clean_environment",
    "every_provider",
    "served",
]

_INSTITUTIONS: Final = ("ins_chase", "ins_bank_of_america", "ins_wells_fargo", "ins_citi")
_CONFIG: Final = """\
[providers.plaid.limits]
enabled = {limits}
[providers.plaid.options]
balance_age = "told"
"""
"""One HTTP call for `getAccounts`."""
_START_TIMEOUT_S: Final = 170.0
_POLL_S: Final = 0.05
_OURS: Final = ("ORCHESTRATOR_", "RAY_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))


@dataclass(frozen=True, slots=True)
class Keys:
    """Configured providers, and the environment that configures them."""

    providers: tuple[str, ...]
    environ: Mapping[str, str]


def _keys(providers: Iterable[str], upstream_url: str) -> Keys:
    chosen = tuple(REGISTRY[name] for name in providers)
    environ = {name: "benchmark" for spec in chosen for name in spec.credentials}
    environ |= {f"{spec.env_prefix}_BASE_URL": upstream_url for spec in chosen}
    return Keys(tuple(spec.name for spec in chosen), environ)


def every_provider(upstream_url: str) -> Keys:
    """All providers configured, though only Plaid's calls are answered at the upstream."""
    return _keys(REGISTRY, upstream_url)


@dataclass(frozen=True, slots=True)
class Served:
    """A running system. `first_answer_s` is the time from its start to its first answer."""

    url: str
    data_dir: Path
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes]
    first_answer_s: float

    def link(self, spaces: int) -> tuple[str, ...]:
        """Link so many spaces, at several institutions in turn; answers their names.

        Raises:
            BenchmarkFailed: one could not be linked.

        """
        named = tuple(f"space_{number}" for number in range(spaces))
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            for number, space_id in enumerate(named):
                institution_id = _INSTITUTIONS[number % len(_INSTITUTIONS)]
                params: dict[str, Json] = {"spaceId": space_id, "institutionId": institution_id}
                made = _data(http.post("/v1/operations/createLink", json={"params": params}))
                exchange: dict[str, Json] = {
                    "spaceId": space_id,
                    "linkSessionId": made["linkSessionId"],
                    "temporaryToken": "public-benchmark-token",
                }
                _data(
                    http.post(
                        "/v1/operations/exchangeToken",
                        json={"params": exchange},
                        headers={"Idempotency-Key": f"benchmark-{space_id}"},
                    )
                )
        return named


def _data(response: httpx.Response) -> dict[str, Json]:
    if response.status_code != 200:
        raise BenchmarkFailed(f"{response.request.url}: {response.status_code} {response.text}")
    data = response.json()["data"]
    if not isinstance(data, dict):
        raise BenchmarkFailed(f"{response.request.url}: no data in {response.text}")
    return data


def accounts_bodies(spaces: tuple[str, ...]) -> tuple[str, ...]:
    """Bodies of `POST /v1/operations/getAccounts`, one a space."""
    return tuple(json.dumps({"params": {"spaceId": space_id}}) for space_id in spaces)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer a system, and with our imports."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    return {**kept, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}


@contextmanager
def served(
    folder: Path,
    upstream_url: str,
    config: str = "",
    *,
    keys: Keys | None = None,
    limits: bool = False,
) -> Iterator[Served]:
    """Start a system with its own data, ports and Plaid at the upstream; stop it at the end.

    Args:
        folder: gets its data.
        upstream_url: stands for Plaid.
        config: TOML beside ours.
        keys: of other providers than Plaid alone.
        limits: whether Plaid's own limits hold.

    Raises:
        BenchmarkFailed: it does not answer in time.

    """
    folder.mkdir(parents=True, exist_ok=True)
    config_file = folder / "orchestrator.toml"
    told = _CONFIG.format(limits=str(limits).lower())
    config_file.write_text(told + config, encoding="utf-8")
    port = free_port()
    data_dir = folder / "data"
    environ = {
        **clean_environment(),
        "ORCHESTRATOR_DATA_DIR": str(data_dir),
        "ORCHESTRATOR_CONFIG": str(config_file),
        "ORCHESTRATOR_PORT": str(port),
        **(keys or _keys(("plaid",), upstream_url)).environ,
    }
    log, url = folder / "serve.out", f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "serve", "--no-sandbox"],
            env=environ,
            cwd=root,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        await_answer(process, f"{url}/readyz", log)
        yield Served(url, data_dir, environ, log, process, time.monotonic() - began)
    finally:
        stop(process)


def await_answer(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until a server answers with 200.

    Raises:
        BenchmarkFailed: it has ended, or does not in time; shows the end of its log.

    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    with httpx.Client(timeout=5, trust_env=False) as http:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if http.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            wait(_POLL_S)
    raise BenchmarkFailed(f"{url} does not answer: {tail(log)}")

"""Parts of a running system are killed outright, and nothing that was acknowledged is lost."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.chaos.linking import assert_exchanged_at_most_once, users_linking
from tests.chaos.load import Load, under_load
from tests.e2e.journeys import Caller
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.ray

CONFIG = """
[selection]
policy = "priority"
[breaker]
timeout_ms = 2000
[providers.plaid.limits]
enabled = false
[providers.mx.limits]
enabled = false
"""
ACTOR_BACK_S = 5.0
ACTOR_BACK_STARTS = 8.0
"""The same bound, in starts of a process that imports Ray, for machines with much else to do."""
INGRESS_BACK_S = 30.0
ANSWERS = 60
OPERATIONS = ("createLink", "exchangeToken", "getAccounts", "syncTransactions")


@contextmanager
def start_of_a_process() -> Iterator[list[float]]:
    """Time, beside the block, a process that imports Ray and ends: its seconds, at the block's end."""
    began = time.monotonic()
    seconds: list[float] = []

    def start() -> None:
        subprocess.run([sys.executable, "-c", "import ray"], check=True, timeout=120)
        seconds.append(time.monotonic() - began)

    beside = threading.Thread(target=start)
    beside.start()
    try:
        yield seconds
    finally:
        beside.join()


def pid_of(system: Serving, part: str) -> int:
    """The process of a part: an actor's class, or the owner of a spool."""
    for process in system.processes():
        command = " ".join(process.cmdline())
        if command.startswith(f"ray::{part}"):
            return process.pid
    owners = sorted(
        (system.data_dir / "spool").glob(f"{part}-*.spool"), key=lambda p: p.stat().st_mtime
    )
    return int(owners[-1].name.removeprefix(f"{part}-").split("-")[0])


def seen_by_vendors(sandbox_url: str) -> Counter[str]:
    """Attempt ids that the vendors saw, with how many operations saw each."""
    calls = httpx.get(f"{sandbox_url}/_control/calls", timeout=30).json()["calls"]
    return Counter(
        attempt_id
        for row in calls
        if row["operation"] in OPERATIONS
        for attempt_id in row["attemptIds"]
    )


def logged(system: Serving) -> dict[str, dict[str, Any]]:
    """Every attempt's row by its id; fails where an id has two."""
    with system.http() as http:
        rows = http.post(
            "/admin/attempts/query",
            json={"sql": "select attempt_id, outcome, error_code, http_calls from attempts"},
        ).json()["rows"]
    found = {row["attempt_id"]: row for row in rows}

    assert len(rows) == len(found)

    return found


def hold_open(system: Serving, provider: str) -> None:
    """Hold a provider's circuits open by hand."""
    body = {"state": "FORCED_OPEN", "reason": "to be there after a kill"}
    url = f"{system.url}/admin/providers/{provider}/circuit"
    assert httpx.post(url, json=body, timeout=30).is_success


def circuit(system: Serving, provider: str) -> str:
    """A provider's own circuit, as statistics show it."""
    stats = httpx.get(f"{system.url}/admin/stats", timeout=30).json()
    return str(stats["providers"][provider]["circuitState"])


def assert_nothing_is_lost(system: Serving, load: Load, sandbox_url: str) -> None:
    """Everything that vendors saw, and everything that callers were told, is in the log, once."""
    seen, rows = seen_by_vendors(sandbox_url), logged(system)
    told = {
        attempt["attemptId"]: attempt["outcome"]
        for answer in load.answers
        for attempt in answer["attempts"]
    }

    assert len(seen) > 50
    assert set() == set(seen) - set(rows)
    assert 1 == max(seen.values())
    wrong = {
        attempt_id: (outcome, rows[attempt_id]["outcome"])
        for attempt_id, outcome in told.items()
        if rows[attempt_id]["outcome"] != outcome
        and rows[attempt_id]["error_code"] not in ("ACTOR_LOST", "DEADLINE")
    }
    # Whoever was told of a lost actor may find the true outcome in the log, never the other way.
    assert {} == {i: pair for i, pair in wrong.items() if pair[0] != "network"}
    unknown = [row for row in rows.values() if row["http_calls"] is None]
    assert all(row["error_code"] == "ACTOR_LOST" for row in unknown)
    stats = httpx.get(f"{system.url}/admin/stats", timeout=30).json()
    assert (0, 0) == (stats["attemptLog"]["pending"], stats["attemptLog"]["lost"])


def test_killed_actors_lose_nothing_and_are_back_soon(tmp_path: Path, sandbox_url: str) -> None:
    """Each actor and the ingress are killed in mid-load; attempts and exchanges are there, once."""
    back: dict[str, float] = {}
    bounds: dict[str, float] = {}
    with serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system:
        with under_load(system) as load:
            httpx.delete(f"{sandbox_url}/_control/calls", timeout=30)
            hold_open(system, "finicity")
            with users_linking(system) as linking:
                load.go_on(ANSWERS)
                for part, provider, bound_s in (
                    ("provider-plaid", "plaid", ACTOR_BACK_S),
                    ("AttemptLogActor", None, ACTOR_BACK_S),
                    ("VaultActor", None, ACTOR_BACK_S),
                    ("provider-mx", "mx", ACTOR_BACK_S),
                    ("provider-finicity", None, ACTOR_BACK_S),
                    ("ServeReplica", None, INGRESS_BACK_S),
                ):
                    psutil.Process(pid_of(system, part)).kill()
                    with start_of_a_process() as seconds:
                        back[part] = load.ready_within(bound_s * 6, provider)
                    bounds[part] = max(bound_s, ACTOR_BACK_STARTS * seconds[0])
                    load.go_on(ANSWERS)
        assert_exchanged_at_most_once(system, linking)
        assert_nothing_is_lost(system, load, sandbox_url)
        assert "FORCED_OPEN" == circuit(system, "finicity")

    assert {} == {part: (s, bounds[part]) for part, s in back.items() if s > bounds[part]}


def test_a_killed_system_has_everything_after_its_restart(tmp_path: Path, sandbox_url: str) -> None:
    """All processes die at once in mid-load; rows, connections, answers, circuits are there again."""
    with (
        serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system,
        under_load(system) as load,
    ):
        httpx.delete(f"{sandbox_url}/_control/calls", timeout=30)
        hold_open(system, "finicity")
        with users_linking(system) as linking:
            load.go_on(3 * ANSWERS)
            system.kill()
    with serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system:
        assert "FORCED_OPEN" == circuit(system, "finicity")
        assert_exchanged_at_most_once(system, linking)
        assert_nothing_is_lost(system, load, sandbox_url)
        for space in load.spaces:
            caller = Caller(system)
            caller.space = space
            connections = caller.http.get(f"/v1/spaces/{space}/connections").json()["connections"]
            answer = caller.operate("getAccounts", {"institutionId": "ins_chase"}).json()
            caller.close()

            assert ["plaid", "mx"] == [c["provider"] for c in connections]
            assert answer["success"]

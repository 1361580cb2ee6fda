"""What a system that starts again knows of its providers."""

import shutil
from pathlib import Path

import pytest

from tests.support.system import System, running_system

CONFIG = """
[selection]
policy = "priority"
[requests]
retry_base_ms = 1
retry_cap_ms = 1
"""
PLAID_DOWN = {"provider": "plaid", "operation": "*", "kind": "down"}


async def _links(system: System, times: int = 1) -> list[str]:
    """Who answered so many link sessions."""
    params = {"spaceId": "space_1", "institutionId": "ins_chase"}
    return [
        (await system.call("createLink", params, preferredProvider="plaid")).body["provider"]
        for _ in range(times)
    ]


async def _circuit(system: System) -> str:
    stats = await system.stats()
    return str(stats["providers"]["plaid"]["circuitState"])


@pytest.mark.parametrize("end", ["in order", "killed"])
async def test_an_open_circuit_is_open_after_a_restart(end: str, tmp_path: Path) -> None:
    """A vendor that was down is left alone for its time, and then probed."""
    before, after = tmp_path / "before", tmp_path / "after"
    async with running_system(before, config=CONFIG) as system:
        await system.sandbox.put_faults(PLAID_DOWN)
        assert ["mx"] * 5 == await _links(system, 5)
        assert "OPEN" == await _circuit(system)
        if end == "killed":
            # What lies on the disk at this instant is all that a killed process leaves.
            shutil.copytree(before / "state", after / "state")
    if end == "in order":
        shutil.copytree(before / "state", after / "state")
    async with running_system(after, config=CONFIG) as system:
        skipped = await _links(system, 2)
        asked = await system.calls("plaid", "createLink")
        state = await _circuit(system)
        system.clock.jump(60.0)
        probed = await _links(system, 2)
        closed = await _circuit(system)

    assert (["mx", "mx"], 0, "OPEN") == (skipped, asked, state)
    assert (["plaid", "plaid"], "CLOSED") == (probed, closed)

"""The sandbox as a process: its state file, its address, its end."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox.journal import Journal, WrongSeed
from sandbox.server import serve
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller, MxCaller, PlaidCaller

ROOT = Path(__file__).parents[3]


async def test_links_outlive_the_sandbox(tmp_path: Path) -> None:
    """A new sandbox with the old one's state file serves what was linked, with the same data."""
    state = tmp_path / "state" / "links.jsonl"
    async with running_sandbox(state_file=state) as running:
        plaid, mx, belvo = PlaidCaller(running), MxCaller(running), BelvoCaller(running)
        await plaid.link()
        await mx.link()
        await belvo.link()
        before = [await plaid.rows(), await mx.rows(), await belvo.rows()]
        cursor = [page async for page in plaid.pages()][-1]["next_cursor"]
    async with running_sandbox(state_file=state) as again:
        for caller in (plaid, mx, belvo):
            caller.running = again
        after = [await plaid.rows(), await mx.rows(), await belvo.rows()]
        page = await plaid.read("/transactions/sync", cursor=cursor)

    assert before == after
    assert (200, []) == (page.status, page.body["added"])


async def test_endings_outlive_the_sandbox_too(tmp_path: Path) -> None:
    """What was removed, deleted or broken is so after a restart."""
    state = tmp_path / "links.jsonl"
    async with running_sandbox(state_file=state) as running:
        plaid, mx, belvo = PlaidCaller(running), MxCaller(running), BelvoCaller(running)
        await plaid.link()
        await plaid.read("/sandbox/item/reset_login")
        await mx.link()
        await mx.call("DELETE", f"/users/{mx.user}/members/{mx.member}")
        await belvo.link()
        await belvo.call("DELETE", f"/api/links/{belvo.link_id}/")
    async with running_sandbox(state_file=state) as again:
        for caller in (plaid, mx, belvo):
            caller.running = again
        broken = await plaid.read("/accounts/get")
        deleted = await mx.read()
        ended = await belvo.call("GET", f"/api/links/{belvo.link_id}/")

    assert "ITEM_LOGIN_REQUIRED" == broken.body["error_code"]
    assert (404, 404) == (deleted.status, ended.status)


def test_line_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    """The changes noted before a torn last line are all read."""
    path = tmp_path / "journal"
    journal = Journal(path, seed=1)
    journal.compact([{"n": 1}])
    journal.append({"n": 2})
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"n": 3, "x')

    assert [{"n": 1}, {"n": 2}] == Journal(path, seed=1).load()


def test_change_after_the_end_is_kept_with_the_others(tmp_path: Path) -> None:
    """Noting a change once the file was let go adds to it and takes nothing away."""
    journal = Journal(tmp_path / "journal", seed=1)
    journal.append({"n": 1})
    journal.close()
    journal.append({"n": 2})
    journal.close()

    assert [{"n": 1}, {"n": 2}] == journal.load()


def test_state_of_another_seed_is_refused(tmp_path: Path) -> None:
    """A file whose ids were derived from another seed is not taken."""
    path = tmp_path / "journal"
    journal = Journal(path, seed=1)
    journal.compact([])
    journal.close()

    with pytest.raises(WrongSeed):
        Journal(path, seed=2).load()


def test_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Nobody else may read the file."""
    path = tmp_path / "journal"
    journal = Journal(path, seed=1)
    journal.append({"n": 1})
    journal.close()

    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.test"])
async def test_only_loopback_is_served(host: str) -> None:
    """Any other address is refused before a socket is opened."""
    with pytest.raises(ValueError, match="loopback"):
        await serve(host, 0)


async def test_process_stops_cleanly_while_calls_hang(tmp_path: Path) -> None:
    """On SIGTERM the process cuts hanging calls and ends with code 0 at once."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox", "--port", "0", "--seed", "3", "--state", str(tmp_path / "links")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        url = (await process.stdout.readline()).decode().split()[-1]
    async with aiohttp.ClientSession() as http:
        fault = {"provider": "plaid", "kind": "timeout"}
        async with http.put(f"{url}/_control/faults", json={"faults": [fault]}) as reply:
            assert 200 == reply.status
        hanging = asyncio.create_task(http.post(f"{url}/plaid/accounts/get", json={}))
        while True:
            async with http.get(f"{url}/_control/calls") as reply:
                if (await reply.json())["calls"]:
                    break
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            code = await process.wait()
        took_s = loop.time() - told_at
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging

    assert 0 == code
    assert took_s < 2

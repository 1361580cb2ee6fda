"""The sandbox's options on a command line."""

import asyncio
import os
import sys
from dataclasses import fields
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from sandbox.__main__ import main
from sandbox.option_flags import BadOption, options_from, options_help
from sandbox.options import SandboxOptions
from tests.support.vendor_callers import basic

ROOT = Path(__file__).parents[3]
NAMES = [field.name for field in fields(SandboxOptions)]


def test_words_set_options_of_every_kind() -> None:
    """Choices, numbers and flags are read; what no word names stays as it was."""
    before = SandboxOptions(plaid_not_ready_s=3.0)

    options = options_from(["mx_dates=iso", "enforce_limits=true", "mx_dates=unix"], before)

    assert SandboxOptions(mx_dates="unix", plaid_not_ready_s=3.0, enforce_limits=True) == options
    assert SandboxOptions(plaid_not_ready_s=1.5) == options_from(["plaid_not_ready_s=1.5"])


@pytest.mark.parametrize(
    "word",
    [
        "mx_dates",
        "mx_dates=",
        "mx_dates=us",
        "no_such=1",
        "enforce_limits=yes",
        "plaid_not_ready_s=soon",
        "plaid_not_ready_s=-1",
        "plaid_not_ready_s=nan",
        "plaid_not_ready_s=inf",
    ],
)
def test_a_word_that_cannot_be_meant_is_refused(word: str) -> None:
    """An unknown name and a value of another kind stop the start and name themselves."""
    with pytest.raises(BadOption, match=word.partition("=")[0]):
        options_from([word])


def test_help_tells_every_option_with_its_values_default_and_meaning() -> None:
    """Both command lines list each field of the options, and say what it is about."""
    told = options_help()
    shown = CliRunner().invoke(app, ["sandbox", "--help"], env={"COLUMNS": "200"})

    assert NAMES == [sentence.partition(" ")[0] for sentence in told]
    for sentence in told:
        head, _, meaning = sentence.partition(") ")

        assert "; default " in head
        assert len(meaning.split()) > 5, sentence
    assert 0 == shown.exit_code
    assert [] == [name for name in NAMES if name not in shown.output]


def test_a_wrong_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The process ends with code 2 before anything is served."""
    with pytest.raises(SystemExit) as ended:
        main(["--option", "mx_dates=us"])

    assert 2 == ended.value.code
    assert "iso, unix, both" in capsys.readouterr().err


async def test_an_option_of_the_command_line_is_in_force() -> None:
    """`orchestrator sandbox --option mx_dates=unix` serves an MX that takes no ISO dates."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from orchestrator.cli import main; main()", "sandbox"),
        *("--port", "0", "--option", "mx_dates=unix"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().split()[-1]
        headers = {
            "Accept-Version": "v20250224",
            "Authorization": basic("sandbox_client", "sandbox_key"),
        }
        async with aiohttp.ClientSession(f"{url}/mx/", headers=headers) as mx:
            made = await (await mx.post("users", json={"user": {"id": "u"}})).json()
            user = made["user"]["guid"]
            wanted = {"widget_type": "connect_widget", "current_institution_code": "chase"}
            reply = await mx.post(f"users/{user}/widget_urls", json={"widget_url": wanted})
            played = {"linkUrl": (await reply.json())["widget_url"]["url"]}
            done = await (await mx.post(f"{url}/_control/complete", json=played)).json()
            path = f"users/{user}/members/{done['temporaryToken']}/transactions"
            by_day = await mx.get(path, params={"from_date": "2026-03-01"})
            by_time = await mx.get(path, params={"from_date": "1772323200"})
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            code = await process.wait()

    assert (400, 200, 0) == (by_day.status, by_time.status, code)

"""The README's code blocks, executed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import Serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_RUN = {"text", "mermaid"}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block and the line it begins at."""

    language: str
    text: str
    line: int


def blocks() -> Iterator[Block]:
    """All fenced blocks in order."""
    for found in _BLOCK.finditer(README):
        yield Block(found[1], found[2], README[: found.start()].count("\n") + 1)


def shape(value: Any, expected: Any, place: str = "answer") -> None:
    """Fail where an answer has other keys or other types than the README shows."""
    if isinstance(expected, dict):
        assert isinstance(value, dict), place
        assert set(expected) == set(value), place
        for key, inner in expected.items():
            shape(value[key], inner, f"{place}.{key}")
    elif isinstance(expected, list):
        assert isinstance(value, list), place
        if expected:
            assert value, f"{place} is empty"
            shape(value[0], expected[0], f"{place}[0]")
    elif expected is None or value is None:
        return
    elif isinstance(expected, bool) or not isinstance(expected, int | float):
        assert type(expected) is type(value), place
    else:
        assert isinstance(value, int | float), place


def localised(text: str, serving: Serving) -> str:
    """The block against this system's ports and this environment's programs."""
    return (
        text.replace("http://127.0.0.1:8000", serving.url)
        .replace("http://127.0.0.1:8200", serving.sandbox_url)
        .replace(".venv/bin/orchestrator", f"{sys.executable} -m orchestrator")
    )


def test_every_block_has_a_language_that_is_judged() -> None:
    """No block of the README can be passed over because nobody knows how to run it."""
    assert {block.language for block in blocks()} <= {"bash", "python", "json", *NOT_RUN}


def test_the_make_targets_that_the_readme_names_exist() -> None:
    """Each `make …` in a bash block is a target of the Makefile."""
    named = {
        line.split()[1]
        for block in blocks()
        if block.language == "bash"
        for line in block.text.splitlines()
        if line.startswith("make ")
    }

    assert named >= {"serve", "test"}
    for target in named:
        run = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr


@pytest.mark.ray
def test_the_readme_runs_from_top_to_bottom(serving: Serving) -> None:
    """Every bash and python block succeeds in order, and answers have the shape that is shown."""
    answer = ""
    judged = 0
    try:
        for block in blocks():
            where = f"README.md, line {block.line}"
            if block.language == "bash" and not block.text.startswith("make "):
                run = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", localised(block.text, serving)],
                    env=serving.environ,
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                assert run.returncode == 0, f"{where}: {run.stderr or run.stdout}"
                answer = run.stdout
            elif block.language == "python":
                run = serving.python(block.text)
                assert run.returncode == 0, f"{where}: {run.stderr}"
                assert run.stdout, where
            elif block.language == "json":
                expected, told = json.loads(block.text), json.loads(answer)
                shape(told, expected, where)
                for key in ("success", "operation", "provider", "failoverUsed"):
                    assert expected[key] == told[key], f"{where}: {key}"
                judged += 1
    finally:
        with serving.sandbox() as sandbox:
            sandbox.delete("/_control/faults")
    assert judged == 2

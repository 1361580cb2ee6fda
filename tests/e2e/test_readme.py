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
RUN = {"bash", "python"}
SHOWN = {"text", "mermaid"}
"""Pictures and transcripts; a text right after a python block is its output, and compared."""
COMPARED = {"success", "operation", "provider", "failoverUsed", "outcome", "eligible", "reason"}
"""Names whose values are part of the story; of all others only the type is."""
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the line of its opening fence. `language` is all that stands on it."""

    language: str
    text: str
    line: int


def blocks(markdown: str = README) -> Iterator[Block]:
    """All fenced blocks in order, however they are fenced and indented."""
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(markdown.splitlines(), start=1):
        found = _FENCE.match(line)
        if opened is None:
            if found:
                opened, lines = (found[1], found[2].strip(), number), []
        elif found and found[1].startswith(opened[0]) and not found[2].strip():
            yield Block(opened[1], "".join(f"{inner}\n" for inner in lines), opened[2])
            opened = None
        else:
            lines.append(line)
    assert opened is None, f"line {opened[2]}: the block is not closed"


def make_targets(block: Block) -> list[str]:
    """The targets that a bash block makes; empty where it makes none, and may be run."""
    lines = [line.split("#")[0].split() for line in block.text.splitlines()]
    words = [line for line in lines if line]
    if not any(line[0] == "make" for line in words):
        return []
    assert all(line[0] == "make" and len(line) == 2 for line in words), (
        f"line {block.line}: a block that makes a target is not run, so nothing else may be in it"
    )
    return [line[1] for line in words]


def judge(told: Any, shown: Any, place: str) -> None:
    """Fail where an answer has other keys, types or story than the README shows."""
    if isinstance(shown, dict):
        assert isinstance(told, dict), place
        assert set(shown) == set(told), place
        for key, inner in shown.items():
            if key in COMPARED:
                assert inner == told[key], f"{place}.{key}"
            judge(told[key], inner, f"{place}.{key}")
    elif isinstance(shown, list):
        assert isinstance(told, list), place
        assert len(shown) == len(told), place
        for index, (one, other) in enumerate(zip(told, shown, strict=True)):
            judge(one, other, f"{place}[{index}]")
    elif shown is None or told is None:
        return
    elif isinstance(shown, bool) or not isinstance(shown, int | float):
        assert type(shown) is type(told), place
    else:
        assert isinstance(told, int | float), place
        assert not isinstance(told, bool), place


def as_story(line: str) -> str:
    """A line of output, its numbers told only as zero or not, its spaces as one."""
    return " ".join(re.sub(r"\d+", lambda n: "N" if int(n[0]) else "0", line).split())


def judge_output(told: str, shown: str, place: str) -> None:
    """Fail where output lacks a line that the README shows, in the order shown."""
    rest = iter([as_story(line) for line in told.splitlines()])
    for line in shown.splitlines():
        assert as_story(line) in rest, f"{place}: {line!r} is not in {told!r}"


def localised(text: str, serving: Serving) -> str:
    """The block against this system's ports and this environment's programs."""
    return (
        text.replace("http://127.0.0.1:8000", serving.url)
        .replace("http://127.0.0.1:8200", serving.sandbox_url)
        .replace(".venv/bin/orchestrator", f"{sys.executable} -m orchestrator")
    )


def run_block(block: Block, serving: Serving, place: str) -> str:
    """Run a bash or python block against a running system; its output."""
    program = (
        ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    )
    run = subprocess.run(
        [*program, localised(block.text, serving)],
        env=serving.environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, f"{place}: {run.stderr or run.stdout}"
    return run.stdout


def test_every_block_has_a_language_that_is_judged() -> None:
    """No block of the README can be passed over because nobody knows how to run it."""
    assert {block.language for block in blocks()} <= {"json", *RUN, *SHOWN}


@pytest.mark.parametrize(
    ("opening", "closing", "language"),
    [
        ("~~~ruby", "~~~", "ruby"),
        ("```sh-session", "```", "sh-session"),
        ('```bash title="x"', "```", 'bash title="x"'),
        ("  ```bash", "  ```", "bash"),
        ("````", "````", ""),
    ],
)
def test_a_block_is_found_however_it_is_fenced(opening: str, closing: str, language: str) -> None:
    """Tildes, indentation, attributes and a missing language hide no block."""
    found = list(blocks(f"Before.\n\n{opening}\nfalse\n{closing}\n"))

    assert [Block(language, "false\n", 3)] == found


def test_a_block_that_is_not_closed_is_an_error() -> None:
    """An open fence would swallow the blocks after it."""
    with pytest.raises(AssertionError, match="line 1: the block is not closed"):
        list(blocks("```bash\nfalse\n"))


def test_a_command_cannot_hide_behind_a_make_target() -> None:
    """A block that names a target holds nothing but targets."""
    with pytest.raises(AssertionError, match="nothing else may be in it"):
        make_targets(Block("bash", "make serve  # a comment\nfalse\n", 1))


@pytest.mark.parametrize(
    "told",
    [
        {"provider": "mx", "items": [{"n": 1}, {"n": 2}]},
        {"provider": "plaid", "items": [{"n": 1}, {"m": 2}]},
        {"provider": "plaid", "items": [{"n": 1}, {"n": "2"}]},
        {"provider": "plaid", "items": [{"n": 1}]},
        {"provider": "plaid", "items": [{"n": 1}, {"n": True}]},
        {"provider": "plaid", "items": [{"n": 1}, {"n": 2}], "more": 1},
    ],
)
def test_an_answer_of_another_story_or_shape_is_refused(told: Any) -> None:
    """Another provider, key, type, length or additional field is not what the README shows."""
    shown = {"provider": "plaid", "items": [{"n": 7}, {"n": 8.5}]}
    judge({"provider": "plaid", "items": [{"n": 1}, {"n": 2}]}, shown, "answer")

    with pytest.raises(AssertionError, match="answer"):
        judge(told, shown, "answer")


@pytest.mark.parametrize(
    "told", ["0 plaid False\n", "41 mx False\n", "validation no account\n", ""]
)
def test_an_output_of_another_story_is_refused(told: str) -> None:
    """Numbers may differ, but not whether there are any; words may not."""
    judge_output("7  plaid False\nand more\n", "41 plaid False\n", "output")

    with pytest.raises(AssertionError, match="output"):
        judge_output(told, "41 plaid False\n", "output")


def test_the_make_targets_that_the_readme_names_exist() -> None:
    """Each `make …` in a bash block is a target of the Makefile."""
    named = {name for block in blocks() if block.language == "bash" for name in make_targets(block)}

    assert named >= {"serve", "test"}
    for target in named:
        run = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr


@pytest.mark.ray
def test_the_readme_runs_from_top_to_bottom(serving: Serving) -> None:
    """Every bash and python block succeeds in order, and answers are those that are shown."""
    before, output = "", ""
    try:
        for block in blocks():
            place = f"README.md, line {block.line}"
            if block.language == "bash" and make_targets(block):
                output = ""
            elif block.language in RUN:
                output = run_block(block, serving, place)
            elif block.language == "json":
                assert before == "bash", f"{place}: an answer stands right after its request"
                judge(json.loads(output), json.loads(block.text), place)
            else:
                assert block.language in SHOWN, f"{place}: nobody knows how to judge this"
                if before == "python":
                    judge_output(output, block.text, place)
            before = block.language
    finally:
        with serving.sandbox() as sandbox:
            sandbox.delete("/_control/faults")

"""A guide whose fenced blocks are steps, and the steps followed on a copy of the project.

A block takes part when its fence names a file: ```` ```python title="sandbox/acme.py" ````.
Blocks of one file are its parts, in order. A `diff` is a hunk without line numbers, whose unchanged
lines must stand in the file just once. A `csv` of two columns is a column to add.
"""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Step", "copy_of_project", "follow", "steps"]

ROOT = Path(__file__).parents[2]
PARTS_OF_PROJECT = (
    "orchestrator",
    "actors",
    "models",
    "sandbox",
    "benchmarks",
    "tests",
    "docs",
)
_FENCE = re.compile(r"^```(?P<language>[a-z]*)(?: title=\"(?P<path>[^\"]+)\")?$")


@dataclass(frozen=True)
class Step:
    """One block that names a file; `line` is that of its fence in the guide."""

    language: str
    path: str
    text: str
    line: int


def steps(markdown: str) -> Iterator[Step]:
    """The steps of a guide, in order."""
    opened: re.Match[str] | None = None
    inside: list[str] = []
    began = 0
    for number, line in enumerate(markdown.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None and fence is not None:
            opened, inside, began = fence, [], number
        elif opened is not None and line == "```":
            if opened["path"]:
                text = "".join(f"{row}\n" for row in inside)
                yield Step(opened["language"], opened["path"], text, began)
            opened = None
        elif opened is not None:
            inside.append(line)
    assert opened is None, f"line {began}: the block is not closed"


def copy_of_project(to: Path) -> None:
    """Packages, tests and documents as they are here, without what was made of them."""
    for name in PARTS_OF_PROJECT:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)


def follow(markdown: str, root: Path) -> list[Path]:
    """Do what each step says, below `root`; answers the files that are new."""
    new: dict[Path, str] = {}
    for step in steps(markdown):
        path = root / step.path
        if step.language == "diff":
            path.write_text(_patched(path.read_text(encoding="utf-8"), step), encoding="utf-8")
        elif step.language == "csv":
            path.write_text(_widened(path.read_text(encoding="utf-8"), step), encoding="utf-8")
        else:
            assert path in new or not path.exists(), f"line {step.line}: {step.path} is there"
            new[path] = _with_part(new.get(path, ""), step.text)
            path.write_text(new[path], encoding="utf-8")
    return list(new)


def _with_part(before: str, part: str) -> str:
    if not before:
        return part
    return before + ("\n" if part.startswith(" ") else "\n\n") + part


def _patched(text: str, step: Step) -> str:
    hunk = step.text.splitlines()
    assert all(row[:1] in {" ", "+"} for row in hunk), f"line {step.line}: only additions"
    before = "".join(f"{row[1:]}\n" for row in hunk if row.startswith(" "))
    after = "".join(f"{row[1:]}\n" for row in hunk)
    assert text.count(before) == 1, f"line {step.line}: its place in {step.path} is not found once"
    return text.replace(before, after)


def _widened(text: str, step: Step) -> str:
    (key, column), *given = csv.reader(io.StringIO(step.text))
    cells = dict(given)
    header, *rows = csv.reader(io.StringIO(text))
    at = header.index(key)
    assert set(cells) <= {row[at] for row in rows}, f"line {step.line}: there is no such row"
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow([*header, column])
    table.writerows([*row, cells.get(row[at], "")] for row in rows)
    return written.getvalue()

"""`docs/adding-a-provider.md`, followed to the letter on a copy of the project."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from provider_contract import ProviderContract

from tests.support.guide import copy_of_project, follow

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
WHOLE = (
    "test_provider_registry",
    "test_configuration_document",
    "test_settings",
    "test_sandbox_banks",
    "test_catalogue",
)
"""Modules that hold the registry, the catalogue and the documents together, whoever is in them."""


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python tool within the copy, by its code alone."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_guides_provider_passes_everything_that_it_inherits(tmp_path: Path) -> None:
    """Its blocks make a provider that passes the contract, alone and behind the whole system."""
    copy_of_project(tmp_path)
    written = [str(path.relative_to(tmp_path)) for path in follow(GUIDE, tmp_path)]

    tests = run(
        tmp_path,
        *("pytest", "-q", "-p", "no:cacheprovider", "tests/contracts", "tests/unit"),
        *("-k", " or ".join(("acme", *WHOLE))),
    )
    passed = re.search(r"(\d+) passed", tests.stdout)

    assert tests.returncode == 0, tests.stdout[-4000:]
    assert passed is not None
    assert int(passed[1]) > len([name for name in dir(ProviderContract) if name.startswith("test")])
    for check in (("check",), ("format", "--check")):
        tidy = run(tmp_path, "ruff", *check, "--no-cache", *written)
        assert tidy.returncode == 0, tidy.stdout


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ('```diff title="a.py"\n+new\n gone\n```\n', "line 1: its place in a.py is not found once"),
        (
            '```diff title="a.py"\n+new\n twice\n```\n',
            "line 1: its place in a.py is not found once",
        ),
        ('```diff title="a.py"\n-twice\n```\n', "line 1: only additions"),
        ('```python title="a.py"\nx = 1\n```\n', "line 1: a.py is there"),
        ('\n```csv title="a.csv"\nid,acme\nz,1\n```\n', "line 2: there is no such row"),
        ('```python title="b.py"\nx = 1\n', "line 1: the block is not closed"),
    ],
)
def test_a_step_that_no_longer_fits_is_noticed(tmp_path: Path, block: str, told: str) -> None:
    """A place that has moved, a file that is there and a row that is gone fail with their line."""
    (tmp_path / "a.py").write_text("twice\ntwice\n")
    (tmp_path / "a.csv").write_text("id,b\nx,1\n")
    with pytest.raises(AssertionError, match=told):
        follow(block, tmp_path)


def test_steps_are_put_together_in_order(tmp_path: Path) -> None:
    """Parts of a file follow each other, additions stand before what they name, cells join rows."""
    (tmp_path / "a.py").write_text("first\nlast\n")
    (tmp_path / "a.csv").write_text("id,b\nx,1\ny,\n")
    new = follow(
        "Read.\n```text\nnot a step\n```\n"
        '```python title="b.py"\nclass A:\n    x = 1\n```\nAnd then:\n'
        '```python title="b.py"\n    y = 2\n```\n```python title="b.py"\nz = 3\n```\n'
        '```diff title="a.py"\n+middle\n last\n```\n'
        '```csv title="a.csv"\nid,acme\ny,7\n```\n',
        tmp_path,
    )

    assert [tmp_path / "b.py"] == new
    assert "class A:\n    x = 1\n\n    y = 2\n\n\nz = 3\n" == new[0].read_text()
    assert "first\nmiddle\nlast\n" == (tmp_path / "a.py").read_text()
    assert "id,b,acme\nx,1,\ny,,7\n" == (tmp_path / "a.csv").read_text()

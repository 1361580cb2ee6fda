"""The programs that use vendors' own clients are complete, and their requirements are pinned."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "vendor_clients"
JOURNEYS = sorted(path.name.removesuffix("_journey.py") for path in FOLDER.glob("*_journey.py"))
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The runner with these arguments."""
    return subprocess.run(
        [sys.executable, str(FOLDER / "run"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_journey_has_its_pinned_requirements() -> None:
    """A client's version is the one that was tried, from whatever index there is."""
    assert JOURNEYS
    for name in JOURNEYS:
        lines = (FOLDER / f"{name}-requirements.txt").read_text(encoding="utf-8").splitlines()

        assert lines
        assert [] == [line for line in lines if not PINNED.fullmatch(line)]


def test_the_runner_names_what_it_can_run() -> None:
    """Its help lists the clients, and another name is a mistake in its use."""
    told, mistaken = run("--help"), run("no-such-client")

    assert (told.returncode, mistaken.returncode) == (0, 2)
    assert all(name in told.stdout for name in JOURNEYS)
    assert "no such client" in mistaken.stderr


@pytest.mark.parametrize(("ends_with", "told"), [(0, "ok"), (1, "FAILED"), (77, "skipped")])
def test_how_a_journey_ended_is_told(
    ends_with: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 77 is neither a success nor a failure; and a journey gets the sandbox's own URL."""
    program = f"import sys; print(*sys.argv[1:]); sys.exit({ends_with})"
    (tmp_path / "one_journey.py").write_text(program, encoding="utf-8")
    journey = runpy.run_path(str(FOLDER / "run"))["journey"]
    names = journey.__globals__
    monkeypatch.setitem(names, "HERE", tmp_path)
    monkeypatch.setitem(names, "environment_of", lambda _name, _folder: sys.executable)
    went, said = journey("one", tmp_path)

    assert told == went
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+\n", said)

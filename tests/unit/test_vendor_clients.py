"""The programs that use vendors' own clients are complete, and their requirements are pinned."""

import re
import subprocess
import sys
from pathlib import Path

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

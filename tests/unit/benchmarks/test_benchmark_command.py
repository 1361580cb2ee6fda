"""`python -m benchmarks`: what it runs, what it writes down, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import command
from benchmarks.listing import BENCHMARKS
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result

RESULT = Result(
    (Figure("decision", "µs", (30.0,), Floor("floor", (10.0,)), Reach.value_at_most(20)),),
)


def _measure(monkeypatch: pytest.MonkeyPatch, told: Result | BenchmarkFailed, *words: str) -> int:
    def run_apart(*_: object, **__: object) -> Result:
        if isinstance(told, BenchmarkFailed):
            raise told
        return told

    monkeypatch.setattr(command, "run_apart", run_apart)
    return CliRunner().invoke(command.app, list(words)).exit_code


def test_every_listed_benchmark_has_a_module_of_its_name() -> None:
    """Importing it is left to the process that runs it: Ray takes its time."""
    folder = Path(command.__file__).parent

    assert [] == [name for name in BENCHMARKS if not (folder / f"{name}.py").is_file()]


def test_a_benchmark_runs_to_its_end_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The decision's short part, as CI runs it, leaves its figures where it is told to."""
    results = tmp_path / "results.json"

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "decision", "--short", "--results", str(results)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    document = json.loads(results.read_text(encoding="utf-8"))
    assert document["short"] is True
    assert {} == document["failed"]
    figures = document["benchmarks"]["decision"]["figures"]
    assert "decision, cached" in {figure["what"] for figure in figures}
    assert all(figure["median"] > 0 for figure in figures)
    assert {"processors", "python", "packages", "system", "memory_gb"} == set(document["machine"])


def test_a_reach_that_is_not_met_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the figures judges them."""
    assert 0 == _measure(monkeypatch, RESULT, "decision")


def test_what_could_not_be_measured_is_told_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit code says so, and the results say why."""
    results = tmp_path / "results.json"

    code = _measure(monkeypatch, BenchmarkFailed("no wrk"), "decision", "--results", str(results))

    assert 1 == code
    assert {"decision": "no wrk"} == json.loads(results.read_text(encoding="utf-8"))["failed"]


def test_a_part_of_the_benchmarks_overwrites_no_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only a full run of all of them takes the place of the last one."""
    results = tmp_path / "results.json"
    monkeypatch.setattr(command, "RESULTS", results)

    part = _measure(monkeypatch, RESULT, "decision")
    short = _measure(monkeypatch, RESULT, "--short")

    assert (0, 0) == (part, short)
    assert not results.exists()


def test_a_full_run_is_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the machine, the date and the command."""
    results = tmp_path / "results.json"
    monkeypatch.setattr(command, "RESULTS", results)

    code = _measure(monkeypatch, RESULT)

    document = json.loads(results.read_text(encoding="utf-8"))
    assert 0 == code
    assert {"at", "command", "short", "machine", "benchmarks", "failed"} == set(document)


def test_an_unknown_benchmark_is_a_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other wrong word on a command line."""
    assert 2 == _measure(monkeypatch, RESULT, "http_opps")


def test_the_help_names_every_benchmark() -> None:
    """With what it measures and against what."""
    shown = CliRunner().invoke(command.app, ["--help"]).output

    assert all(name in shown for name in BENCHMARKS)

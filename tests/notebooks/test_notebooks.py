"""Every notebook runs from top to bottom, and is clean in git."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.e2e.journeys import Caller
from tests.support.serving import Serving, serving

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CELL_TIMEOUT_S = 120


def _executed(path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a notebook against a system; answers everything it printed."""
    for name in list(os.environ):
        if name.startswith(("ORCHESTRATOR_", "RAY_", "NOTEBOOK_")):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    notebook: Any = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_carries_no_output_in_git(path: Path) -> None:
    """No output and no execution count is committed."""
    notebook: Any = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert code
    assert [] == [cell for cell in code if cell.outputs or cell.execution_count]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A running system of the notebooks' own."""
    with serving(tmp_path_factory.mktemp("notebooks")) as running:
        yield running


@pytest.mark.ray
# The client's ZeroMQ sockets and its event loop belong to libraries that close them late.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_backfill_notebook_does_each_account_once(
    system: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run reads every account; the second skips them all."""
    environ = system.environ | {"NOTEBOOK_CUSTOMERS": "3", "NOTEBOOK_MAX_IN_FLIGHT": "4"}

    first = _executed(FOLDER / "01_bulk_backfill.ipynb", environ, monkeypatch)
    second = _executed(FOLDER / "01_bulk_backfill.ipynb", environ, monkeypatch)

    assert "skipped 0, failed 0" in first
    done = int(first.split("done ")[1].split(",")[0])
    assert done >= 6
    assert f"done 0, skipped {done}, failed 0" in second


@pytest.mark.ray
# As above.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_retraining_notebook_trains_judges_and_tries(
    system: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run's model becomes active; the second run's goes on trial, in shadow."""
    environ = system.environ | {"NOTEBOOK_REQUESTS": "60"}

    first = _executed(FOLDER / "03_retraining_and_policy_evaluation.ipynb", environ, monkeypatch)
    second = _executed(FOLDER / "03_retraining_and_policy_evaluation.ipynb", environ, monkeypatch)

    assert "60 of 60 requests answered" in first
    assert "- active - the first model, through its gates" in first
    assert "trial: none" in first
    assert "- not active - on trial, in shadow" in second
    assert "in shadow: passed its gates" in second


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_health_notebook_shows_attempts_and_circuits(
    system: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some requests, and a provider held open, both are told and drawn."""
    caller = Caller(system)
    caller.link("mx", "ins_chase")
    caller.operate("getAccounts", {})
    held = {"state": "FORCED_OPEN", "reason": "for the plot"}
    assert caller.http.post("/admin/providers/finicity/circuit", json=held).is_success
    assert caller.stats()["attemptLog"]["rows"] > 0
    caller.close()

    told = _executed(FOLDER / "02_provider_health.ipynb", system.environ, monkeypatch)

    attempts = int(told.split(" attempts in the last")[0].split()[-1])
    assert attempts >= 3
    assert " circuits that were not always closed" in told
    assert "0 circuits" not in told

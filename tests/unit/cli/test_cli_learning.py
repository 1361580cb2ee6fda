"""`train`, `models` and `backtest` on a log whose server has stopped."""

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from models import ModelRegistry, SelectionModel
from models.drift import Alarm
from models.drift_file import DriftFile
from models.promotion import Trial, TrialStore
from orchestrator.attempt_log.schema import TABLES
from orchestrator.cli import app
from orchestrator.domain import OrchestratorError
from tests.support.promotion_rehearsal import World


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty data folder that the settings name."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def write_log(folder: Path, rows: int = 800, **changes: object) -> None:
    """The log's file with attempts in a calm world."""
    frame = World.of(1).log(rows, seed=1).assign(**changes)
    columns = ", ".join(column for column in frame.columns)
    values = ", ".join(
        "to_timestamp(started_at)" if column == "started_at" else column for column in frame.columns
    )
    with duckdb.connect(str(folder / "attempts.duckdb")) as connection:
        for table in TABLES:
            connection.execute(table.create_sql)
        connection.register("frame", frame)
        connection.execute(f"insert into attempts ({columns}) select {values} from frame")


def forget_some(folder: Path) -> None:
    """The same attempts but the last hundred."""
    with duckdb.connect(str(folder / "attempts.duckdb")) as connection:
        connection.execute(
            "delete from attempts where attempt_id in "
            "(select attempt_id from attempts order by started_at desc limit 100)"
        )


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, list(arguments))


def test_the_first_training_becomes_active_and_shows_its_gates(data_dir: Path) -> None:
    """Where no model is active the new one is, and the card's place is told."""
    write_log(data_dir)

    trained = run("train")
    listed = run("models")

    assert trained.exit_code == 0, trained.output
    version = trained.stdout.split()[1].rstrip(":")
    assert ModelRegistry(data_dir / "models").active() == version
    assert "first choice" in trained.stdout or "first_choice" in trained.stdout
    assert (data_dir / "models" / version / "card.md").is_file()
    assert (data_dir / "models" / version / "calibration.svg").read_text().startswith("<svg")
    assert version in listed.stdout
    assert "active, by orchestrator train" in listed.stdout


def test_a_second_training_goes_on_trial(data_dir: Path) -> None:
    """The active model stays, and the trial shows in the list until it is stopped."""
    write_log(data_dir)
    first = run("train").stdout.split()[1].rstrip(":")
    # Of other rows, so that it is another model however soon it comes.
    forget_some(data_dir)
    second = run("train").stdout.split()[1].rstrip(":")
    listed = run("models")
    stopped = run("models", "--stop-trial")

    assert ModelRegistry(data_dir / "models").active() == first
    assert second != first
    assert "→ shadow" in listed.stdout
    assert "stopped by the operator" in stopped.stdout


@pytest.mark.parametrize("option", ["--activate", "--no-activate"])
def test_an_operator_may_decide(data_dir: Path, option: str) -> None:
    """Activation may be forced, or left out."""
    write_log(data_dir)

    trained = run("train", option)

    version = trained.stdout.split()[1].rstrip(":")
    assert ModelRegistry(data_dir / "models").active() == (
        version if option == "--activate" else None
    )


def test_roll_back_goes_to_what_was_active_before(data_dir: Path) -> None:
    """The model before is active again, and the history says so."""
    registry = ModelRegistry(data_dir / "models")
    key = ("plaid", "getAccounts", "US", None)
    versions = [
        registry.save(SelectionModel.of(trained_at=at, table={key: 0.9}, card={}))
        for at in (1.0, 2.0)
    ]
    for version in versions:
        registry.activate(version)

    shown = run("models", "--roll-back")

    assert registry.active() == versions[0]
    assert f"rolled back from {versions[1]}" in shown.stdout


def test_alarms_of_drift_are_shown(data_dir: Path) -> None:
    """What the watch found stands below the list."""
    folder = data_dir / "models"
    model = SelectionModel.of(
        trained_at=1.0, table={("plaid", "getAccounts", "US", None): 0.9}, card={}
    )
    ModelRegistry(folder).save(model)
    TrialStore(folder).write(Trial.begin(model.version, None, now=1.0))
    DriftFile(folder).write([Alarm("calibration", "outcomes are worse")], at=2.0)

    assert "drift of calibration: outcomes are worse" in run("models").stdout


def test_backtest_compares_every_policy_and_plots(data_dir: Path) -> None:
    """Each policy has a row with its interval, a bar and a place in the plot."""
    write_log(data_dir)
    plot = data_dir / "plot.svg"

    found = run("backtest", "--plot", str(plot))

    assert found.exit_code == 0, found.output
    for name in ("as logged", "adaptive", "priority"):
        assert name in found.stdout
        assert name in plot.read_text()
    assert "●" in found.stdout


def test_backtest_of_named_policies(data_dir: Path) -> None:
    """Only what was asked for is judged; a name that is none is a usage error."""
    write_log(data_dir)

    named, unknown = run("backtest", "--policy", "priority"), run("backtest", "--policy", "magic")

    assert "adaptive" not in named.stdout
    assert unknown.exit_code == 2
    assert "known are" in unknown.output


def test_a_log_without_draws_is_a_warning(data_dir: Path) -> None:
    """Where every choice was certain, the log cannot judge anything else, and says what helps."""
    write_log(data_dir, propensity=1.0)

    found = run("backtest")

    assert found.exit_code == 0, found.output
    assert "exploration_ratio" in found.output


@pytest.mark.parametrize("command", ["train", "backtest"])
@pytest.mark.parametrize("rows", [0, 10])
def test_too_short_a_log_is_one_sentence(data_dir: Path, command: str, rows: int) -> None:
    """An empty log and one of a few attempts fail with how many are needed."""
    write_log(data_dir, rows)

    result = run(command)

    assert isinstance(result.exception, OrchestratorError)
    assert "at least 20 usable attempts" in str(result.exception)


@pytest.mark.parametrize("command", ["train", "backtest"])
def test_no_log_at_all_is_one_sentence(command: str) -> None:
    """Before anything was asked of any provider there is no file, and that is said."""
    result = run(command)

    assert isinstance(result.exception, OrchestratorError)
    assert "attempts.duckdb" in str(result.exception)


@pytest.mark.parametrize("since", ["yesterday", "7w", "999999999999d"])
def test_a_since_that_is_none_is_a_usage_error(data_dir: Path, since: str) -> None:
    """Neither a date nor an age."""
    write_log(data_dir, 30)

    assert run("train", "--since", since).exit_code == 2

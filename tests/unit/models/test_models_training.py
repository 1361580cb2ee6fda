"""Training: what is learned from a log of attempts, and from which logs nothing is."""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from models import AttemptsUnreadable, NotEnoughData, SelectionContext, SelectionPolicy, train

START = 1_790_000_000.0
NOW = 1_795_000_000.0
US = ["plaid", "mx", "finicity"]


def log(rows: int = 6000, seed: int = 1, step_s: float = 60.0) -> pd.DataFrame:
    """Attempts with an even first choice, in a world where Plaid is poor at one bank."""
    random = np.random.default_rng(seed)
    provider = random.choice(US, rows)
    institution = random.choice(["ins_chase", "ins_citi", "ins_wells_fargo"], rows)
    chance = pd.Series(provider).map({"plaid": 0.97, "mx": 0.92, "finicity": 0.85}).to_numpy()
    chance = np.where((provider == "plaid") & (institution == "ins_citi"), 0.5, chance)
    worked = random.random(rows) < chance
    started = pd.to_datetime(START + np.arange(rows) * step_s, unit="s", utc=True)
    return pd.DataFrame(
        {
            "provider": provider,
            "operation": random.choice(["getAccounts", "syncTransactions"], rows),
            "region": "US",
            "institution_id": institution,
            "attempt_number": 1,
            "started_at": started,
            "latency_ms": 200.0,
            "outcome": np.where(worked, "success", "provider_down"),
            "error_scope": np.where(worked, None, "institution"),
            "candidates": [US] * rows,
            "eligible": [US] * rows,
            "propensity": 1 / 3,
        }
    )


def prior(model: object, provider: str, institution: str | None) -> float:
    """The trained success ratio of reading accounts, which must be known."""
    found = model.prior(provider, "getAccounts", "US", institution)
    assert found is not None
    return found


def test_known_world_is_learned() -> None:
    """Scores come close to the true success ratios, by provider and by pair."""
    model = train(log(), now=NOW)

    assert prior(model, "plaid", "ins_chase") == pytest.approx(0.97, abs=0.04)
    assert prior(model, "plaid", "ins_citi") == pytest.approx(0.50, abs=0.08)
    assert prior(model, "mx", "ins_citi") == pytest.approx(0.92, abs=0.04)
    assert prior(model, "finicity", "ins_chase") == pytest.approx(0.85, abs=0.05)
    assert model.prior("belvo", "getAccounts", "US", None) is None
    assert model.trained_at == NOW


def test_policy_follows_what_was_learned() -> None:
    """A policy with the model tries the best provider for each bank."""
    policy = SelectionPolicy(model=train(log(), now=NOW), exploration_ratio=0.0)

    firsts = {
        bank: policy.decide(
            SelectionContext(
                operation="getAccounts",
                region="US",
                institution_id=bank,
                candidates=tuple(US),
                at=NOW,
            )
        ).order[0]
        for bank in ("ins_chase", "ins_citi")
    }

    assert firsts == {"ins_chase": "plaid", "ins_citi": "mx"}


def test_card_tells_data_and_metrics() -> None:
    """The card counts rows, and on the later part beats base rates and the priority order."""
    card = train(log(), now=NOW).card
    found = card["evaluation"]

    assert card["method"] == "logistic_l2"
    assert card["rows"] == {"read": 6000, "used": 6000, "userErrors": 0, "ignored": 0}
    assert card["span"] == {"from": "2026-09-21T14:13:20+00:00", "to": "2026-09-25T18:12:20+00:00"}
    assert card["providers"] == sorted(US)
    metrics = found["metrics"]
    for baseline in ("overallRate", "providerRate", "operationRate", "movingRate"):
        assert metrics["model"]["brier"] < metrics[baseline]["brier"]
        assert metrics["model"]["logLoss"] < metrics[baseline]["logLoss"]
        assert metrics["model"]["auc"] > metrics[baseline]["auc"]
    assert found["gain"]["snips"]["low"] > 0.03
    assert found["firstChoice"]["effectiveRows"] == pytest.approx(400, abs=60)
    assert {gate["name"]: gate["verdict"] for gate in card["gates"]} == dict.fromkeys(
        ("brier", "calibration", "first_choice", "table", "schema"), "passed"
    )


def test_training_is_reproducible() -> None:
    """The same log at the same time makes the same version, in whatever order its rows come."""
    attempts = log(2000)

    versions = {train(frame, now=NOW).version for frame in (attempts, attempts[::-1])}

    assert len(versions) == 1


def test_frame_is_not_changed() -> None:
    """The caller's frame stays as it was."""
    attempts = log(500)
    before = attempts.copy(deep=True)

    train(attempts, now=NOW)

    pd.testing.assert_frame_equal(before, attempts)


def test_user_errors_teach_nothing() -> None:
    """A storm of wrong passwords at one provider leaves every score as it was."""
    attempts = log(3000)
    storm = log(1000, seed=2).assign(provider="plaid", outcome="auth", error_scope="connection")
    storm["started_at"] = attempts["started_at"].max()

    calm, stormy = (
        train(frame, now=NOW)
        for frame in (attempts, pd.concat([attempts, storm], ignore_index=True))
    )

    assert calm.table == stormy.table
    assert stormy.card["rows"]["userErrors"] == 1000


def test_recent_attempts_weigh_more() -> None:
    """A provider that was good a month ago and is poor now is scored poor."""
    past = log(2000).assign(outcome="success")
    recent = log(2000, seed=2)
    recent["started_at"] += pd.Timedelta(days=30)
    recent.loc[recent["provider"] == "mx", "outcome"] = "network"

    model = train(pd.concat([past, recent], ignore_index=True), now=NOW)

    assert prior(model, "mx", "ins_chase") < 0.25


def test_later_attempts_weigh_less() -> None:
    """Failures after a first failure count a quarter of first attempts."""
    good = log(1000).assign(outcome="success", error_scope=None)
    bad = log(1000, seed=2).assign(outcome="network", error_scope=None)

    first, second = (
        prior(train(pd.concat([good, bad.assign(attempt_number=n)]), now=NOW), "mx", "ins_chase")
        for n in (1, 2)
    )

    assert first == pytest.approx(0.5, abs=0.1)
    assert second == pytest.approx(0.8, abs=0.1)


def test_attempts_after_now_are_left_out() -> None:
    """Only what had ended by the time of training is known then."""
    attempts = log(1000)
    half = START + 500 * 60.0

    model = train(attempts, now=half)

    assert model.card["rows"] == {"read": 1000, "used": 500, "userErrors": 0, "ignored": 500}


def test_rare_institutions_share_one_group() -> None:
    """A bank seen a few times has no row and takes that of all the rest."""
    attempts = log(1000)
    attempts.loc[:9, "institution_id"] = "ins_rare"

    model = train(attempts, now=NOW)

    assert ("mx", "getAccounts", "US", "ins_rare") not in model.table
    assert prior(model, "mx", "ins_rare") == prior(model, "mx", None)


def test_holes_in_the_log_are_tolerated() -> None:
    """Rows without what is needed are left out, other holes do no harm, no warning is raised."""
    attempts = log(1000)
    attempts.loc[0, "provider"] = None
    attempts.loc[1, "outcome"] = "in_doubt"
    attempts.loc[2, "started_at"] = pd.NaT
    attempts.loc[3, "operation"] = np.nan
    attempts.loc[4:50, "latency_ms"] = np.nan
    attempts.loc[4:50, "propensity"] = np.nan
    attempts.loc[51:99, "institution_id"] = np.nan
    attempts["attempt_number"] = attempts["attempt_number"].astype("float64")
    attempts.loc[10:20, "attempt_number"] = np.nan
    attempts["candidates"] = [None] * 1000

    model = train(attempts, now=NOW)

    assert model.card["rows"]["ignored"] == 4
    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert model.card["evaluation"]["firstChoice"]["snips"]["value"] is None
    assert model.card["evaluation"]["firstChoice"]["verdict"] is False


@pytest.mark.parametrize("outcome", ["success", "network"])
def test_one_outcome_makes_smoothed_base_rates(outcome: str) -> None:
    """Where nothing varies there is no regression, and no provider is called perfect or hopeless."""
    model = train(log(500).assign(outcome=outcome, error_scope=None), now=NOW)

    assert model.card["method"] == "base_rates"
    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert (prior(model, "mx", "ins_chase") > 0.9) == (outcome == "success")


def test_little_data_makes_base_rates_drawn_together() -> None:
    """Three failures out of three do not make a provider hopeless."""
    attempts = log(40).assign(outcome="success", error_scope=None, provider="plaid")
    attempts.loc[:2, "provider"] = "mx"
    attempts.loc[:2, "outcome"] = "network"

    model = train(attempts, now=NOW)

    assert model.card["method"] == "base_rates"
    assert "skipped" in model.card["evaluation"]
    assert 0.4 < prior(model, "mx", None) < prior(model, "plaid", None)


def test_one_provider_is_enough() -> None:
    """A log of a single provider still says how good it is."""
    attempts = log(1000)

    model = train(attempts[attempts["provider"] == "mx"], now=NOW)

    assert prior(model, "mx", "ins_chase") == pytest.approx(0.92, abs=0.05)


@pytest.mark.parametrize("rows", [0, 19])
def test_too_few_attempts_are_refused(rows: int) -> None:
    """The error says how many attempts there are and how many are needed."""
    with pytest.raises(NotEnoughData, match=f"at least 20 usable attempts, the log has {rows}"):
        train(log(100).head(rows), now=NOW)


def test_missing_columns_are_named() -> None:
    """A frame that is no attempt log is refused with what it lacks."""
    with pytest.raises(AttemptsUnreadable, match="column provider, started_at is missing"):
        train(log(100).drop(columns=["provider", "started_at"]))


@pytest.mark.parametrize("now", [float("nan"), float("inf")])
def test_now_is_a_time(now: float) -> None:
    """A training time that is none is refused."""
    with pytest.raises(ValueError, match="finite"):
        train(log(100), now=now)


def test_without_now_everything_counts() -> None:
    """Without a time given, attempts dated later than the machine's clock are used too."""
    attempts = log(100)
    attempts["started_at"] += pd.Timedelta(days=36_500)

    assert train(attempts).card["rows"]["used"] == 100


def test_one_clock_far_ahead_does_not_erase_the_rest() -> None:
    """A single row dated years ahead leaves the order of the providers as it was learned."""
    attempts = log(3000)
    attempts.loc[5, "started_at"] += pd.Timedelta(days=20_000)

    model = train(attempts)

    assert prior(model, "plaid", "ins_citi") < prior(model, "mx", "ins_citi")


def test_times_that_are_none_are_left_out() -> None:
    """Milliseconds taken for seconds are no time of this age, and their rows are ignored."""
    attempts = log(200)
    seconds = (attempts["started_at"] - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    seconds[:50] *= 1000.0

    assert train(attempts.assign(started_at=seconds)).card["rows"]["ignored"] == 50


@pytest.mark.parametrize("form", ["naive", "text", "seconds", "python"])
def test_times_come_in_any_form(form: str) -> None:
    """Zoned, naive (UTC), textual, numeric and plain Python times mean the same."""
    attempts = log(200)
    zoned = attempts["started_at"]
    forms = {
        "naive": zoned.dt.tz_localize(None),
        "text": zoned.map(lambda at: at.isoformat()),
        "seconds": (zoned - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1),
        "python": pd.Series([at.to_pydatetime() for at in zoned], dtype="object"),
    }

    other = train(attempts.assign(started_at=forms[form]), now=NOW)

    assert train(attempts, now=NOW).version == other.version


def write_database(path: Path, attempts: pd.DataFrame) -> None:
    """The log as DuckDB file, with the types of the contract."""
    with duckdb.connect(str(path)) as connection:
        connection.register("frame", attempts)
        connection.execute(
            "create table attempts as select provider, operation, region, institution_id,"
            " attempt_number::integer as attempt_number, started_at::timestamptz as started_at,"
            " latency_ms, outcome, error_scope, candidates::varchar[] as candidates,"
            " eligible::varchar[] as eligible, propensity from frame"
        )


def test_database_and_export_teach_the_same_as_the_frame(tmp_path: Path) -> None:
    """A closed database and a Parquet export of it make the same scores as the frame."""
    attempts = log(600)
    database, export = tmp_path / "attempts.duckdb", tmp_path / "attempts.parquet"
    write_database(database, attempts)
    attempts.to_parquet(export)

    tables = [train(source, now=NOW).table for source in (attempts, database, str(export))]

    assert tables[0] == pytest.approx(tables[1], abs=1e-9)
    assert tables[0] == pytest.approx(tables[2], abs=1e-9)


def test_database_of_a_running_system_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """While another process writes the log, the error names the command that trains through it."""
    path = tmp_path / "attempts.duckdb"
    write_database(path, log(100))
    code = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]);"
        " print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == b"held"

        with pytest.raises(AttemptsUnreadable, match="orchestrator train"):
            train(path)
        writer.communicate(b"")

    assert len(train(path, now=NOW).table) > 0


def test_database_open_in_this_process_is_refused(tmp_path: Path) -> None:
    """The writer itself cannot open its log a second time for reading only."""
    path = tmp_path / "attempts.duckdb"
    with (
        duckdb.connect(str(path)),
        pytest.raises(AttemptsUnreadable, match="orchestrator train"),
    ):
        train(path)


@pytest.mark.parametrize("name", ["none.duckdb", "text.duckdb", "text.parquet", "empty.duckdb"])
def test_unreadable_files_are_refused(tmp_path: Path, name: str) -> None:
    """A missing file, one of another kind and a database without attempts are named."""
    if name.startswith("text"):
        (tmp_path / name).write_text("not a log, but long enough to be looked at " * 10)
    if name.startswith("empty"):
        duckdb.connect(str(tmp_path / name)).close()

    with pytest.raises(AttemptsUnreadable, match=name):
        train(tmp_path / name)

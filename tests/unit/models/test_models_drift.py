"""When the world is no longer what the model was trained on."""

from pathlib import Path

import pandas as pd
import pytest

from models import train
from models.drift import PageTest, mix_alarms, stability_index
from models.drift_file import DriftFile
from models.retraining import drift_alarms
from tests.support.promotion_rehearsal import START, World

END = START + 1200 * 20.0


def calm(rows: int = 1200, seed: int = 1, start_s: float = START) -> pd.DataFrame:
    """A log of a calm world."""
    return World.of(1).log(rows, seed=seed, start_s=start_s)


def with_outage(attempts: pd.DataFrame, provider: str, from_row: int, rows: int) -> pd.DataFrame:
    """The same log, one provider down for so many rows."""
    hit = (attempts["provider"] == provider) & attempts.index.isin(range(from_row, from_row + rows))
    return attempts.assign(outcome=attempts["outcome"].mask(hit, "provider_down"))


def shifted(ratio: float, *, seed: int) -> pd.DataFrame:
    """Attempts after the calm log's end, in a world of other success ratios."""
    return World(World.of(1).ratios * ratio).log(2500, seed=seed, start_s=END + 20.0)


@pytest.mark.parametrize(("ratio", "alarmed"), [(1.0, False), (0.85, True)])
def test_calibration_drift_raises_an_alarm(ratio: float, alarmed: bool) -> None:
    """Outcomes that fall short of the model are noticed, the same world is not."""
    alarms = drift_alarms(train(calm(), now=END), shifted(ratio, seed=5), now=1e10)

    assert ("calibration" in {alarm.what for alarm in alarms}) == alarmed


def test_an_outage_is_no_drift() -> None:
    """A provider that is down for a while is live health's business."""
    attempts = with_outage(shifted(1.0, seed=5), "plaid", 500, 300)

    assert drift_alarms(train(calm(), now=END), attempts, now=1e10) == ()


def test_another_mix_raises_an_alarm() -> None:
    """When requests move to another operation and to unknown banks, both are told."""
    moved = shifted(1.0, seed=5).assign(operation="getAccounts", institution_id="ins_new")

    alarms = drift_alarms(train(calm(), now=END), moved, now=1e10)

    assert {"operation", "institution"} <= {alarm.what for alarm in alarms}


def test_few_attempts_raise_no_alarm() -> None:
    """Below 200 attempts nothing is said."""
    assert drift_alarms(train(calm(), now=END), shifted(0.2, seed=5).head(199), now=1e10) == ()


def test_residuals_that_are_none_are_left_out() -> None:
    """A NaN among residuals changes nothing."""
    assert PageTest().after([0.1, float("nan"), 0.1]) == PageTest().after([0.1, 0.1])


def test_an_empty_mix_is_stable() -> None:
    """Without a share on either side there is nothing to compare."""
    assert stability_index({}, {"a": 1.0}) == 0.0
    assert mix_alarms({"operation": {}}, {}) == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"alarms": [1]}'])
def test_a_damaged_drift_file_shows_no_alarm(tmp_path: Path, content: str) -> None:
    """It is written anew at the next look."""
    (tmp_path / "drift.json").write_text(content)

    assert DriftFile(tmp_path).alarms() == ()

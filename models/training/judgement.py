"""How good a model is on attempts that came after those it was fitted to.

A twin of the model, fitted to the earlier attempts alone, predicts the later ones: its
probabilities against every baseline, and how often its first choices would have worked. Gates are
judged in calm, as the prior says how a provider is when it is up and live health does the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.evaluation import OffPolicy, PolicyValue, logged_choices
from models.evaluation.logged import Floats
from models.evaluation.metrics import calibration, mean_with_interval, probability_metrics
from models.evaluation.replay import model_choices, priority_choices
from models.model import SelectionModel
from models.promotion import Gate, GateVerdict
from models.promotion.gates import brier_gate, calibration_gate, first_choice_gate

from .estimator import MINIMUM_ROWS, Kind, fit_table
from .outages import belief_up
from .rows import recency_weights

__all__ = ["Judgement", "judge", "judge_beside"]

_EARLIER_RATIO: Final = 0.8
_UNSEEN_ROWS: Final = 200
_MOVING_ROWS: Final = 100
_CALM: Final = 0.5


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures for the card, as JSON values, and what the gates say."""

    figures: Mapping[str, object]
    gates: tuple[Gate, ...]


def judge(frame: pd.DataFrame, *, kind: Kind, champion: SelectionModel | None) -> Judgement:
    """Judge a way of fitting on `TrainingRows.frame`, against the champion (None: no model).

    The later part is what the champion had not seen either, where that is enough, else the last
    fifth. Only attempts that had ended when it began are fitted to.
    """
    split_s, seen_by_champion = _split(frame, champion)
    earlier = frame[frame["ended_s"] < split_s]
    is_later = (frame["started_s"] >= split_s) & (frame["attempt_number"] <= 1.0)
    later = frame[is_later]
    if min(len(earlier), len(later)) < MINIMUM_ROWS:
        told = (
            f"{len(earlier)} attempts before the split and {len(later)} first attempts after it; "
            f"each part needs {MINIMUM_ROWS}"
        )
        skipped = Gate("later_attempts", GateVerdict.CANNOT_TELL, told)
        return Judgement({"skipped": told}, (skipped,))
    twin = SelectionModel.of(trained_at=split_s, table=fit_table(earlier, kind=kind).table, card={})
    calm = belief_up(frame, recency_weights(frame))[is_later.to_numpy()] >= _CALM
    worked = later["worked"].to_numpy(dtype=np.float64)
    predicted = {
        "model": _predicted(twin, earlier, later),
        **({} if champion is None else {"champion": _predicted(champion, earlier, later)}),
        **_baselines(earlier, later),
        "movingRate": _moving(frame, later),
    }
    in_calm = {name: values[calm] for name, values in predicted.items()}
    rival = in_calm["providerRate" if champion is None else "champion"]
    choices = logged_choices(later)
    log = OffPolicy(choices)
    own, rivals = model_choices(twin, choices), model_choices(champion, choices)
    gain = log.difference(own, rivals)
    figures: dict[str, object] = {
        "splitAt": split_s,
        "seenByChampion": seen_by_champion,
        "earlierRows": len(earlier),
        "laterRows": len(later),
        "calmRows": int(calm.sum()),
        "metrics": {n: dict(probability_metrics(v, worked)) for n, v in predicted.items()},
        "inCalm": {n: dict(probability_metrics(v, worked[calm])) for n, v in in_calm.items()}
        if calm.any()
        else {},
        "choices": {
            "rows": choices.rows,
            "certain": choices.certain,
            "unusable": choices.unusable,
        },
        "firstChoice": dict(log.value(own).as_json()),
        "championFirstChoice": dict(log.value(rivals).as_json()),
        "priorityFirstChoice": dict(log.value(priority_choices(choices)).as_json()),
        "gain": dict(gain.as_json()),
    }
    if calm.any():
        measured = calibration(in_calm["model"], worked[calm])
        figures["calibration"] = {
            "predicted": list(measured.predicted),
            "seen": list(measured.seen),
            "rows": list(measured.rows),
            "error": measured.error,
            "errorByChance": measured.error_by_chance,
        }
    gates = _gates(in_calm["model"], rival, worked[calm], gain)
    if seen_by_champion:
        gates = tuple(gate if gate.name == "calibration" else _unfair(gate) for gate in gates)
    return Judgement(figures, gates)


def _unfair(gate: Gate) -> Gate:
    """No verdict on attempts that the champion was fitted to; shadow will have one on new ones."""
    told = f"the active model was fitted to these attempts: {gate.detail}"
    return Gate(gate.name, GateVerdict.CANNOT_TELL, told)


def judge_beside(
    challenger: SelectionModel, champion: SelectionModel | None, frame: pd.DataFrame
) -> tuple[Gate, ...]:
    """The gates on attempts that came after both models were made, so that each is as it is."""
    first = frame["attempt_number"] <= 1.0
    calm = belief_up(frame, recency_weights(frame)) >= _CALM
    calm_first = frame[first & calm]
    choices = logged_choices(frame)
    gain = OffPolicy(choices).difference(
        model_choices(challenger, choices), model_choices(champion, choices)
    )
    rival = (
        _baselines(frame, calm_first)["providerRate"]
        if champion is None
        else _predicted(champion, frame, calm_first)
    )
    worked = calm_first["worked"].to_numpy(dtype=np.float64)
    return _gates(_predicted(challenger, frame, calm_first), rival, worked, gain)


def _gates(own: Floats, rival: Floats, worked: Floats, gain: PolicyValue) -> tuple[Gate, ...]:
    if not len(worked):
        return (first_choice_gate(gain),)
    apart = (own - worked) ** 2 - (rival - worked) ** 2
    return (
        brier_gate(mean_with_interval(apart)),
        calibration_gate(calibration(own, worked)),
        first_choice_gate(gain),
    )


def _split(frame: pd.DataFrame, champion: SelectionModel | None) -> tuple[float, bool]:
    """When the later part begins, and whether the champion was fitted to some of it."""
    usual = float(frame["started_s"].quantile(_EARLIER_RATIO))
    if champion is None:
        return usual, False
    if int((frame["started_s"] >= champion.trained_at).sum()) >= _UNSEEN_ROWS:
        return max(usual, champion.trained_at), False
    return usual, champion.trained_at > usual


def _predicted(model: SelectionModel, earlier: pd.DataFrame, later: pd.DataFrame) -> Floats:
    """Its probabilities; where it knows nothing, the mean of the earlier part."""
    overall = float(earlier["worked"].mean())
    keys = later[["provider", "operation", "region", "institution"]]
    found = [model.prior(*key) for key in keys.itertuples(index=False, name=None)]
    return np.array([overall if each is None else each for each in found], dtype=np.float64)


def _baselines(earlier: pd.DataFrame, later: pd.DataFrame) -> dict[str, Floats]:
    """Success ratios of the earlier part: of all, and by keys that fewer and fewer share."""
    overall = float(earlier["worked"].mean())
    found: dict[str, Floats] = {"overallRate": np.full(len(later), overall)}
    for name, keys in {
        "providerRate": ["provider"],
        "operationRate": ["provider", "operation"],
        "institutionRate": ["provider", "institution"],
    }.items():
        rates = earlier.groupby(keys, as_index=False)[["worked"]].mean()
        joined = later[keys].merge(rates, on=keys, how="left")["worked"]
        found[name] = joined.fillna(overall).to_numpy(dtype=np.float64)
    return found


def _moving(frame: pd.DataFrame, later: pd.DataFrame) -> Floats:
    """The provider's success ratio over its last hundred attempts that had ended by then."""
    found = np.full(len(later), float(frame["worked"].mean()))
    asked = later["provider"].to_numpy()
    started = later["started_s"].to_numpy(dtype=np.float64)
    for provider, rows in frame.groupby("provider", sort=False):
        ended_first = rows.sort_values("ended_s", kind="stable")
        ended = ended_first["ended_s"].to_numpy(dtype=np.float64)
        won = np.concatenate([[0.0], ended_first["worked"].to_numpy(dtype=np.float64).cumsum()])
        own = np.flatnonzero(asked == provider)
        known = np.searchsorted(ended, started[own], side="right")
        first = np.maximum(0, known - _MOVING_ROWS)
        count = known - first
        found[own] = np.where(
            count > 0, (won[known] - won[first]) / np.maximum(1, count), found[own]
        )
    return found

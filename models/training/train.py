"""The whole of a training: read, fit, judge, tabulate."""

import math
import os
import time
from datetime import UTC, datetime
from typing import Final

import pandas as pd
from threadpoolctl import threadpool_limits

from models.errors import NotEnoughData
from models.model import ScoreKey, SelectionModel
from models.promotion.gates import schema_gate, table_gate

from .attempts import read_attempts
from .estimator import MINIMUM_ROWS, Fit, Kind, fit_completion, fit_table
from .features import FEATURES
from .judgement import judge
from .link_reward import link_rewards
from .mix import mix_of
from .rows import HALF_LIFE_DAYS, TrainingRows, training_rows

__all__ = ["train"]

_KINDS: Final = ("logistic", "boosting")


def train(
    attempts: pd.DataFrame | str | os.PathLike[str],
    *,
    now: float | None = None,
    kind: Kind = "logistic",
    champion: SelectionModel | None = None,
) -> SelectionModel:
    """A model of how often each provider's attempts succeed; see `models.train`.

    Raises:
        AttemptsUnreadable: not an attempt log, or a database that a running system has open.
        NotEnoughData: too few usable attempts; says how many there are and how many are needed.
        ValueError: `now` is not finite, or `kind` is unknown.

    """
    # One thread: it may run beside a system that serves, whose cores it must leave alone; and at
    # this size more threads cost more in waiting for each other than they bring.
    with threadpool_limits(limits=1):
        return _trained(attempts, now=now, kind=kind, champion=champion)


def _trained(
    attempts: pd.DataFrame | str | os.PathLike[str],
    *,
    now: float | None,
    kind: Kind,
    champion: SelectionModel | None,
) -> SelectionModel:
    if now is not None and not math.isfinite(now):
        raise ValueError(f"now is unix seconds and finite, not {now}")
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(_KINDS)}")
    rows = training_rows(read_attempts(attempts), now=now)
    frame = rows.frame
    if len(frame) < MINIMUM_ROWS:
        raise NotEnoughData(
            f"a model needs at least {MINIMUM_ROWS} usable attempts, the log has {len(frame)} "
            f"({rows.read} rows, {rows.user_errors} of them users' own errors)"
        )
    trained_at = time.time() if now is None else now
    fit = fit_table(frame, kind=kind)
    completion, links = _completion(rows, fit)
    judged = judge(frame, kind=kind, champion=champion)
    tables = SelectionModel.of(
        trained_at=trained_at,
        table=fit.table,
        card={},
        latency_s=fit.latency_s,
        completion=completion,
    )
    keys = frame[["provider", "operation", "region"]].drop_duplicates()
    gates = (
        *judged.gates,
        table_gate(tables, keys.itertuples(index=False, name=None)),
        schema_gate(tables, champion),
    )
    card: dict[str, object] = {
        "method": fit.method,
        "calibrated": fit.calibrated,
        "features": list(FEATURES),
        "halfLifeDays": HALF_LIFE_DAYS,
        "rows": {
            "read": rows.read,
            "used": len(frame),
            "userErrors": rows.user_errors,
            "ignored": rows.ignored,
        },
        "span": {
            "from": _rfc3339(float(frame["started_s"].min())),
            "to": _rfc3339(float(frame["started_s"].max())),
        },
        "successRatio": float(frame["worked"].mean()),
        "mix": mix_of(frame),
        "inOutages": fit.in_outages,
        "links": links,
        "providers": sorted(str(name) for name in frame["provider"].unique()),
        "institutions": fit.institutions,
        "scores": len(fit.table),
        "champion": None if champion is None else champion.version,
        "evaluation": dict(judged.figures),
        "gates": [dict(gate.as_json()) for gate in gates],
    }
    return SelectionModel.of(
        trained_at=trained_at,
        table=fit.table,
        card=card,
        latency_s=fit.latency_s,
        completion=completion,
    )


def _completion(rows: TrainingRows, fit: Fit) -> tuple[dict[ScoreKey, float], dict[str, object]]:
    """What answered links come to, and how many taught it; nothing where the log cannot tell."""
    outcomes = rows.outcomes
    labels = link_rewards(outcomes, now=float(outcomes["ended_s"].max()))
    if labels is None:
        return {}, {"reward": "answered"}
    labelled = outcomes.assign(worked=labels)
    labelled = labelled[labelled["worked"].notna()]
    known = {
        "reward": "working connection",
        "known": len(labelled),
        "ratio": float(labelled["worked"].mean()) if len(labelled) else None,
    }
    return fit_completion(labelled, fit.table), known


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="seconds")

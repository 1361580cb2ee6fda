"""The whole of a training: read, fit, judge, tabulate."""

import math
import os
import time
from datetime import UTC, datetime

import pandas as pd

from models.errors import NotEnoughData
from models.model import SelectionModel

from .attempts import read_attempts
from .estimator import FEATURES, MINIMUM_ROWS, fit_table
from .evaluation import evaluate
from .rows import HALF_LIFE_DAYS, training_rows

__all__ = ["train"]


def train(
    attempts: pd.DataFrame | str | os.PathLike[str], *, now: float | None = None
) -> SelectionModel:
    """A model of how often each provider's attempts succeed; see `models.train`.

    Raises:
        AttemptsUnreadable: not an attempt log, or a database that a running system has open.
        NotEnoughData: too few usable attempts; says how many there are and how many are needed.
        ValueError: `now` is not finite.

    """
    if now is not None and not math.isfinite(now):
        raise ValueError(f"now is unix seconds and finite, not {now}")
    rows = training_rows(read_attempts(attempts), now=now)
    frame = rows.frame
    if len(frame) < MINIMUM_ROWS:
        raise NotEnoughData(
            f"a model needs at least {MINIMUM_ROWS} usable attempts, the log has {len(frame)} "
            f"({rows.read} rows, {rows.user_errors} of them users' own errors)"
        )
    fit = fit_table(frame)
    card: dict[str, object] = {
        "method": fit.method,
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
        "providers": sorted(str(name) for name in frame["provider"].unique()),
        "institutions": fit.institutions,
        "scores": len(fit.table),
        "evaluation": dict(evaluate(frame)),
    }
    trained_at = time.time() if now is None else now
    return SelectionModel.of(trained_at=trained_at, table=fit.table, card=card)


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="seconds")

"""Which provider should be tried first, for this operation, region and institution, now?

Runs without Ray, without a server and without the rest of the project. Deciding and observing are
plain Python; pandas, scikit-learn and duckdb are imported by `train` alone, when it is called.

>>> policy = SelectionPolicy.default(seed=0)
>>> context = SelectionContext(operation="getAccounts", region="US", institution_id="ins_chase",
...                            candidates=("plaid", "mx", "finicity"), at=1_790_000_000.0)
>>> decision = policy.decide(context)
>>> decision.order
('plaid', 'mx', 'finicity')
>>> round(decision.propensities["plaid"], 4), round(sum(decision.propensities.values()), 9)
(0.9674, 1.0)
>>> policy.observe(AttemptOutcome(provider="plaid", operation="getAccounts", region="US",
...                               institution_id="ins_chase", at=1_790_000_000.3, latency_s=0.21,
...                               outcome="success", attempt_number=1))
"""

import os
from typing import TYPE_CHECKING, Literal

from .context import AttemptOutcome, Decision, SelectionContext
from .errors import (
    AttemptsUnreadable,
    ModelNotFound,
    ModelUnusable,
    NotEnoughData,
    TrainingError,
)
from .model import SelectionModel
from .policy import POLICIES, Policy, SelectionPolicy
from .preference import Preference
from .registry import ModelCard, ModelRegistry
from .watch import ActiveModelWatch, Unchanged

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "POLICIES",
    "ActiveModelWatch",
    "AttemptOutcome",
    "AttemptsUnreadable",
    "Decision",
    "ModelCard",
    "ModelNotFound",
    "ModelRegistry",
    "ModelUnusable",
    "NotEnoughData",
    "Policy",
    "Preference",
    "SelectionContext",
    "SelectionModel",
    "SelectionPolicy",
    "TrainingError",
    "Unchanged",
    "train",
]


def train(
    attempts: "pd.DataFrame | str | os.PathLike[str]",
    *,
    now: float | None = None,
    kind: Literal["logistic", "boosting"] = "logistic",
    champion: SelectionModel | None = None,
) -> SelectionModel:
    """Learn success ratios by provider, operation, region and institution from the attempt log.

    `attempts` is a frame with the columns of table `attempts`, the path of `attempts.duckdb` (read
    only, once the server has stopped), or the path of a Parquet export. `now` is the unix time of
    the training: attempts that had not ended by then are left out. Without it all are used, and the
    model is dated by the machine's clock. Users' own errors are left out of the target; older
    attempts, those after the first and those made in an outage weigh less; institutions seldom seen
    share one group. `kind` is how success ratios are fitted. The card tells how the model does on
    the later part of the log, against every baseline and against `champion`, the model in use.

    >>> import pandas as pd
    >>> log = pd.DataFrame({"provider": ["plaid", "mx"] * 500, "operation": "getAccounts",
    ...                     "region": "US", "institution_id": "ins_chase", "attempt_number": 1,
    ...                     "started_at": pd.date_range("2026-11-01", periods=1000, freq="min"),
    ...                     "outcome": ["success", "success", "provider_down", "success"] * 250})
    >>> model = train(log, now=1_795_000_000.0)
    >>> [round(model.prior(name, "getAccounts", "US", "ins_chase"), 1) for name in ("plaid", "mx")]
    [0.5, 1.0]
    >>> context = SelectionContext(operation="getAccounts", region="US", institution_id="ins_chase",
    ...                            candidates=("plaid", "mx"), at=1_795_000_000.0)
    >>> SelectionPolicy(model=model, seed=0).decide(context).order
    ('mx', 'plaid')

    Raises:
        AttemptsUnreadable: not an attempt log, or a database that a running system has open.
        NotEnoughData: too few usable attempts; says how many there are and how many are needed.

    """
    from .training import train as fit  # noqa: PLC0415  pandas and scikit-learn take a second

    return fit(attempts, now=now, kind=kind, champion=champion)

"""Judging policies and models on a log: off-policy estimates, replay, calibration.

`logged` says which attempts can be used, `off_policy` estimates with confidence intervals,
`replay` turns a policy into what is estimated, `metrics` measures predicted probabilities.
"""

from .logged import LoggedChoices, logged_choices
from .off_policy import MINIMUM_EFFECTIVE_ROWS, Estimate, OffPolicy, PolicyValue

__all__ = [
    "MINIMUM_EFFECTIVE_ROWS",
    "Estimate",
    "LoggedChoices",
    "OffPolicy",
    "PolicyValue",
    "logged_choices",
]

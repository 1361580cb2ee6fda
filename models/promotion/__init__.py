"""From a trained challenger to the champion: gates, a trial, evidence that may be read at any time.

`gates` judge on the log, `trial` is the state machine, `evidence` the sequential test in it, `store`
keeps the trial beside the models, and `policy` is what a router holds meanwhile. Only `gates` needs
more than the standard library.
"""

from .evidence import Comparison, Trialled
from .gate import Gate, GateVerdict
from .policy import TrialPolicy
from .store import TrialStore, TrialWatch
from .trial import Stage, Trial, TrialOptions, has_challenger

__all__ = [
    "Comparison",
    "Gate",
    "GateVerdict",
    "Stage",
    "Trial",
    "TrialOptions",
    "TrialPolicy",
    "TrialStore",
    "TrialWatch",
    "Trialled",
    "has_challenger",
]

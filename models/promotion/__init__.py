"""From a trained challenger to the champion: gates, a trial, evidence that may be read at any time.

`gates` judge on the log, `trial` is the state machine, `evidence` the sequential test in it.
"""

from .evidence import Comparison, Trialled
from .gates import Gate, GateVerdict
from .trial import Stage, Trial, TrialOptions, has_challenger

__all__ = [
    "Comparison",
    "Gate",
    "GateVerdict",
    "Stage",
    "Trial",
    "TrialOptions",
    "Trialled",
    "has_challenger",
]

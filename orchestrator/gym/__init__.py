"""The gym: selection policies against simulated days, with the real breaker, limiter and plan.

    World         what providers do: calm success ratios, latencies, incidents
    Scenario      which incidents befall it, drawn from a seed
    Simulation    one policy through one scenario, in simulated time
    contest       policies x scenarios x seeds → a table

`python -m orchestrator.gym --help` runs it. Nothing here sleeps, reads a clock or leaves the process.
"""

from .clairvoyant import ClairvoyantPolicy
from .incidents import Incident
from .scenarios import SCENARIOS, Scenario
from .simulation import Simulation
from .tally import Tally
from .world import World

__all__ = [
    "SCENARIOS",
    "ClairvoyantPolicy",
    "Incident",
    "Scenario",
    "Simulation",
    "Tally",
    "World",
]

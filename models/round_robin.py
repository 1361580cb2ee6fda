"""Each candidate in turn: even load, and the widest data for training."""

from typing import ClassVar

from .context import AttemptOutcome, Decision, SelectionContext
from .keyed import NEVER_EXPLORED
from .without_model import WithoutModel

__all__ = ["RoundRobinPolicy"]


class RoundRobinPolicy(WithoutModel):
    """Turns the order of the candidates by one at each decision.

    Whose turn it is counts over all requests, so that to any one of them each candidate is first
    with the same probability. An exchange keeps the priority order.
    """

    name: ClassVar[str] = "round_robin"

    def __init__(self, seed: int = 0) -> None:
        self._turn = seed

    def decide(self, context: SelectionContext) -> Decision:
        """The candidates, beginning with the one whose turn it is."""
        candidates = context.candidates
        count = len(candidates)
        turns = count > 1 and context.operation not in NEVER_EXPLORED
        place = 0
        if turns:
            place = self._turn % count
            self._turn += 1
        even = 1.0 / count if turns else 0.0
        propensities = dict.fromkeys(candidates, even)
        if not turns:
            propensities[candidates[0]] = 1.0
        return Decision(
            order=candidates[place:] + candidates[:place],
            propensities=propensities,
            scores=dict.fromkeys(candidates, 0.5),
            policy=self.name,
            model_version=None,
            explored=turns,
        )

    def observe(self, outcome: AttemptOutcome) -> None:
        """Nothing: what happened changes no order."""

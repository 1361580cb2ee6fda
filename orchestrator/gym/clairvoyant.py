"""The policy that knows every current probability, and no outcome: what can be had at most."""

from typing import ClassVar

from models import AttemptOutcome, Decision, SelectionContext
from models.without_model import WithoutModel

from .world import World

__all__ = ["ClairvoyantPolicy"]


class ClairvoyantPolicy(WithoutModel):
    """Orders candidates by their true success ratio at this moment.

    Args:
        world: whose ratios it knows.
        began_at: unix time at which the world's time is 0.

    """

    name: ClassVar[str] = "clairvoyant"

    def __init__(self, world: World, began_at: float) -> None:
        self._world = world
        self._began_at = began_at

    def decide(self, context: SelectionContext) -> Decision:
        """The candidates by true success ratio, the operator's order among equals."""
        t_s = context.at - self._began_at
        institution_id = context.institution_id or ""
        scores = {
            name: self._world.success_ratio(name, context.operation, institution_id, t_s)
            for name in context.candidates
        }
        order = tuple(sorted(context.candidates, key=scores.__getitem__, reverse=True))
        propensities = dict.fromkeys(order, 0.0) | {order[0]: 1.0}
        return Decision(order, propensities, scores, self.name, None)

    def observe(self, outcome: AttemptOutcome) -> None:
        """Nothing: it knows."""

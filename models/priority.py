"""The plain priority order, as a policy."""

from typing import ClassVar, Final

from .context import AttemptOutcome, Decision, SelectionContext
from .without_model import WithoutModel

__all__ = ["PriorityPolicy", "falling_prior"]

_FIRST: Final = 0.97
_STEP: Final = 0.01
_FLOOR: Final = 0.50


def falling_prior(position: int) -> float:
    """A gently falling stand-in for a success ratio, by place in the priority order (from 0).

    The step is small on purpose: the order decides while nothing else is known, and a few failures
    outweigh it.

    >>> [round(falling_prior(position), 2) for position in range(3)]
    [0.97, 0.96, 0.95]

    """
    return max(_FLOOR, _FIRST - _STEP * position)


class PriorityPolicy(WithoutModel):
    """Always the order that was given: no state, no chance, no model.

    The baseline for every other policy, and the operator's way to switch learning off.
    """

    name: ClassVar[str] = "priority"

    def decide(self, context: SelectionContext) -> Decision:
        """The candidates as they came, the first with certainty."""
        first, *rest = context.candidates
        return Decision(
            order=context.candidates,
            propensities={first: 1.0} | dict.fromkeys(rest, 0.0),
            scores={name: falling_prior(place) for place, name in enumerate(context.candidates)},
            policy=self.name,
            model_version=None,
        )

    def observe(self, outcome: AttemptOutcome) -> None:
        """Nothing: what happened changes no order."""

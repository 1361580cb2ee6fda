"""Sliding-window UCB (Garivier and Moulines 2011): the best case of what was seen of late."""

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from .blame import Verdict, verdict
from .bounded import make_room
from .context import AttemptOutcome, Decision, SelectionContext
from .keyed import NEVER_EXPLORED, keying
from .priority import falling_prior
from .without_model import WithoutModel

__all__ = ["UcbOptions", "UcbPolicy"]


@dataclass(frozen=True, slots=True)
class UcbOptions:
    """Tuned in the gym; the textbook's curiosity of 1 is far too much for success ratios near 1.

    Attributes:
        window: outcomes of one provider under one key that are looked at, at least 1.
        curiosity: weight of the bonus for whom little is known of.
        trust: outcomes' worth of trust in the optimistic start.

    """

    window: int = 40
    curiosity: float = 0.04
    trust: float = 3.0


class UcbPolicy(WithoutModel):
    """Orders by mean and bonus over a window, keyed by operation or by institution.

    It draws nothing: its state alone decides, so one candidate's propensity is 1.
    """

    name: ClassVar[str] = "ucb"

    def __init__(self, *, keyed_by: str = "institution", options: UcbOptions | None = None) -> None:
        self._key = keying(keyed_by)
        self._options = options or UcbOptions()
        self._windows: dict[Hashable, deque[bool]] = {}
        self._worked: dict[Hashable, int] = {}

    def decide(self, context: SelectionContext) -> Decision:
        """The highest upper bound first; an exchange goes by the mean."""
        trust, curiosity = self._options.trust, self._options.curiosity
        if context.operation in NEVER_EXPLORED:
            curiosity = 0.0
        seen, means = {}, {}
        for place, name in enumerate(context.candidates):
            key = self._key(name, context.operation, context.institution_id)
            seen[name] = len(self._windows.get(key, ())) + trust
            worked = self._worked.get(key, 0) + trust * falling_prior(place)
            means[name] = worked / seen[name]
        whole = math.log(sum(seen.values()))
        bounds = {
            name: mean + curiosity * math.sqrt(whole / seen[name]) for name, mean in means.items()
        }
        order = tuple(sorted(context.candidates, key=bounds.__getitem__, reverse=True))
        return Decision(
            order=order,
            propensities=dict.fromkeys(context.candidates, 0.0) | {order[0]: 1.0},
            scores={name: min(max(mean, 0.001), 0.999) for name, mean in means.items()},
            policy=self.name,
            model_version=None,
        )

    def observe(self, outcome: AttemptOutcome) -> None:
        """Take an outcome into its window; a user's own error teaches nothing."""
        what = verdict(outcome.outcome, outcome.scope)
        if what is Verdict.SAYS_NOTHING:
            return
        key = self._key(outcome.provider, outcome.operation, outcome.institution_id)
        window = self._windows.get(key)
        if window is None:
            make_room(self._windows)
            window = self._windows[key] = deque()
            make_room(self._worked)
            self._worked[key] = 0
        worked = what is Verdict.WORKED
        window.append(worked)
        self._worked[key] += worked
        if len(window) > self._options.window:
            self._worked[key] -= window.popleft()

"""The moving success rate: who did best over its last attempts, with some even exploration.

As in Juspay's decision engine (arXiv 2510.16735): a window for each dimension, an optimistic start,
and a share of requests drawn evenly.
"""

import random
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from .blame import Verdict, verdict
from .bounded import make_room
from .context import AttemptOutcome, Decision, SelectionContext
from .keyed import evenly_now_and_then, keying
from .priority import falling_prior
from .without_model import WithoutModel

__all__ = ["SuccessRateOptions", "SuccessRatePolicy"]


@dataclass(frozen=True, slots=True)
class SuccessRateOptions:
    """Tuned in the gym.

    Attributes:
        window: outcomes that a rate is made of, at least 1.
        trust: outcomes' worth of trust in the optimistic start.

    """

    window: int = 20
    trust: float = 5.0


class SuccessRatePolicy(WithoutModel):
    """Orders by success rate over a window, keyed by operation or by institution."""

    name: ClassVar[str] = "success_rate"

    def __init__(
        self,
        seed: int = 0,
        exploration_ratio: float = 0.02,
        *,
        keyed_by: str = "institution",
        options: SuccessRateOptions | None = None,
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311  draws a route, guards no secret
        self._exploration_ratio = exploration_ratio
        self._key = keying(keyed_by)
        self._options = options or SuccessRateOptions()
        self._windows: dict[Hashable, deque[bool]] = {}
        self._worked: dict[Hashable, int] = {}

    def decide(self, context: SelectionContext) -> Decision:
        """The best rate first; where nothing was seen, the priority order."""
        trust = self._options.trust
        scores = {}
        for place, name in enumerate(context.candidates):
            key = self._key(name, context.operation, context.institution_id)
            seen = len(self._windows.get(key, ()))
            worked = self._worked.get(key, 0)
            scores[name] = (worked + trust * falling_prior(place)) / (seen + trust)
        return evenly_now_and_then(
            context,
            scores,
            policy=self.name,
            exploration_ratio=self._exploration_ratio,
            unit_random=self._random.random(),
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

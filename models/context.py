"""What a selection policy is told and what it answers, as frozen values.

`at` is unix seconds, UTC, and the only clock that a policy ever sees.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["OUTCOMES", "SCOPES", "AttemptOutcome", "Decision", "SelectionContext"]

OUTCOMES: Final = frozenset(
    {"success", "auth", "rate_limit", "network", "provider_down", "validation"}
)
"""How an attempt can end: `success` or one of the five error classes."""

SCOPES: Final = frozenset({"request", "connection", "institution", "client", "provider"})
"""What a failure can have broken."""


@dataclass(frozen=True, slots=True)
class SelectionContext:
    """What is known before the first call of a request.

    `candidates` are the providers that could serve it, in priority order, each once; any sequence
    is taken and kept as a tuple. `lane` is `interactive` or `backfill`. `quota_left` is the share of
    each candidate's rate limits that is unused, 0 to 1, where it is known; whom it leaves out has
    all of it.

    >>> SelectionContext(operation="getAccounts", region="US", institution_id=None,
    ...                  candidates=["plaid", "mx"], at=0.0).candidates
    ('plaid', 'mx')

    Raises:
        ValueError: no candidates, one of them twice, or an `at` that is not finite.
        TypeError: `candidates` is one string.

    """

    operation: str
    region: str
    institution_id: str | None
    candidates: tuple[str, ...]
    at: float
    lane: str = "interactive"
    quota_left: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        given: object = self.candidates
        if isinstance(given, str):
            raise TypeError("candidates is a sequence of provider names, not one string")
        if not isinstance(given, tuple):
            object.__setattr__(self, "candidates", tuple(self.candidates))
        if not self.candidates:
            raise ValueError("candidates is empty: a choice needs at least one provider")
        if len(set(self.candidates)) != len(self.candidates):
            raise ValueError(f"candidates names a provider twice: {', '.join(self.candidates)}")
        if not math.isfinite(self.at):
            raise ValueError(f"at is unix seconds and finite, not {self.at}")


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """How one attempt ended.

    `at` is the time at which it ended. `attempt_number` counts from 1 within its request.
    `latency_s` may be NaN where it was not measured. `scope` says what a failure broke: None where
    that is not known.

    Raises:
        ValueError: unknown `outcome` or `scope`, `attempt_number` below 1, or `at` not finite.

    """

    provider: str
    operation: str
    region: str
    institution_id: str | None
    at: float
    latency_s: float
    outcome: str
    attempt_number: int
    scope: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(
                f"unknown outcome {self.outcome!r}: allowed are {', '.join(sorted(OUTCOMES))}"
            )
        if self.scope is not None and self.scope not in SCOPES:
            raise ValueError(
                f"unknown scope {self.scope!r}: allowed are {', '.join(sorted(SCOPES))} or None"
            )
        if self.attempt_number < 1:
            raise ValueError(f"attempt_number counts from 1, got {self.attempt_number}")
        if not math.isfinite(self.at):
            raise ValueError(f"at is unix seconds and finite, not {self.at}")


@dataclass(frozen=True, slots=True)
class Decision:
    """In which order to try the candidates, and what has to be logged to learn from it.

    `order` holds every candidate once, best first. `propensities` are the probabilities, from the
    state in which this decision was made, of each candidate to be put first; they sum to 1.
    `scores` are the estimated probabilities of success by which the rest is ordered.
    `explored` is true where the first was drawn evenly: the slice on which any other policy can be
    judged without bias (it stays true when the draw happened to hit the best).
    """

    order: tuple[str, ...]
    propensities: Mapping[str, float]
    scores: Mapping[str, float]
    policy: str
    model_version: str | None
    explored: bool = False

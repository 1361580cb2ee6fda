"""A challenger's way to become the champion, as a state machine without clock or storage.

    SHADOW ──▶ SHARE ──▶ HOLD_BACK ──▶ PROMOTED
       │         │           │
       └─────────┴───────────┴──▶ STOPPED (found worse) or EXPIRED (nothing found in time)

In SHADOW it scores what the champion decides. In SHARE it has a tenth of the requests, by hash, and
is promoted only when it is better beyond chance. In HOLD_BACK it has all but a tenth, which the
champion keeps for a while, so that a mistake is still noticed. Whichever way a trial is left but
the last, the champion is what it was: to stop is to roll back.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from .evidence import Comparison, Trialled
from .gate import Gate, passed_all

__all__ = ["Stage", "Trial", "TrialOptions", "has_challenger"]


class Stage(StrEnum):
    """Where a trial is; the last three are its ends."""

    SHADOW = "shadow"
    SHARE = "share"
    HOLD_BACK = "hold_back"
    PROMOTED = "promoted"
    STOPPED = "stopped"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self in _ENDS


_ENDS: Final = frozenset({Stage.PROMOTED, Stage.STOPPED, Stage.EXPIRED})


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How much of what is asked for; ratios are 0 to 1.

    `share_ratio` of the requests go to the challenger in SHARE, and stay with the champion in
    HOLD_BACK. `worse_chance` is how often an equal challenger may be stopped as worse,
    `better_chance` how often one that is not better may be promoted. `shadow_rows` attempts are
    scored in SHADOW before it may act, `hold_back_calls` requests must have stayed with the
    champion before it retires. A stage that lasts longer than `longest_stage_s` expires.
    """

    share_ratio: float = 0.1
    worse_chance: float = 0.05
    better_chance: float = 0.005
    shadow_rows: int = 200
    hold_back_calls: int = 500
    longest_stage_s: float = 14 * 86_400.0

    def __post_init__(self) -> None:
        for name in ("share_ratio", "worse_chance", "better_chance"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} is between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Trial:
    """One challenger against the champion, by their versions (None: the cold start).

    `since` is the unix time at which the stage began, `why` one sentence on how it came about.
    The evidence starts anew with each stage, so it can be counted from the log again at any time.
    """

    challenger: str
    champion: str | None
    stage: Stage
    since: float
    why: str
    comparison: Comparison = field(default_factory=Comparison)

    @classmethod
    def begin(cls, challenger: str, champion: str | None, *, now: float) -> Self:
        """A trial in SHADOW."""
        return cls(challenger, champion, Stage.SHADOW, now, "passed its gates")

    def share(self, options: TrialOptions) -> float:
        """The ratio of requests that the challenger decides."""
        return {
            Stage.SHARE: options.share_ratio,
            Stage.HOLD_BACK: 1.0 - options.share_ratio,
            Stage.PROMOTED: 1.0,
        }.get(self.stage, 0.0)

    def after_shadow(
        self, gates: Iterable[Gate], rows: int, *, now: float, options: TrialOptions
    ) -> Self:
        """What follows from `rows` attempts since the stage began, which it scored beside.

        Any other stage than SHADOW stays as it is.
        """
        if self.stage is not Stage.SHADOW:
            return self
        judged = tuple(gates)
        if rows >= options.shadow_rows:
            if passed_all(judged):
                return self._to(Stage.SHARE, now, f"held its own on {rows} attempts in shadow")
            failed = ", ".join(gate.name for gate in judged if gate.failed)
            return self._to(Stage.STOPPED, now, f"in shadow on {rows} attempts, failed: {failed}")
        return self._unless_too_long(now, options)

    def after(self, outcomes: Iterable[Trialled], *, now: float, options: TrialOptions) -> Self:
        """What follows from more requests, in the order in which their outcomes became known.

        In SHADOW, and at an end, outcomes change nothing.
        """
        if self.stage not in {Stage.SHARE, Stage.HOLD_BACK}:
            return self
        seen = self.comparison.after(outcomes, share=self.share(options))
        if seen.evidence_worse >= 1.0 / options.worse_chance:
            return self._to(Stage.STOPPED, now, f"worse than the champion: {_told(seen)}", seen)
        if self.stage is Stage.SHARE:
            if seen.evidence_better >= 1.0 / options.better_chance:
                return self._to(Stage.HOLD_BACK, now, f"better: {_told(seen)}")
        elif seen.champion_calls >= options.hold_back_calls:
            return self._to(Stage.PROMOTED, now, f"held for nearly all: {_told(seen)}", seen)
        return self._unless_too_long(now, options, seen)

    def stop(self, why: str, *, now: float) -> Self:
        """Ended by an operator, or as what it was tried against is no longer active."""
        return self if self.stage.ended else self._to(Stage.STOPPED, now, why)

    def _to(self, stage: Stage, now: float, why: str, seen: Comparison | None = None) -> Self:
        return replace(self, stage=stage, since=now, why=why, comparison=seen or Comparison())

    def _unless_too_long(
        self, now: float, options: TrialOptions, seen: Comparison | None = None
    ) -> Self:
        if now - self.since <= options.longest_stage_s:
            return replace(self, comparison=seen or self.comparison)
        days = options.longest_stage_s / 86_400.0
        why = f"no verdict in {days:g} days of {self.stage.value}"
        return self._to(Stage.EXPIRED, now, why, seen)


def has_challenger(request_id: str, challenger: str, share: float) -> bool:
    """Whether a request is the challenger's: the same answer everywhere, in a ratio of `share`.

    >>> sum(has_challenger(f"req_{n}", "v", 0.1) for n in range(1000))
    97

    """
    digest = hashlib.blake2b(f"{challenger}:{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


def _told(comparison: Comparison) -> str:
    points = 100.0 * (comparison.difference or 0.0)
    return (
        f"{points:+.1f} points over {comparison.challenger_calls} requests "
        f"against {comparison.champion_calls}"
    )

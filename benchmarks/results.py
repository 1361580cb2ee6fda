"""What a benchmark hands back: figures, the floors beside them, and whether the reach is met."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

__all__ = ["BenchmarkFailed", "Comparison", "Figure", "Floor", "Json", "Reach", "Result"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_DIGITS: Final = 6


class BenchmarkFailed(Exception):
    """A benchmark could not measure what it is named after; says why."""


class Comparison(StrEnum):
    """What of a figure the reach speaks of."""

    VALUE = "value"
    RATIO = "ratio"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Reach:
    """A bound that is wanted: of the figure itself, or of its ratio or difference to the floor.

    `at_least` bounds from below, else from above; a value that equals the bound meets it.
    """

    comparison: Comparison
    bound: float
    at_least: bool

    @classmethod
    def ratio_at_least(cls, bound: float) -> "Reach":
        """Of the floor, at least so much."""
        return cls(Comparison.RATIO, bound, at_least=True)

    @classmethod
    def ratio_at_most(cls, bound: float) -> "Reach":
        """Of the floor, at most so much."""
        return cls(Comparison.RATIO, bound, at_least=False)

    @classmethod
    def value_at_least(cls, bound: float) -> "Reach":
        """At least so much."""
        return cls(Comparison.VALUE, bound, at_least=True)

    @classmethod
    def value_at_most(cls, bound: float) -> "Reach":
        """At most so much."""
        return cls(Comparison.VALUE, bound, at_least=False)

    @classmethod
    def more_at_most(cls, bound: float) -> "Reach":
        """At most so much over the floor, in the figure's unit."""
        return cls(Comparison.DIFFERENCE, bound, at_least=False)

    def is_met(self, value: float) -> bool:
        """Whether a value of this comparison is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        if self.comparison is Comparison.RATIO:
            return f"{sign} {self.bound:g} x"
        if self.comparison is Comparison.DIFFERENCE:
            return f"{sign} +{self.bound:g}"
        return f"{sign} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Floor:
    """What a figure is held against: its name, and its value in each run, in the figure's unit."""

    name: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Over the runs."""
        return median(self.runs)

    @classmethod
    def best_of(cls, name: str, floors: Sequence["Floor"]) -> "Floor":
        """Of each run the highest value of several floors.

        Raises:
            ValueError: they have not as many runs.

        """
        runs = zip(*(floor.runs for floor in floors), strict=True)
        return cls(name, tuple(max(values) for values in runs))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: its value in each run, the floor of the same runs, and the reach.

    The ratio is the median of the runs' own ratios: what disturbs a run disturbs both of its sides.

    Raises:
        ValueError: no runs, a floor with another number of them or of nothing, or a reach that
            speaks of a floor where there is none.

    """

    what: str
    unit: str
    runs: tuple[float, ...]
    floor: Floor | None = None
    reach: Reach | None = None

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError(f"{self.what}: no runs")
        if self.floor is not None and len(self.floor.runs) != len(self.runs):
            raise ValueError(f"{self.what}: {len(self.runs)} runs, its floor {self.floor.runs}")
        if self.floor is not None and not all(value > 0 for value in self.floor.runs):
            raise ValueError(f"{self.what}: its floor {self.floor.name} is of nothing")
        needs_floor = self.reach is not None and self.reach.comparison is not Comparison.VALUE
        if needs_floor and self.floor is None:
            raise ValueError(f"{self.what}: its reach {self.reach} speaks of a floor")

    @property
    def median(self) -> float:
        """Over the runs."""
        return median(self.runs)

    @property
    def ratio(self) -> float | None:
        """To the floor; None without one."""
        if self.floor is None:
            return None
        return median(own / its for own, its in zip(self.runs, self.floor.runs, strict=True))

    @property
    def difference(self) -> float | None:
        """How much over the floor, in the figure's unit; None without one."""
        if self.floor is None:
            return None
        return median(own - its for own, its in zip(self.runs, self.floor.runs, strict=True))

    @property
    def is_met(self) -> bool | None:
        """Whether the reach is met; None where there is none."""
        if self.reach is None:
            return None
        value = {
            Comparison.VALUE: self.median,
            Comparison.RATIO: self.ratio,
            Comparison.DIFFERENCE: self.difference,
        }[self.reach.comparison]
        return value is not None and self.reach.is_met(value)

    def to_json(self) -> dict[str, Json]:
        """As in `results.json`."""
        return {
            "what": self.what,
            "unit": self.unit,
            "median": _short(self.median),
            "runs": [_short(value) for value in self.runs],
            "floor": None
            if self.floor is None
            else {
                "name": self.floor.name,
                "median": _short(self.floor.median),
                "runs": [_short(value) for value in self.floor.runs],
            },
            "ratio": None if self.ratio is None else _short(self.ratio),
            "difference": None if self.difference is None else _short(self.difference),
            "reach": None if self.reach is None else str(self.reach),
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one benchmark, and what a reader of them should know."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As in `results.json`."""
        return {
            "figures": [figure.to_json() for figure in self.figures],
            "notes": list(self.notes),
        }


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

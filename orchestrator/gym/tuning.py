"""The rivals at their best: a small grid over their options, on development seeds alone."""

from collections.abc import Iterator, Mapping
from typing import Final

from models.keyed import KEYINGS

from .contest import Entrant, success_rate, thompson, ucb

__all__ = ["TUNED_ON", "grid"]

TUNED_ON: Final = ("calm", "outages", "institutions", "brownouts", "mixed")
"""The scenarios that options are tuned on."""


def grid() -> Mapping[str, Entrant]:
    """Every point of the grid, by a name that says which."""
    return dict([*_success_rates(), *_thompsons(), *_ucbs()])


def _success_rates() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in KEYINGS:
        for window in (20, 50, 150):
            yield f"success_rate by {keyed_by}, window {window}", success_rate(keyed_by, window)


def _thompsons() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in KEYINGS:
        for half_life_s in (900.0, 5400.0):
            for most in (40.0, 200.0):
                yield (
                    f"thompson by {keyed_by}, half-life {half_life_s:.0f} s, most {most:.0f}",
                    thompson(keyed_by, half_life_s, most),
                )


def _ucbs() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in KEYINGS:
        for window in (40, 200):
            for curiosity in (0.01, 0.04):
                yield (
                    f"ucb by {keyed_by}, window {window}, curiosity {curiosity}",
                    ucb(keyed_by, window, curiosity),
                )

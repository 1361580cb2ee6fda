"""The rivals at their best: a small grid over their options, on development seeds alone."""

from collections.abc import Iterator, Mapping
from typing import Final

from models.success_rate import SuccessRateOptions, SuccessRatePolicy
from models.thompson import ThompsonOptions, ThompsonPolicy
from models.ucb import UcbOptions, UcbPolicy

from .contest import Entrant

__all__ = ["TUNED_ON", "grid"]

TUNED_ON: Final = ("calm", "outages", "institutions", "brownouts", "mixed")
"""The scenarios that options are tuned on."""


def grid() -> Mapping[str, Entrant]:
    """Every point of the grid, by a name that says which."""
    return dict([*_success_rates(), *_thompsons(), *_ucbs()])


def _success_rates() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in ("operation", "institution"):
        for window in (20, 50, 150):
            options = SuccessRateOptions(window=window)
            yield f"success_rate by {keyed_by}, window {window}", _success_rate(keyed_by, options)


def _success_rate(keyed_by: str, options: SuccessRateOptions) -> Entrant:
    return Entrant(
        lambda _world, seed, _model: SuccessRatePolicy(seed, keyed_by=keyed_by, options=options)
    )


def _thompsons() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in ("operation", "institution"):
        for half_life_s in (900.0, 5400.0):
            for most in (40.0, 200.0):
                options = ThompsonOptions(half_life_s=half_life_s, most=most)
                yield (
                    f"thompson by {keyed_by}, half-life {half_life_s:.0f} s, most {most:.0f}",
                    _thompson(keyed_by, options),
                )


def _thompson(keyed_by: str, options: ThompsonOptions) -> Entrant:
    return Entrant(
        lambda _world, seed, _model: ThompsonPolicy(seed, keyed_by=keyed_by, options=options)
    )


def _ucbs() -> Iterator[tuple[str, Entrant]]:
    for keyed_by in ("operation", "institution"):
        for window in (40, 200):
            for curiosity in (0.01, 0.04):
                options = UcbOptions(window=window, curiosity=curiosity)
                yield (
                    f"ucb by {keyed_by}, window {window}, curiosity {curiosity}",
                    _ucb(keyed_by, options),
                )


def _ucb(keyed_by: str, options: UcbOptions) -> Entrant:
    return Entrant(lambda _world, _seed, _model: UcbPolicy(keyed_by=keyed_by, options=options))

"""What a log can say about other choices than those that were made: first attempts, as arrays.

Only a first attempt was drawn with a known probability; a later one happened because another had
failed. A choice that was certain (priority order, a preferred provider) says nothing about the
providers that could not have been drawn, and so leaves the slice as a whole, whatever came of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Contexts", "Floats", "Indices", "LoggedChoices", "logged_choices"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_CERTAIN: Final = 1.0 - 1e-9
Contexts = tuple[tuple[str, str, str | None, tuple[str, ...]], ...]
"""Operation, region, institution and choices (in priority order) of each row."""


@dataclass(frozen=True, slots=True)
class LoggedChoices:
    """First attempts with a choice, oldest first; `rows` of them, `providers` as columns.

    `allowed` (rows x providers) marks what could be chosen, `chosen` is the column that was,
    `propensity` its probability (0 to 1, exclusive), `reward` 1.0 where it worked and 0.0 where
    not, `started_s` unix seconds. `unusable` counts first attempts that are not among them: those
    without alternatives or without a logged propensity; `certain` those whose choice was no draw.
    """

    providers: tuple[str, ...]
    contexts: Contexts
    allowed: npt.NDArray[np.bool_]
    chosen: Indices
    propensity: Floats
    reward: Floats
    started_s: Floats
    unusable: int
    certain: int

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.chosen)

    def probabilities(self, first_choices: Sequence[str]) -> Floats:
        """A policy that puts one provider first in each row, as probabilities (rows x providers).

        Raises:
            KeyError: a name that is not in `providers`.

        """
        column = {name: place for place, name in enumerate(self.providers)}
        matrix = np.zeros(self.allowed.shape)
        matrix[np.arange(self.rows), [column[name] for name in first_choices]] = 1.0
        return matrix


def logged_choices(frame: pd.DataFrame) -> LoggedChoices:
    """The first attempts of `TrainingRows.frame` on which other policies can be judged."""
    first = frame[frame["attempt_number"] <= 1.0]
    several = first["choices"].map(len) > 1
    among = pd.Series(
        [name in names for name, names in zip(first["provider"], first["choices"], strict=True)],
        index=first.index,
        dtype=bool,
    )
    propensity = first["propensity"]
    drawn = propensity.between(0.0, 1.0, inclusive="right")
    certain = several & among & drawn & (propensity >= _CERTAIN)
    usable = several & among & drawn & ~certain
    kept = first[usable]
    providers = tuple(sorted({name for names in kept["choices"] for name in names}))
    column = {name: place for place, name in enumerate(providers)}
    allowed = np.zeros((len(kept), len(providers)), dtype=bool)
    for row, names in enumerate(kept["choices"]):
        allowed[row, [column[name] for name in names]] = True
    return LoggedChoices(
        providers=providers,
        contexts=tuple(
            kept[["operation", "region", "institution", "choices"]].itertuples(
                index=False, name=None
            )
        ),
        allowed=allowed,
        chosen=np.array([column[name] for name in kept["provider"]], dtype=np.int64),
        propensity=kept["propensity"].to_numpy(dtype=np.float64),
        reward=kept["worked"].to_numpy(dtype=np.float64),
        started_s=kept["started_s"].to_numpy(dtype=np.float64),
        unusable=int(len(first) - usable.sum() - certain.sum()),
        certain=int(certain.sum()),
    )

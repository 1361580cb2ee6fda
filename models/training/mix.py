"""What a log is made of: how many of its attempts fall to each operation, region, institution."""

from typing import Final

import pandas as pd

__all__ = ["mix_of"]

_MOST_NAMES: Final = 30
_OF: Final = ("operation", "region", "institution")
"""What the log's policy does not choose itself."""


def mix_of(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Shares (0 to 1) by what they are of, those beyond the thirty largest added up as `others`."""
    mixes: dict[str, dict[str, float]] = {}
    for what in _OF:
        counts = frame[what].fillna("").value_counts(normalize=True)
        named = {str(name): float(share) for name, share in counts.head(_MOST_NAMES).items()}
        rest = float(counts.iloc[_MOST_NAMES:].sum())
        mixes[what] = named | ({"others": rest} if rest else {})
    return mixes

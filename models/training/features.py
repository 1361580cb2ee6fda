"""What a model may know before a call, and the grid that it is evaluated on."""

from typing import Final

import pandas as pd

__all__ = ["FEATURES", "KEYS", "THE_REST", "features", "grid", "grouped"]

FEATURES: Final = (
    "provider",
    "operation",
    "region",
    "institution",
    "provider x operation",
    "provider x region",
    "provider x institution",
    "provider x operation x institution",
)
"""One-hot features, all known before a call."""

KEYS: Final = ["provider", "operation", "region", "group"]
"""Columns of a cell; `group` is the institution or `THE_REST`."""

THE_REST: Final = ""
"""The group of institutions that are seldom seen, and of none at all."""

_INSTITUTION_ROWS: Final = 20


def grouped(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """`TrainingRows.frame` with column `group`, and how many institutions have one of their own."""
    counts = frame["institution"].value_counts()
    kept = set(counts[counts >= _INSTITUTION_ROWS].index)
    group = frame["institution"].where(frame["institution"].isin(kept), THE_REST)
    return frame.assign(group=group), len(kept)


def grid(rows: pd.DataFrame) -> pd.DataFrame:
    """Every cell that can be asked for.

    Every provider in every region and, there, at every institution where it was seen, times every
    operation; `THE_REST` stands for institutions without a row of their own.
    """
    seen = rows[["provider", "region", "group"]].drop_duplicates()
    places = set(seen.itertuples(index=False, name=None))
    places |= {(provider, region, THE_REST) for provider, region, _group in places}
    operations = sorted(rows["operation"].unique())
    cells = [
        (provider, operation, region, group)
        for provider, region, group in sorted(places)
        for operation in operations
    ]
    return pd.DataFrame(cells, columns=pd.Index(KEYS))


def features(cells: pd.DataFrame) -> pd.DataFrame:
    """The columns of `FEATURES` for cells (columns `KEYS`)."""
    columns = {"institution": cells["group"]}
    for name in ("provider", "operation", "region"):
        columns[name] = cells[name]
    built = {}
    for feature in FEATURES:
        first, *rest = (columns[part] for part in feature.split(" x "))
        for part in rest:
            first = first + "\x1f" + part
        built[feature] = first
    return pd.DataFrame(built)

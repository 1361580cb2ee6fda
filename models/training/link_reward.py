"""What a `createLink` came to: linked within the session's life, and working after its first sync.

An answer with a link is not the success that matters. The log does not hold link sessions, but what
the same space did next at the same provider and institution says it: an exchange that worked within
the session's life completes the latest link still open there, and the first sync after it that was
not prevented by an outage says whether the connection works. The label is known only then; until
then the row has none.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.blame import USER_SCOPES
from models.evaluation.logged import Floats

__all__ = ["LINK_LIFE_S", "SYNC_WITHIN_S", "link_rewards"]

LINK_LIFE_S: Final = 4 * 3600.0
"""The longest life of a link session that a vendor documents (Plaid's widget token)."""

SYNC_WITHIN_S: Final = 24 * 3600.0
"""A connection that nobody read within a day counts as working."""

_READS: Final = frozenset({"getAccounts", "syncTransactions"})


@dataclass(slots=True)
class _Link:
    """One answered `createLink`; `exchanged_s` is when its exchange had worked."""

    row: int
    institution: str | None
    ended_s: float
    exchanged_s: float | None = None
    works: bool | None = None


def link_rewards(outcomes: pd.DataFrame, *, now: float) -> Floats | None:
    """For each row of `TrainingRows.outcomes` its label: 1.0, 0.0, or NaN.

    NaN where the row is no answered `createLink`, or where its label is not known at unix time
    `now`. None where the log holds no exchange that worked, or no spaces: then it cannot tell.
    """
    exchanges = (outcomes["operation"] == "exchangeToken") & (outcomes["outcome"] == "success")
    if not (exchanges & outcomes["space"].notna()).any():
        return None
    labels = np.full(len(outcomes), np.nan)
    placed = outcomes.assign(row=np.arange(len(outcomes)))
    placed = placed[placed["space"].notna() & (placed["ended_s"] <= now)].sort_values("ended_s")
    columns = ["row", "operation", "institution", "outcome", "scope", "started_s", "ended_s"]
    for _, events in placed.groupby(["space", "provider"], sort=False):
        links: list[_Link] = []
        for row, operation, institution, outcome, scope, started, ended in events[
            columns
        ].itertuples(index=False, name=None):
            if operation == "createLink" and outcome == "success":
                links.append(_Link(row, institution, ended))
            elif operation == "exchangeToken" and outcome == "success":
                _exchanged(links, institution, started, ended)
            elif operation in _READS:
                _read(links, institution, started, works=_works(outcome, scope))
        for link in links:
            labels[link.row] = _label(link, now)
    return labels


def _works(outcome: str, scope: str | None) -> bool | None:
    """Whether a read shows a working connection; None where an outage hides it."""
    if outcome == "success":
        return True
    return False if scope in USER_SCOPES and outcome == "auth" else None


def _same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _exchanged(links: list[_Link], institution: str | None, started: float, ended: float) -> None:
    for link in reversed(links):
        open_still = link.exchanged_s is None and 0.0 <= started - link.ended_s <= LINK_LIFE_S
        if open_still and _same(link.institution, institution):
            link.exchanged_s = ended
            return


def _read(
    links: list[_Link], institution: str | None, started: float, *, works: bool | None
) -> None:
    for link in reversed(links):
        done = link.exchanged_s
        if done is None or not _same(link.institution, institution):
            continue
        if link.works is None and 0.0 <= started - done <= SYNC_WITHIN_S:
            link.works = works
        return


def _label(link: _Link, now: float) -> float:
    if link.exchanged_s is None:
        return 0.0 if now > link.ended_s + LINK_LIFE_S else np.nan
    if link.works is None:
        return 1.0 if now > link.exchanged_s + SYNC_WITHIN_S else np.nan
    return float(link.works)

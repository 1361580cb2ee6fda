"""What each choice would have brought, guessed from other rows: the direct half of doubly robust.

Success ratios by provider, operation and institution, each level drawn towards the one above it.
Cross-fitted: a row's guess comes from the other folds, each fold being every fifth block of time,
so that no row is judged by a guess that has seen its own outcome.
"""

from typing import Final

import numpy as np

from .logged import Floats, Indices, LoggedChoices

__all__ = ["cross_fitted"]

_FOLDS: Final = 5
_SMOOTHING: Final = 10.0


def cross_fitted(choices: LoggedChoices, blocks: Indices) -> Floats:
    """The expected reward of each provider in each row (rows x providers), by other folds' rows."""
    operations = _codes([(operation, region) for operation, region, _, _ in choices.contexts])
    cells = _codes([(operation, region, bank) for operation, region, bank, _ in choices.contexts])
    fold = blocks % _FOLDS
    guess = np.empty(choices.allowed.shape)
    for held_out in range(_FOLDS):
        inside = fold == held_out
        if not inside.any():
            continue
        guess[inside] = _fitted(choices, ~inside, operations, cells)[inside]
    return guess


def _codes(keys: list[tuple[str | None, ...]]) -> Indices:
    known: dict[tuple[str | None, ...], int] = {}
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _fitted(
    choices: LoggedChoices, taught: np.ndarray[tuple[int], np.dtype[np.bool_]], *levels: Indices
) -> Floats:
    columns = len(choices.providers)
    chosen, reward = choices.chosen[taught], choices.reward[taught]
    overall = (reward.sum() + 1.0) / (len(reward) + 1.0)
    won = np.bincount(chosen, weights=reward, minlength=columns)
    seen = np.bincount(chosen, minlength=columns).astype(np.float64)
    by_provider = (won + _SMOOTHING * overall) / (seen + _SMOOTHING)
    guess = np.broadcast_to(by_provider, choices.allowed.shape)
    for level in levels:
        size = (int(level.max()) + 1) * columns
        keys = level[taught] * columns + chosen
        won = np.bincount(keys, weights=reward, minlength=size).reshape(-1, columns)[level]
        seen = np.bincount(keys, minlength=size).reshape(-1, columns)[level].astype(np.float64)
        guess = (won + _SMOOTHING * guess) / (seen + _SMOOTHING)
    return guess

"""What the plain policies keep count by, and the draw that they share."""

from collections.abc import Hashable, Mapping
from typing import Final, Protocol

from .context import Decision, SelectionContext

__all__ = ["KEYINGS", "NEVER_EXPLORED", "Keying", "evenly_now_and_then", "keying"]

NEVER_EXPLORED: Final = frozenset({"exchangeToken"})
"""Operations that are sent once: their first choice is not left to chance."""


class Keying(Protocol):
    """From a provider, an operation and an institution to the key under which it is counted."""

    def __call__(self, provider: str, operation: str, institution_id: str | None) -> Hashable:
        """The key."""
        ...


def _by_operation(provider: str, operation: str, institution_id: str | None) -> Hashable:
    del institution_id
    return provider, operation


def _by_institution(provider: str, operation: str, institution_id: str | None) -> Hashable:
    del operation
    return provider, institution_id


KEYINGS: Final[Mapping[str, Keying]] = {
    "operation": _by_operation,
    "institution": _by_institution,
}
"""By what a plain policy can keep count, beside the provider."""


def keying(name: str) -> Keying:
    """The keying of this name.

    Raises:
        ValueError: there is none.

    """
    if name not in KEYINGS:
        raise ValueError(f"unknown keying {name!r}: there are {', '.join(sorted(KEYINGS))}")
    return KEYINGS[name]


def evenly_now_and_then(
    context: SelectionContext,
    scores: dict[str, float],
    *,
    policy: str,
    exploration_ratio: float,
    unit_random: float,
) -> Decision:
    """The best first, but for a share of requests whose first is drawn evenly.

    Equal scores keep the order of the candidates. Scores are cut to what a probability can be.
    """
    candidates = context.candidates
    order = sorted(candidates, key=scores.__getitem__, reverse=True)
    count = len(order)
    alone = count == 1 or context.operation in NEVER_EXPLORED
    ratio = 0.0 if alone else exploration_ratio
    propensities = dict.fromkeys(candidates, ratio / count)
    propensities[order[0]] += 1.0 - ratio
    explored = unit_random < ratio
    if explored:
        order.insert(0, order.pop(min(int(unit_random / ratio * count), count - 1)))
    return Decision(
        order=tuple(order),
        propensities=propensities,
        scores={name: min(max(score, 0.001), 0.999) for name, score in scores.items()},
        policy=policy,
        model_version=None,
        explored=explored,
    )

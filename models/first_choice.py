"""From beliefs to a distribution over who is first, and from the distribution to a draw.

Thompson sampling draws a value for each candidate from what is believed of it and takes the
highest. Here a belief is a few points with masses instead of a density, so that the probability of
being highest is a sum and not an integral: propensities are exact, and cost some microseconds.
"""

from collections.abc import Sequence

__all__ = ["drawn", "highest"]


def highest(beliefs: Sequence[Sequence[tuple[float, float]]]) -> list[float]:
    """For each candidate the probability that its value is the highest; among equals the first is.

    A belief is a sequence of (value, mass), masses summing to 1; candidates are independent.

    >>> [round(p, 3) for p in highest([[(0.9, 1.0)], [(0.8, 0.5), (0.95, 0.5)]])]
    [0.5, 0.5]

    """
    count = len(beliefs)
    # Below the best of the worst nobody can be the highest.
    bound = max([min(belief)[0] for belief in beliefs])
    below = [0.0] * count
    points = []
    for place, belief in enumerate(beliefs):
        for value, mass in belief:
            if value < bound:
                below[place] += mass
            else:
                points.append((value, -place, mass))
    points.sort()
    chances = [0.0] * count
    for _value, negative, mass in points:
        place = -negative
        chance = mass
        for other in range(count):
            if other != place:
                chance *= below[other]
        chances[place] += chance
        below[place] += mass
    whole = sum(chances)
    return [chance / whole for chance in chances]


def drawn(chances: Sequence[float], unit_random: float) -> int:
    """The place that a random number from 0 to 1 falls on; never one without a chance.

    >>> [drawn([0.5, 0.0, 0.5], u) for u in (0.0, 0.49, 0.51, 0.999)]
    [0, 0, 2, 2]

    """
    last = 0
    for place, chance in enumerate(chances):
        if chance > 0.0:
            if unit_random < chance:
                return place
            last = place
        unit_random -= chance
    return last

"""Pauses between tries."""

from typing import Final

__all__ = ["jittered_backoff_s"]

_MAX_DOUBLINGS: Final = 64


def jittered_backoff_s(attempt: int, *, base_s: float, cap_s: float, unit_random: float) -> float:
    """A pause with full jitter: anything between nothing and a bound that doubles.

    Full jitter spreads callers best and costs least work (M. Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog).

    Args:
        attempt: the pause before which retry, from 1.
        base_s: bound of the first pause in seconds, over 0.
        cap_s: no bound grows over this, at least `base_s`.
        unit_random: a random number from the caller, 0 to 1.

    Raises:
        ValueError: an argument is out of its range.

    """
    if attempt < 1:
        raise ValueError(f"attempt is {attempt}: it counts from 1")
    if not 0.0 < base_s <= cap_s:
        raise ValueError(f"base_s is {base_s}: it must be over 0 and at most cap_s, {cap_s}")
    if not 0.0 <= unit_random <= 1.0:
        raise ValueError(f"unit_random is {unit_random}: it must be 0 to 1")
    doublings = min(attempt - 1, _MAX_DOUBLINGS)  # further ones only overflow
    return unit_random * min(cap_s, base_s * 2.0**doublings)

"""Options of a circuit breaker, checked once so that the machine never checks again."""

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["BreakerOptions"]

_DAY_S: Final = 86_400.0
_MAX_FAILURE_THRESHOLD: Final = 1000
_MAX_SMALL_COUNT: Final = 100


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """How one circuit breaker opens, probes and closes.

    Attributes:
        failure_threshold: counted failures in a row that open a closed circuit, 1 to 1000. Default
            5. A success sets the count to zero; a neutral verdict leaves it as it is.
        success_threshold: successful probes that close a half-open circuit, 1 to 100. Default 2.
            One failed probe opens it again, whatever was counted before.
        timeout_s: seconds of the first open interval, exactly, 0.001 to 86400. Default 60. Later
            intervals of the same outage grow from it; see `max_timeout_s`.
        half_open_permits: probes that may be in flight at once, 1 to 100. Default 1. With more than
            `success_threshold` the surplus answers come too late to count.
        max_timeout_s: cap in seconds of the open interval, which doubles after every failed probe,
            0.001 to 86400. Default 120. Jitter comes on top of the cap, so that capped breakers
            still spread. At or below `timeout_s` nothing grows: the interval stays `timeout_s`.
        permit_lease_s: seconds after which a permit that nobody reported is released, 0.001 to
            86400. Default 660, a minute over the longest request. Shorter than the longest call, it
            lets a second probe out while the first is still under way.

    Raises:
        ValueError: an option is out of its range.

    """

    failure_threshold: int = 5
    success_threshold: int = 2
    timeout_s: float = 60.0
    half_open_permits: int = 1
    max_timeout_s: float = 120.0
    permit_lease_s: float = 660.0

    def __post_init__(self) -> None:
        _within("failure_threshold", self.failure_threshold, 1, _MAX_FAILURE_THRESHOLD)
        _within("success_threshold", self.success_threshold, 1, _MAX_SMALL_COUNT)
        _within("half_open_permits", self.half_open_permits, 1, _MAX_SMALL_COUNT)
        _within("timeout_s", self.timeout_s, 0.001, _DAY_S)
        _within("max_timeout_s", self.max_timeout_s, 0.001, _DAY_S)
        _within("permit_lease_s", self.permit_lease_s, 0.001, _DAY_S)

    def grown_s(self, interval_s: float) -> float:
        """The open interval that follows one of `interval_s` whose probe failed, without jitter."""
        return min(2 * interval_s, max(self.timeout_s, self.max_timeout_s))


def _within(name: str, value: float, low: float, high: float) -> None:
    if math.isnan(value) or not low <= value <= high:
        raise ValueError(f"{name} is {value}: it must be {low} to {high}")

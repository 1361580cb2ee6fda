"""A vendor's published limit, as data."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Quota", "QuotaScope"]


class QuotaScope(StrEnum):
    """Whose calls a limit counts together."""

    CLIENT = "client"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `calls` in any `window_s` seconds.

    `scope` says whose calls count together; `endpoint` limits it to one endpoint of the vendor,
    None means all of them together.

    Raises:
        ValueError: `calls` or `window_s` is not positive.

    """

    scope: QuotaScope
    calls: int
    window_s: float
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if self.calls < 1 or self.window_s <= 0:
            raise ValueError("a quota needs at least one call in a positive window")

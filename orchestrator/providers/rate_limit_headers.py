"""What a vendor says of its own limit beside an answer, in any of the ways there are.

RateLimit: "default";r=50;t=30                 IETF draft-ietf-httpapi-ratelimit-headers-08 on
RateLimit: limit=100, remaining=50, reset=30   the same draft, -07
RateLimit-Remaining: 50, RateLimit-Reset: 30   the same draft, up to -06
X-RateLimit-Remaining, X-RateLimit-Reset       by habit; the latter is seconds, or a unix time
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from orchestrator.resilience import ToldAllowance

__all__ = ["told_allowance"]

_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_PARAMETER: Final = re.compile(r"(?:^|[;,\s])\s*(r|t|remaining|reset)\s*=\s*([0-9][0-9.]{0,24})")
_LONGEST_HEADER: Final = 1024
_OLDEST_UNIX_S: Final = 1e9
_OLDEST_UNIX_MS: Final = 1e12
_NAMES: Final = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
)

_SAYING: Final = frozenset({"ratelimit", *(remaining for remaining, _ in _NAMES)})


def told_allowance(headers: Mapping[str, str], now: datetime | None = None) -> ToldAllowance | None:
    """How many calls the vendor still takes and when its limit resets; None where it says neither.

    Of several limits the tightest: of those that are used up the one that resets last, else the one
    with the fewest calls left. What cannot be read is not there.

    Args:
        headers: of an answer, names in lower case.
        now: aware time, where a reset is told as one; the machine's when left out.

    """
    if _SAYING.isdisjoint(headers):
        return None
    at_unix_s = (now or datetime.now(UTC)).timestamp()
    told = list(_pairs(headers, at_unix_s))
    if not told:
        return None
    return min(told, key=lambda each: (each.remaining, -each.reset_s))


def _pairs(headers: Mapping[str, str], at_unix_s: float) -> Iterator[ToldAllowance]:
    for item in _items(headers.get("ratelimit", "")[:_LONGEST_HEADER]):
        found: dict[str, str] = dict(_PARAMETER.findall(item))
        remaining = _number(found.get("r", found.get("remaining", "")))
        reset_s = _number(found.get("t", found.get("reset", "")))
        if remaining is not None and reset_s is not None:
            yield ToldAllowance(int(remaining), reset_s)
    for remaining_name, reset_name in _NAMES:
        remaining = _number(headers.get(remaining_name, ""))
        reset_s = _number(headers.get(reset_name, ""))
        if remaining is not None and reset_s is not None:
            yield ToldAllowance(int(remaining), _until(reset_s, at_unix_s))


def _items(header: str) -> list[str]:
    """The limits of a list; before -08 the whole header told of one, with commas inside."""
    return [header] if "remaining" in header else header.split(",")


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _until(reset: float, at_unix_s: float) -> float:
    """Seconds until a reset that is told as seconds, as a unix time, or as one in milliseconds."""
    if reset >= _OLDEST_UNIX_MS:
        reset /= 1000.0
    return max(0.0, reset - at_unix_s) if reset >= _OLDEST_UNIX_S else reset

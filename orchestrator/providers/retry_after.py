"""How long a vendor asks us to wait."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["retry_after_s"]

_LONGEST_PAUSE_S: Final = 7 * 86_400.0
_SECONDS_SHAPE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The pause a `Retry-After` header asks for, in seconds (RFC 9110 §10.2.3), or None.

    At most a week, whatever the header says. An unreadable value is no value.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if _SECONDS_SHAPE.fullmatch(value):
        return min(float(value), _LONGEST_PAUSE_S)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - (now or datetime.now(UTC))).total_seconds()), _LONGEST_PAUSE_S)

"""Bitso's limits by the minute, and the lock-outs of those that go over them.

Source: docs.bitso.com, general concepts. That a lock-out which follows another lasts longer, and the
fifth a day, is this sandbox's reading of it.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["PRIVATE", "PUBLIC", "BitsoLimits"]

PRIVATE: Final = 300
"""Calls of a user in a minute."""
PUBLIC: Final = 60
"""Calls without a key of an address in a minute."""
_LOCKOUTS_S: Final = (60.0, 120.0, 240.0, 480.0, 86_400.0)
_FORGIVEN_AFTER_S: Final = 3600.0


@dataclass(slots=True)
class _Account:
    minute: int = -1
    calls: int = 0
    locked_until: float = 0.0
    lockouts: int = 0


class BitsoLimits:
    """Counts calls in fixed windows of a minute, those of users and those of addresses apart."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}

    def admits(self, limit: int, now: float) -> bool:
        """Count a call under `PRIVATE` or `PUBLIC`; False where it is locked out.

        Args:
            limit: which of the two.
            now: unix seconds.

        """
        account = self._accounts.setdefault(limit, _Account())
        if now < account.locked_until:
            return False
        if now >= account.locked_until + _FORGIVEN_AFTER_S:
            account.lockouts = 0
        minute = int(now // 60)
        if minute != account.minute:
            account.minute, account.calls = minute, 0
        account.calls += 1
        if account.calls <= limit:
            return True
        account.locked_until = now + _LOCKOUTS_S[min(account.lockouts, len(_LOCKOUTS_S) - 1)]
        account.lockouts += 1
        return False

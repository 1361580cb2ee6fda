"""How often each vendor was called, told apart by attempt: what `GET /_control/calls` shows."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CallBook"]

_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Tally:
    count: int = 0
    http_calls: int = 0
    attempt_ids: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


@dataclass(slots=True)
class _Attempt:
    """An attempt seen at a vendor; `operation` None while its calls so far could be of several."""

    operation: str | None
    guess: str
    unbooked_calls: int = 0


class CallBook:
    """Counts of attempts and of HTTP calls, per provider and operation.

    An attempt is one operation however many calls it takes. A call that could belong to several
    operations (reading a member at MX, say) is booked with its attempt once another call of that
    attempt tells which it is, and until then under its most likely operation.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._attempts: OrderedDict[tuple[str, str], _Attempt] = OrderedDict()

    def operation_of(self, provider: str, attempt_id: str | None) -> str | None:
        """The operation of an attempt, if its calls so far have told."""
        attempt = self._attempts.get((provider, attempt_id or ""))
        return attempt.operation if attempt else None

    def record(
        self, provider: str, attempt_id: str | None, operation: str | None, *, guess: str
    ) -> None:
        """Book one HTTP call.

        Args:
            provider: who was called.
            attempt_id: of `X-Attempt-Id`; a call without counts as an attempt of its own.
            operation: what the call tells it is part of; None where it could be several.
            guess: where to count it while nothing tells.

        """
        if not attempt_id:
            tally = self._tally(provider, operation or guess)
            tally.count += 1
            tally.http_calls += 1
            return
        key = (provider, attempt_id)
        attempt = self._attempts.get(key)
        if attempt is None:
            attempt = self._attempts[key] = _Attempt(None, guess)
            if len(self._attempts) > _REMEMBERED:
                (old_provider, old_id), old = self._attempts.popitem(last=False)
                if old.operation is None:
                    self._book(old_provider, old_id, old, old.guess)
        if attempt.operation is not None:
            self._tally(provider, attempt.operation).http_calls += 1
            return
        attempt.unbooked_calls += 1
        if operation is not None:
            self._book(provider, attempt_id, attempt, operation)

    def record_apart(self, provider: str, attempt_id: str | None, operation: str) -> None:
        """Book a call that counts by itself, whatever attempt it serves (a token's renewal)."""
        tally = self._tally(provider, operation)
        tally.count += 1
        tally.http_calls += 1
        if attempt_id:
            tally.attempt_ids.append(attempt_id)

    def snapshot(self) -> list[dict[str, object]]:
        """All counts in wire form, ordered by provider and operation."""
        shown = {
            key: _Tally(tally.count, tally.http_calls, deque(tally.attempt_ids, maxlen=_REMEMBERED))
            for key, tally in self._tallies.items()
        }
        for (provider, attempt_id), attempt in self._attempts.items():
            if attempt.operation is None:
                tally = shown.setdefault((provider, attempt.guess), _Tally())
                tally.count += 1
                tally.http_calls += attempt.unbooked_calls
                tally.attempt_ids.append(attempt_id)
        return [
            {
                "provider": provider,
                "operation": operation,
                "count": tally.count,
                "httpCalls": tally.http_calls,
                "attemptIds": list(tally.attempt_ids),
            }
            for (provider, operation), tally in sorted(shown.items())
        ]

    def clear(self) -> None:
        """Forget all counts."""
        self._tallies.clear()
        self._attempts.clear()

    def _tally(self, provider: str, operation: str) -> _Tally:
        return self._tallies.setdefault((provider, operation), _Tally())

    def _book(self, provider: str, attempt_id: str, attempt: _Attempt, operation: str) -> None:
        tally = self._tally(provider, operation)
        tally.count += 1
        tally.http_calls += attempt.unbooked_calls
        tally.attempt_ids.append(attempt_id)
        attempt.operation, attempt.unbooked_calls = operation, 0

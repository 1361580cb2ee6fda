"""The circuits below a provider's own: made on the first failure, gone when they say nothing more.

Most operations and institutions work most of the time, so most have no circuit at all.
"""

from collections import OrderedDict
from collections.abc import Iterator

from orchestrator.domain import CircuitState

from .breaker import CircuitBreaker
from .breaker_options import BreakerOptions
from .permit import Transition

__all__ = ["NarrowCircuits"]


class NarrowCircuits:
    """Breakers by scope, at most `maximum` of them.

    Over the bound the one used longest ago is given up, as if it had closed.

    Args:
        options: of every breaker made here.
        ids: shared source of permit ids.
        maximum: how many are kept.

    """

    __slots__ = ("_by_scope", "_ids", "_maximum", "_options")

    def __init__(self, options: BreakerOptions, ids: Iterator[int], maximum: int) -> None:
        if maximum < 1:
            raise ValueError(f"the bound is {maximum}: it must be at least 1")
        self._options = options
        self._ids = ids
        self._maximum = maximum
        self._by_scope: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def get(self, scope: str) -> CircuitBreaker | None:
        """The breaker of a scope, if it has one, marked as used."""
        breaker = self._by_scope.get(scope)
        if breaker is not None:
            self._by_scope.move_to_end(scope)
        return breaker

    def items(self) -> tuple[tuple[str, CircuitBreaker], ...]:
        """All of them; the tuple outlives changes."""
        return tuple(self._by_scope.items())

    def make(self, scope: str) -> tuple[CircuitBreaker, tuple[tuple[str, Transition], ...]]:
        """A fresh breaker for a scope that has none, and what was given up for it."""
        given_up: list[tuple[str, Transition]] = []
        while len(self._by_scope) >= self._maximum:
            lost, oldest = self._by_scope.popitem(last=False)
            if oldest.state is not CircuitState.CLOSED:
                reason = "given up: too many circuits"
                given_up.append((lost, Transition(oldest.state, CircuitState.CLOSED, reason)))
        breaker = CircuitBreaker(self._options, ids=self._ids)
        self._by_scope[scope] = breaker
        return breaker, tuple(given_up)

    def drop_idle(self, scope: str) -> None:
        """Let go of a breaker that a fresh one would replace without a difference."""
        breaker = self._by_scope.get(scope)
        if breaker is not None and breaker.is_idle():
            del self._by_scope[scope]

    def clear(self) -> None:
        """Let go of all."""
        self._by_scope.clear()

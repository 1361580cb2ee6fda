"""Which calls go wrong, and how: a book of fault definitions, without clock, dice or IO."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["BadFault", "Fault", "FaultBook", "FaultKind", "Interference", "parse_faults"]

_ANY: Final = "*"
_DEFAULT_SLOW_MS: Final = 3000.0
_DEFAULT_FLAKY_RATE: Final = 0.5
_LONGEST_S: Final = 86_400.0
_MOST_FAULTS: Final = 1000

OPERATIONS: Final = frozenset(
    {_ANY, "auth", "createLink", "exchangeToken", "getAccounts", "syncTransactions"}
)


class FaultKind(StrEnum):
    """What goes wrong with a matching call."""

    DOWN = "down"
    RESET = "reset"
    TIMEOUT = "timeout"
    SLOW = "slow"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    VALIDATION = "validation"
    INSTITUTION_DOWN = "institution_down"
    BAD_KEYS = "bad_keys"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    STALE = "stale"
    FROZEN = "frozen"
    MALFORMED = "malformed"
    LOST_ANSWER = "lost_answer"
    FLAKY = "flaky"
    ERROR = "error"


class BadFault(ValueError):
    """A fault definition that cannot be taken; `field` says which part, as a path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """One definition. `*` matches anything; `rate` is the share of matching calls it strikes (0-1).

    `latency_ms` delays a struck call whatever the kind. `for_s` ends the fault that many seconds
    after it was put in force; None leaves it until it is deleted. `error_code` is the vendor's own
    code that an `error` answers with.
    """

    provider: str
    kind: FaultKind
    operation: str = _ANY
    institution_id: str = _ANY
    rate: float = 1.0
    latency_ms: float = 0.0
    retry_after_s: float | None = None
    for_s: float | None = None
    error_code: str | None = None

    @property
    def delay_s(self) -> float:
        """Seconds by which a struck call is delayed."""
        if self.kind is FaultKind.SLOW and not self.latency_ms:
            return _DEFAULT_SLOW_MS / 1000
        return self.latency_ms / 1000

    def matches(
        self, provider: str, operations: Collection[str], institution_id: str | None
    ) -> bool:
        """Whether a call of any of `operations` at `provider` for that institution is meant."""
        return (
            self.provider in (_ANY, provider)
            and (self.operation == _ANY or self.operation in operations)
            and self.institution_id in (_ANY, institution_id)
        )

    def as_json(self) -> dict[str, object]:
        """The definition in its wire form."""
        return {
            "provider": self.provider,
            "operation": self.operation,
            "institutionId": self.institution_id,
            "kind": self.kind.value,
            "rate": self.rate,
            "latencyMs": self.latency_ms,
            "retryAfterS": self.retry_after_s,
            "forS": self.for_s,
            "errorCode": self.error_code,
        }


@dataclass(frozen=True, slots=True)
class Interference:
    """What to do to one call: wait `delay_s`, then go wrong in the way of `kind` (None: do not)."""

    kind: FaultKind | None = None
    delay_s: float = 0.0
    retry_after_s: float | None = None
    error_code: str | None = None


class FaultBook:
    """The faults in force. Not safe for threads; one event loop owns it.

    Times are seconds on any clock of the caller's, the same for all calls.
    """

    def __init__(self) -> None:
        self._in_force: tuple[tuple[Fault, float], ...] = ()

    def put(self, faults: Sequence[Fault], *, now: float) -> None:
        """Put these faults in force, in place of all that were."""
        self._in_force = tuple(
            (fault, math.inf if fault.for_s is None else now + fault.for_s) for fault in faults
        )

    def clear(self) -> None:
        """End all faults."""
        self._in_force = ()

    def in_force(self, *, now: float) -> tuple[Fault, ...]:
        """The faults that have not run out, in the order in which they were put."""
        return tuple(fault for fault, until in self._in_force if now < until)

    def decide(
        self,
        provider: str,
        operations: Collection[str],
        institution_id: str | None,
        *,
        now: float,
        draw: Callable[[], float],
    ) -> Interference:
        """What happens to one call.

        Every matching fault draws once against its rate. Delays of those that strike add up; of
        their kinds, the first that is not `slow` is done.

        Args:
            provider: whose endpoint is called.
            operations: what the call may be part of; usually one.
            institution_id: our id of the bank concerned, if the call tells.
            now: seconds.
            draw: uniform on [0, 1).

        """
        if not self._in_force:
            return Interference()
        delay_s = 0.0
        chosen: Fault | None = None
        for fault, until in self._in_force:
            if now >= until or not fault.matches(provider, operations, institution_id):
                continue
            if draw() >= fault.rate:
                continue
            delay_s += fault.delay_s
            if chosen is None and fault.kind is not FaultKind.SLOW:
                chosen = fault
        if chosen is None:
            return Interference(delay_s=delay_s)
        kind = FaultKind.DOWN if chosen.kind is FaultKind.FLAKY else chosen.kind
        return Interference(kind, delay_s, chosen.retry_after_s, chosen.error_code)


_KNOWN_FIELDS: Final = frozenset(
    {
        "provider",
        "operation",
        "institutionId",
        "kind",
        "rate",
        "latencyMs",
        "retryAfterS",
        "forS",
        "errorCode",
    }
)


def parse_faults(
    body: object,
    *,
    error_codes: Mapping[str, Collection[str]],
    institutions: Collection[str],
) -> tuple[Fault, ...]:
    """Fault definitions out of their wire form, `{"faults": [ … ]}`.

    Args:
        body: what was sent.
        error_codes: what each provider's `error` may answer with; its keys are the providers.
        institutions: our ids of the banks.

    Raises:
        BadFault: the first thing wrong, naming its field.

    """
    if not isinstance(body, Mapping):
        raise BadFault("", "a JSON object with `faults` is wanted")
    unknown = sorted(set(body) - {"faults"})
    if unknown:
        raise BadFault(unknown[0], "unknown field")
    rows = body.get("faults")
    if not isinstance(rows, list):
        raise BadFault("faults", "a list is wanted")
    if len(rows) > _MOST_FAULTS:
        raise BadFault("faults", f"at most {_MOST_FAULTS} at a time")
    return tuple(
        _parse_one(row, f"faults[{index}]", error_codes, institutions)
        for index, row in enumerate(rows)
    )


def _parse_one(
    row: object,
    at: str,
    error_codes: Mapping[str, Collection[str]],
    institutions: Collection[str],
) -> Fault:
    if not isinstance(row, Mapping):
        raise BadFault(at, "a JSON object is wanted")
    unknown = sorted(set(row) - _KNOWN_FIELDS)
    if unknown:
        raise BadFault(f"{at}.{unknown[0]}", "unknown field")
    kind = FaultKind(_choice(row, "kind", at, [kind.value for kind in FaultKind], None))
    rate = _number(row, "rate", at, 1.0)
    if rate is None:
        rate = _DEFAULT_FLAKY_RATE if kind is FaultKind.FLAKY else 1.0
    provider = _choice(row, "provider", at, [*error_codes, _ANY], None)
    return Fault(
        provider=provider,
        kind=kind,
        operation=_choice(row, "operation", at, OPERATIONS, _ANY),
        institution_id=_choice(row, "institutionId", at, [*institutions, _ANY], _ANY),
        rate=rate,
        latency_ms=_number(row, "latencyMs", at, _LONGEST_S * 1000) or 0.0,
        retry_after_s=_number(row, "retryAfterS", at, _LONGEST_S * 7),
        for_s=_number(row, "forS", at, _LONGEST_S * 7),
        error_code=_error_code(row, at, kind, error_codes.get(provider, ())),
    )


def _error_code(
    row: Mapping[str, object], at: str, kind: FaultKind, known: Collection[str]
) -> str | None:
    if kind is FaultKind.ERROR:
        return _choice(row, "errorCode", at, known, None)
    if row.get("errorCode") is not None:
        raise BadFault(f"{at}.errorCode", "goes with the kind `error` alone")
    return None


def _choice(
    row: Mapping[str, object], name: str, at: str, allowed: Collection[str], default: str | None
) -> str:
    value = row.get(name, default)
    if value is None:
        raise BadFault(f"{at}.{name}", "is required")
    if not isinstance(value, str) or value not in allowed:
        raise BadFault(f"{at}.{name}", f"must be one of {', '.join(sorted(allowed))}")
    return value


def _number(row: Mapping[str, object], name: str, at: str, largest: float) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadFault(f"{at}.{name}", "must be a number")
    if not 0 <= value <= largest:
        raise BadFault(f"{at}.{name}", f"must be between 0 and {largest:g}")
    return float(value)

"""One gate on a challenger's way, and what it said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Gate", "GateVerdict", "passed_all"]


class GateVerdict(StrEnum):
    """What a gate says; `cannot_tell` lets pass, as shadow and a watched share come after it."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's verdict and the figures behind it, in words."""

    name: str
    verdict: GateVerdict
    detail: str

    @property
    def failed(self) -> bool:
        """Whether it speaks against the challenger."""
        return self.verdict is GateVerdict.FAILED

    def as_json(self) -> Mapping[str, str]:
        """For a card."""
        return {"name": self.name, "verdict": self.verdict.value, "detail": self.detail}


def passed_all(gates: Iterable[Gate]) -> bool:
    """Whether none speaks against the challenger."""
    return not any(gate.failed for gate in gates)

"""What every benchmark is told: how thoroughly, where it may write, and whom it tells of its steps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from benchmarks.results import Result

__all__ = ["Benchmark", "Setting"]

FULL_RUNS: Final = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure.

    Args:
        short: only show that it works, within seconds; its figures say nothing.
        runs: of which the median is taken.
        folder: empty, for whatever a benchmark keeps; removed after it.
        progress: is told each step.

    """

    short: bool
    runs: int
    folder: Path
    progress: Callable[[str], None]

    @classmethod
    def of(
        cls, folder: Path, progress: Callable[[str], None], *, short: bool, runs: int | None = None
    ) -> Self:
        """A setting with as many runs as asked for: one when short, else five."""
        return cls(short, runs or (1 if short else FULL_RUNS), folder, progress)

    def sized(self, full: int, short: int) -> int:
        """A size of the work: the full one, or the one of a short run."""
        return short if self.short else full

    def lasting_s(self, full: int, short: int) -> int:
        """Whole seconds to measure for."""
        return short if self.short else full


class Benchmark(Protocol):
    """A benchmark's module."""

    def run(self, setting: Setting) -> Result:
        """Measure.

        Raises:
            BenchmarkFailed: it cannot be measured; says why.

        """
        ...

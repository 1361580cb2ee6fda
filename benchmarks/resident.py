"""How much memory each process of a system holds, shared pages counted in shares (PSS)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.programs import processes_of

__all__ = ["Resident", "residents", "total_mb"]

_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Resident:
    """One process: what it is, and its share of the machine's memory."""

    name: str
    pss_mb: float


def residents(data_dir: Path) -> Mapping[int, Resident]:
    """Every process that was started for a data folder, by its number."""
    found = {}
    for process in processes_of(data_dir):
        # One that ends meanwhile is none.
        with suppress(psutil.Error):
            pss = process.memory_full_info().pss
            found[process.pid] = Resident(_name(process.cmdline(), process.name()), pss / _MB)
    return found


def total_mb(seen: Mapping[int, Resident]) -> float:
    """Of all of them."""
    return sum(one.pss_mb for one in seen.values())


def _name(words: list[str], program: str) -> str:
    title = words[0] if words else program
    if title.startswith("ray::"):
        return title.removeprefix("ray::").split(".", 1)[0].split("(", 1)[0].strip()
    # An interpreter is known by what it runs.
    if "python" in Path(title).name:
        runs = [word for word in words[1:] if not word.startswith("-")]
        return Path(runs[0]).stem if runs else program
    return Path(title).name

"""Every benchmark by its name; one more is a line here and a module that follows `Benchmark`."""

from importlib import import_module
from typing import Final, cast

from benchmarks.setting import Benchmark

__all__ = ["MODULES", "benchmark"]

MODULES: Final = ("decision", "routed_ops", "http_ops", "batch_ops", "memory", "startup")
"""In the order in which they run. Each is a module of this package with the same name."""


def benchmark(name: str) -> Benchmark:
    """A benchmark's module, imported now.

    Raises:
        KeyError: there is none of this name.

    """
    if name not in MODULES:
        raise KeyError(name)
    return cast(Benchmark, import_module(f"{__package__}.{name}"))

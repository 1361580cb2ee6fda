"""Items for backfill jobs over the few connections that a benchmark links."""

from collections.abc import Sequence

import httpx
import pandas as pd

from benchmarks.served import Served

__all__ = ["connections", "items"]


def connections(system: Served, spaces: Sequence[str]) -> list[tuple[str, str]]:
    """Every connection of these spaces, with its space in front."""
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as http:
        return [
            (space, one["connectionId"])
            for space in spaces
            for one in http.get(f"/v1/spaces/{space}/connections").json()["connections"]
        ]


def items(over: Sequence[tuple[str, str]], count: int) -> pd.DataFrame:
    """So many different items over few connections: the days tell them apart, and are not asked for."""
    days = pd.date_range("1900-01-01", periods=count // len(over) + 1).strftime("%Y-%m-%d")
    rows = [(*over[n % len(over)], days[n // len(over)]) for n in range(count)]
    return pd.DataFrame(rows, columns=["spaceId", "connectionId", "startDate"])

"""Every attempt, request and circuit change, in one DuckDB file."""

from .queries import LogReader, RequestStory, read_only
from .statistics import LastError, LogStats, ProviderStats
from .store import AppendReport, AttemptLogStore, UnfitRow

__all__ = [
    "AppendReport",
    "AttemptLogStore",
    "LastError",
    "LogReader",
    "LogStats",
    "ProviderStats",
    "RequestStory",
    "UnfitRow",
    "read_only",
]

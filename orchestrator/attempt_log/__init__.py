"""Every attempt, request and circuit change, in one DuckDB file."""

from .archive import ArchivedMonth, archive_months
from .queries import LogReader, RequestStory, read_only
from .statistics import LastError, LogStats, ProviderStats
from .store import AppendReport, AttemptLogStore, UnfitRow

__all__ = [
    "AppendReport",
    "ArchivedMonth",
    "AttemptLogStore",
    "LastError",
    "LogReader",
    "LogStats",
    "ProviderStats",
    "RequestStory",
    "UnfitRow",
    "archive_months",
    "read_only",
]

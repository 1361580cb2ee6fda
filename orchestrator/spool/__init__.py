"""Rows on their way to the attempt log, in local files that outlive the process that wrote them.

Each process appends to files of its own (`SpoolWriter`); the log's actor reads all of them
(`SpoolReader`) and deletes what it has committed. Written and not synced: killing any process, or
all of them, loses nothing, a power cut may cost the last second.
"""

from .reader import SpoolBatch, SpoolReader
from .records import Row, Values
from .writer import SpoolWriter

__all__ = ["Row", "SpoolBatch", "SpoolReader", "SpoolWriter", "Values"]

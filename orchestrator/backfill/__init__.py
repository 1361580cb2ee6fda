"""Bulk re-syncing of many accounts."""

from .account_file import read_transactions
from .resync import FrameRefused, ResyncReport, resync

__all__ = ["FrameRefused", "ResyncReport", "read_transactions", "resync"]

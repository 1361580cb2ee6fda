"""Bulk re-syncing of many accounts."""

from .resync import FrameRefused, ResyncReport, resync

__all__ = ["FrameRefused", "ResyncReport", "resync"]

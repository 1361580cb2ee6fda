"""Configuration files that several tests want."""

from typing import Final

__all__ = ["NO_WAITING"]

NO_WAITING: Final = """
[selection]
policy = "priority"
[requests]
retry_base_ms = 1
retry_cap_ms = 1
"""
"""The plain order of providers, and no pause before a retry."""

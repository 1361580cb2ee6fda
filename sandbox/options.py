"""Points on which vendors' documents disagree or are silent, and limits that are off by default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SandboxOptions"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the vendors behave where their documents leave it open.

    `mx_dates` is the form of `from_date` and `to_date` that MX takes: its two specifications differ.
    `plaid_not_ready_s` is how long a new Item answers `NOT_READY`; 0 means it never does.
    `enforce_limits` turns on Plaid's published limits per Item and per client.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    plaid_not_ready_s: float = 0.0
    enforce_limits: bool = False

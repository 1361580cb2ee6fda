"""Points on which vendors' documents disagree or are silent, and limits that are off by default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SandboxOptions"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the vendors behave where their documents leave it open.

    `mx_dates` is the form of `from_date` and `to_date` that MX takes: its two specifications differ.
    `plaid_not_ready_s` is how long a new Item answers `NOT_READY`; 0 means it never does.
    `plaid_initial_s` is how long, after that, it shows its last 30 days only.
    `plaid_pulls_itself`: Plaid reads each bank anew every midnight; else only when it is asked to.
    `plaid_refresh_s` is how long a reading that was asked for takes.
    `plaid_public_token_reuse`: a public token can be exchanged again within its lifetime.
    `plaid_cursor_days` is how long a cursor is taken; 0 means for ever.
    `plaid_balance_times`: which banks' balances say when they were read.
    `enforce_limits` turns on Plaid's published limits per Item and per client.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    plaid_not_ready_s: float = 0.0
    plaid_initial_s: float = 0.0
    plaid_pulls_itself: bool = True
    plaid_refresh_s: float = 0.0
    plaid_public_token_reuse: bool = False
    plaid_cursor_days: int = 0
    plaid_balance_times: Literal["everywhere", "capital_one"] = "everywhere"
    enforce_limits: bool = False

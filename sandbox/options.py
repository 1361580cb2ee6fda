"""Points on which vendors' documents disagree or are silent, and limits that are off by default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SandboxOptions"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the vendors behave where their documents leave it open.

    `mx_dates` is the form of `from_date` and `to_date` that MX takes: its two specifications differ.
    `plaid_not_ready_s` is how long a new Item answers `NOT_READY`; 0 means it never does.
    `enforce_limits` turns on Plaid's published limits per Item and per client, and Bitso's per user
    and per address with their lock-outs.
    `bitso_permissions` is what Bitso tells of its user's key, beside whose it is.
    `bitso_withdrawals` is when a withdrawal enters Bitso's ledger: when it is asked for or done.
    `bitso_fee_sign` is the sign of a fee in Bitso's ledger: its samples disagree.
    `bitso_nameless_entries` leaves some entries of Bitso's ledger without an id.
    `bitso_errors_in_200` sends Bitso's errors with the HTTP status 200 and their codes as numbers.
    `bitso_nonce_skew_s` is by how much the time in a nonce for Bitso may be off; 0 means any.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    plaid_not_ready_s: float = 0.0
    enforce_limits: bool = False
    bitso_permissions: Literal["untold", "read_only", "may_withdraw"] = "untold"
    bitso_withdrawals: Literal["completed", "created"] = "completed"
    bitso_fee_sign: Literal["negative", "positive"] = "negative"
    bitso_nameless_entries: bool = False
    bitso_errors_in_200: bool = False
    bitso_nonce_skew_s: float = 0.0

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
    `finicity_card_sign` is the sign of movements on Finicity's cards: `as_is` comes in positive.
    `finicity_debt_balance` is the sign of what is owed there.
    `finicity_pending` is what becomes there of a pending row once it is posted: it is listed as a
    `shadow` of the posted one, it is `gone`, or it is posted under the `same_id`.
    `finicity_first_reading` is what first reads a bank there that was just linked: `connect` itself,
    or a `refresh` (and every midnight). `finicity_refresh_s` is how long a refresh takes.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    plaid_not_ready_s: float = 0.0
    enforce_limits: bool = False
    finicity_card_sign: Literal["as_is", "reversed"] = "as_is"
    finicity_debt_balance: Literal["positive", "negative"] = "positive"
    finicity_pending: Literal["shadow", "gone", "same_id"] = "shadow"
    finicity_first_reading: Literal["connect", "refresh"] = "connect"
    finicity_refresh_s: float = 2.0

"""Points on which vendors' documents disagree or are silent, and limits that are off by default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SandboxOptions"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the vendors behave where their documents leave it open.

    `mx_dates` is the form of `from_date` and `to_date` that MX takes: its two specifications differ.
    `plaid_not_ready_s` is how long a new Item answers `NOT_READY`; 0 means it never does.
    Of Belvo: `belvo_count` is what a listing's `count` counts, `belvo_token_fields` whether a
    widget token may be asked for with fields that are not documented, `belvo_movement_ids` whether
    a movement keeps its id when it is read again, `belvo_background` which readings may be jobs,
    `belvo_job_s` how long a job takes, `belvo_session_s` how long another reading keeps the login's
    session, `belvo_refresh_days` how often Belvo reads a link by itself (0: never),
    `belvo_gathering_s` how long it takes the first time, `belvo_widest_days` how many days of
    transactions the bank gives in time (0: any), `belvo_asks_code` whether each reading that was
    asked for wants a one-time code first.
    `enforce_limits` turns on Plaid's published limits per Item and per client.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    plaid_not_ready_s: float = 0.0
    belvo_count: Literal["filtered", "everything"] = "filtered"
    belvo_token_fields: Literal["any", "documented"] = "any"
    belvo_movement_ids: Literal["lasting", "per_retrieval"] = "lasting"
    belvo_background: Literal["transactions", "all"] = "transactions"
    belvo_job_s: float = 2.0
    belvo_session_s: float = 0.0
    belvo_refresh_days: int = 1
    belvo_gathering_s: float = 0.0
    belvo_widest_days: int = 0
    belvo_asks_code: bool = False
    enforce_limits: bool = False

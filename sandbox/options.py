"""Points on which vendors' documents disagree or are silent, and limits that are off by default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SandboxOptions"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the vendors behave where their documents leave it open.

    `mx_dates` is the form of `from_date` and `to_date` that MX takes: its two specifications differ.
    `mx_to_date` says whether MX's `to_date` is the last day of a window, or the midnight that ends it.
    `mx_job_s` is how long a job of an MX member takes, in seconds.
    `mx_first_job_s` is for how long a member's first aggregation runs on after MX's widget reported it.
    `mx_fresh_member_s` is for how long MX does not find a member that was just made.
    `mx_challenge_s` is for how long MX's bank waits for the answer to a challenge.
    `mx_background` says whether MX reads well members each midnight; if not, only jobs asked for do.
    `mx_history_days` is how far back a member's first aggregation reaches: MX documents 90 days, and
    24 months after its job `extend_history`.
    `mx_pending_guid` says whether a pending transaction's guid is replaced or kept when it is posted.
    `mx_pending_lingers_days` is for how long a replaced pending record stays beside the posted one.
    `mx_signed_amounts` makes MX's debits carry negative amounts, which nothing in its documents forbids.
    `plaid_not_ready_s` is how long a new Item answers `NOT_READY`; 0 means it never does.
    `plaid_initial_s` is how long, after that, it shows its last 30 days only.
    `plaid_pulls_itself` says whether Plaid reads each bank anew every midnight, or only when asked.
    `plaid_refresh_s` is how long a reading of Plaid's that was asked for takes.
    `plaid_public_token_reuse` says whether a public token can be exchanged again in its lifetime.
    `plaid_cursor_days` is how long a cursor of Plaid's is taken; 0 means for ever.
    `plaid_balance_times` says which banks' balances tell at Plaid when they were read.
    `belvo_count` is what a Belvo listing's `count` counts.
    `belvo_token_fields` says whether a widget token may be asked for with undocumented fields.
    `belvo_movement_ids` says whether a Belvo movement keeps its id when it is read again.
    `belvo_background` says which of Belvo's readings may be jobs.
    `belvo_job_s` is how long a job of Belvo's takes, in seconds.
    `belvo_session_s` is for how long another reading keeps the login's session.
    `belvo_refresh_days` is how often Belvo reads a link by itself; 0 means never.
    `belvo_gathering_s` is how long Belvo's first reading of a link takes.
    `belvo_widest_days` is how many days of transactions the bank gives in time; 0 means any.
    `belvo_asks_code` says whether each reading that was asked for wants a one-time code first.
    `finicity_card_sign` is the sign of movements on Finicity's cards: `as_is` comes in positive.
    `finicity_debt_balance` is the sign of what is owed at Finicity.
    `finicity_pending` says what becomes at Finicity of a pending row once it is posted: it is listed
    as a `shadow` of the posted one, it is `gone`, or it is posted under the `same_id`.
    `finicity_first_reading` says what first reads a bank at Finicity that was just linked: `connect`
    itself, or a `refresh` (and every midnight).
    `finicity_refresh_s` is how long a refresh of Finicity's takes.
    `bitso_permissions` is what Bitso tells of its user's key, beside whose it is.
    `bitso_withdrawals` is when a withdrawal enters Bitso's ledger: when it is asked for or done.
    `bitso_fee_sign` is the sign of a fee in Bitso's ledger: its samples disagree.
    `bitso_nameless_entries` leaves some entries of Bitso's ledger without an id.
    `bitso_errors_in_200` sends Bitso's errors with the HTTP status 200 and their codes as numbers.
    `bitso_nonce_skew_s` is by how much the time in a nonce for Bitso may be off; 0 means any.
    `enforce_limits` turns on Plaid's published limits per Item and per client, MX's per second, and
    Bitso's per user and per address with their lock-outs.
    """

    mx_dates: Literal["iso", "unix", "both"] = "both"
    mx_to_date: Literal["inclusive", "midnight"] = "inclusive"
    mx_job_s: float = 2.0
    mx_first_job_s: float = 0.0
    mx_fresh_member_s: float = 0.0
    mx_challenge_s: float = 900.0
    mx_background: bool = True
    mx_history_days: int = 730
    mx_pending_guid: Literal["replaced", "kept"] = "replaced"
    mx_pending_lingers_days: int = 0
    mx_signed_amounts: bool = False
    plaid_not_ready_s: float = 0.0
    plaid_initial_s: float = 0.0
    plaid_pulls_itself: bool = True
    plaid_refresh_s: float = 0.0
    plaid_public_token_reuse: bool = False
    plaid_cursor_days: int = 0
    plaid_balance_times: Literal["everywhere", "capital_one"] = "everywhere"
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
    finicity_card_sign: Literal["as_is", "reversed"] = "as_is"
    finicity_debt_balance: Literal["positive", "negative"] = "positive"
    finicity_pending: Literal["shadow", "gone", "same_id"] = "shadow"
    finicity_first_reading: Literal["connect", "refresh"] = "connect"
    finicity_refresh_s: float = 2.0
    bitso_permissions: Literal["untold", "read_only", "may_withdraw"] = "untold"
    bitso_withdrawals: Literal["completed", "created"] = "completed"
    bitso_fee_sign: Literal["negative", "positive"] = "negative"
    bitso_nameless_entries: bool = False
    bitso_errors_in_200: bool = False
    bitso_nonce_skew_s: float = 0.0

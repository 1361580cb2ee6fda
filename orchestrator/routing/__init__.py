"""Who is asked, in which order, and what happens when one fails."""

from .eligibility import Block, Candidate, CandidateFacts, ineligibility
from .plan import FailoverPlan
from .resolution import LinkedConnection, ReadTarget, Resolution, resolve_read
from .steps import (
    OTHER_LOGIN,
    Dispatch,
    Finish,
    Pause,
    PlanOptions,
    Rejected,
    StepOutcome,
    Succeeded,
    Watch,
)

__all__ = [
    "OTHER_LOGIN",
    "Block",
    "Candidate",
    "CandidateFacts",
    "Dispatch",
    "FailoverPlan",
    "Finish",
    "LinkedConnection",
    "Pause",
    "PlanOptions",
    "ReadTarget",
    "Rejected",
    "Resolution",
    "StepOutcome",
    "Succeeded",
    "Watch",
    "ineligibility",
    "resolve_read",
]

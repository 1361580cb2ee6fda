"""Who could serve a request, who may be asked now, and why not the others."""

from dataclasses import dataclass

from orchestrator.domain import IneligibilityReason, quick_init

__all__ = ["Block", "Candidate", "CandidateFacts", "ineligibility"]


@dataclass(frozen=True, slots=True)
class Block:
    """Why a provider takes no call for this operation and institution at the moment.

    `by_failures` tells a circuit that opened because calls failed from one that an operator or
    refused keys hold open; only the former may be overridden in a panic.
    """

    reason: IneligibilityReason
    retry_after_s: float | None
    by_failures: bool = False


@quick_init
@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that could serve this request, through which connection of ours."""

    provider: str
    connection_id: str | None = None
    institution_id: str | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """Everything that eligibility looks at, for one provider."""

    candidate: Candidate
    configured: bool
    in_region: bool
    covers_institution: bool
    linked: bool
    needs_user: bool
    block: Block | None


def ineligibility(facts: CandidateFacts) -> IneligibilityReason | None:
    """The first reason that speaks against asking this provider now, the lasting ones first."""
    if not facts.in_region:
        return IneligibilityReason.REGION
    if not facts.configured:
        return IneligibilityReason.NOT_CONFIGURED
    if not facts.covers_institution:
        return IneligibilityReason.INSTITUTION
    if not facts.linked:
        return IneligibilityReason.NOT_LINKED
    if facts.needs_user:
        return IneligibilityReason.NEEDS_USER
    return None if facts.block is None else facts.block.reason

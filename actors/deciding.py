"""One request's decision: eligible candidates ordered by policy, the preferred one first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models import SelectionContext
from models.promotion import TrialPolicy
from orchestrator.domain import (
    CandidateSummary,
    DecisionSummary,
    IneligibilityReason,
    OperationRequest,
)
from orchestrator.routing import Block, Candidate, CandidateFacts, ineligibility

__all__ = ["Decided", "decide"]


@dataclass(slots=True)
class Decided:
    """The order to try, what is blocked, and how the policy saw each candidate.

    Mutable only in `correct`: a provider's own guard may know better than the snapshot did.
    """

    order: tuple[Candidate, ...]
    blocked: tuple[tuple[Candidate, Block], ...]
    summary: DecisionSummary
    context: SelectionContext | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """All candidates by name."""
        return tuple([candidate.provider for candidate in self.summary.candidates])

    @property
    def eligible(self) -> tuple[str, ...]:
        """The eligible ones by name."""
        return tuple([c.provider for c in self.summary.candidates if c.eligible])

    def of(self, provider: str) -> CandidateSummary:
        """How the policy saw one candidate."""
        for candidate in self.summary.candidates:
            if candidate.provider == provider:
                return candidate
        raise LookupError(provider)

    def correct(self, provider: str, reason: IneligibilityReason) -> None:
        """Note that a candidate was refused by its own guard."""
        self.summary = replace(
            self.summary,
            candidates=tuple(
                replace(c, eligible=False, reason=reason) if c.provider == provider else c
                for c in self.summary.candidates
            ),
        )


def decide(
    facts: Sequence[CandidateFacts],
    policy: TrialPolicy,
    request: OperationRequest,
    region: str,
    institution_id: str | None,
    *,
    at_unix_s: float,
    quota_left: Mapping[str, float] | None = None,
) -> Decided:
    """Order the candidates of one request.

    Args:
        facts: the candidates, in priority order.
        policy: orders the eligible ones; a challenger on trial decides a share of the requests.
        request: for operation, lane and preferred provider.
        region: of the request, or of its connection.
        institution_id: where it is known.
        at_unix_s: now; the policy's only time.
        quota_left: what is left of the providers' limits, where that is known.

    """
    reasons = {f.candidate.provider: ineligibility(f) for f in facts}
    eligible = [f.candidate for f in facts if reasons[f.candidate.provider] is None]
    by_name = {candidate.provider: candidate for candidate in eligible}
    order: tuple[str, ...] = ()
    scores: dict[str, float] = {}
    propensities: dict[str, float] = {}
    name, version = policy.name, policy.model_version
    context = None
    if eligible:
        context = SelectionContext(
            operation=request.operation.value,
            region=region,
            institution_id=institution_id,
            candidates=tuple(by_name),
            at=at_unix_s,
            lane=request.lane.value,
            quota_left=quota_left,
        )
        decision = policy.decide(context, request.request_id)
        order, name, version = decision.order, decision.policy, decision.model_version
        scores, propensities = dict(decision.scores), dict(decision.propensities)
        preferred = request.preferred_provider
        if preferred in by_name:
            order = (preferred, *(provider for provider in order if provider != preferred))
            propensities = {provider: float(provider == preferred) for provider in order}
    return Decided(
        order=tuple(by_name[provider] for provider in order),
        blocked=tuple(
            (f.candidate, f.block)
            for f in facts
            if f.block is not None and reasons[f.candidate.provider] is f.block.reason
        ),
        summary=DecisionSummary(
            policy=name,
            model_version=version,
            candidates=tuple(
                CandidateSummary(
                    provider=f.candidate.provider,
                    score=scores.get(f.candidate.provider),
                    propensity=propensities.get(f.candidate.provider, 0.0),
                    eligible=reasons[f.candidate.provider] is None,
                    reason=reasons[f.candidate.provider],
                )
                for f in facts
            ),
        ),
        context=context,
    )

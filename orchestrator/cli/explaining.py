"""Why this provider: a request's story in sentences. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["Prior", "choice_in_words"]

Prior = Callable[[str], float | None]
"""The success ratio that the decision's model expects of a provider in calm; None: not known."""

_REASONS: Final = {
    "not_configured": "has no credentials here",
    "region": "does not serve this region",
    "institution": "does not cover this institution",
    "not_linked": "holds no connection of this space that could answer",
    "needs_user": "waits for the user to mend the connection",
    "circuit_open": "was left alone, as its circuit was open",
    "forced_open": "was switched off by an operator",
    "rate_limited": "had no room left within its limits",
}
_PARTS: Final = {
    "prior": "expected in calm",
    "provider": "by how it did of late",
    "operation": "by how this operation did there",
    "institution": "by how this institution did there",
    "trait": "by what has lasted for hours",
    "latency": "for its time to answer",
    "cost": "for its cost",
    "quota": "for the quota that is left",
}
_SAME: Final = 0.005


def choice_in_words(story: Mapping[str, Any], prior_of: Prior) -> list[str]:
    """Who was asked first and why, then every candidate's score by its parts, a line each.

    `story` is the document of `GET /admin/requests/{requestId}`.
    """
    request = story.get("request") or {}
    decision = request.get("decision") or {}
    candidates: Sequence[Mapping[str, Any]] = decision.get("candidates") or []
    first = next((a["provider"] for a in story["attempts"] if a["attemptNumber"] == 1), None)
    lines = []
    if first is not None:
        lines.append(_first(first, request.get("preferredProvider"), candidates))
    lines += [f"  {_candidate(candidate, prior_of)}" for candidate in candidates]
    return lines


def _first(first: str, preferred: str | None, candidates: Sequence[Mapping[str, Any]]) -> str:
    scored = {c["provider"]: c["score"] for c in candidates if c["score"] is not None}
    drawn = {c["provider"]: c["propensity"] for c in candidates}
    if first == preferred:
        return f"{first} was asked first because the caller preferred it"
    if first not in scored:
        return f"{first} was asked first"
    if len(scored) == 1:
        return f"{first} was asked first: nobody else could be asked"
    chance = f"{100 * drawn[first]:.1f} %"
    best = max(scored, key=lambda name: scored[name])
    if scored[first] >= scored[best]:
        return f"{first} was asked first: it had the best score; its chance was {chance}"
    if drawn[first] >= max(drawn.values()):
        return f"{first} was asked first as the likeliest to answer well; its chance was {chance}"
    return (
        f"{first} was asked first by a draw with a chance of {chance}, so that what it does is "
        f"known too; {best} had the best score"
    )


def _candidate(candidate: Mapping[str, Any], prior_of: Prior) -> str:
    name, score = candidate["provider"], candidate["score"]
    if not candidate["eligible"]:
        reason = str(candidate["reason"])
        return f"{name} {_REASONS.get(reason, f'was not asked: {reason}')}"
    if score is None:
        return f"{name} could be asked"
    told = f"{name}: score {score:.3f}, first with probability {candidate['propensity']:.3f}"
    parts = candidate.get("parts")
    if isinstance(parts, Mapping) and parts:
        shares = [f"{value:.3f} {_PARTS.get(part, part)}" for part, value in parts.items()]
        return f"{told}; {' times '.join(shares)}"
    prior = prior_of(name)
    if prior is None or prior <= 0.0:
        return told
    live = score / prior
    if abs(live - 1.0) < _SAME:
        return f"{told}; as expected in calm ({prior:.3f})"
    how = "worse" if live < 1.0 else "better"
    return f"{told}; {prior:.3f} expected in calm, times {live:.3f}, as it did {how} of late"

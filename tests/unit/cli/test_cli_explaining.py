"""Why this provider, in sentences."""

from typing import Any

import pytest

from orchestrator.cli.explaining import choice_in_words


def candidate(provider: str, score: float | None, propensity: float, **more: Any) -> dict[str, Any]:
    """One candidate of a decision."""
    return {
        "provider": provider,
        "score": score,
        "propensity": propensity,
        "eligible": score is not None,
        "reason": None,
    } | more


def story(first: str | None, *candidates: dict[str, Any], **request: Any) -> dict[str, Any]:
    """A request's story, as the admin interface tells it."""
    attempts = [] if first is None else [{"attemptNumber": 1, "provider": first}]
    decision = {"policy": "adaptive", "modelVersion": None, "candidates": list(candidates)}
    return {"request": {"decision": decision} | request, "attempts": attempts}


def nothing(_provider: str) -> float | None:
    """No model is known."""
    return None


PLAID, MX = candidate("plaid", 0.94, 0.98), candidate("mx", 0.9, 0.02)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (story("plaid", PLAID, MX), "plaid was asked first: it had the best score; its chance was 98.0 %"),
        (story("mx", PLAID, MX), "mx was asked first by a draw with a chance of 2.0 %, so that"),
        (story("mx", PLAID, MX, preferredProvider="mx"), "because the caller preferred it"),
        (story("plaid", PLAID), "nobody else could be asked"),
        (
            story("mx", candidate("plaid", 0.94, 0.3), candidate("mx", 0.93, 0.7)),
            "mx was asked first as the likeliest to answer well",
        ),
    ],
)  # fmt: skip
def test_the_first_provider_is_explained(told: dict[str, Any], words: str) -> None:
    """Best, drawn, preferred, alone, or likeliest though not the best score."""
    assert words in choice_in_words(told, nothing)[0]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("circuit_open", "mx was left alone, as its circuit was open"),
        ("rate_limited", "mx had no room left within its limits"),
        ("needs_user", "mx waits for the user"),
        ("something_new", "mx was not asked: something_new"),
    ],
)
def test_what_was_not_asked_says_why(reason: str, words: str) -> None:
    """Each reason in words; one that is not known, as it is."""
    lines = choice_in_words(
        story("plaid", PLAID, candidate("mx", None, 0.0, reason=reason)), nothing
    )

    assert words in lines[2]


def test_a_score_is_told_by_prior_and_live_health() -> None:
    """With the model at hand: what was expected in calm, and how it did of late."""
    lines = choice_in_words(story("plaid", PLAID, MX), {"plaid": 0.94, "mx": 0.96}.get)

    assert lines[1].endswith("as expected in calm (0.940)")
    assert lines[2].endswith("0.960 expected in calm, times 0.938, as it did worse of late")


def test_parts_that_the_policy_told_are_used() -> None:
    """A decision that carries its parts is explained by them, known and unknown ones."""
    parts = {"prior": 0.97, "institution": 0.5, "weather": 1.1}
    lines = choice_in_words(story("plaid", candidate("plaid", 0.53, 1.0, parts=parts)), nothing)

    assert lines[1].endswith(
        "0.970 expected in calm times 0.500 by how this institution did there times 1.100 weather"
    )


def test_a_request_without_decision_or_attempt_is_told_shortly() -> None:
    """A request that was refused at once has nothing to explain."""
    assert choice_in_words({"request": None, "attempts": []}, nothing) == []
    assert choice_in_words(story(None, PLAID), nothing) == [
        "  plaid: score 0.940, first with probability 0.980"
    ]

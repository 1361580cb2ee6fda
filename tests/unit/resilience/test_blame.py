"""Who is to blame decides what opens."""

import pytest
from resilience_builders import failure

from orchestrator.domain import ErrorClass, ErrorScope
from orchestrator.resilience import Blame, blame_of
from orchestrator.resilience.blame import NetworkEvidence


@pytest.mark.parametrize(
    ("error_class", "scope", "expected"),
    [
        ("validation", "request", Blame.NOBODY),
        ("provider_down", "request", Blame.NOBODY),
        ("auth", "connection", Blame.NOBODY),
        ("network", "connection", Blame.NOBODY),
        ("provider_down", "institution", Blame.INSTITUTION),
        ("validation", "institution", Blame.INSTITUTION),
        ("provider_down", "provider", Blame.PROVIDER),
        ("network", "provider", Blame.NETWORK),
        ("network", "institution", Blame.NETWORK),
        ("network", "client", Blame.NETWORK),
        ("auth", "client", Blame.CLIENT),
        ("validation", "client", Blame.CLIENT),
        ("rate_limit", "client", Blame.NOBODY),
        ("rate_limit", "provider", Blame.NOBODY),
    ],
)
def test_class_and_scope_name_the_culprit(error_class: str, scope: str, expected: Blame) -> None:
    """The table of the module's docstring, row by row."""
    assert expected is blame_of(failure(error_class, scope))


@pytest.mark.parametrize("code", ["DEADLINE", "ACTOR_LOST"])
def test_what_we_cut_ourselves_is_nobodys_fault(code: str) -> None:
    """A caller's deadline and a lost actor say nothing about the provider."""
    assert blame_of(failure("network", "provider", code)) is Blame.NOBODY


def test_a_vendor_code_that_reads_like_ours_still_counts() -> None:
    """Our two codes are of class network only."""
    assert blame_of(failure("provider_down", "provider", "DEADLINE")) is Blame.PROVIDER


@pytest.mark.parametrize("error_class", list(ErrorClass))
@pytest.mark.parametrize("scope", list(ErrorScope))
def test_every_pair_has_an_answer(error_class: ErrorClass, scope: ErrorScope) -> None:
    """No failure falls through, and a rate limit never counts."""
    blame = blame_of(failure(error_class, scope))

    assert isinstance(blame, Blame)
    assert blame is Blame.NOBODY or error_class is not ErrorClass.RATE_LIMIT


def test_two_institutions_prove_what_one_cannot() -> None:
    """The same bank failing twice is still one bank."""
    evidence = NetworkEvidence()

    assert [
        evidence.failed("ins_a", 0.0),
        evidence.failed("ins_a", 1.0),
        evidence.failed("ins_b", 2.0),
    ] == [False, False, True]


def test_a_success_resolves_an_institution() -> None:
    """What has worked since proves nothing."""
    evidence = NetworkEvidence()
    evidence.failed("ins_a", 0.0)

    evidence.worked("ins_a")

    assert not evidence.failed("ins_b", 1.0)


def test_unresolved_failures_age_out() -> None:
    """After five minutes they prove nothing; a new failure starts the five minutes again."""
    evidence = NetworkEvidence(age_s=300.0)
    evidence.failed("ins_a", 0.0)
    evidence.failed("ins_a", 100.0)

    assert evidence.failed("ins_b", 399.0)
    assert not NetworkEvidence(age_s=300.0).failed("ins_b", 0.0)

    evidence.worked("ins_b")
    assert not evidence.failed("ins_b", 400.0)


def test_a_repeated_failure_keeps_no_older_one_alive() -> None:
    """Each institution ages from its own last failure."""
    evidence = NetworkEvidence(age_s=10.0)
    for name, now in (("ins_a", 0.0), ("ins_b", 1.0), ("ins_a", 2.0)):
        evidence.failed(name, now)

    assert not evidence.failed("ins_a", 11.5)


def test_evidence_is_bounded_and_does_not_go_back_in_time() -> None:
    """The one that failed longest ago is forgotten first; an earlier time is taken as the last."""
    evidence = NetworkEvidence(age_s=10.0, max_institutions=2)
    for name in ("ins_a", "ins_b", "ins_c"):
        evidence.failed(name, 100.0)

    evidence.failed("ins_d", 0.0)

    assert len(evidence) == 2
    assert evidence.failed("ins_e", 109.0)

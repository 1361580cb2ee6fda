"""Contexts, outcomes, models and the package itself."""

import doctest
import importlib
import pickle  # noqa: TID251  Ray pickles these errors
import subprocess
import sys
from pathlib import Path

import pytest

from models import AttemptOutcome, ModelNotFound, NotEnoughData, SelectionContext, SelectionModel

GOOD = {
    "provider": "plaid",
    "operation": "getAccounts",
    "region": "US",
    "institution_id": None,
    "at": 0.0,
    "latency_s": 0.2,
    "outcome": "success",
    "attempt_number": 1,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outcome": "oops"}, "allowed are auth, network, provider_down, rate_limit, success, val"),
        ({"scope": "galaxy"}, "allowed are client, connection, institution, provider, request"),
        ({"attempt_number": 0}, "counts from 1"),
        ({"at": float("nan")}, "finite"),
    ],
)
def test_unsound_outcome_is_refused(change: dict[str, object], says: str) -> None:
    """An outcome outside the vocabulary is refused, with what is allowed."""
    with pytest.raises(ValueError, match=says):
        AttemptOutcome(**(GOOD | change))


@pytest.mark.parametrize(
    ("candidates", "at", "says"),
    [
        ((), 0.0, "empty"),
        (("mx", "mx"), 0.0, "twice"),
        (("mx",), float("inf"), "finite"),
    ],
)
def test_unsound_context_is_refused(candidates: tuple[str, ...], at: float, says: str) -> None:
    """A choice needs candidates, each once, and a time."""
    with pytest.raises(ValueError, match=says):
        SelectionContext(
            operation="getAccounts", region="US", institution_id=None, candidates=candidates, at=at
        )


def test_one_string_is_not_a_list_of_candidates() -> None:
    """A bare name would be taken apart into letters, so it is refused."""
    with pytest.raises(TypeError, match="sequence"):
        SelectionContext(
            operation="getAccounts", region="US", institution_id=None, candidates="plaid", at=0.0
        )


@pytest.mark.parametrize(
    ("table", "trained_at", "card"),
    [
        ({}, 0.0, {}),
        ({("a", "b", "US", None): 1.5}, 0.0, {}),
        ({("a", "b", "US", None): float("nan")}, 0.0, {}),
        ({("a", "b", "US", None): 0.5}, float("nan"), {}),
        ({("a", "b", "US", None): 0.5}, 1e15, {}),
        ({("a", "b", "US", None): 0.5}, 0.0, {"odd": object()}),
        ({("a", "b", "US", None): 0.5}, 0.0, {"odd": float("nan")}),
    ],
)
def test_unsound_model_is_refused(
    table: dict[tuple[str, str, str, str | None], float], trained_at: float, card: dict[str, object]
) -> None:
    """A model has scores within 0 and 1, a time, and a card of JSON values."""
    with pytest.raises(ValueError, match=r"score|trained_at|JSON"):
        SelectionModel.of(trained_at=trained_at, table=table, card=card)


def test_version_tells_time_and_content() -> None:
    """The version is the UTC time of training and eight digits that follow the content."""
    one, two, again = (
        SelectionModel.of(trained_at=1_795_475_700.0, table={("a", "b", "US", None): s}, card={})
        for s in (0.5, 0.6, 0.5)
    )

    assert one.version.startswith("20261123T231500Z-")
    assert one.version == again.version
    assert one.version != two.version


def test_import_is_light() -> None:
    """Importing the package and deciding load neither pandas, scikit-learn, duckdb nor Ray."""
    code = (
        "import sys, models\n"
        "p = models.SelectionPolicy.default()\n"
        "p.decide(models.SelectionContext(operation='getAccounts', region='US',"
        " institution_id=None, candidates=('plaid', 'mx'), at=0.0))\n"
        "heavy = {'pandas', 'sklearn', 'duckdb', 'numpy', 'ray', 'orchestrator', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("error", [ModelNotFound("gone"), NotEnoughData("few")])
def test_errors_survive_pickling(error: Exception) -> None:
    """An error keeps its type and words through pickling."""
    twin = pickle.loads(pickle.dumps(error))

    assert (type(error), str(error)) == (type(twin), str(twin))


@pytest.mark.parametrize(
    "module",
    [
        "models",
        "models.blame",
        "models.context",
        "models.model",
        "models.policy",
        "models.priority",
        "models.registry",
    ],
)
def test_examples_in_docstrings_run(module: str) -> None:
    """Every example in a docstring prints what it says."""
    result = doctest.testmod(importlib.import_module(module))

    assert result.attempted > 0
    assert result.failed == 0

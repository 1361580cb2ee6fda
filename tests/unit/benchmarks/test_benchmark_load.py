"""What came of a load, and when its figures speak of something else."""

import pytest

from benchmarks.load import Load
from benchmarks.results import BenchmarkFailed


def _load(answered: int, failed: int) -> Load:
    return Load(
        answered=answered,
        failed=failed,
        duration_s=2.0,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=3.0,
        load_cpu_ratio=0.1,
    )


def test_only_answers_count_as_operations() -> None:
    """What failed was no operation."""
    assert 50.0 == _load(100, 7).per_s


def test_one_failure_in_a_hundred_is_let_pass() -> None:
    """A connection that breaks off at the end of a load is no finding."""
    _load(99, 1).check("operations")


@pytest.mark.parametrize(("answered", "failed"), [(98, 2), (0, 0), (0, 5)])
def test_a_load_that_failed_is_no_measurement(answered: int, failed: int) -> None:
    """Neither is one of which nothing came."""
    with pytest.raises(BenchmarkFailed, match="operations"):
        _load(answered, failed).check("operations")

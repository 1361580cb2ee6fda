"""After how long an answer is slow."""

import random

import pytest

from orchestrator.resilience import Latencies


def noted(latencies: Latencies[str], *seconds: float, key: str = "a") -> Latencies[str]:
    """The same, with these taken in."""
    for latency_s in seconds:
        latencies.note(key, latency_s)
    return latencies


def test_nothing_is_told_of_few() -> None:
    """Twenty are the fewest that a ninety-fifth part makes sense of."""
    latencies = noted(Latencies[str](), *[1.0] * 19)

    assert latencies.quantile_s("a") is None
    assert () == latencies.told()
    assert 1.0 == noted(latencies, 1.0).quantile_s("a")


def test_one_in_twenty_takes_longer() -> None:
    """The quantile is the one of all that are kept."""
    shuffled = [float(number) for number in range(100)]
    random.Random(0).shuffle(shuffled)

    assert 95.0 == noted(Latencies[str](), *shuffled).quantile_s("a")
    assert 50.0 == noted(Latencies[str](0.5), *shuffled).quantile_s("a")
    assert 99.0 == noted(Latencies[str](0.999), *shuffled).quantile_s("a")


def test_the_last_ones_count() -> None:
    """What became slow is slow after so many calls, and the old ones are gone one by one."""
    latencies = noted(Latencies[str](0.5, size=20), *[1.0] * 20)

    noted(latencies, *[9.0] * 9)
    assert 1.0 == latencies.quantile_s("a")
    noted(latencies, 9.0)
    assert 9.0 == latencies.quantile_s("a")
    noted(latencies, *[1.0] * 11)
    assert 1.0 == latencies.quantile_s("a")
    assert 20 == len(latencies._sorted["a"])


def test_each_operation_has_its_own() -> None:
    """A slow one does not make a quick one slow."""
    latencies = noted(Latencies[str](), *[1.0] * 20)
    noted(latencies, *[5.0] * 20, key="b")
    noted(latencies, 7.0, key="c")

    assert (("a", 1.0), ("b", 5.0)) == latencies.told()
    assert latencies.quantile_s("unheard") is None


@pytest.mark.parametrize(("ratio", "size"), [(0.0, 256), (1.0, 256), (0.95, 19)])
def test_options_out_of_range_are_refused(ratio: float, size: int) -> None:
    """A quantile of nothing is none."""
    with pytest.raises(ValueError, match="ratio must be"):
        Latencies[str](ratio, size)

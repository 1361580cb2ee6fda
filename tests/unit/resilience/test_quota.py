"""A limit is data, and makes sense."""

import pytest

from orchestrator.resilience import Quota, QuotaScope


@pytest.mark.parametrize(("calls", "window_s"), [(0, 1.0), (1, 0.0), (-1, 1.0), (1, -1.0)])
def test_a_quota_that_lets_nothing_through_is_refused(calls: int, window_s: float) -> None:
    """At least one call in a positive window."""
    with pytest.raises(ValueError, match="at least one call in a positive window"):
        Quota(QuotaScope.CLIENT, calls, window_s)

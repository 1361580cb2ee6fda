"""Where time comes from."""

import datetime as dt

from orchestrator.domain import Clock, SystemClock, from_unix


def test_unix_seconds_become_aware_utc() -> None:
    """With their fraction, whatever zone the machine is in."""
    assert from_unix(0.25) == dt.datetime(1970, 1, 1, 0, 0, 0, 250_000, tzinfo=dt.UTC)
    assert from_unix(0).tzinfo is dt.UTC


def test_the_machines_clock_tells_both_times() -> None:
    """Monotonic time does not go back; wall time is this century's."""
    clock: Clock = SystemClock()
    readings = [clock.now_s() for _ in range(3)]

    assert sorted(readings) == readings
    assert abs(dt.datetime.now(dt.UTC).timestamp() - clock.unix_s()) < 60.0

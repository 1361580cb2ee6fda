"""Our limits for Bitso against Bitso's own, as its sandbox holds them."""

from orchestrator.providers.bitso import ADAPTER
from orchestrator.providers.bitso_client import REGISTERING
from orchestrator.resilience import Granted, RateLimiter, VendorCall
from sandbox.bitso_limits import PRIVATE, BitsoLimits

A_TENTH_S = 0.1
MINUTES = 5


def test_as_many_calls_as_we_allow_are_never_locked_out() -> None:
    """A user who is read and linked as fast as our limits let through stays below Bitso's.

    Ours slide and Bitso's stand, so no minute may hold more than Bitso allows wherever it begins.
    """
    limiter, vendor = RateLimiter(ADAPTER.quotas["production"]), BitsoLimits()
    sent = 0
    for tenth in range(int(MINUTES * 60 / A_TENTH_S)):
        now = 37.0 + tenth * A_TENTH_S
        for endpoint, connection in (("private", "conn_1"), (REGISTERING, f"ls_{sent}")):
            call = VendorCall(endpoint, connection)
            while isinstance(limiter.try_acquire(call, now), Granted):
                sent += 1

                assert vendor.admits(PRIVATE, now)

    assert sent >= MINUTES * PRIVATE

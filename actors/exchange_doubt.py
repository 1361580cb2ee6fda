"""Whether an exchange that failed may have happened all the same."""

from typing import Final

from actors.messages import AttemptOrder, ExchangeCall
from orchestrator.domain import ErrorClass, Failure

__all__ = ["may_have_happened"]

_UNREADABLE: Final = ("MALFORMED", "INTERNAL")
"""Codes after which an exchange may have happened although its answer was not understood."""


def may_have_happened(
    order: AttemptOrder, failure: Failure, http_calls: int, *, consumes: bool
) -> bool:
    """Whether the vendor may have exchanged although no readable answer came.

    Args:
        order: the attempt's.
        failure: how it ended.
        http_calls: calls that were sent.
        consumes: whether an exchange uses its temporary token up; else it may be repeated.

    """
    if not (isinstance(order.call, ExchangeCall) and consumes and http_calls > 0):
        return False
    if failure.error_class is ErrorClass.NETWORK:
        return failure.sent
    return failure.code in _UNREADABLE

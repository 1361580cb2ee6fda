"""Who is to blame for a failed attempt: the one rule that live health and training share.

A wrong password says nothing about a provider. Learned as faults, a storm of user errors costs most
of what a policy can gain, so they are no evidence at all: neither for nor against.
"""

from enum import StrEnum
from typing import Final

__all__ = ["USER_SCOPES", "Verdict", "verdict"]

USER_SCOPES: Final = frozenset({"request", "connection"})
"""Scopes of the user's own making: one request, one connection."""

_USER_CLASSES: Final = frozenset({"auth", "validation"})


class Verdict(StrEnum):
    """What one attempt is evidence of."""

    WORKED = "worked"
    PROVIDER_FAILED = "provider_failed"
    INSTITUTION_FAILED = "institution_failed"
    SAYS_NOTHING = "says_nothing"


def verdict(outcome: str, scope: str | None) -> Verdict:
    """What an attempt with this outcome and error scope is evidence of.

    >>> verdict("network", None), verdict("auth", "connection"), verdict("auth", "client")
    (<Verdict.PROVIDER_FAILED: 'provider_failed'>, <Verdict.SAYS_NOTHING: 'says_nothing'>, \
<Verdict.PROVIDER_FAILED: 'provider_failed'>)

    """
    if outcome == "success":
        return Verdict.WORKED
    if scope in USER_SCOPES:
        return Verdict.SAYS_NOTHING
    if scope == "institution":
        return Verdict.INSTITUTION_FAILED
    if scope is None and outcome in _USER_CLASSES:
        return Verdict.SAYS_NOTHING
    return Verdict.PROVIDER_FAILED

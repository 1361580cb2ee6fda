"""How many of the calls that were answered failed by their users' doing, of late.

A user's own error is no evidence. But while seven of ten answers are users' errors, only three of
ten successes are seen, and all of the failures: taken as they come, a provider would look three
times as bad as it is. So a failure weighs less by the share of answers that said nothing.
"""

from collections.abc import Hashable
from typing import Final

from .bounded import make_room

__all__ = ["UserErrors"]

_SHARE: Final = 0.05
"""Weight of the newest answer: about the last twenty count."""


class UserErrors:
    """Moving shares, 0 to 1, by provider, and by provider and bank; the bank may be None."""

    def __init__(self) -> None:
        self._shares: dict[Hashable, float] = {}

    def note(self, provider: str, institution_id: str | None, *, users_own: bool) -> None:
        """Take in an answer: a success, or a user's own error."""
        for key in (provider, (provider, institution_id)):
            share = self._shares.get(key)
            if share is None:
                if not users_own:
                    continue
                make_room(self._shares)
                share = 0.0
            self._shares[key] = share + _SHARE * (users_own - share)

    def weight(self, provider: str, institution_id: str | None) -> float:
        """What a failure there weighs, over 0 and at most 1.

        The bank's share or the whole provider's, whichever is more: a storm over all banks shows at
        the provider first.
        """
        shares = self._shares
        return 1.0 - max(shares.get(provider, 0.0), shares.get((provider, institution_id), 0.0))

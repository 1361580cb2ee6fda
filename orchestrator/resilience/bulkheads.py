"""Bounds on attempts under way, so that no one part of the traffic can take every place.

Named after the walls that keep a leak in one part of a ship (M. Nygard, *Release It!*).
"""

from collections import Counter
from typing import Final

from orchestrator.domain import Lane

from .leases import Leases
from .quota import Reach

__all__ = ["Bulkheads"]

_INSTITUTION_SHARE: Final = 4
_BACKFILL_SHARE: Final = (3, 4)


class Bulkheads:
    """Places for attempts under way at one provider. Synchronous; one event loop owns it.

    Args:
        most: attempts under way at once, at least 1. Default 256.
        most_per_institution: of these at one institution, so that a bank that never answers leaves
            places for the others. Default a quarter of `most`, rounded up.
        most_backfill: of these from backfill, so that it leaves places for people who wait. Default
            three quarters of `most`, rounded up; with one place alone that is all of it.
        lease_s: seconds after which an attempt that nobody reported gives its place back. Default
            660; keep it equal to `BreakerOptions.permit_lease_s`.

    Raises:
        ValueError: a bound is below 1, or `lease_s` is not over 0.

    """

    __slots__ = (
        "_backfill",
        "_by_institution",
        "_leases",
        "_places",
        "most",
        "most_backfill",
        "most_per_institution",
    )

    def __init__(
        self,
        most: int = 256,
        *,
        most_per_institution: int | None = None,
        most_backfill: int | None = None,
        lease_s: float = 660.0,
    ) -> None:
        share, of = _BACKFILL_SHARE
        self.most = most
        self.most_per_institution = (
            -(-most // _INSTITUTION_SHARE) if most_per_institution is None else most_per_institution
        )
        self.most_backfill = -(-most * share // of) if most_backfill is None else most_backfill
        if min(most, self.most_per_institution, self.most_backfill) < 1 or not lease_s > 0.0:
            raise ValueError("bounds on attempts under way must be at least 1, and lease_s over 0")
        self._leases = Leases(lease_s)
        self._places: dict[int, tuple[str | None, Lane]] = {}
        self._by_institution: Counter[str] = Counter()
        self._backfill = 0

    def __len__(self) -> int:
        return len(self._leases)

    def full(self, institution_id: str | None, lane: Lane) -> Reach | None:
        """Whom the widest bound in the way holds back together; None where there is a place."""
        if len(self._leases) >= self.most:
            return Reach.ENTRANTS
        if lane is Lane.BACKFILL and self._backfill >= self.most_backfill:
            return Reach.ENTRANTS
        if self._by_institution.get(institution_id or "", 0) >= self.most_per_institution:
            return Reach.INSTITUTION
        return None

    @property
    def full_institutions(self) -> tuple[str, ...]:
        """Institutions at their bound, sorted."""
        return tuple(
            sorted(
                name
                for name, held in self._by_institution.items()
                if held >= self.most_per_institution
            )
        )

    def take(self, institution_id: str | None, lane: Lane, now: float) -> int:
        """Take a place that `full` has not denied, and get the id to give it back with."""
        place = self._leases.grant(now)
        self._places[place] = (institution_id, lane)
        self._backfill += lane is Lane.BACKFILL
        if institution_id is not None:
            self._by_institution[institution_id] += 1
        return place

    def give_back(self, place: int) -> bool:
        """Give a place back; False where it was given back before or its lease is over."""
        if not self._leases.settle(place):
            return False
        self._free(place)
        return True

    def expire(self, now: float) -> tuple[int, ...]:
        """Take back the places whose lease is over, and tell which they were."""
        ended = self._leases.expire(now)
        for place in ended:
            self._free(place)
        return ended

    def _free(self, place: int) -> None:
        institution_id, lane = self._places.pop(place)
        self._backfill -= lane is Lane.BACKFILL
        if institution_id is not None:
            self._by_institution[institution_id] -= 1
            if not self._by_institution[institution_id]:
                del self._by_institution[institution_id]

    def __repr__(self) -> str:
        return f"Bulkheads({len(self)}/{self.most}, backfill {self._backfill}/{self.most_backfill})"

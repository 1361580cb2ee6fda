"""What one run came to."""

from dataclasses import dataclass, field

__all__ = ["FirstAttempt", "Tally"]


@dataclass(frozen=True, slots=True)
class FirstAttempt:
    """A request's first attempt: `worked` is None where its user was to blame."""

    started_s: float
    ended_s: float
    provider: str
    operation: str
    institution_id: str
    worked: bool | None


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    A first attempt that ended in its user's own error has worked, as far as the provider goes; from
    requests that ended so, nothing is known of the end, and they are left out there.
    """

    requests: int = 0
    first_attempts: int = 0
    first_worked: int = 0
    attempts: int = 0
    finished: int = 0
    finished_well: int = 0
    time_to_success_s: float = 0.0
    explored: int = 0
    firsts: list[FirstAttempt] = field(default_factory=list)

    @property
    def first_ratio(self) -> float:
        """First-attempt success, 0 to 1."""
        return self.first_worked / max(1, self.first_attempts)

    @property
    def final_ratio(self) -> float:
        """Requests that were answered in the end, 0 to 1."""
        return self.finished_well / max(1, self.finished)

    @property
    def attempts_per_request(self) -> float:
        """Attempts sent for each request."""
        return self.attempts / max(1, self.requests)

    @property
    def mean_time_s(self) -> float:
        """Seconds from a request to its answer, over those that were answered."""
        return self.time_to_success_s / max(1, self.finished_well)

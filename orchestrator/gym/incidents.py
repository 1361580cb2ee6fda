"""Something that goes wrong for a while: where, when, how badly, and how its failures look."""

from dataclasses import dataclass

__all__ = ["Incident"]


@dataclass(frozen=True, slots=True)
class Incident:
    """A multiplier on success ratios within one scope; None stands for all.

    `factor` multiplies the success ratio from `starts_s` to `ends_s`; with `ramp` it is reached
    gradually at the end, with `mends` it starts there and ends at 1. `silent`: failures are never
    answered. `limited`: failures are 429 with `retry_after_s`. `user_errors` is the share of
    answered calls that fail by their users' doing. `mislabelled` is the share of its failures that
    are told as the provider's although a bank is to blame. `slows` multiplies latencies.
    """

    starts_s: float
    ends_s: float
    provider: str | None = None
    operation: str | None = None
    institution_id: str | None = None
    factor: float = 1.0
    ramp: bool = False
    mends: bool = False
    silent: bool = False
    limited: bool = False
    retry_after_s: float | None = None
    user_errors: float = 0.0
    mislabelled: float = 0.2
    slows: float = 1.0

    def concerns(self, provider: str, operation: str, institution_id: str) -> bool:
        """Whether such a call meets it."""
        return (
            (self.provider is None or self.provider == provider)
            and (self.institution_id is None or self.institution_id == institution_id)
            and (self.operation is None or self.operation == operation)
        )

    def factor_at(self, t_s: float) -> float:
        """The multiplier at a time within it."""
        if not (self.ramp or self.mends):
            return self.factor
        gone_ratio = (t_s - self.starts_s) / (self.ends_s - self.starts_s)
        depth = 1.0 - gone_ratio if self.mends else gone_ratio
        return 1.0 - (1.0 - self.factor) * depth

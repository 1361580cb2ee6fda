"""What a selection policy is, which ones there are, and the facade that callers hold."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, Self

from .adaptive import AdaptivePolicy
from .context import AttemptOutcome, Decision, SelectionContext
from .model import SelectionModel
from .priority import PriorityPolicy

__all__ = ["POLICIES", "Policy", "PolicyFactory", "SelectionPolicy"]


class Policy(Protocol):
    """Orders candidates and learns from outcomes; synchronous, without IO, clock or threads.

    Its contract (`tests/contracts/policy_contract.py`): the order holds every candidate once; the
    propensities are those of the state before the decision and sum to 1; same seed and same calls,
    same decisions; it pickles, and takes unknown names and times in any order.
    """

    @property
    def name(self) -> str:
        """Its name in `POLICIES`, the settings and the log."""
        ...

    @property
    def model_version(self) -> str | None:
        """The version of the trained model in use, None without."""
        ...

    def decide(self, context: SelectionContext) -> Decision:
        """In which order to try the candidates."""
        ...

    def observe(self, outcome: AttemptOutcome) -> None:
        """Learn from an ended attempt."""
        ...

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Hint that an attempt has started; a policy may ignore it."""
        ...

    def swap(self, model: SelectionModel | None) -> None:
        """Use another trained model, or none, from now on; what was learned live stays."""
        ...


PolicyFactory = Callable[[SelectionModel | None, int, float], Policy]
"""Makes a policy of a model (or none), a seed and an exploration ratio."""


def _priority(_model: SelectionModel | None, _seed: int, _exploration_ratio: float) -> Policy:
    return PriorityPolicy()


POLICIES: Final[Mapping[str, PolicyFactory]] = {
    "adaptive": AdaptivePolicy,
    "priority": _priority,
}
"""Every policy by its name; one more is a line here and inherits the contract's tests."""


class SelectionPolicy:
    """The policy that a router holds: which provider should be tried first, now?

    >>> policy = SelectionPolicy.default(seed=0)
    >>> context = SelectionContext(operation="getAccounts", region="US",
    ...                            institution_id="ins_chase",
    ...                            candidates=("plaid", "mx", "finicity"), at=1_790_000_000.0)
    >>> policy.decide(context).order
    ('plaid', 'mx', 'finicity')
    >>> for second in range(3):
    ...     policy.observe(AttemptOutcome(provider="plaid", operation="getAccounts", region="US",
    ...                                   institution_id="ins_chase", at=1_790_000_001.0 + second,
    ...                                   latency_s=0.2, outcome="provider_down",
    ...                                   attempt_number=1))
    >>> policy.decide(context).order
    ('mx', 'finicity', 'plaid')

    `exploration_ratio` is the share of requests (0 to 1) whose first candidate is drawn evenly;
    only `adaptive` explores. Same seed and same calls, same decisions. Not thread-safe.

    Raises:
        ValueError: `policy` is not in `POLICIES`, or `exploration_ratio` not within 0 and 1.

    """

    def __init__(
        self,
        model: SelectionModel | None = None,
        seed: int = 0,
        policy: str = "adaptive",
        exploration_ratio: float = 0.02,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}: known are {', '.join(sorted(POLICIES))}")
        if not 0.0 <= exploration_ratio <= 1.0:
            raise ValueError(f"exploration_ratio is within 0 and 1, not {exploration_ratio}")
        self._policy = POLICIES[policy](model, seed, exploration_ratio)

    @classmethod
    def default(cls, seed: int = 0) -> Self:
        """What ships, cold: adaptive, without a model."""
        return cls(seed=seed)

    @property
    def name(self) -> str:
        """Name of the policy behind it."""
        return self._policy.name

    @property
    def model_version(self) -> str | None:
        """The version of the trained model in use; None while cold or where it uses none."""
        return self._policy.model_version

    def decide(self, context: SelectionContext) -> Decision:
        """In which order to try the candidates, with what has to be logged about the choice."""
        return self._policy.decide(context)

    def observe(self, outcome: AttemptOutcome) -> None:
        """Learn from an ended attempt; all attempts count, not only the first."""
        self._policy.observe(outcome)

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Optional hint that an attempt has started, at unix time `at`."""
        self._policy.dispatch(context, provider, attempt_number, at)

    def swap(self, model: SelectionModel | None) -> None:
        """Take up another model, or none, without forgetting what was seen of late."""
        self._policy.swap(model)

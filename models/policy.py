"""What a selection policy is, which ones there are, and the facade that callers hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from .adaptive import AdaptivePolicy
from .context import AttemptOutcome, Decision, SelectionContext
from .keyed import keying
from .model import SelectionModel
from .preference import Preference
from .priority import PriorityPolicy
from .round_robin import RoundRobinPolicy
from .success_rate import SuccessRatePolicy
from .thompson import ThompsonPolicy
from .ucb import UcbPolicy

__all__ = ["POLICIES", "Policy", "PolicyFactory", "PolicySetup", "SelectionPolicy"]


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

    def withdraw(self, context: SelectionContext, provider: str, at: float) -> None:
        """Take back the hint that an attempt started at `at`: it was not sent, or is given up."""
        ...

    def swap(self, model: SelectionModel | None) -> None:
        """Use another trained model, or none, from now on; what was learned live stays."""
        ...


@dataclass(frozen=True, slots=True)
class PolicySetup:
    """What a policy is made of; each takes what it has a use for.

    Attributes:
        model: a trained one, or none.
        seed: of every draw.
        exploration_ratio: share of requests (0 to 1) whose first candidate is drawn evenly.
        keyed_by: `operation` or `institution`: by what the plain policies keep count.
        preference: weights of time, cost and quota against success.

    """

    model: SelectionModel | None = None
    seed: int = 0
    exploration_ratio: float = 0.02
    keyed_by: str = "institution"
    preference: Preference = field(default_factory=Preference)


PolicyFactory = Callable[[PolicySetup], Policy]
"""Makes a policy of its setup."""


def _adaptive(setup: PolicySetup) -> Policy:
    return AdaptivePolicy(
        setup.model, setup.seed, setup.exploration_ratio, preference=setup.preference
    )


def _priority(_setup: PolicySetup) -> Policy:
    return PriorityPolicy()


def _round_robin(setup: PolicySetup) -> Policy:
    return RoundRobinPolicy(setup.seed)


def _success_rate(setup: PolicySetup) -> Policy:
    return SuccessRatePolicy(setup.seed, setup.exploration_ratio, keyed_by=setup.keyed_by)


def _thompson(setup: PolicySetup) -> Policy:
    return ThompsonPolicy(setup.seed, keyed_by=setup.keyed_by)


def _ucb(setup: PolicySetup) -> Policy:
    return UcbPolicy(keyed_by=setup.keyed_by)


POLICIES: Final[Mapping[str, PolicyFactory]] = {
    "adaptive": _adaptive,
    "priority": _priority,
    "round_robin": _round_robin,
    "success_rate": _success_rate,
    "thompson": _thompson,
    "ucb": _ucb,
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

    The other arguments are those of `PolicySetup`. Same seed and same calls, same decisions. Not
    thread-safe.

    Raises:
        ValueError: `policy` is not in `POLICIES`, `exploration_ratio` not within 0 and 1, or
            `keyed_by` unknown.

    """

    def __init__(
        self,
        model: SelectionModel | None = None,
        seed: int = 0,
        policy: str = "adaptive",
        exploration_ratio: float = 0.02,
        *,
        keyed_by: str = "institution",
        preference: Preference | None = None,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}: known are {', '.join(sorted(POLICIES))}")
        if not 0.0 <= exploration_ratio <= 1.0:
            raise ValueError(f"exploration_ratio is within 0 and 1, not {exploration_ratio}")
        keying(keyed_by)
        setup = PolicySetup(
            model,
            seed,
            exploration_ratio,
            keyed_by,
            Preference() if preference is None else preference,
        )
        self._policy = POLICIES[policy](setup)

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

    def withdraw(self, context: SelectionContext, provider: str, at: float) -> None:
        """Take back a `dispatch` of that time, where its attempt was not sent or is given up."""
        self._policy.withdraw(context, provider, at)

    def swap(self, model: SelectionModel | None) -> None:
        """Take up another model, or none, without forgetting what was seen of late."""
        self._policy.swap(model)

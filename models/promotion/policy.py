"""What a router holds while a challenger is tried: two policies that see the same world."""

import copy

from models.context import AttemptOutcome, Decision, SelectionContext
from models.model import SelectionModel
from models.policy import SelectionPolicy

from .trial import has_challenger

__all__ = ["TrialPolicy"]


class TrialPolicy:
    """A `SelectionPolicy` that can let a challenger's model decide a share of the requests.

    Without a trial it is the policy it was made of. The challenger begins as a copy of it, live
    health included, and both observe every outcome, so neither is behind when roles change.
    Not thread-safe.

    >>> model = SelectionModel.of(trained_at=0.0, card={}, table={
    ...     ("plaid", "getAccounts", "US", None): 0.7, ("mx", "getAccounts", "US", None): 0.9})
    >>> policy = TrialPolicy(SelectionPolicy(exploration_ratio=0.0))
    >>> context = SelectionContext(operation="getAccounts", region="US", institution_id=None,
    ...                            candidates=("plaid", "mx"), at=0.0)
    >>> policy.try_out(model, share=0.0)
    >>> policy.decide(context, "req_1").order, policy.shadow(context, "req_1").order
    (('plaid', 'mx'), ('mx', 'plaid'))
    >>> policy.try_out(model, share=1.0)
    >>> policy.decide(context, "req_1").order
    ('mx', 'plaid')

    """

    def __init__(self, policy: SelectionPolicy) -> None:
        self._champion = policy
        self._challenger: SelectionPolicy | None = None
        self._version = ""
        self._share = 0.0

    @property
    def name(self) -> str:
        """Name of the policy behind it."""
        return self._champion.name

    @property
    def model_version(self) -> str | None:
        """The champion's model; None while cold or where the policy uses none."""
        return self._champion.model_version

    @property
    def challenger_version(self) -> str | None:
        """The model that is tried; None without a trial."""
        return None if self._challenger is None else self._version

    def try_out(self, model: SelectionModel, *, share: float) -> None:
        """Let a model decide this share of requests (0: only beside); called again, another share.

        Raises:
            ValueError: `share` is not within 0 and 1.

        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share is within 0 and 1, not {share}")
        if self._challenger is None or self._version != model.version:
            challenger = copy.deepcopy(self._champion)
            challenger.swap(model)
            self._challenger, self._version = challenger, model.version
        self._share = share

    def give_up(self) -> None:
        """End the trial: the champion decides everything, as it was."""
        self._challenger, self._version, self._share = None, "", 0.0

    def swap(self, model: SelectionModel | None) -> None:
        """Use another model from now on; live health stays.

        Where it is the one that was tried, its policy takes over and the trial is at its end.
        """
        if self._challenger is not None and model is not None and model.version == self._version:
            self._champion = self._challenger
            self.give_up()
        else:
            self._champion.swap(model)

    def decide(self, context: SelectionContext, request_id: str) -> Decision:
        """In which order to try the candidates; the decision says whose model it was."""
        if self._challenger is not None and has_challenger(request_id, self._version, self._share):
            return self._challenger.decide(context)
        return self._champion.decide(context)

    def shadow(self, context: SelectionContext, request_id: str) -> Decision | None:
        """What the other one would have decided; None without a trial.

        Call it after `decide`, off the request's path, where that is to be logged.
        """
        if self._challenger is None:
            return None
        if has_challenger(request_id, self._version, self._share):
            return self._champion.decide(context)
        return self._challenger.decide(context)

    def observe(self, outcome: AttemptOutcome) -> None:
        """Learn from an ended attempt, on both sides."""
        self._champion.observe(outcome)
        if self._challenger is not None:
            self._challenger.observe(outcome)

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Hint that an attempt has started, on both sides."""
        self._champion.dispatch(context, provider, attempt_number, at)
        if self._challenger is not None:
            self._challenger.dispatch(context, provider, attempt_number, at)

    def withdraw(self, context: SelectionContext, provider: str, at: float) -> None:
        """Take back a `dispatch` of that time, on both sides."""
        self._champion.withdraw(context, provider, at)
        if self._challenger is not None:
            self._challenger.withdraw(context, provider, at)

"""Live health: what is believed of a provider just now, at which scope.

Three hidden states multiply: the provider's own, that of the operation there, that of the bank
there. An outcome updates the widest first, each given what is believed of the others, so that a
narrower scope takes the blame only for what the wider ones do not explain, and the other way round.
"""

from collections.abc import Hashable
from typing import Final

from .blame import Verdict
from .hidden_state import BANK, GONE, HALF, IMPAIRED, OPERATION, PROVIDER, HiddenState, Illness

__all__ = ["LiveHealth"]

_LIMIT: Final = 20_000
"""Scopes that are kept before those that say nothing are swept out."""

_NO_NEWS: Final = 0.01
_HIGHEST: Final = 0.995
_LOWEST: Final = 0.05
_IMPAIRED, _HALF, _GONE = 1.0 - IMPAIRED, 1.0 - HALF, 1.0 - GONE
_REST: Final = (
    (PROVIDER.rest_factor, PROVIDER.rest_fine),
    (OPERATION.rest_factor, OPERATION.rest_fine),
    (BANK.rest_factor, BANK.rest_fine),
)


class LiveHealth:
    """What is believed of all scopes; synchronous, owns no clock.

    Times are seconds of a clock that never goes back (`ElapsedTime`). Not thread-safe.
    """

    def __init__(self) -> None:
        self._states: dict[Hashable, HiddenState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def belief(
        self, provider: str, operation: str, institution_id: str | None, t_s: float
    ) -> tuple[float, float, bool]:
        """The factor to expect, the probability that nothing is wrong, and whether it is failing.

        It is failing where the last outcome of a scope was a failure. The first two are against a scope that nothing is known of, and at most 1: having been seen is no fault.
        """
        factor = fine = 1.0
        failing = False
        find = self._states.get
        keys = (provider, (provider, operation), (provider, "bank", institution_id))
        for key, (rest_factor, rest_fine) in zip(keys, _REST, strict=True):
            state = find(key)
            if state is not None:
                if t_s > state.t_s:
                    state.age_to(t_s)
                failing = failing or state.failing
                impaired, half, gone = state.impaired, state.half, state.gone
                now = (1.0 - _IMPAIRED * impaired - _HALF * half - _GONE * gone) / rest_factor
                if now < 1.0:
                    factor *= now
                now = (1.0 - impaired - half - gone) / rest_fine
                if now < 1.0:
                    fine *= now
        return factor, fine, failing

    def learn(
        self,
        verdict: Verdict,
        *,
        provider: str,
        operation: str,
        institution_id: str | None,
        ratio: float,
        weight: float,
        t_s: float,
    ) -> float:
        """Take in one attempt; the probability, afterwards, that nothing is wrong there.

        `ratio` is its success ratio in calm, `weight`, 0 to 1, its freshness. A failure of the
        institution counts there alone; without a known one it is the provider's.
        """
        whole = self._state(provider, PROVIDER, t_s)
        part = self._state((provider, operation), OPERATION, t_s)
        at_bank = 1.0
        bank = None
        if institution_id is not None:
            bank = self._state((provider, "bank", institution_id), BANK, t_s)
            at_bank = bank.factor
        worked = verdict is Verdict.WORKED
        ratio = min(max(ratio, _LOWEST), _HIGHEST)
        if bank is None or verdict is not Verdict.INSTITUTION_FAILED:
            whole.learn(worked=worked, ratio=ratio * part.factor * at_bank, weight=weight)
            part.learn(worked=worked, ratio=ratio * whole.factor * at_bank, weight=weight)
        if bank is not None:
            bank.learn(worked=worked, ratio=ratio * whole.factor * part.factor, weight=weight)
        if len(self._states) > _LIMIT:
            self._sweep(t_s)
        return whole.fine * part.fine * (1.0 if bank is None else bank.fine)

    def _state(self, key: Hashable, illness: Illness, t_s: float) -> HiddenState:
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = HiddenState(illness, t_s)
        else:
            state.age_to(t_s)
        return state

    def _sweep(self, t_s: float) -> None:
        """Drop what says nothing, and of the rest the half that says least."""
        for state in self._states.values():
            state.age_to(t_s)
        kept = [(key, state) for key, state in self._states.items() if state.news > _NO_NEWS]
        kept.sort(key=lambda pair: pair[1].news)
        self._states = dict(kept[-_LIMIT // 2 :])

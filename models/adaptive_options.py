"""How eager the adaptive policy is, as tuned in the gym."""

from dataclasses import dataclass, field

from .lasting import TraitMemory

__all__ = ["AdaptiveOptions"]


@dataclass(frozen=True, slots=True)
class AdaptiveOptions:
    """Tuned in the gym; see docs/selection.md.

    Attributes:
        place_worth: success ratio that one place in the priority order is worth against a trained
            prior.
        probing: share of the belief that a doubted provider is well which is drawn upon, 0 to 1.
            All of it would be Thompson sampling, and costs more first attempts than it finds.
        curiosity: probability that a provider is given the benefit of the doubt about its traits.
        doubt: how much that is, in standard deviations.
        blind_trust: weight that an outcome has for lasting traits in the midst of an incident.
        newcomer_share: probability that a provider which the model does not know is given that
            benefit, until `newcomer_outcomes` of its attempts are known.
        newcomer_outcomes: see `newcomer_share`.
        backfill_times: how much more often backfill explores than a person's request.

    """

    place_worth: float = 0.001
    probing: float = 0.05
    curiosity: float = 0.01
    doubt: float = 1.5
    blind_trust: float = 0.05
    newcomer_share: float = 0.15
    newcomer_outcomes: int = 600
    backfill_times: float = 2.0
    traits: TraitMemory = field(default_factory=TraitMemory)

"""What a challenger must show before it is tried on anybody's request."""

import math
from collections.abc import Iterable
from typing import Final

from models.evaluation.metrics import Calibration
from models.evaluation.off_policy import Estimate, PolicyValue
from models.model import SelectionModel

from .gate import Gate, GateVerdict

__all__ = [
    "brier_gate",
    "calibration_gate",
    "first_choice_gate",
    "schema_gate",
    "table_gate",
]

CALIBRATION_ERROR: Final = 0.02
"""The largest calibration error, beyond what as few rows show by chance."""

FIRST_CHOICE_MARGIN: Final = 0.002
"""How far the lower bound of its first choices' gain may lie below nought."""


def brier_gate(difference: Estimate) -> Gate:
    """Brier score no worse than the champion's; `difference` is its own less the champion's.

    Worse means worse beyond chance, by the interval of the difference on the same rows.
    """
    told = f"{difference.value:+.5f} ({difference.low:+.5f} to {difference.high:+.5f})"
    if not math.isfinite(difference.low):
        return Gate("brier", GateVerdict.CANNOT_TELL, "too few later attempts")
    worse = difference.low > 0.0
    return Gate("brier", GateVerdict.FAILED if worse else GateVerdict.PASSED, told)


def calibration_gate(measured: Calibration) -> Gate:
    """Calibration error at most 0.02, less what chance shows on as few rows."""
    told = f"{measured.error:.4f}, by chance {measured.error_by_chance:.4f}"
    wrong = measured.excess > CALIBRATION_ERROR
    return Gate("calibration", GateVerdict.FAILED if wrong else GateVerdict.PASSED, told)


def first_choice_gate(gain: PolicyValue) -> Gate:
    """The gain of its first choices over the champion's: lower bound at least -0.2 points."""
    snips = gain.snips
    if not gain.verdict or not math.isfinite(snips.low):
        told = f"the log cannot tell: {gain.effective_rows:.0f} effective rows where they differ"
        return Gate("first_choice", GateVerdict.CANNOT_TELL, told)
    told = (
        f"{100 * snips.value:+.2f} points ({100 * snips.low:+.2f} to {100 * snips.high:+.2f}), "
        f"{gain.effective_rows:.0f} effective rows"
    )
    good = snips.low >= -FIRST_CHOICE_MARGIN
    return Gate("first_choice", GateVerdict.PASSED if good else GateVerdict.FAILED, told)


def table_gate(model: SelectionModel, keys: Iterable[tuple[str, str, str]]) -> Gate:
    """A finite score for every provider, operation and region of the log."""
    wanted = sorted(set(keys))
    missing = [key for key in wanted if not _finite(model.prior(*key, None))]
    if missing:
        told = f"no score for {', '.join('/'.join(key) for key in missing[:5])}"
        return Gate("table", GateVerdict.FAILED, told)
    return Gate("table", GateVerdict.PASSED, f"{len(model.table)} scores, all finite")


def schema_gate(model: SelectionModel, champion: SelectionModel | None) -> Gate:
    """The same schema as the champion's."""
    same = champion is None or champion.schema_version == model.schema_version
    return Gate(
        "schema",
        GateVerdict.PASSED if same else GateVerdict.FAILED,
        f"schema {model.schema_version}",
    )


def _finite(score: float | None) -> bool:
    return score is not None and math.isfinite(score)

"""A model's card as a page for people: `card.md` and `calibration.svg` beside the arrays."""

from collections.abc import Mapping
from typing import Final

from .charts import calibration_svg

__all__ = ["calibration_picture", "card_markdown"]

_NAMES: Final = {
    "model": "**this model**",
    "champion": "the active model",
    "overallRate": "one ratio for all",
    "providerRate": "ratio by provider",
    "operationRate": "by provider and operation",
    "institutionRate": "by provider and institution",
    "movingRate": "provider's last 100",
}
_CHOOSERS: Final = {
    "firstChoice": "**this model**",
    "championFirstChoice": "the active model, or the priority order",
    "priorityFirstChoice": "priority order",
}


def card_markdown(version: str, card: Mapping[str, object]) -> str:
    """What the model was made of and how it does, in Markdown; lacking parts are left out."""
    rows, span = _part(card, "rows"), _part(card, "span")
    judged = _part(card, "evaluation")
    lines = [f"# Model {version}", ""]
    if rows and span:
        lines += [
            f"Fitted by `{card.get('method')}` to {rows.get('used')} attempts.",
            f"They are from {span.get('from')} to {span.get('to')}.",
            f"Left out: {rows.get('userErrors')} users' own errors, {rows.get('ignored')} unusable.",
            f"Put down to outages: {_percent(card.get('inOutages'))} of the evidence.",
            "",
        ]
    gates = card.get("gates")
    if isinstance(gates, list):
        lines += ["## Gates", "", "| Gate | Verdict | Why |", "|---|---|---|"]
        lines += [f"| {g['name']} | {g['verdict']} | {g['detail']} |" for g in gates]
        lines += [""]
    if "skipped" in judged:
        lines += [f"Not judged on later attempts: {judged['skipped']}.", ""]
    for title, key in (("Probabilities, in calm", "inCalm"), ("Probabilities", "metrics")):
        lines += _metrics_table(title, _part(judged, key))
    chosen = [_chosen(name, _part(judged, key)) for key, name in _CHOOSERS.items() if key in judged]
    if chosen:
        lines += [
            "## First choices",
            "",
            "First-attempt success had they chosen on the later part, with 95 % intervals.",
            "",
            "| Who chooses | SNIPS | doubly robust | IPS | effective rows |",
            "|---|---|---|---|---|",
            *chosen,
            "",
        ]
    if "calibration" in judged:
        lines += ["![Calibration](calibration.svg)", ""]
    lines += [f"Features: {_listed(card.get('features'))}.", ""]
    return "\n".join(lines)


def calibration_picture(card: Mapping[str, object]) -> str | None:
    """The calibration plot as SVG; None where the card has none."""
    bins = _part(_part(card, "evaluation"), "calibration")
    predicted, seen, rows = bins.get("predicted"), bins.get("seen"), bins.get("rows")
    if not (isinstance(predicted, list) and isinstance(seen, list) and isinstance(rows, list)):
        return None
    return calibration_svg(predicted, seen, rows)


def _metrics_table(title: str, metrics: Mapping[str, object]) -> list[str]:
    if not metrics:
        return []
    lines = [f"## {title}", "", "| Who | Brier | log loss | ECE | AUC |", "|---|---|---|---|---|"]
    for name, label in _NAMES.items():
        found = _part(metrics, name)
        if found:
            figures = [found.get(key) for key in ("brier", "logLoss", "calibrationError", "auc")]
            lines.append(f"| {label} | " + " | ".join(_number(figure) for figure in figures) + " |")
    return [*lines, ""]


def _chosen(name: str, value: Mapping[str, object]) -> str:
    told = []
    for estimator in ("snips", "dr", "ips"):
        found = _part(value, estimator)
        point, low, high = found.get("value"), found.get("low"), found.get("high")
        told.append(f"{_percent(point)} ({_percent(low)} to {_percent(high)})")
    effective = value.get("effectiveRows")
    rows = f"{effective:.0f}" if isinstance(effective, float) else "-"
    unsure = "" if value.get("verdict") else ", too few"
    return f"| {name} | {' | '.join(told)} | {rows}{unsure} |"


def _part(card: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = card.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


def _percent(value: object) -> str:
    return f"{100 * value:.2f} %" if isinstance(value, int | float) else "-"


def _listed(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else "-"

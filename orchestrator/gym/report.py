"""From lines to tables, and to a plot."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from .contest import PLAIN, REFERENCE, Line
from .drills import DrillReport

__all__ = ["by_scenario", "drills_table", "overall", "plot"]

_Means = dict[str, dict[str, float]]


def overall(lines: Sequence[Line]) -> str:
    """A Markdown table of entrants over all scenarios and seeds, worst first.

    The share is of the gap in mean first-attempt success between priority order without breakers
    and the clairvoyant.
    """
    first = {name: fmean(of.values()) for name, of in _means(lines, "first_ratio").items()}
    final = {name: fmean(of.values()) for name, of in _means(lines, "final_ratio").items()}
    sent = {name: fmean(of.values()) for name, of in _means(lines, "attempts_per_request").items()}
    time_s = {name: fmean(of.values()) for name, of in _means(lines, "mean_time_s").items()}
    rows = [
        "| Policy | First attempt, % | Of the gap, % | In the end, % | Attempts a request | Seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(first, key=first.__getitem__):
        share = _share(first, name)
        rows.append(
            f"| {name} | {100 * first[name]:.2f} | {share} | {100 * final[name]:.2f} "
            f"| {sent[name]:.3f} | {time_s[name]:.2f} |"
        )
    return "\n".join(rows)


def by_scenario(lines: Sequence[Line], entrants: Sequence[str]) -> str:
    """A Markdown table of first-attempt success, %, scenario by scenario."""
    means = _means(lines, "first_ratio")
    names = [name for name in entrants if name in means]
    scenarios = list(dict.fromkeys(line.scenario for line in lines))
    rows = [
        "| Scenario | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for scenario in scenarios:
        cells = " | ".join(f"{100 * means[name][scenario]:.2f}" for name in names)
        rows.append(f"| {scenario} | {cells} |")
    return "\n".join(rows)


def drills_table(reports: Mapping[str, Sequence[DrillReport]]) -> str:
    """A Markdown table of the drills: medians over seeds."""
    rows = [
        "| Policy | A second | Outage, s | To the dying | p99, s | Left, s | Back, s | Storm, points |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in reports.items():
        rows.append(
            f"| {name} | {found[0].rate_per_s:.1f} | {found[0].outage_s:.0f} "
            f"| {_median(r.to_the_dying for r in found):.0f} "
            f"| {_median(r.silent_p99_s for r in found):.1f} "
            f"| {_median(r.silent_left_s for r in found):.0f} "
            f"| {_median(r.back_s for r in found):.0f} "
            f"| {max(r.storm_points for r in found):.2f} |"
        )
    return "\n".join(rows)


def plot(lines: Sequence[Line], entrants: Sequence[str], file: Path) -> None:
    """Bars of what is lost against the clairvoyant, scenario by scenario; SVG or PNG by the name.

    Raises:
        ModuleNotFoundError: matplotlib is not there; it comes with the extra `notebooks`.

    """
    import matplotlib as mpl  # noqa: PLC0415  an extra, and only for this

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "gym"
    from matplotlib import pyplot as plt  # noqa: PLC0415  as above

    means = _means(lines, "first_ratio")
    scenarios = list(dict.fromkeys(line.scenario for line in lines))
    names = [name for name in entrants if name in means]
    figure, axes = plt.subplots(figsize=(10, 0.5 + 0.5 * len(scenarios)))
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        lost = [100 * (means[REFERENCE][s] - means[name][s]) for s in scenarios]
        axes.barh([row + place * height for row in range(len(scenarios))], lost, height, label=name)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(scenarios))], scenarios)
    axes.invert_yaxis()
    axes.set_xlabel("first attempts lost against the clairvoyant, points")
    axes.legend(loc="best", fontsize="small")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _means(lines: Iterable[Line], figure: str) -> _Means:
    """By entrant and scenario, the mean over seeds."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        found[line.entrant][line.scenario].append(float(getattr(line, figure)))
    return {
        name: {scenario: fmean(values) for scenario, values in of.items()}
        for name, of in found.items()
    }


def _share(first: Mapping[str, float], name: str) -> str:
    if PLAIN not in first or REFERENCE not in first:
        return ""
    gap = first[REFERENCE] - first[PLAIN]
    return f"{100 * (first[name] - first[PLAIN]) / gap:.1f}" if gap > 0.0 else ""


def _median(values: Iterable[float]) -> float:
    ranked = sorted(values)
    return ranked[len(ranked) // 2]

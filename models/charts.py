"""Two small charts as SVG text: calibration, and estimates with their intervals.

Written by hand so that a model card and a backtest have their picture wherever they are made; no
drawing library is needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Interval", "calibration_svg", "intervals_svg"]

_HEAD: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" font-family="sans-serif" font-size="12" fill="#1a202c">'
    '<rect width="{width}" height="{height}" fill="#ffffff"/>'
)
_INK: Final = "#2b6cb0"
_FAINT: Final = "#cbd5e0"
_WARN: Final = "#c05621"


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of a chart of ratios; `sure` is False where the log cannot tell."""

    name: str
    value: float
    low: float
    high: float
    sure: bool = True


def calibration_svg(predicted: Sequence[float], seen: Sequence[float], rows: Sequence[int]) -> str:
    """Predicted against seen success ratios, each dot a bin, its area the number of attempts."""
    size, edge = 320, 44
    lowest = min([0.9, *predicted, *seen])
    least = math.floor(10.0 * lowest) / 10.0

    def place(ratio: float) -> float:
        return edge + (ratio - least) / (1.0 - least) * (size - 2 * edge)

    parts = [_HEAD.format(width=size, height=size)]
    parts.append(_line(place(least), size - place(least), place(1.0), size - place(1.0), _FAINT))
    for step in range(6):
        ratio = least + (1.0 - least) * step / 5.0
        parts.append(_text(place(ratio), size - edge + 18, f"{ratio:.2f}", "middle"))
        parts.append(_text(edge - 6, size - place(ratio) + 4, f"{ratio:.2f}", "end"))
    largest = max([1, *rows])
    for said, found, count in zip(predicted, seen, rows, strict=True):
        radius = 2.0 + 6.0 * math.sqrt(count / largest)
        parts.append(
            f'<circle cx="{place(said):.1f}" cy="{size - place(found):.1f}" r="{radius:.1f}" '
            f'fill="{_INK}" fill-opacity="0.7"/>'
        )
    parts.append(_text(size / 2, size - 8, "predicted success ratio", "middle"))
    parts.append(_text(edge, 20, "seen on later attempts", "start"))
    return "".join([*parts, "</svg>\n"])


def intervals_svg(title: str, intervals: Sequence[Interval]) -> str:
    """Estimates with their 95 % intervals, one below the other; hollow where the log cannot tell."""
    width, left, right, top, step = 640, 170, 110, 44, 26
    height = top + step * len(intervals) + 40
    known = [i for i in intervals if math.isfinite(i.low) and math.isfinite(i.high)]
    least = min([i.low for i in known], default=0.0)
    most = max([i.high for i in known], default=1.0)
    span = max(1e-6, most - least)

    def place(ratio: float) -> float:
        return left + (ratio - least) / span * (width - left - right)

    parts = [_HEAD.format(width=width, height=height), _text(16, 22, title, "start")]
    for number, one in enumerate(intervals):
        y = top + step * number + step / 2
        parts.append(_text(left - 12, y + 4, one.name, "end"))
        if not (math.isfinite(one.low) and math.isfinite(one.high)):
            parts.append(_text(left, y + 4, "the log cannot tell", "start"))
            continue
        parts.append(_line(place(one.low), y, place(one.high), y, _INK if one.sure else _WARN))
        fill = _INK if one.sure else "#ffffff"
        parts.append(
            f'<circle cx="{place(one.value):.1f}" cy="{y:.1f}" r="5" fill="{fill}" '
            f'stroke="{_INK if one.sure else _WARN}"/>'
        )
        told = f"{100 * one.value:.2f} %" + ("" if one.sure else " ?")
        parts.append(_text(width - right + 14, y + 4, told, "start"))
    parts += [
        _text(place(ratio), height - 14, f"{100 * ratio:.1f} %", "middle")
        for ratio in (least, (least + most) / 2.0, most)
    ]
    return "".join([*parts, "</svg>\n"])


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        'stroke-width="2"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

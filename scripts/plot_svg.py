"""Lines over time as an SVG: panels below each other, one scale each. Read by scripts/soak. Standard library only."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 220, 76, 150, 34, 30
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by people who see few colours (Okabe and Ito)."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One picture of several lines; x in the same unit in all panels."""

    title: str
    series: dict[str, list[Point]]
    """Name -> points in the order of x; none where there is nothing to show."""


def ticks(least: float, most: float, wanted: int = 5) -> list[float]:
    """Round numbers from about `least` to about `most`: 1, 2 or 5 times a power of ten apart."""
    span = max(most - least, 1e-9)
    power = 10 ** math.floor(math.log10(span / wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= wanted)
    first = math.floor(least / step)
    return [step * number for number in range(first, math.ceil(most / step) + 1)]


def picture(title: str, x_title: str, panels: list[Panel]) -> str:
    """The whole drawing."""
    xs = [x for panel in panels for line in panel.series.values() for x, _ in line]
    x_ticks = ticks(0, max(xs, default=1), 10)
    height = 40 + len(panels) * HEIGHT + 24
    drawn = "".join(_panel(panel, x_ticks, 40 + number * HEIGHT) for number, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="12"'
        ' font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>{drawn}'
        f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{height - 10}" text-anchor="middle">{escape(x_title)}</text>'
        "</svg>\n"
    )


def _panel(panel: Panel, x_ticks: list[float], top: int) -> str:
    ys = [y for line in panel.series.values() for _, y in line]
    y_ticks = ticks(0, max(ys, default=1) or 1)
    right, bottom = WIDTH - RIGHT, top + HEIGHT - BOTTOM
    head = top + TOP

    def x_of(value: float) -> float:
        return LEFT + (right - LEFT) * value / (x_ticks[-1] or 1)

    def y_of(value: float) -> float:
        return bottom - (bottom - head) * value / (y_ticks[-1] or 1)

    parts = [f'<text x="{LEFT}" y="{top + 22}" font-weight="bold">{escape(panel.title)}</text>']
    for tick in y_ticks:
        y = y_of(tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts += [f'<text x="{x_of(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>' for tick in x_ticks]
    for number, (name, line) in enumerate(panel.series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<text x="{right + 8}" y="{head + 12 + 16 * number}" fill="{colour}">{escape(name)}</text>')
    return "".join(parts)

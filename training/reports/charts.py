"""Line charts and scatter plots as inline SVG, so that a report is one file without a library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 12, 46

COLOURS = ("#1f6feb", "#c2410c", "#15803d", "#7e22ce", "#64748b")

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A named line through (n,) points."""

    name: str
    x: ArrayLike
    y: ArrayLike


@dataclass(frozen=True)
class Axis:
    """The label and range of an axis; a logarithmic one starts above 0."""

    name: str
    low: float
    high: float
    logarithmic: bool = False

    def share(self, values: ArrayLike) -> Vector:
        """Values → 0 … 1 along the axis; values outside are clipped to it."""
        clipped = np.clip(np.asarray(values, np.float64), self.low, self.high)
        if self.logarithmic:
            return np.asarray(np.log(clipped / self.low) / math.log(self.high / self.low))
        return np.asarray((clipped - self.low) / (self.high - self.low))

    @property
    def ticks(self) -> Vector:
        """Powers of ten, or five even steps."""
        if self.logarithmic:
            return 10.0 ** np.arange(math.ceil(math.log10(self.low) - 1e-9), math.log10(self.high) + 1e-9)
        return np.linspace(self.low, self.high, 5)


def line_chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """Lines over two axes, with a legend if there are several."""
    parts = [_frame(x, y)]
    for line, colour in zip(lines, COLOURS, strict=False):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in _thin(_place_points(x, y, line.x, line.y)))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    if len(lines) > 1:
        ends_high = np.mean([y.share(np.asarray(line.y)[-1]) for line in lines]) > 0.5
        top = HEIGHT - BOTTOM - 8 - 18 * len(lines) if ends_high else TOP
        parts += [
            _legend(top + 16 + 18 * index, COLOURS[index], line.name) for index, line in enumerate(lines)
        ]
    return _svg(title, parts)


def scatter_chart(title: str, points: NDArray[np.float32], group: NDArray[np.int64]) -> str:
    """(n, 2) points, a colour for each (n,) group; neighbouring groups differ in hue."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = Axis("", float(low[0]), float(high[0])), Axis("", float(low[1]), float(high[1]))
    dots = [
        # 137.5°, the golden angle, keeps the hues of any number of groups apart.
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="hsl({g * 137.5 % 360:.0f} 65% 45%)"/>'
        for (a, b), g in zip(_place_points(x, y, points[:, 0], points[:, 1]), group, strict=True)
    ]
    return _svg(title, dots)


def _place_points(x: Axis, y: Axis, xs: ArrayLike, ys: ArrayLike) -> Vector:
    """(n, 2) in pixels of the drawing."""
    across = LEFT + x.share(xs) * (WIDTH - LEFT - RIGHT)
    down = HEIGHT - BOTTOM - y.share(ys) * (HEIGHT - TOP - BOTTOM)
    return np.stack([across, down], axis=1)


def _thin(places: Vector) -> Vector:
    """Drop points on the same pixel as their predecessor, so that a million thresholds give a small file."""
    whole = places.round()
    moved = np.append(True, (whole[1:] != whole[:-1]).any(axis=1))
    moved[-1] = True
    return np.asarray(places[moved])


def _frame(x: Axis, y: Axis) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path d="M{LEFT},{TOP} V{bottom} H{right}" class="axis"/>']
    for tick, share in zip(x.ticks, x.share(x.ticks), strict=True):
        at = LEFT + share * (right - LEFT)
        parts.append(f'<path d="M{at:.1f},{TOP} V{bottom}" class="grid"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{_format_tick(tick)}</text>')
    for tick, share in zip(y.ticks, y.share(y.ticks), strict=True):
        at = bottom - share * (bottom - TOP)
        parts.append(f'<path d="M{LEFT},{at:.1f} H{right}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_format_tick(tick)}</text>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.name)}</text>'
    )
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{escape(y.name)}</text>')
    return "".join(parts)


def _format_tick(tick: float) -> str:
    """Format a number on an axis."""
    return f"{tick:,.0f}" if tick >= 1000 else f"{tick:.3g}"


def _legend(y: float, colour: str, name: str) -> str:
    x = WIDTH - RIGHT - 120
    return (
        f'<path d="M{x},{y - 4} h18" stroke="{colour}" stroke-width="3"/>'
        f'<text x="{x + 24}" y="{y}">{escape(name)}</text>'
    )


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )

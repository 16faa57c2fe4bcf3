"""Seconds over size as an SVG that a README can show: both axes logarithmic, a line per question."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 70, 300, 30, 50
COLOURS = ("#3b5bdb", "#7a4b9a", "#0c8599", "#b35c00", "#5c636a", "#a61e4d", "#2b8a3e")
_SIZES = {10**5: "100 thousand", 10**6: "1 million", 10**7: "10 million", 10**8: "100 million"}
_APART = 16


def svg(lines: Mapping[str, Sequence[tuple[int, float]]], *, title: str) -> str:
    """The plot.

    Args:
        lines: Question -> its sizes and seconds, smallest first.
        title: Said to those who cannot see it.
    """
    sizes = sorted({size for points in lines.values() for size, _ in points})
    seconds = [taken for points in lines.values() for _, taken in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))

    def across(size: float) -> float:
        share = math.log10(size / sizes[0]) / max(math.log10(sizes[-1] / sizes[0]), 1e-9)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def up(taken: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(taken) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    head = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head}><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(low, high + 1):
        y, label = up(10.0**power), _second(power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e3e6ea"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#5c636a">{label}</text>')
    for size in sizes:
        label = _SIZES.get(size, f"{size:,}")
        parts.append(
            f'<text x="{across(size):.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle" '
            f'fill="#5c636a">{label}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle" '
        'fill="#2f3338">requests</text>'
    )
    ends = sorted((up(points[-1][1]), name) for name, points in lines.items())
    labels: dict[str, float] = {}
    last = -math.inf
    for y, name in ends:
        last = labels[name] = max(y, last + _APART)
    for place, (name, points) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        path = " ".join(f"{across(size):.1f},{up(taken):.1f}" for size, taken in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(size):.1f}" cy="{up(taken):.1f}" r="3.5" fill="{colour}"/>'
            for size, taken in points
        ]
        parts.append(
            f'<text x="{WIDTH - RIGHT + 12}" y="{labels[name] + 4:.1f}" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _second(power: int) -> str:
    return f"{10**power:,} s" if power >= 0 else f"{10.0 ** (power + 3):g} ms"

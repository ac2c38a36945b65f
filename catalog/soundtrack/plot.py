"""The arc of a story as an SVG: valence and energy over time, and under them which track plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Moment", "Stretch", "arc"]


WIDTH, LEFT, RIGHT, TOP, PLOT, BAND = 1280.0, 70.0, 24.0, 64.0, 260.0, 86.0
VALENCE, ENERGY, INK, FAINT = "#1b6ca8", "#d1495b", "#222", "#ddd"
FILLS = (
    *("#dcebf5", "#fbe5d6", "#e3f1dc", "#efe1f2", "#fdf3cf", "#dff2f0", "#f6dfe3", "#e6e6e6"),
    *("#cfd8f0", "#f3d9b8", "#c9e4c5", "#e2c9ea", "#f2e6a0", "#bfe3df", "#eec4cb", "#d3d3c8"),
)
FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Moment:
    """A chunk of the story: when it is told and how it feels."""

    start_s: float
    end_s: float
    valence: float
    energy: float
    label: str = ""


@dataclass(frozen=True)
class Stretch:
    """A scene: from when to when, which theme it has, and lines that say what plays."""

    start_s: float
    end_s: float
    theme: str
    lines: tuple[str, ...]


def arc(title: str, moments: Sequence[Moment], stretches: Sequence[Stretch], duration_s: float) -> str:
    """Return the drawing; a theme keeps its colour wherever it returns."""
    base = TOP + PLOT
    scale = (WIDTH - LEFT - RIGHT) / max(duration_s, 1e-6)

    def x(at_s: float) -> float:
        return LEFT + scale * at_s

    def y(level: float) -> float:
        return TOP + PLOT * (1 - (level + 1) / 2)

    themes = list(dict.fromkeys(stretch.theme for stretch in stretches))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH:g} {base + BAND + 60:g}' role='img'>",
        f"<rect width='{WIDTH:g}' height='{base + BAND + 60:g}' fill='white'/>",
        _text(LEFT, 28, title, size=18, weight="bold"),
    ]
    for number, stretch in enumerate(stretches):
        fill = FILLS[themes.index(stretch.theme) % len(FILLS)]
        left, wide = x(stretch.start_s), max(1.0, scale * (stretch.end_s - stretch.start_s))
        parts.append(
            f"<rect x='{left:.1f}' y='{TOP:g}' width='{wide:.1f}' height='{PLOT + BAND:g}' fill='{fill}' "
            f"stroke='white' stroke-width='2'><title>{escape(' | '.join(stretch.lines))}</title></rect>"
        )
        parts.append(_text(left + 5, base + 18, str(number + 1), size=13, weight="bold"))
        room = int((wide - 8) / 5.6)
        for row, line in enumerate(stretch.lines[:4]):
            if room >= 4:
                shown = line if len(line) <= room else line[: room - 1] + "…"
                parts.append(_text(left + 5, base + 34 + 14 * row, shown, size=10.5))
    for level in (-1.0, -0.5, 0.0, 0.5, 1.0):
        tone = "#999" if level == 0 else FAINT
        parts.append(
            f"<line x1='{LEFT:g}' x2='{WIDTH - RIGHT:g}' y1='{y(level):.1f}' y2='{y(level):.1f}' stroke='{tone}'/>"
        )
        parts.append(_text(LEFT - 8, y(level) + 4, f"{level:+g}".replace("+0", "0"), anchor="end"))
    for name, colour, at in (("valence", VALENCE, 0), ("energy", ENERGY, 1)):
        points = [
            (x((one.start_s + one.end_s) / 2), y(getattr(one, name)), one)
            for one in moments
            if one.end_s > one.start_s
        ]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
        for px, py, one in points:
            parts.append(
                f"<circle cx='{px:.1f}' cy='{py:.1f}' r='4' fill='{colour}' stroke='white'>"
                f"<title>{escape(one.label)}</title></circle>"
            )
        parts.append(f"<rect x='{WIDTH - 190 + 90 * at:g}' y='19' width='14' height='4' fill='{colour}'/>")
        parts.append(_text(WIDTH - 171 + 90 * at, 26, name))
    step = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 10**9) if duration_s / s <= 14)
    for tick in range(0, int(duration_s) + 1, step):
        parts.append(_text(x(tick), base + BAND + 20, f"{tick // 60}:{tick % 60:02}", anchor="middle"))
    parts.append(
        _text(
            (LEFT + WIDTH - RIGHT) / 2,
            base + BAND + 42,
            "time (min:s); a theme keeps its colour",
            anchor="middle",
        )
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(
    x: float, y: float, text: str, *, size: float = 12, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size:g}' font-weight='{weight}' fill='{INK}' "
        f"text-anchor='{anchor}'>{escape(text)}</text>"
    )

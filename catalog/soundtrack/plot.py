"""The arc of a story as an SVG: valence and energy over time, and under them which track plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Moment", "Stretch", "arc"]


WIDTH, LEFT, RIGHT, TOP, PLOT, BAND = 1280.0, 70.0, 24.0, 64.0, 260.0, 86.0
BASE = TOP + PLOT
HEIGHT = BASE + BAND + 60
VALENCE, ENERGY, INK, FAINT = "#1b6ca8", "#d1495b", "#222", "#ddd"
FILLS = (
    *("#dcebf5", "#fbe5d6", "#e3f1dc", "#efe1f2", "#fdf3cf", "#dff2f0", "#f6dfe3", "#e6e6e6"),
    *("#cfd8f0", "#f3d9b8", "#c9e4c5", "#e2c9ea", "#f2e6a0", "#bfe3df", "#eec4cb", "#d3d3c8"),
)
FONT = "font-family='Helvetica, Arial, sans-serif'"
TICKS_S = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 10**9)
MOST_TICKS = 14
LETTER_WIDTH = 5.6
"""Of the lines about a track, on the average; what does not fit is cut."""


@dataclass(frozen=True)
class Moment:
    """A chunk of the story: when it is spoken and how it feels."""

    start_s: float
    end_s: float
    valence: float
    energy: float
    label: str = ""


@dataclass(frozen=True)
class Stretch:
    """A scene: when it plays, its theme, and lines that say what plays."""

    start_s: float
    end_s: float
    theme: str
    lines: tuple[str, ...]


def arc(title: str, moments: Sequence[Moment], stretches: Sequence[Stretch], duration_s: float) -> str:
    """Return the drawing as SVG; a theme keeps its colour wherever it returns."""
    scale = (WIDTH - LEFT - RIGHT) / max(duration_s, 1e-6)
    themes = list(dict.fromkeys(stretch.theme for stretch in stretches))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH:g} {HEIGHT:g}' role='img'>",
        f"<rect width='{WIDTH:g}' height='{HEIGHT:g}' fill='white'/>",
        _text(LEFT, 28, title, size=18, weight="bold"),
    ]
    for number, stretch in enumerate(stretches, start=1):
        parts += _stretch(number, stretch, FILLS[themes.index(stretch.theme) % len(FILLS)], scale)
    parts += _levels()
    parts += _curve("valence", VALENCE, moments, scale, WIDTH - 190)
    parts += _curve("energy", ENERGY, moments, scale, WIDTH - 100)
    parts += _time_axis(duration_s, scale)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _stretch(number: int, stretch: Stretch, fill: str, scale: float) -> list[str]:
    """Return the box of a scene with its number and as much of its lines as fits."""
    left, width = LEFT + scale * stretch.start_s, max(1.0, scale * (stretch.end_s - stretch.start_s))
    parts = [
        f"<rect x='{left:.1f}' y='{TOP:g}' width='{width:.1f}' height='{PLOT + BAND:g}' fill='{fill}' "
        f"stroke='white' stroke-width='2'><title>{escape(' | '.join(stretch.lines))}</title></rect>",
        _text(left + 5, BASE + 18, str(number), size=13, weight="bold"),
    ]
    room = int((width - 8) / LETTER_WIDTH)
    if room < 4:
        return parts
    for row, line in enumerate(stretch.lines[:4]):
        fitted = line if len(line) <= room else line[: room - 1] + "…"
        parts.append(_text(left + 5, BASE + 34 + 14 * row, fitted, size=10.5))
    return parts


def _levels() -> list[str]:
    """Return the horizontal lines from -1 to 1 with their numbers."""
    parts = []
    for level in (-1.0, -0.5, 0.0, 0.5, 1.0):
        tone, y = "#999" if level == 0 else FAINT, _y(level)
        parts.append(
            f"<line x1='{LEFT:g}' x2='{WIDTH - RIGHT:g}' y1='{y:.1f}' y2='{y:.1f}' stroke='{tone}'/>"
        )
        parts.append(_text(LEFT - 8, y + 4, f"{level:+g}".replace("+0", "0"), anchor="end"))
    return parts


def _curve(name: str, colour: str, moments: Sequence[Moment], scale: float, legend_x: float) -> list[str]:
    """Return one curve with a dot for each chunk, and its entry in the legend."""
    points = [
        (LEFT + scale * (moment.start_s + moment.end_s) / 2, _y(getattr(moment, name)), moment.label)
        for moment in moments
        if moment.end_s > moment.start_s
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = [
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{colour}' stroke='white'>"
        f"<title>{escape(label)}</title></circle>"
        for x, y, label in points
    ]
    return [
        f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>",
        *dots,
        f"<rect x='{legend_x:g}' y='19' width='14' height='4' fill='{colour}'/>",
        _text(legend_x + 19, 26, name),
    ]


def _time_axis(duration_s: float, scale: float) -> list[str]:
    step = next(step for step in TICKS_S if duration_s / step <= MOST_TICKS)
    ticks = [
        _text(LEFT + scale * at_s, BASE + BAND + 20, f"{at_s // 60}:{at_s % 60:02}", anchor="middle")
        for at_s in range(0, int(duration_s) + 1, step)
    ]
    middle, words = (LEFT + WIDTH - RIGHT) / 2, "time (min:s); a theme keeps its colour"
    return [*ticks, _text(middle, BASE + BAND + 42, words, anchor="middle")]


def _y(level: float) -> float:
    return TOP + PLOT * (1 - (level + 1) / 2)


def _text(
    x: float, y: float, text: str, *, size: float = 12, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size:g}' font-weight='{weight}' fill='{INK}' "
        f"text-anchor='{anchor}'>{escape(text)}</text>"
    )

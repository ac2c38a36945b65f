"""The form of a piece: its bars and sections and how full each section is, fitted to an exact length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .parameters import Synthesis

__all__ = ["Form", "Section", "plan_form"]


TAIL_SHARE, MAX_TAIL_S = 0.06, 2.5


@dataclass(frozen=True)
class Section:
    """Bars that belong together. Sections with the same letter share harmony and motif."""

    letter: str
    first_bar: int
    bars: int
    intensity: float
    last: bool = False


@dataclass(frozen=True)
class Form:
    """The grid that all notes are placed on: lengths in seconds, `beats` and `steps` of a bar, and the bars."""

    duration_s: float
    bar_s: float
    beats: int
    steps: int
    bars: int
    loopable: bool
    sections: tuple[Section, ...]

    @property
    def step_s(self) -> float:
        """Return the length of the shortest grid step (a sixteenth)."""
        return self.bar_s / self.steps

    @property
    def beat_s(self) -> float:
        """Return the length of a beat."""
        return self.bar_s / self.beats

    @property
    def tempo_bpm(self) -> float:
        """Return the beats per minute that are played, which may be other than those of the style."""
        return 60.0 / self.beat_s


def plan_form(synthesis: Synthesis, duration_s: float, *, loopable: bool) -> Form:
    """Return bars and sections for `duration_s`.

    A loop holds a whole number of bars, so its tempo changes to the nearest one that fits. Any other piece keeps its
    tempo within 8 %, and leaves the last bar and a tail for the final chord to ring.
    """
    beats, steps = (2, 12) if synthesis.meter == 6 else (synthesis.meter, synthesis.meter * 4)
    bar_s = beats * 60.0 / synthesis.tempo_bpm
    tail_s = 0.0 if loopable else min(MAX_TAIL_S, max(0.4, TAIL_SHARE * duration_s))
    bars = max(1, round((duration_s - tail_s) / bar_s))
    fitted_s = (duration_s - tail_s) / bars
    if loopable or (bars > 1 and abs(fitted_s / bar_s - 1) < 0.08):
        bar_s = fitted_s
    elif bars * bar_s > duration_s - tail_s:
        bars = max(1, bars - 1)
    form = Form(duration_s, bar_s, beats, steps, bars, loopable, ())
    return replace(form, sections=_sections(synthesis, form))


def _sections(synthesis: Synthesis, form: Form) -> tuple[Section, ...]:
    """Return phrases of four bars (eight in long pieces), with letters that follow `synthesis.repetition`."""
    body = form.bars if form.loopable else form.bars - 1
    phrase = 8 if body >= 48 else 4 if body >= 4 else max(1, body)
    starts = list(range(0, body, phrase))
    if len(starts) > 1 and body - starts[-1] < phrase / 2:
        starts.pop()  # a stub of a phrase belongs to the one before it
    ends = [*starts[1:], body] if starts else []
    sections = [
        Section(_letter(synthesis.repetition, index), start, end - start, 1.0)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end > start
    ]
    if not form.loopable:
        sections.append(Section("A", body, 1, 1.0, last=True))
    return tuple(replace(s, intensity=_intensity(synthesis, form, s)) for s in sections)


def _letter(repetition: str, index: int) -> str:
    """Return the letter of the phrase at `index`."""
    cycle = {"high": "A", "medium": "AABA", "low": "ABACABDA"}.get(repetition)
    return cycle[index % len(cycle)] if cycle else f"N{index}"


def _intensity(synthesis: Synthesis, form: Form, section: Section) -> float:
    """Return how full a section is, 0 to 1, from its place in the piece and `synthesis.dynamics`."""
    middle = (section.first_bar + section.bars / 2) / form.bars
    if form.loopable:  # a loop must end as it began
        curve = {"wide": 0.6 + 0.4 * np.sin(np.pi * middle) ** 2}
        return float(curve.get(synthesis.dynamics, 0.85))
    curves = {
        "flat": 0.85,
        "gentle": 0.62 + 0.28 * np.sin(np.pi * middle),
        "building": 0.3 + 0.7 * middle,
        "impact": 1.0 - 0.45 * middle,
        "wide": 0.35 + 0.65 * np.sin(np.pi * min(1.0, middle * 1.15)) ** 2,
    }
    opening = form.bars >= 12 and section.first_bar == 0 and synthesis.dynamics not in ("flat", "impact")
    return float(curves[synthesis.dynamics]) * (0.75 if opening else 1.0)

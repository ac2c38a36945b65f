"""Compose a piece: the notes of harmony, pad, bass, lead and drums, as times and pitches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .form import Form, Section, plan_form
from .grooves import DRUMS, FILL
from .harmony import Chord, chord_on, degrees_of, lead_voices, nearest_pitch, vary_degrees
from .melodies import melody_line
from .parameters import Synthesis
from .patterns import BASS_LINES, COMPING, BassNote, BassSpan, ChordSpan, Stroke

__all__ = ["Note", "Part", "Score", "compose"]


STING_BARS = 2.0
HELD = {"staccato": 0.5, "normal": 0.9, "legato": 1.0}


@dataclass(frozen=True)
class Note:
    """One sound: when, how long, which MIDI pitch (or drum name), how loud (0 to 1)."""

    start_s: float
    duration_s: float
    pitch: float | str
    velocity: float


@dataclass(frozen=True)
class Part:
    """The notes of one instrument, and its part in the mix: harmony, pad, bass, lead or drums."""

    role: str
    instrument: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Score:
    """A form and the parts that fill it."""

    form: Form
    parts: tuple[Part, ...]


def compose(
    synthesis: Synthesis, duration_s: float, *, loopable: bool, seed: int, tune: Sequence[int] = ()
) -> Score:
    """Return the score of a piece of exactly `duration_s`.

    `tune` may hold a pitch class per half beat (-1 where silent), which the lead then follows. All parts draw from one
    random generator in turn, so the order of the calls below is part of what a seed means.
    """
    rng = np.random.default_rng([seed, 0xC0])
    form = plan_form(synthesis, duration_s, loopable=loopable)
    if not loopable and not tune and duration_s < STING_BARS * form.bar_s:
        return Score(form, _sting(synthesis, duration_s, rng))
    chords = _chords(synthesis, form, rng)
    parts = (
        Part("harmony", synthesis.harmony, _harmony(synthesis, form, chords, rng)),
        Part("pad", synthesis.pad, _pad(synthesis, form, chords)),
        Part("bass", synthesis.bass, _bass(synthesis, form, chords, rng)),
        Part("lead", synthesis.lead, _lead(synthesis, form, chords, rng, tune)),
        Part("drums", synthesis.kit, _drums(synthesis, form, rng)),
    )
    played = (part for part in parts if part.instrument != "none" and part.notes)
    return Score(form, tuple(_humanized(part, synthesis, form, rng) for part in played))


# Harmony


@dataclass(frozen=True)
class _PlacedChord:
    """A chord and the steps that it lasts."""

    chord: Chord
    section: Section
    start_step: int
    steps: int


def _chords(synthesis: Synthesis, form: Form, rng: np.random.Generator) -> tuple[_PlacedChord, ...]:
    """Return the chords of the whole piece; phrases with the same letter have the same."""
    home = degrees_of(synthesis.progression)
    by_letter: dict[str, tuple[int, ...]] = {"A": home, "N0": home}
    span_steps = max(1, int(form.steps * synthesis.bars_per_chord))
    degrees: list[tuple[int, Section, int, int]] = []
    for section in form.sections:
        cycle = by_letter.setdefault(section.letter, vary_degrees(home, rng))
        start, length = section.first_bar * form.steps, section.bars * form.steps
        for index, offset in enumerate(range(0, length, span_steps)):
            degree = 1 if section.last else cycle[index % len(cycle)]
            degrees.append((degree, section, start + offset, min(span_steps, length - offset)))
            if section.last:
                break
    if not form.loopable and len(degrees) > 2 and len(set(home)) > 1:
        degrees[-2] = (_cadence(synthesis, home), *degrees[-2][1:])
        degrees[-1] = (1, degrees[-1][1], degrees[-1][2], form.steps)
    following = [entry[0] for entry in degrees[1:]] + [degrees[0][0]]
    return tuple(
        _PlacedChord(chord_on(synthesis, degree, after), section, start, steps)
        for (degree, section, start, steps), after in zip(degrees, following, strict=True)
    )


def _cadence(synthesis: Synthesis, home: Sequence[int]) -> int:
    """Return the degree that leads to the last chord in this mode."""
    if synthesis.mode in ("major", "minor", "harmonic_minor"):
        return 4 if 5 not in home and 4 in home else 5
    return {"dorian": 4, "mixolydian": 7, "lydian": 2}.get(synthesis.mode, 2)


def _voicings(
    synthesis: Synthesis, spans: Sequence[_PlacedChord], centre: float, voices: int
) -> list[tuple[int, ...]]:
    """Return the pitches of each chord, around `centre` moved by `register_shift`."""
    return lead_voices([span.chord for span in spans], centre + 12 * synthesis.register_shift, voices)


def _harmony(
    synthesis: Synthesis, form: Form, spans: Sequence[_PlacedChord], rng: np.random.Generator
) -> tuple[Note, ...]:
    """Play the chords in the rhythm of `comping`."""
    notes: list[Note] = []
    held = HELD[synthesis.articulation]
    for span, voicing in zip(spans, _voicings(synthesis, spans, 60.0, 4), strict=True):
        if span.section.last:
            notes += _final_chord(form, span, (*voicing, voicing[0] + 12), roll_s=0.03)
            continue
        density = synthesis.density * (0.5 + 0.5 * span.section.intensity)
        for stroke in COMPING[synthesis.comping](ChordSpan(span.steps, form.steps, density, rng)):
            notes += _stroke_notes(form, span, voicing, stroke, held)
    return tuple(notes)


def _stroke_notes(
    form: Form, span: _PlacedChord, voicing: Sequence[int], stroke: Stroke, held: float
) -> list[Note]:
    """Return the notes of one stroke, spread out in time where it is strummed or rolled."""
    start_s = (span.start_step + stroke.step) * form.step_s
    duration_s = max(0.05, stroke.steps * form.step_s * held)
    loud = stroke.velocity * (0.55 + 0.45 * span.section.intensity)
    pitches = [voicing[v % len(voicing)] + 12 * (v // len(voicing)) for v in stroke.voices]
    gap_s = min(stroke.spread_s, form.step_s * stroke.steps / (2 * len(pitches)))
    return [Note(start_s + i * gap_s, duration_s, p, loud) for i, p in enumerate(pitches)]


def _final_chord(
    form: Form, span: _PlacedChord, pitches: Sequence[float], *, roll_s: float, release_s: float = 0.5
) -> list[Note]:
    """Return the final chord, held until about `release_s` before the end of the piece, where its release ends."""
    start_s = span.start_step * form.step_s
    rest_s = form.duration_s - start_s
    length_s = rest_s - min(release_s, 0.35 * rest_s)
    return [Note(start_s + i * roll_s, length_s, p, 0.75) for i, p in enumerate(pitches)]


def _pad(synthesis: Synthesis, form: Form, spans: Sequence[_PlacedChord]) -> tuple[Note, ...]:
    """Sustain every chord in a middle register."""
    notes: list[Note] = []
    for span, voicing in zip(spans, _voicings(synthesis, spans, 57.0, 4), strict=True):
        if span.section.last:
            notes += _final_chord(form, span, voicing, roll_s=0.0, release_s=1.2)
            continue
        start_s, length_s = span.start_step * form.step_s, span.steps * form.step_s
        loud = 0.45 + 0.45 * span.section.intensity
        notes += [Note(start_s, length_s, pitch, loud) for pitch in voicing]
    return tuple(notes)


# Bass, lead, drums


def _bass(
    synthesis: Synthesis, form: Form, spans: Sequence[_PlacedChord], rng: np.random.Generator
) -> tuple[Note, ...]:
    """Play the bass line: roots and what the line adds to them, between E1 and D3."""
    notes: list[Note] = []
    held = HELD[synthesis.articulation]
    roots = [28 + (span.chord.root - 28) % 12 for span in spans]
    for index, (span, root) in enumerate(zip(spans, roots, strict=True)):
        if span.section.last:
            notes += _final_chord(form, span, (root,), roll_s=0.0, release_s=1.0)
            continue
        if span.section.intensity < 0.4 and synthesis.bass_line != "sustained":
            strokes: list[BassNote] = [BassNote(0, span.steps, 0, 0.7)]
        else:
            target = roots[(index + 1) % len(roots)]
            strokes = BASS_LINES[synthesis.bass_line](
                BassSpan(span.chord, root, target, span.steps, form.steps, rng)
            )
        loud = 0.6 + 0.4 * span.section.intensity
        notes += [
            Note(
                (span.start_step + s.step) * form.step_s,
                s.steps * form.step_s * held,
                root + s.offset,
                s.velocity * loud,
            )
            for s in strokes
        ]
    return tuple(notes)


def _lead(
    synthesis: Synthesis,
    form: Form,
    spans: Sequence[_PlacedChord],
    rng: np.random.Generator,
    tune: Sequence[int],
) -> tuple[Note, ...]:
    """Play the melody, or follow `tune`; a thin opening has no lead."""
    if synthesis.lead == "none":
        return ()
    centre = 73 + 12 * synthesis.register_shift
    by_step = _chord_by_step(spans, form)
    if tune:
        return _follow(tune, form, centre)
    notes: list[Note] = []
    motifs: dict[str, int] = {}
    previous = centre
    for index, section in enumerate(form.sections):
        opening = index == 0 and form.bars >= 12 and not form.loopable
        if (opening and synthesis.dynamics != "flat") or section.intensity < 0.3:
            continue
        if section.last:
            final = spans[-1]
            home = nearest_pitch(previous, (final.chord.tones[0], final.chord.tones[-1]))
            notes += _final_chord(form, final, (home,), roll_s=0.0)
            continue
        motif_seed = motifs.setdefault(section.letter, int(rng.integers(2**32)))
        line = melody_line(
            by_step[section.first_bar * form.steps : (section.first_bar + section.bars) * form.steps],
            bar_steps=form.steps, bars=section.bars, centre=centre, density=synthesis.density,
            seed=motif_seed, variation=index,
        )  # fmt: skip
        loud = 0.6 + 0.4 * section.intensity
        held = HELD[synthesis.articulation]
        for step, steps, pitch, velocity in line:
            start_s = (section.first_bar * form.steps + step) * form.step_s
            notes.append(Note(start_s, steps * form.step_s * held, pitch, velocity * loud))
            previous = pitch
    return tuple(notes)


def _chord_by_step(spans: Sequence[_PlacedChord], form: Form) -> list[Chord]:
    """Return the sounding chord for every step of the piece."""
    chords: list[Chord] = []
    for span in spans:
        chords += [span.chord] * span.steps
    return chords + [chords[-1]] * (form.bars * form.steps - len(chords))


def _follow(tune: Sequence[int], form: Form, centre: float) -> tuple[Note, ...]:
    """Return notes for a pitch class per half beat; equal neighbours become one note."""
    slot_s = form.beat_s / 2
    notes: list[Note] = []
    previous = centre
    for index, pitch_class in enumerate(tune):
        start_s = index * slot_s
        if pitch_class < 0 or start_s + slot_s > form.duration_s:
            continue
        if notes and index and tune[index - 1] == pitch_class:
            notes[-1] = replace(notes[-1], duration_s=notes[-1].duration_s + slot_s)
            continue
        previous = nearest_pitch(0.7 * previous + 0.3 * centre, (pitch_class,))
        notes.append(Note(start_s, slot_s, previous, 0.8))
    return tuple(notes)


def _drums(synthesis: Synthesis, form: Form, rng: np.random.Generator) -> tuple[Note, ...]:
    """Play the groove bar by bar, thinner in quiet sections, with a fill at the end of each."""
    if synthesis.groove == "none" or synthesis.drum_level == 0:
        return ()
    pattern = DRUMS[synthesis.groove]
    notes: list[Note] = []
    for section in form.sections:
        for bar in range(section.first_bar, section.first_bar + section.bars):
            start_s = bar * form.bar_s
            if section.last:
                notes += [Note(start_s, 0.5, drum, 0.9) for drum in pattern.ending]
                continue
            if bar == 0 and synthesis.dynamics == "impact" and not form.loopable:
                notes += [Note(0.0, 0.5, drum, 1.0) for drum in pattern.ending]
            filling = bar == section.first_bar + section.bars - 1 and section.bars >= 4 and not form.loopable
            notes += [
                Note(start_s + step * form.step_s, form.step_s, drum, velocity)
                for drum, step, velocity in pattern.bar(form.steps, synthesis.density, section.intensity, rng)
                if not (filling and step >= form.steps - 4 and drum in FILL.replaces)
            ]
            if filling and section.intensity > 0.5:
                notes += [
                    Note(start_s + (form.steps - 4 + i) * form.step_s, form.step_s, drum, velocity)
                    for i, (drum, velocity) in enumerate(FILL.strokes(pattern, rng))
                ]
    return tuple(notes)


# Performance


def _humanized(part: Part, synthesis: Synthesis, form: Form, rng: np.random.Generator) -> Part:
    """Return the part with swing, and with timing and velocity spread a little; starts stay inside the piece."""
    sigma_s = 0.005 * synthesis.humanize
    half_s = form.beat_s / 2
    played = []
    for note in part.notes:
        start_s = _swung(note.start_s, half_s, synthesis.swing) if synthesis.meter != 6 else note.start_s
        start_s += float(np.clip(rng.normal(0, sigma_s), -0.015, 0.015)) if note.start_s > 0 else 0.0
        loud = note.velocity * (1 + 0.12 * synthesis.humanize * float(np.clip(rng.normal(), -2, 2)))
        start_s = min(max(0.0, start_s), form.duration_s * 0.999)
        played.append(replace(note, start_s=start_s, velocity=float(np.clip(loud, 0.02, 1.0))))
    return replace(part, notes=tuple(played))


def _swung(start_s: float, half_s: float, swing: float) -> float:
    """Return the start, delayed where it falls on the second half of a beat, up to a triplet."""
    beat, inside = divmod(start_s + 1e-9, 2 * half_s)
    long_half = half_s * (1 + swing / 3)
    if inside < half_s:
        inside *= long_half / half_s
    else:
        inside = long_half + (inside - half_s) * (2 * half_s - long_half) / half_s
    return beat * 2 * half_s + inside


# Stings


def _sting(synthesis: Synthesis, duration_s: float, rng: np.random.Generator) -> tuple[Part, ...]:
    """Write a sting of less than two bars: a short figure and the chord it leads to, which rings to the end."""
    beat_s = 60.0 / synthesis.tempo_bpm
    home = chord_on(synthesis, 1)
    voicing = lead_voices([home], 62 + 12 * synthesis.register_shift, 4)[0]
    count = int(np.clip(duration_s / 0.3, 0, 4))
    gap_s = min(beat_s / 2, 0.1 * duration_s)
    goal_s = count * gap_s
    ring_s = (duration_s - goal_s) * 0.7
    order = np.roll(np.arange(4), int(rng.integers(4)))[:count]
    figure = sorted(voicing[v % len(voicing)] + 12 for v in order)
    if rng.random() < 0.3:
        figure = figure[::-1]
    rising = tuple(Note(i * gap_s, gap_s * 1.5, p, 0.7) for i, p in enumerate(figure))
    top = nearest_pitch(figure[-1] + 3 if figure else voicing[-1] + 12, home.tones)
    lead = synthesis.lead if synthesis.lead != "none" else synthesis.harmony
    parts: dict[str, tuple[str, tuple[Note, ...]]] = {
        "harmony": (synthesis.harmony, tuple(Note(goal_s + 0.012 * i, ring_s, p, 0.8) for i, p in enumerate(voicing))),
        "pad": (synthesis.pad, tuple(Note(goal_s * 0.5, ring_s + goal_s * 0.5, p, 0.7) for p in voicing)),
        "bass": (synthesis.bass, (Note(goal_s, ring_s, 28 + (home.root - 28) % 12, 0.8),)),
        "lead": (lead, (*rising, Note(goal_s, ring_s, top, 0.9))),
        "drums": (synthesis.kit, _sting_drums(synthesis, goal_s)),
    }  # fmt: skip
    return tuple(Part(role, name, notes) for role, (name, notes) in parts.items() if name != "none" and notes)


def _sting_drums(synthesis: Synthesis, goal_s: float) -> tuple[Note, ...]:
    """Play the ending of the groove at the goal of a sting."""
    if synthesis.groove == "none" or synthesis.drum_level == 0:
        return ()
    return tuple(Note(goal_s, 0.5, drum, 0.8) for drum in DRUMS[synthesis.groove].ending)

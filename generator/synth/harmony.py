"""Functional harmony: scales, chords on scale degrees, cadences, and voice leading between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .parameters import PROGRESSIONS, Synthesis, Tonic, names_of

__all__ = [
    "SCALES",
    "Chord",
    "chord_on",
    "degrees_of",
    "key_name",
    "lead_voices",
    "nearest_pitch",
    "vary_degrees",
]


SCALES: Mapping[str, tuple[int, ...]] = {
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "hijaz": (0, 1, 4, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}
"""Mode -> semitones above the tonic."""

STEPS: Mapping[str, tuple[int, ...]] = {
    "triad": (0, 2, 4),
    "seventh": (0, 2, 4, 6),
    "ninth": (0, 2, 4, 6, 8),
    "sus": (0, 3, 4),
    "power": (0, 4),
    "cluster": (0, 1, 2, 4),
}
"""Chord colour -> scale steps above the root."""

SUBSTITUTES: Mapping[int, tuple[int, ...]] = {
    1: (6, 3),
    2: (4,),
    3: (1, 6),
    4: (2, 6),
    5: (5, 3),
    6: (1, 4),
    7: (5,),
}
"""Degree -> degrees of the same function, which share two notes with it."""


@dataclass(frozen=True)
class Chord:
    """A chord and the scale that fits over it, as pitch classes (0 is C)."""

    degree: int
    root: int
    tones: tuple[int, ...]
    scale: tuple[int, ...]


def tonic_class(synthesis: Synthesis) -> int:
    """Return the pitch class of the tonic; C where none is set."""
    return names_of(Tonic).index(synthesis.tonic or "C")


def key_name(synthesis: Synthesis) -> str:
    """Return the key in words, such as "A minor"."""
    return f"{synthesis.tonic or 'C'} {synthesis.mode.replace('_', ' ')}"


def degrees_of(progression: str) -> tuple[int, ...]:
    """Return the scale degrees of a named or spelled-out progression."""
    return tuple(int(part) for part in PROGRESSIONS.get(progression, progression).split())


def vary_degrees(degrees: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Return a contrasting progression of the same length: same functions, other chords.

    The first chord moves away from the tonic, and inner chords may be exchanged for relatives. The last one stays, so
    that the phrase still leads home. A drone stays a drone.
    """
    if len(set(degrees)) == 1:
        return tuple(degrees)
    varied = list(degrees)
    for index in range(len(varied) - 1):
        if index == 0 or rng.random() < 0.5:
            varied[index] = int(rng.choice(SUBSTITUTES[varied[index]]))
    return tuple(varied)


def chord_on(synthesis: Synthesis, degree: int, following: int | None = None) -> Chord:
    """Return the chord on `degree`; a minor-mode dominant that resolves to the tonic gets its leading note."""
    scale = list(SCALES[synthesis.mode])
    if degree == 5 and following == 1 and synthesis.mode == "minor":
        scale[6] = 11
    if degree == 2 and synthesis.mode in ("minor", "harmonic_minor") and synthesis.colour == "triad":
        degree = 4  # the diminished supertonic is rough as a plain triad; the subdominant has its function
    tonic = tonic_class(synthesis)
    steps = STEPS[synthesis.colour]
    tones = tuple((tonic + scale[(degree - 1 + step) % 7]) % 12 for step in steps)
    fitted = _without_false_fifth(tones)
    return Chord(degree, fitted[0], fitted, tuple(sorted((tonic + tone) % 12 for tone in scale)))


def _without_false_fifth(tones: tuple[int, ...]) -> tuple[int, ...]:
    """Return the tones without a diminished fifth, whose tritone sounds like a mistake in an accompaniment."""
    kept = tuple(tone for tone in tones if (tone - tones[0]) % 12 != 6)
    return kept if len(kept) > 1 else tones


def lead_voices(chords: Sequence[Chord], centre: float, voices: int = 4) -> list[tuple[int, ...]]:
    """Return MIDI pitches per chord, each chosen so that the voices move as little as possible.

    The voicings lie around `centre`, a MIDI pitch. Each has `voices` notes or, where the chord has more tones, as many
    as the chord without its root.
    """
    led: list[tuple[int, ...]] = []
    for chord in chords:
        options = _voicings(chord, centre, voices)
        previous = led[-1] if led else None
        led.append(min(options, key=lambda option: _cost(option, previous, centre)))
    return led


def _voicings(chord: Chord, centre: float, voices: int) -> list[tuple[int, ...]]:
    """Return close voicings of every inversion around `centre`, ascending."""
    tones = chord.tones[1:] if len(chord.tones) > voices else chord.tones
    options = []
    for lowest in range(int(centre) - 12, int(centre) + 3):
        if lowest % 12 not in tones:
            continue
        pitches = [lowest]
        while len(pitches) < max(voices, len(tones)):
            pitches.append(next(p for p in range(pitches[-1] + 1, pitches[-1] + 13) if p % 12 in tones))
        options.append(tuple(pitches))
    return options


def _cost(option: tuple[int, ...], previous: tuple[int, ...] | None, centre: float) -> float:
    """Return the cost of a voicing: its distance from the centre, and how far its voices move from the chord before."""
    off_centre = abs(float(np.mean(option)) - centre)
    if previous is None:
        return off_centre
    moved = sum(min(abs(pitch - old) for old in previous) for pitch in option)
    return moved + abs(option[-1] - previous[-1]) + 0.6 * off_centre


def nearest_pitch(pitch: float, classes: Sequence[int]) -> int:
    """Return the MIDI pitch nearest to `pitch` whose class is among `classes`; the lower one on a tie."""
    middle = round(pitch)
    options = [p for p in range(middle - 12, middle + 13) if p % 12 in classes]
    return min(options, key=lambda option: (abs(option - pitch), option))

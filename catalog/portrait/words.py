"""What was measured of a track, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..models import Heard, Measured, Track
from ..models.ear import TAG_KINDS

__all__ = ["in_words"]

SHORT = "too short to tell"
BRIGHTNESS_HZ = ((700.0, "dark"), (1200.0, "warm"), (2000.0, "clear"), (float("inf"), "bright"))
DENSITY_PER_S = ((0.5, "few sounds"), (3.5, "some sounds"), (float("inf"), "many sounds"))
PERCUSSIVENESS = ((0.04, "they last"), (0.1, "some strike"), (1.0, "many strike"))
LOUDNESS_LUFS = ((-26.0, "quiet"), (-15.0, "of usual loudness"), (float("inf"), "loud"))
RANGE_LU = ((5.0, "even"), (12.0, "soft and loud parts"), (float("inf"), "very soft and very loud parts"))
"""Up to which number each word holds: about the quartiles of the shipped styles."""
Scale = Sequence[tuple[float, str]]
MOST_NAMED = 3


def in_words(track: Track, structure: Mapping[str, Any]) -> dict[str, str]:
    """Return words for each thing that was measured, by its name: beat, key, sections, loudness, sound, heard.

    `structure` is that of `structure_json`.
    """
    return {
        "beat": _beat(track, structure["beats"], bool(structure["sections"])),
        "key": track.musical_key or ("no clear key" if structure["sections"] else SHORT),
        "sections": _sections(structure["sections"]),
        "loudness": _loudness(track),
        "sound": _sound(track.measured) if track.measured else "not measured",
        "suggests": _suggests(track),
        "heard": _heard(track.heard) if track.heard else "not heard",
    }


def _beat(track: Track, beats: Sequence[float], long: bool) -> str:
    if not long:
        return SHORT
    if not beats:
        return "no steady beat"
    return f"{track.tempo_bpm:.0f} bpm, {len(beats)} beats from {_clock(beats[0])} to {_clock(beats[-1])}"


def _sections(sections: Sequence[Mapping[str, Any]]) -> str:
    if not sections:
        return SHORT
    if len(sections) == 1:
        return "one, without a change"
    return ", ".join(f"{one['label']} {_clock(one['start_s'])}–{_clock(one['end_s'])}" for one in sections)


def _loudness(track: Track) -> str:
    if track.loudness_lufs is None:
        return "silent"
    level = f"{_word(track.loudness_lufs, LOUDNESS_LUFS)} ({_number(track.loudness_lufs)} LUFS)"
    spread = track.measured.loudness_range_lu if track.measured else None
    return level if spread is None else f"{level}, {_word(spread, RANGE_LU)} ({_number(spread)} LU)"


def _sound(measured: Measured) -> str:
    return (
        f"{_word(measured.brightness_hz, BRIGHTNESS_HZ)} (centre {measured.brightness_hz:.0f} Hz), "
        f"{_word(measured.density_per_s, DENSITY_PER_S)} ({measured.density_per_s:.1f} a second), "
        f"{_word(measured.percussiveness, PERCUSSIVENESS)} ({measured.percussiveness:.0%})"
    )


def _suggests(track: Track) -> str:
    found = track.measured.suggests if track.measured else None
    if found is None:
        return "not known"
    # Of sound that others made timbre tells no style: docs/HEARING.md.
    known = found.styles if track.backend == "procedural" else {}
    styles = sorted(known.items(), key=lambda one: -one[1])[:MOST_NAMED]
    return "; ".join(filter(None, (", ".join(map(_named, styles)), _feeling(found.valence, found.energy))))


def _heard(heard: Heard) -> str:
    named = (", ".join([*map(_named, [*heard.of(kind).items()][:MOST_NAMED])]) for kind in TAG_KINDS)
    return "; ".join([*filter(None, named), _feeling(heard.valence, heard.energy)])


def _named(one: tuple[str, float]) -> str:
    return f"{one[0].replace('_', ' ')} {one[1]:.0%}"


def _feeling(valence: float, energy: float) -> str:
    pleasant = (
        "pleasant" if valence > 0.2 else "unpleasant" if valence < -0.2 else "neither pleasant nor unpleasant"
    )
    active = "lively" if energy > 0.2 else "calm" if energy < -0.2 else "neither calm nor lively"
    return f"{pleasant}, {active}"


def _word(value: float, scale: Scale) -> str:
    return next(word for most, word in scale if value <= most)


def _number(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"

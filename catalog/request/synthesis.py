"""Shift the synthesis parameters of a style towards the mood and the time of day of a context."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..generator.synth.parameters import Synthesis

__all__ = ["shade"]


MODES = ("phrygian", "minor", "dorian", "mixolydian", "major", "lydian")
"""Dark to bright; the first three have a minor third."""
MODE_PLACE = {"harmonic_minor": 1, "hijaz": 0}
MODE_STEPS = 3.5
"""Steps along `MODES` for a change of valence by 1."""
LEAST_CHANGE, FULL_CHANGE = 0.05, 0.1
"""The changes of a mood that begin to bend the playing, and that bend it fully: styles lie close together."""
CLEAR_BEND = 0.4
"""The share of a full bend from which on notes, chords and lines are played in another way."""
ARTICULATIONS = ("legato", "normal", "staccato")
LIVELIER_COMPING = {
    "sustained": "arpeggio", "rolled": "arpeggio", "block": "arpeggio", "pulse": "strum", "arpeggio": "strum",
}  # fmt: skip
CALMER_COMPING = {
    "strum": "block", "pulse": "block", "stabs": "block", "arpeggio": "block", "alberti": "rolled", "waltz": "block",
    "block": "sustained", "rolled": "sustained",
}  # fmt: skip
LIVELIER_BASS = {"sustained": "roots", "roots": "octaves", "pulse": "octaves"}
CALMER_BASS = {
    "octaves": "pulse", "pulse": "roots", "walking": "roots", "syncopated": "roots", "bossa": "roots",
    "offbeat": "pulse", "roots": "sustained",
}  # fmt: skip
CLEAR_VALENCE = 0.4
MOST_REVERB = 0.8
MAX_TEMPO_CHANGE = 0.25
LIVING = frozenset({"birds", "crickets", "owl", "stream"})
"""Textures of places with animals."""


def shade(
    synthesis: Mapping[str, Any],
    *,
    valence: float,
    energy: float,
    style_valence: float,
    style_energy: float,
    time_of_day: str | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters shifted by the distance of the mood from the style's own, and the reasons.

    Valence shifts the mode, the register, how long notes are held and how chords and bass are played; energy the tempo
    (by at most a quarter), drums and brightness; both density, pad and room. Night and dawn replace the animals of a
    style that has them. Where the mood is the style's own nothing changes. The result is always a valid `Synthesis`;
    raises GeneratorError when `synthesis` is not. The amounts are those that taggers hear (docs/SYNTHESIS.md).
    """
    style = Synthesis.parse(synthesis)
    brighter, livelier = valence - style_valence, energy - style_energy
    bend, drive = _bend(valence, brighter), _bend(energy, livelier)
    changes: dict[str, Any] = {
        "mode": _mode(style.mode, valence, brighter),
        "colour": _colour(style.colour, brighter, bend),
        "register_shift": round(min(1.0, max(-1.0, style.register_shift + 0.55 * bend)), 3),
        "articulation": _articulation(style.articulation, bend),
        "comping": _exchanged(style.comping, bend, LIVELIER_COMPING, CALMER_COMPING),
        "bass_line": _exchanged(style.bass_line, bend, LIVELIER_BASS, CALMER_BASS),
        "tempo_bpm": _tempo(style.tempo_bpm, 0.12 * drive + 0.1 * livelier),
        "density": _level(style.density + 0.2 * bend + 0.28 * livelier),
        "brightness": _level(style.brightness + 0.15 * drive),
        "drum_level": _drums(style, 0.2 * drive),
        "pad_level": _level(style.pad_level * (1 - 0.4 * bend) * (1 - 0.4 * drive)),
        "reverb": _reverb(style.reverb, 2 ** (-1.1 * bend - 0.7 * drive)),
        "room_s": round(min(9.0, max(0.2, style.room_s * 2 ** (-1.3 * bend - 0.7 * drive))), 3),
        "textures": _textures(style.textures, time_of_day),
    }
    shaded = Synthesis.parse({**style.model_dump(), **changes})
    return {**dict(synthesis), **_changed(style, shaded)}, _reasons(style, shaded, time_of_day)


def _bend(asked: float, change: float) -> float:
    """Return how far a change of valence or energy bends the playing, -1 to 1.

    A glad context never makes the playing sadder, nor a sad one gladder: one that is neither does half of it. The same
    holds of lively and calm.
    """
    share = min(1.0, max(0.0, (abs(change) - LEAST_CHANGE) / (FULL_CHANGE - LEAST_CHANGE)))
    sign = math.copysign(1.0, change)
    return sign * min(share, min(1.0, max(0.0, 0.5 + sign * asked / (2 * CLEAR_VALENCE))))


def _reverb(reverb: float, factor: float) -> float:
    """Return a louder or softer room; a room that is made louder leaves the notes audible."""
    return _level(min(reverb * factor, max(reverb, MOST_REVERB)))


def _articulation(articulation: str, bend: float) -> str:
    """Return shorter notes for a gladder context, longer ones for a sadder one."""
    step = (bend >= CLEAR_BEND) - (bend <= -CLEAR_BEND)
    return ARTICULATIONS[min(2, max(0, ARTICULATIONS.index(articulation) + step))]


def _exchanged(name: str, bend: float, livelier: Mapping[str, str], calmer: Mapping[str, str]) -> str:
    """Return the way of playing chords or bass that a clearly gladder or sadder context gets."""
    if abs(bend) < CLEAR_BEND:
        return name
    return (livelier if bend > 0 else calmer).get(name, name)


def _level(value: float) -> float:
    """Keep a level between 0 and 1."""
    return round(min(1.0, max(0.0, value)), 3)


def _drums(style: Synthesis, change: float) -> float:
    """Return the level of the drums; a style that has them keeps them audible."""
    if style.groove == "none" or style.drum_level < 0.05:
        return style.drum_level
    return max(0.05, _level(style.drum_level + change))


def _tempo(tempo_bpm: float, change: float) -> float:
    """Return the tempo for a change of energy, within a quarter of the style's and the limits of music."""
    change = min(MAX_TEMPO_CHANGE, max(-MAX_TEMPO_CHANGE, change))
    return round(min(220.0, max(30.0, tempo_bpm * (1 + change))), 1)


def _mode(mode: str, valence: float, brighter: float) -> str:
    """Return the mode moved along the scale from dark to bright.

    A clearly sad or glad context also gets the third to match, unless the style itself is as sad or glad.
    """
    own = MODE_PLACE.get(mode, MODES.index(mode) if mode in MODES else 0)
    place = min(len(MODES) - 1, max(0, own + round(MODE_STEPS * brighter)))
    if valence < -CLEAR_VALENCE and brighter < -CLEAR_VALENCE:
        place = min(place, MODES.index("dorian"))
    if valence > CLEAR_VALENCE and brighter > CLEAR_VALENCE:
        place = max(place, MODES.index("mixolydian"))
    return mode if place == own else MODES[place]


def _colour(colour: str, brighter: float, bend: float) -> str:
    """Return triads where the mode has to be audible, and sevenths in place of triads where the context is sadder.

    Suspended, power and cluster chords carry no valence; plain triads sound gladder than fuller chords.
    """
    if (colour == "sus" and abs(brighter) > CLEAR_VALENCE) or (
        colour in ("power", "cluster") and brighter > CLEAR_VALENCE
    ):
        return "triad"
    if bend >= CLEAR_BEND and colour in ("seventh", "cluster"):
        return "triad"
    if bend <= -CLEAR_BEND and colour == "triad":
        return "seventh"
    return colour


def _textures(textures: Mapping[Any, float], time_of_day: str | None) -> dict[str, float]:
    """Return the textures of a living place as they are at this hour."""
    levels: dict[str, float] = dict(textures)
    if not LIVING & levels.keys() or time_of_day not in ("night", "dawn"):
        return levels
    if time_of_day == "night":
        birds = levels.pop("birds", 0.0)
        levels["crickets"] = max(levels.get("crickets", 0.0), 0.6 * birds, 0.1)
        if birds:
            levels["owl"] = max(levels.get("owl", 0.0), round(0.5 * birds, 3))
    else:
        crickets = levels.pop("crickets", 0.0)
        levels.pop("owl", None)
        levels["birds"] = max(levels.get("birds", 0.0), crickets, 0.15)
    return {name: round(level, 3) for name, level in levels.items()}


def _changed(style: Synthesis, shaded: Synthesis) -> dict[str, Any]:
    """Return the parameters that `shaded` has other values for."""
    before, after = style.model_dump(), shaded.model_dump()
    return {key: value for key, value in after.items() if value != before[key]}


def _reasons(style: Synthesis, shaded: Synthesis, time_of_day: str | None) -> tuple[str, ...]:
    """Return each audible change in a few words."""
    reasons = []
    if shaded.mode != style.mode:
        reasons.append(f"mode {style.mode} -> {shaded.mode} for the valence".replace("_", " "))
    if shaded.colour != style.colour:
        reasons.append(f"{style.colour} chords -> {shaded.colour} chords for the valence")
    for name in ("comping", "bass_line", "articulation"):
        before, after = getattr(style, name), getattr(shaded, name)
        if after != before and _plays(style, name):
            reasons.append(f"{name.replace('_', ' ')} {before} -> {after} for the valence")
    if abs(shaded.tempo_bpm - style.tempo_bpm) >= 1:
        reasons.append(f"tempo {style.tempo_bpm:g} -> {shaded.tempo_bpm:g} bpm for the energy")
    for name in ("density", "brightness", "drum_level"):
        before, after = getattr(style, name), getattr(shaded, name)
        if abs(after - before) >= 0.05:
            word = "more" if after > before else "less"
            reasons.append(
                f"{word} {name.replace('_level', 's').replace('_', ' ')} ({before:g} -> {after:g})"
            )
    if abs(shaded.register_shift - style.register_shift) >= 0.1:
        reasons.append(
            "higher register" if shaded.register_shift > style.register_shift else "lower register"
        )
    if abs(shaded.reverb - style.reverb) >= 0.05 or abs(shaded.room_s / style.room_s - 1) >= 0.25:
        reasons.append("a drier room" if shaded.room_s < style.room_s else "a wetter room")
    if shaded.textures != style.textures:
        reasons.append(f"{', '.join(sorted(shaded.textures))} around it, as at {time_of_day}")
    return tuple(reasons)


def _plays(style: Synthesis, name: str) -> bool:
    """Return whether the style has the instrument whose playing `name` changes."""
    return {"comping": style.harmony, "bass_line": style.bass}.get(name, "all") != "none"

"""Shift the synthesis parameters of a style towards the mood and the time of day of a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..generator.synth.parameters import Synthesis

__all__ = ["shade"]


MODES = ("phrygian", "minor", "dorian", "mixolydian", "major", "lydian")
"""Dark to bright; the first three have a minor third."""
MODE_PLACE = {"harmonic_minor": 1, "hijaz": 0}
MODE_STEPS = 2.5
"""Steps along `MODES` for a change of valence by 1."""
CLEAR_VALENCE = 0.4
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

    Valence shifts the mode, the register and some brightness; energy the tempo (by at most a quarter), density,
    drums and the rest of the brightness; night and dawn replace the animals of a style that has them.
    Where the mood is the style's own nothing changes. The result is always a valid `Synthesis`; raises
    GeneratorError when `synthesis` is not.
    """
    style = Synthesis.parse(synthesis)
    brighter, livelier = valence - style_valence, energy - style_energy
    changes: dict[str, Any] = {
        "mode": _mode(style.mode, valence, brighter),
        "colour": _colour(style.colour, brighter),
        "tempo_bpm": _tempo(style.tempo_bpm, livelier),
        "density": _level(style.density + 0.28 * livelier),
        "brightness": _level(style.brightness + 0.12 * brighter + 0.16 * livelier),
        "register_shift": round(min(1.0, max(-1.0, style.register_shift + 0.25 * brighter)), 3),
        "drum_level": _drums(style, livelier),
        "textures": _textures(style.textures, time_of_day),
    }
    shaded = Synthesis.parse({**style.model_dump(), **changes})
    return {**dict(synthesis), **_changed(style, shaded)}, _reasons(style, shaded, time_of_day)


def _level(value: float) -> float:
    """Keep a level between 0 and 1."""
    return round(min(1.0, max(0.0, value)), 3)


def _drums(style: Synthesis, livelier: float) -> float:
    """Return the level of the drums; a style that has them keeps them audible."""
    if style.groove == "none" or style.drum_level < 0.05:
        return style.drum_level
    return max(0.05, _level(style.drum_level + 0.3 * livelier))


def _tempo(tempo_bpm: float, livelier: float) -> float:
    """Return the tempo for a change of energy, within a quarter of the style's and the limits of music."""
    change = min(MAX_TEMPO_CHANGE, max(-MAX_TEMPO_CHANGE, 0.2 * livelier))
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


def _colour(colour: str, brighter: float) -> str:
    """Return triads where the mode has to be audible: suspended, power and cluster chords carry no valence."""
    if (colour == "sus" and abs(brighter) > CLEAR_VALENCE) or (
        colour in ("power", "cluster") and brighter > CLEAR_VALENCE
    ):
        return "triad"
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
        reasons.append(f"{style.colour} chords -> triads, so that the mode is heard")
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
    if shaded.textures != style.textures:
        reasons.append(f"{', '.join(sorted(shaded.textures))} around it, as at {time_of_day}")
    return tuple(reasons)

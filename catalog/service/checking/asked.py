"""What a request asked for, in terms of what can be heard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...generator.listening.expected import Expected
from ...generator.synth.form import plan_form
from ...generator.synth.parameters import Synthesis
from ...models import Request

__all__ = ["Asked", "asked_of", "played_tempo_bpm"]


BPM = re.compile(r"\b(\d{2,3}) ?bpm\b", re.IGNORECASE)
REPEATING = re.compile(r"\b(minimal\w*|drone|ostinato|hypnotic|loops?|looping|repetitive)\b", re.IGNORECASE)
CRACKLING = re.compile(r"\b(vinyl|crackl\w*|fire\w*|campfire|rain\w*|lo-?fi|glitch\w*)\b", re.IGNORECASE)
CRACKLING_TEXTURES = frozenset({"fire", "vinyl", "rain", "drips"})
NO_BEAT = ("none", "sparse")
"""Grooves of the synthesizer that do not carry a beat."""


@dataclass(frozen=True)
class Asked:
    """What the music should be like; None where nothing was asked for."""

    expected: Expected
    loudness_lufs: float | None
    brightness: float | None
    """0 dark, 1 bright, as the synthesizer's own parameter."""


def asked_of(request: Request) -> Asked:
    """Return what `request` asked for: from the synthesizer's parameters, or from the words of the prompt."""
    config, prompt = request.config, request.prompt
    # The style's own words too: a prompt may leave some of them out.
    words = ", ".join((prompt, *config.get("prompt_tags", ())))
    synthesis = None if config.get("synthesis") is None else Synthesis.parse(config["synthesis"])
    textures = frozenset() if synthesis is None else frozenset(synthesis.textures)
    spoken = BPM.search(prompt)
    tempo_bpm = float(spoken.group(1)) if spoken else None
    if synthesis is not None:
        tempo_bpm = played_tempo_bpm(synthesis, config["duration_s"], loopable=bool(config["loopable"]))
    return Asked(
        Expected(
            fade_in_s=config["fade_in_s"],
            fade_out_s=config["fade_out_s"],
            one_shot=config["repetition"] == "none",
            may_repeat=bool(config["loopable"]) or bool(REPEATING.search(words)),
            may_crackle=bool(textures & CRACKLING_TEXTURES) or bool(CRACKLING.search(words)),
            tempo_bpm=tempo_bpm,
        ),
        loudness_lufs=config["loudness_lufs"],
        brightness=synthesis.brightness if synthesis else Synthesis.from_words(prompt).brightness,
    )


def played_tempo_bpm(synthesis: Synthesis, duration_s: float, *, loopable: bool) -> float | None:
    """Return the tempo that a piece of this length is to have; None where its groove carries no beat.

    The synthesizer fits whole bars to the length, so it plays up to 8 % beside the tempo of the style, and more in a
    short loop. That is no fault.
    """
    if synthesis.groove in NO_BEAT:
        return None
    return plan_form(synthesis, duration_s, loopable=loopable).tempo_bpm

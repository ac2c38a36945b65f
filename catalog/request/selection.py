"""Pick the style, role and quality tier of a context when the caller names none, with the reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from ..models import Choices, Context, Features, QualityName

__all__ = ["USUAL_QUALITY", "USUAL_ROLE", "StyleLike", "pick_quality", "pick_role", "pick_style"]


USUAL_ROLE = "background_bed"
USUAL_QUALITY: QualityName = "standard"
READ_CHARACTERS = 20_000
"""Topic words are looked for in this many characters of the text."""
LONG_WORDS = 250
"""A text of this many words is read or narrated for minutes, so the music under it must not distract."""
SHORT_CUE_S = 3.0
STING_S = 8.0

MOOD_WEIGHT = 1.0
TAG_WEIGHT = 0.25
TOPIC_WEIGHT = 0.35
MOST_TOPICS = 3
PLACE_WEIGHT = 0.5
"""For a place read from the text, which may be mentioned and not be the setting."""
NAMED_PLACE_WEIGHT = 4.0
"""For a place that the caller names."""


class StyleLike(Protocol):
    """The fields of a style preset that the selection reads."""

    @property
    def valence(self) -> float: ...
    @property
    def energy(self) -> float: ...
    @property
    def moods(self) -> tuple[str, ...]: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def environment(self) -> str | None: ...


def pick_style(
    context: Context, features: Features, choices: Choices, styles: Mapping[str, StyleLike]
) -> tuple[str, str]:
    """Return the name of the style that fits best, and the reason in words.

    A style scores by closeness on the valence-energy plane, mood tags in common, topic words found in the
    text, and the environment. Environment presets are offered only for their own environment. Ties go to the
    name first in the alphabet.
    """
    if choices.preset:
        return choices.preset, "named by the caller"
    text = _words(f"{context.query} {context.text[:READ_CHARACTERS]}")
    offered = {n: s for n, s in styles.items() if s.environment in (None, features.environment)}
    scored = {name: _fit(style, features, text) for name, style in offered.items()}
    name = min(scored, key=lambda n: (-scored[n][0], n))
    return name, "; ".join(scored[name][1])


def _fit(style: StyleLike, features: Features, text: str) -> tuple[float, list[str]]:
    distance = ((style.valence - features.valence) ** 2 + (style.energy - features.energy) ** 2) ** 0.5
    shared = [tag for tag in features.mood_tags if tag in style.moods]
    topics = [topic for topic in style.topics if _words(topic) in text][:MOST_TOPICS]
    score = -MOOD_WEIGHT * distance + TAG_WEIGHT * len(shared) + TOPIC_WEIGHT * len(topics)
    why = [f"nearest in mood (distance {distance:.2f} on the valence-energy plane)"]
    if shared:
        why.append(f"shares the moods {', '.join(shared)}")
    if topics:
        why.append(f"the text speaks of {', '.join(topics)}")
    if style.environment:
        named = features.sources.get("environment") == "caller"
        score += NAMED_PLACE_WEIGHT if named else PLACE_WEIGHT
        why.insert(0, f"the scene is set in: {style.environment}")
    return score, why


def pick_role(context: Context, features: Features, choices: Choices) -> tuple[str, str]:
    """Return the role the music plays, and the reason in words."""
    if choices.role:
        return choices.role, "named by the caller"
    if choices.loopable:
        return "loop_bed", "a loop was asked for"
    if choices.duration_s is not None and choices.duration_s <= SHORT_CUE_S:
        return "ui_sfx", f"{choices.duration_s:g} s is the length of an interface sound"
    if choices.duration_s is not None and choices.duration_s <= STING_S:
        return "intro_sting", f"{choices.duration_s:g} s is the length of a sting"
    if features.sources.get("environment") == "caller":
        return "loop_bed", "a scene with a named environment is underlaid with a loop"
    words = len(context.text.split())
    if words >= LONG_WORDS:
        return "narration_bed", f"a text of {words} words is narrated or read at length"
    return USUAL_ROLE, "the usual role under an answer"


def pick_quality(choices: Choices) -> tuple[QualityName, str]:
    """Return the quality tier, and the reason in words."""
    if choices.quality:
        return choices.quality, "named by the caller"
    return USUAL_QUALITY, "the usual tier"


def _words(text: str) -> str:
    """Return lower-case words between single spaces, plural endings folded, so that phrases match whole words."""
    words = re.findall(r"\w+", text.lower())
    return (
        " " + " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words) + " "
    )

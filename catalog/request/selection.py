"""Pick the style, role and quality tier of a context when the caller names none, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping

from ..brief.reader import StyleLike
from ..brief.topics import fold, topics_in
from ..models import Brief, Choices, Context, Features, QualityName

__all__ = ["USUAL_QUALITY", "USUAL_ROLE", "pick_quality", "pick_role", "pick_style"]


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
PLACE_WEIGHT = 0.5
"""For a place read from the text, which may be mentioned and not be the setting."""
MOOD_FIELDS = {"valence", "energy", "mood_tags", "emotional_tone_description"}
STATED_MOOD_WEIGHT = 3.0
"""With a brief: what a distance of 1 from a stated mood takes from the chances, which sum to at most 2."""
FAR_MOOD, FAR_MOOD_WEIGHT = 1.2, 20.0
"""With a brief: from which distance of the moods a style loses chances, and how much for each further 1."""
STATED_PLACE_WEIGHT = 2.0
NAMED_PLACE_WEIGHT = 4.0
"""For a place that the caller names."""
_WHO = {
    "built-in": "suits the text",
    "language model": "as the language model read it, suits the text",
    "caller": "suits the text, as the caller's brief says",
}


def pick_style(
    context: Context,
    features: Features,
    choices: Choices,
    styles: Mapping[str, StyleLike],
    brief: Brief | None = None,
) -> tuple[str, str]:
    """Return the name of the style that suits the text best, and the reason in words.

    With a `brief` a style scores by its chances to fit and to pass. Without one it scores by closeness on the
    valence-energy plane, mood tags in common, topic words in the text, and the environment. Environment presets are
    offered only for their own environment, unless the caller's brief lists them. Ties go to the name first in the
    alphabet.
    """
    if choices.preset:
        return choices.preset, "named by the caller"
    places = {None, features.environment}
    if brief is not None and features.sources.get("environment") != "caller":
        places.add(brief.place)
    whole = brief is not None and brief.read_by == "caller"
    offered = {name: style for name, style in styles.items() if whole or style.environment in places}
    if brief is not None:
        scored = {name: _suit(brief, name, style, features) for name, style in offered.items()}
    else:
        text = fold(f"{context.query} {context.text}")
        scored = {name: _fit(style, features, text) for name, style in offered.items()}
    name = min(scored, key=lambda n: (-scored[n][0], n))
    return name, "; ".join(scored[name][1])


def _suit(brief: Brief, name: str, style: StyleLike, features: Features) -> tuple[float, list[str]]:
    fit, distance = brief.styles[name], _distance(style, features)
    score = fit.fits + fit.passes
    of_application = " and the application" if brief.application else ""
    why = [
        f"{_WHO[brief.read_by]}{of_application}: fits with a chance of {fit.fits:.0%}, passes with {fit.passes:.0%}"
    ]
    if brief.read_by == "caller":
        return score, why
    if brief.read_by == "built-in":
        # A language model read the mood itself; the features are a weaker reading of it.
        score -= FAR_MOOD_WEIGHT * max(0.0, distance - FAR_MOOD)
    stated = {name for name, source in features.sources.items() if source == "caller"}
    if stated & MOOD_FIELDS:
        score -= STATED_MOOD_WEIGHT * distance
        why.append(f"{distance:.2f} from the stated mood on the valence-energy plane")
    if style.environment and "environment" in stated:
        score += STATED_PLACE_WEIGHT
        why.insert(0, f"the scene is set in: {style.environment}")
    return score, why


def _distance(style: StyleLike, features: Features) -> float:
    return float(((style.valence - features.valence) ** 2 + (style.energy - features.energy) ** 2) ** 0.5)


def _fit(style: StyleLike, features: Features, text: str) -> tuple[float, list[str]]:
    distance = _distance(style, features)
    shared = [tag for tag in features.mood_tags if tag in style.moods]
    topics = topics_in(text, style.topics)
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

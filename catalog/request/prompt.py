"""Write the prompt of a generator: the tags of the style, the topic, the mood in words.

MusicGen was trained on English descriptions of music. A topic in another language, or one that is code or data, says
nothing to it, or something wrong. Such a topic is left out; the place and the time of day, where they are known, stand
in for it.
"""

from __future__ import annotations

import math

from ..models import Brief, Features
from ..presets import Resolved
from ..presets.vocabulary import MOODS
from ..text import language
from ..text.features import tone_of
from ..text.summary import is_prose

__all__ = ["mood_of", "prompt_of"]

NEAR = 0.8
"""How far a mood word of the text may lie from the mood of the music wanted to stand in the prompt, on the plane of
valence and energy."""


def prompt_of(resolved: Resolved, features: Features, brief: Brief | None = None) -> str:
    """Return "{preset_tags}. {summary_of_topic}. {emotional_tone_description}." with the configured tags around it.

    A part that is not in the language of the prompt (`language` of the configuration, English unless set) is left out.
    Mood words of the text that contradict the music wanted, of which `brief` tells, are left out too: a report of a
    triumph wants no triumphant music.
    """
    values = resolved.values
    tags = ", ".join([*values["prepend_tags"], *values["prompt_tags"]])
    parts = [tags, _topic(features, values["language"]), _tone(features, brief, values["language"])]
    if values["append_structure"]:
        parts.append(values["append_structure"])
    return " ".join(f"{part.rstrip(' .')}." for part in parts if part.strip(" ."))


def _topic(features: Features, wanted: str) -> str:
    """Return the topic where the prompt may hold it, else the place and the time of day."""
    topic = features.summary_of_topic
    # The caller answers for a topic that they state, and may state an English one of a text in another language.
    stated = features.sources.get("summary_of_topic") == "caller"
    if _speaks(topic, wanted) and (stated or (_same(features.language, wanted) and is_prose(topic))):
        return topic
    # "night" is a time and the name of an environment.
    return ", ".join(dict.fromkeys(filter(None, (features.environment, features.time_of_day))))


def mood_of(features: Features, brief: Brief | None) -> tuple[float, float]:
    """Return valence and energy of the music wanted: as the caller states the mood, else the brief's, else the text's.

    The brief was fitted to the mood of music that suits a text, the features to the mood of the text itself.
    """
    stated = any(features.sources.get(name) == "caller" for name in ("valence", "energy", "mood_tags"))
    mood = features if stated or brief is None else brief
    return mood.valence, mood.energy


def _tone(features: Features, brief: Brief | None, wanted: str) -> str:
    """Return the mood in words, which is English unless the caller states it in another language."""
    tone = features.emotional_tone_description
    if features.sources.get("emotional_tone_description") == "caller":
        return tone if _speaks(tone, wanted) else ", ".join(features.mood_tags)
    valence, energy = mood_of(features, brief)
    if (valence, energy) == (features.valence, features.energy):
        return tone
    near = (
        tag for tag in features.mood_tags if tag in MOODS and math.dist(MOODS[tag], (valence, energy)) <= NEAR
    )
    return tone_of(tuple(near), energy)


def _speaks(text: str, wanted: str) -> bool:
    """Return whether a line is in the language `wanted`, as far as can be told."""
    return _same(language.guess(text), wanted)


def _same(code: str, wanted: str) -> bool:
    code = language.code_of(code)
    return code == language.UNDETERMINED or code == language.code_of(wanted)

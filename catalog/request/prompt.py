"""Write the prompt of a generator: the tags of the style, the topic, the mood in words.

MusicGen was trained on English descriptions of music. A topic in another language, or one that is code or data, says
nothing to it, or something wrong. Such a topic is left out; the place and the time of day, where they are known, stand
in for it.
"""

from __future__ import annotations

from presets import Resolved

from ..models import Features
from ..text import language
from ..text.summary import is_prose

__all__ = ["prompt_of"]


def prompt_of(resolved: Resolved, features: Features) -> str:
    """Return "{preset_tags}. {summary_of_topic}. {emotional_tone_description}." with the configured tags around it.

    A part that is not in the language of the prompt (`language` of the configuration, English unless set) is left out.
    """
    values = resolved.values
    tags = ", ".join([*values["prepend_tags"], *values["prompt_tags"]])
    parts = [tags, _topic(features, values["language"]), _tone(features, values["language"])]
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


def _tone(features: Features, wanted: str) -> str:
    """Return the mood in words, which is English unless the caller states it in another language."""
    tone = features.emotional_tone_description
    stated = features.sources.get("emotional_tone_description") == "caller"
    return tone if not stated or _speaks(tone, wanted) else ", ".join(features.mood_tags)


def _speaks(text: str, wanted: str) -> bool:
    """Return whether a line is in the language `wanted`, as far as can be told."""
    return _same(language.guess(text), wanted)


def _same(code: str, wanted: str) -> bool:
    code = language.code_of(code)
    return code == language.UNDETERMINED or code == language.code_of(wanted)

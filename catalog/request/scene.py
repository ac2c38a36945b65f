"""A scene: where and when it is set, the preset that sounds like it, and its loop at any length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from ..errors import InputError
from ..models import Context, Environment, Features, TimeOfDay
from ..validation import nearest
from .context import ContextSource, read_context

__all__ = ["LONGEST_S", "loop_length_s", "read_scene", "settle"]


SHORTEST_LOOP_S, LONGEST_LOOP_S = 30.0, 60.0
"""Shorter loops tire, and longer ones take longer to make and are not missed: a loop is repeated."""
LONGEST_S = 4 * 3600.0
TAGS = {"environment": get_args(Environment), "time_of_day": get_args(TimeOfDay)}


def read_scene(
    chunk: ContextSource, environment: str | None = None, time_of_day: str | None = None
) -> Context:
    """Return the context of a scene, its tags checked; what is named here wins over what `chunk` holds.

    A mapping may hold its tags beside its text or under "tags". Raises InputError, for an unknown place with the
    nearest names.
    """
    tags: dict[str, Any] = {}
    if isinstance(chunk, Mapping):
        given = chunk.get("tags")
        if isinstance(given, str):
            raise InputError(f'the tags are {given!r}; write them like {{"environment": "forest"}}')
        tags = {**chunk, **(given if isinstance(given, Mapping) else {})}
    named = {"environment": environment, "time_of_day": time_of_day}
    for name, valid in TAGS.items():
        value = named[name] if named[name] is not None else tags.get(name)
        if value is None or value == "":
            named[name] = None
            continue
        word = str(value).strip().lower().removeprefix("environment_")
        if word not in valid:
            raise InputError(f"unknown {name.replace('_', ' ')} {value!r}; {nearest(word, valid)}")
        named[name] = word
    if isinstance(chunk, Mapping):
        others = {name: value for name, value in tags.items() if name not in (*TAGS, "tags")}
        return read_context(others, **named)
    return read_context(chunk, **named)


def settle(
    context: Context, read: Features, presets: Mapping[str, Any]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the preset of the scene's place, None where it has none, and what is to be noted.

    `read` is what the text alone says. Tags win over it.
    """
    notes = []
    for name in TAGS:
        told, heard = getattr(context, name), getattr(read, name)
        if told and heard and told != heard:
            notes.append(
                f"the text reads as {name.replace('_', ' ')} {heard}, the tags say {told}; the tags win"
            )
    place = context.environment or read.environment
    if place is None:
        notes.append("neither tags nor text say where the scene is set, so the style follows its mood")
        return None, tuple(notes)
    preset = f"environment_{place}"
    if preset not in presets:
        notes.append(f"there is no preset {preset}, so the style follows the mood")
        return None, tuple(notes)
    return preset, tuple(notes)


def loop_length_s(duration_s: float) -> float:
    """Return how long a loop to make for a scene of `duration_s`.

    Raises InputError for a length that cannot be served.
    """
    if not 0 < duration_s <= LONGEST_S:
        raise InputError(
            f"duration_s is {duration_s:g}; a scene lasts more than 0 and at most {LONGEST_S:g} s"
        )
    return min(max(duration_s, SHORTEST_LOOP_S), LONGEST_LOOP_S)

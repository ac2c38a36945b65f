"""A scene: where and when it is set, the preset for that place, and the loop that is requested for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from ..errors import InputError
from ..models import Context, Environment, Features, TimeOfDay
from ..validation import check_type, checked, nearest
from .context import ContextSource, read_context

__all__ = ["LONGEST_S", "loop_arguments", "loop_length_s", "pick_preset", "read_scene"]


SHORTEST_LOOP_S, LONGEST_LOOP_S = 30.0, 60.0
"""A shorter loop becomes tiresome. A longer one takes longer to make and gains nothing, since a loop is repeated."""
LONGEST_S = 4 * 3600.0
TAGS = {"environment": get_args(Environment), "time_of_day": get_args(TimeOfDay)}


def read_scene(
    chunk: ContextSource, environment: str | None = None, time_of_day: str | None = None
) -> Context:
    """Return the context of a scene; `environment` and `time_of_day` win over the tags that `chunk` holds.

    A mapping may hold its tags beside its text or under "tags". Raises InputError, for an unknown place with the
    nearest names.
    """
    tags: dict[str, Any] = {}
    if isinstance(chunk, Mapping):
        under_tags = chunk.get("tags")
        if isinstance(under_tags, str):
            raise InputError(f'the tags are {under_tags!r}; write them like {{"environment": "forest"}}')
        tags = {**chunk, **(under_tags if isinstance(under_tags, Mapping) else {})}
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


def loop_arguments(
    context: Context,
    features: Features,
    presets: Mapping[str, Any],
    duration_s: float,
    arguments: Mapping[str, Any],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the arguments of `find_or_make` for the loop of a scene, and notes on how its preset was picked.

    `features` are those of the text alone. `arguments` are the caller's; all but the loop's length win. Raises
    InputError for a length that cannot be served.
    """
    preset, notes = pick_preset(context, features, presets)
    check_type("generation", Mapping, arguments.get("generation", {}))
    generation = {**arguments.get("generation", {}), "duration_s": loop_length_s(duration_s)}
    loop = {"preset": preset, "role": "loop_bed", **arguments, "generation": generation, "loopable": True}
    return {name: value for name, value in loop.items() if value is not None}, notes


def pick_preset(
    context: Context, features: Features, presets: Mapping[str, Any]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the preset of the scene's place, None where it has none, and notes for the caller.

    `features` are those of the text alone; the tags in `context` win over them.
    """
    notes = []
    for name in TAGS:
        tag, read = getattr(context, name), getattr(features, name)
        if tag and read and tag != read:
            notes.append(
                f"the text reads as {name.replace('_', ' ')} {read}, the tags say {tag}; the tags win"
            )
    place = context.environment or features.environment
    if place is None:
        notes.append("neither tags nor text say where the scene is set, so the style follows its mood")
        return None, tuple(notes)
    preset = f"environment_{place}"
    if preset not in presets:
        notes.append(f"there is no preset {preset}, so the style follows the mood")
        return None, tuple(notes)
    return preset, tuple(notes)


@checked
def loop_length_s(duration_s: float) -> float:
    """Return how long a loop to make for a scene of `duration_s`.

    Raises InputError for a length that cannot be served.
    """
    if not 0 < duration_s <= LONGEST_S:
        raise InputError(
            f"duration_s is {duration_s:g}; a scene lasts more than 0 and at most {LONGEST_S:g} s"
        )
    return min(max(duration_s, SHORTEST_LOOP_S), LONGEST_LOOP_S)

"""The hard facts of a request, as filters: a track that misses one is never a candidate."""

from __future__ import annotations

from ..generator.weights.sizes import rank_of
from ..models import Filter, Request

__all__ = ["DURATION_TOLERANCE", "MIN_DURATION_TOLERANCE_S", "alone", "hard_facts", "in_words"]

DURATION_TOLERANCE = 0.10
MIN_DURATION_TOLERANCE_S = 0.5
UNDER = ("background_bed", "narration_bed", "focus_track")
"""Roles of music that is faded out when it is no longer needed."""


def hard_facts(request: Request) -> Filter:
    """Return the facts a track must meet to be offered for `request`."""
    choices, config = request.choices, request.config
    loopable = bool(config["loopable"])
    duration_s = float(config["duration_s"])
    any_length = loopable and choices.duration_s is None
    slack_s = max(MIN_DURATION_TOLERANCE_S, DURATION_TOLERANCE * duration_s)
    return Filter(
        role=request.role,
        style=choices.preset,
        min_quality=request.quality,
        min_model_rank=rank_of(config),
        # A loop serves any length, unless the caller named one.
        loopable=True if loopable else choices.loopable,
        min_duration_s=None if any_length else duration_s - slack_s,
        max_duration_s=None if any_length else duration_s + slack_s,
        # Music under something ends when that ends: a whole piece serves where nobody asked for a length.
        whole_pieces=choices.duration_s is None and not any_length and request.role in UNDER,
        environment=request.context.environment,
        time_of_day=request.context.time_of_day,
        backend=choices.backend if choices.backend != "auto" else None,
        license=choices.license,
    )


def alone(facts: Filter) -> dict[str, Filter]:
    """Return a filter for each hard fact alone, under its everyday name."""
    groups = {
        "role": ("role",),
        "style": ("style",),
        "quality": ("min_quality",),
        "model": ("min_model_rank",),
        "backend": ("backend",),
        "license": ("license",),
        "loop": ("loopable",),
        "duration": ("min_duration_s", "max_duration_s", "whole_pieces"),
        "environment": ("environment",),
        "time_of_day": ("time_of_day",),
    }
    values = facts.model_dump(exclude_none=True, exclude_defaults=True)
    parts = {
        name: {field: values[field] for field in fields if field in values} for name, fields in groups.items()
    }
    return {name: Filter(**part) for name, part in parts.items() if part}


def in_words(facts: Filter) -> str:
    """Return the hard facts of a request in one line, such as "background_bed, standard or better, 27 to 33 s"."""
    length = None
    if facts.min_duration_s is not None and facts.max_duration_s is not None:
        length = f"{max(0.0, facts.min_duration_s):.3g} to {facts.max_duration_s:.3g} s"
    told = (
        facts.role,
        facts.style,
        f"{facts.min_quality} or better" if facts.min_quality not in (None, "preview") else None,
        "a model as large or larger" if facts.min_model_rank else None,
        facts.backend,
        f"licensed for {facts.license} use" if facts.license else None,
        "a loop" if facts.loopable else None,
        length,
        facts.environment,
        facts.time_of_day,
    )
    return ", ".join(filter(None, told))

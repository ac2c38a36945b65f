"""Requests for a track that exists: to serve it again, or to make it again with its seed or another."""

from __future__ import annotations

from ..errors import InputError
from ..models import Choices, Context, Decision, Features, Request, Track

__all__ = ["choices_of", "context_of", "decision_again", "request_again", "request_of"]


def context_of(track: Track) -> Context:
    """Return the context that a track was made for, as far as its row holds it."""
    return Context(text=track.context, query=track.query)


def choices_of(track: Track) -> Choices:
    """Return the choice of a track to go on from; the other choices are in the configuration of `track`.

    Raises InputError for a track that was not made here, and for one that follows a melody, since recordings are not
    kept.
    """
    if track.imported:
        raise InputError(
            f"track {track.id} was added from a file, not made here, so it cannot be made again; "
            "ask for new music with its words"
        )
    if "melody" in track.config:
        raise InputError(
            f"track {track.id} follows the melody of a recording, which was not kept; "
            f"make it anew with that recording as its melody; its seed was {track.seed}"
        )
    return Choices(continue_from=track.config.get("continue_from"))


def request_again(track: Track, context: Context, choices: Choices, *, variation: bool) -> Request:
    """Return the request that makes `track` again: its prompt, configuration and seed, or for a variation no seed."""
    request = request_of(track, context, choices)
    seed, source = (None, "drawn for a variation") if variation else (track.seed, f"that of track {track.id}")
    return request.model_copy(
        update={
            "config": {**track.config, "seed": seed},
            "config_sources": {**track.config_sources, "seed": source},
        }
    )


def decision_again(track: Track, *, variation: bool) -> Decision:
    """Return the decision to make the track again, which the caller took."""
    what = "a variation of track" if variation else "made again, with its seed: track"
    return Decision(
        action="make",
        rule="never",
        reason=f"{what} {track.id}",
        threshold=0.0,
        variant_of=track.id if variation else None,
    )


def request_of(track: Track, context: Context, choices: Choices) -> Request:
    """Return the request that `track` was made for, with the warnings for a repeat of it."""
    warnings = []
    requested_s, made_s = choices.duration_s, float(track.config["duration_s"])
    if requested_s is not None and requested_s > made_s + 1e-6:
        warnings.append(
            f"duration_s {requested_s:g} was cut to {made_s:g} by {track.config_sources['duration_s']}"
        )
    return Request(
        key=track.key,
        context=context,
        features=Features(
            summary_of_topic=track.summary,
            emotional_tone_description=track.tone,
            valence=track.valence,
            energy=track.energy,
            mood_tags=track.mood_tags,
            environment=track.environment,
            time_of_day=track.time_of_day,
            language=track.language,
        ),
        choices=choices,
        style=track.style,
        role=track.role,
        quality=track.quality,
        why=dict.fromkeys(("style", "role", "quality"), "as when the track was made"),
        prompt=track.prompt,
        config=track.config,
        config_sources=track.config_sources,
        warnings=tuple(warnings),
    )

"""The warnings of a result that follow from its request, its decision and its track."""

from __future__ import annotations

from ...models import Decision, Request, Track

__all__ = ["of_decision", "substitution"]


def substitution(request: Request, track: Track | None, *, made: bool) -> list[str]:
    """Return what stood in for the requested generator, also for a track that was made earlier."""
    if made:
        return [request.substitution] if request.substitution else []
    if track is None or request.choices.license:
        return []  # where a licence is asked for, the synthesizer stands in for nothing that may be used
    if track.backend == "procedural" and track.config_sources.get("backend", "").startswith("auto"):
        return ["this track was made by the procedural synthesizer, where MusicGen was not on the machine"]
    return []


def of_decision(decision: Decision) -> list[str]:
    """Return the warnings that a decision comes with."""
    if decision.rule == "least_recent":
        return ["all fitting tracks were heard recently"]
    return [decision.reason] if decision.rule == "uncertified" else []

"""The reuse decision: a pure function of a request and the candidates that met its hard facts.

Hard facts (role, loop, duration, quality, model, and what the caller named) are filters inside the vector
query; only "does this music fit?" is a score. The score is the cosine of the two contexts less what
differences in mood, place and time cost, because cosine alone places a text and its opposite mood side by
side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from catalog.models import Candidate, Decision, Features, Filter, Request, Track
from catalog.mood import mood_distance

__all__ = [
    "MAX_MOOD_DISTANCE",
    "MIN_SIMILARITY",
    "MODEL_RANKS",
    "Reuse",
    "decide",
    "difference",
    "exact",
    "hard_facts",
    "weigh",
]

Reuse = Literal["auto", "always", "never"]

MIN_SIMILARITY = 0.55
"""The score a candidate needs. docs/REUSE.md shows how it was chosen and what it costs."""
MOOD_COST = 0.6
"""What a mood distance of 1 takes from the similarity."""
MAX_MOOD_DISTANCE = 0.2
"""Beyond this the moods differ too much for any similarity to make up for it."""
OPPOSITE_MOOD_DISTANCE = 0.5
PLACE_COST = 0.15
TIME_COST = 0.05
DURATION_TOLERANCE = 0.10
MIN_DURATION_TOLERANCE_S = 0.5

MODEL_RANKS = {"procedural": 0, "small": 1, "medium": 2, "melody": 2, "large": 3, "melody-large": 3}
"""A track made by a lower rank than the request would use is not offered."""


def hard_facts(request: Request) -> Filter:
    """Return the facts a track must meet to be offered for `request`."""
    asked, config = request.choices, request.config
    loopable = bool(config["loopable"])
    duration_s = float(config["duration_s"])
    any_length = loopable and asked.duration_s is None
    slack_s = max(MIN_DURATION_TOLERANCE_S, DURATION_TOLERANCE * duration_s)
    model = config["size"] if config["backend"] == "mlx" else "procedural"
    return Filter(
        role=request.role,
        style=asked.preset,
        min_quality=request.quality,
        min_model_rank=MODEL_RANKS[model],
        # A loop serves any length, unless the caller named one.
        loopable=True if loopable else asked.loopable,
        min_duration_s=None if any_length else duration_s - slack_s,
        max_duration_s=None if any_length else duration_s + slack_s,
        environment=request.context.environment,
        time_of_day=request.context.time_of_day,
        backend=asked.backend if asked.backend in ("mlx", "procedural") else None,
    )


def exact(track: Track) -> Decision:
    """Return the decision for a repeat of the request that `track` was made for."""
    return Decision(
        action="reuse",
        rule="exact",
        reason="the same request was served before",
        threshold=1.0,
        track_id=track.id,
        similarity=1.0,
        score=1.0,
    )


def weigh(request: Request, track: Track, similarity: float) -> Candidate:
    """Return how well `track` fits `request`, with what speaks against it."""
    distance, cost, against = difference(request.features, track)
    return Candidate(
        track_id=track.id,
        style=track.style,
        summary=track.summary,
        similarity=round(similarity, 4),
        mood_distance=round(distance, 4),
        score=round(similarity - cost, 4),
        against=against,
        refused=distance > MAX_MOOD_DISTANCE,
    )


def difference(wanted: Features, other: Features | Track) -> tuple[float, float, tuple[str, ...]]:
    """Return the mood distance, what it and other places and times take from the similarity, and why in words."""
    distance = mood_distance(wanted, other)
    against, cost = [], MOOD_COST * distance
    if distance > MAX_MOOD_DISTANCE:
        which = "opposite" if distance > OPPOSITE_MOOD_DISTANCE else "another"
        against.append(f"{which} mood: {_mood(wanted)} wanted, the track is {_mood(other)}")
    for name, price in (("environment", PLACE_COST), ("time_of_day", TIME_COST)):
        mine, theirs = getattr(wanted, name), getattr(other, name)
        if mine and theirs and mine != theirs:
            against.append(f"other {name.replace('_', ' ')}: {mine} wanted, the track is for {theirs}")
            cost += price
    return distance, cost, tuple(against)


def decide(
    request: Request,
    hits: Sequence[tuple[Track, float]],
    *,
    reuse: Reuse = "auto",
    threshold: float = MIN_SIMILARITY,
    facts: Filter | None = None,
    considered: int = 0,
) -> Decision:
    """Decide whether one of `hits` (track, cosine; all meeting the hard facts) is reused.

    `auto` reuses the best-scoring candidate that reaches `threshold` and is not refused for its mood, `always`
    reuses the best whatever its score, `never` makes a new track. Ties go to the lesser id, so the decision
    never depends on the order of `hits`.
    """
    weighed = (weigh(request, track, similarity) for track, similarity in hits)
    ranked = sorted(
        (
            one.model_copy(update={"admissible": one.score >= threshold and not one.refused})
            for one in weighed
        ),
        key=lambda candidate: (candidate.refused, -candidate.score, candidate.track_id),
    )
    best = ranked[0] if ranked else None
    rule, reason = _verdict(best, reuse, threshold)
    chosen = best if best and rule in ("similar", "always") else None
    return Decision(
        action="reuse" if chosen else "make",
        rule=rule,
        reason=reason,
        threshold=threshold,
        track_id=chosen.track_id if chosen else None,
        similarity=best.similarity if best else None,
        score=best.score if best else None,
        candidates=tuple(ranked),
        filter=facts,
        considered=considered,
    )


Rule = Literal["similar", "below_threshold", "no_candidate", "always", "never"]


def _verdict(best: Candidate | None, reuse: Reuse, threshold: float) -> tuple[Rule, str]:
    if reuse == "never":
        return "never", "a new track was asked for"
    if best is None:
        return "no_candidate", "no track in the catalog meets the hard facts"
    fit = f"score {best.score:.2f} (similarity {best.similarity:.2f}, mood distance {best.mood_distance:.2f})"
    if best.admissible:
        return "similar", f"close match: {fit} reaches {threshold:.2f}"
    if reuse == "always":
        return "always", f"best of those that meet the hard facts: {fit}"
    because = f"; {best.against[0]}" if best.against else ""
    return "below_threshold", f"closest track does not fit: {fit}, {threshold:.2f} needed{because}"


def _mood(felt: Features | Track) -> str:
    return ", ".join(felt.mood_tags[:3]) or f"valence {felt.valence:+.1f}, energy {felt.energy:+.1f}"

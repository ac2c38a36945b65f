"""The reuse decision: a pure function of a request and the candidates that met its hard facts.

1. Hard facts (role, loop, duration, quality, model, and the caller's own choices) are filters inside the vector query.
   They are checked here again, since a column that was damaged on the disk differs from the track's own record.
2. Each candidate gets a probability that its music fits (`evidence`). It is a product: that the scene is the same, from
   the cosine of the contexts, place and time, and that the mood is the same, from the distance of the moods and from
   exchanged words. An opposite mood is refused whatever else is alike.
3. A track is reused when its probability reaches the threshold of the certificate for the wanted rate of false reuse.
   Without a certificate only exact repeats are reused.

With a minimum similarity another rule takes the place of 2 and 3: the cosine, less a cost for differences in mood,
place and time, must reach that minimum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..models import Candidate, Decision, Features, Filter, Request, RequestRecord, Track
from ..search.filters import meets
from ..text.mood import mood_distance
from .evidence import Card, evidence, probability
from .terms import Terms

__all__ = ["MAX_MOOD_DISTANCE", "decide", "difference", "exact", "like", "weigh"]


# For the rule by score.
MOOD_COST = 0.6
"""A mood distance of 1 lowers the similarity by this."""
MAX_MOOD_DISTANCE = 0.2
"""Beyond this mood distance a track is refused, however similar it is."""
PLACE_COST = 0.15
TIME_COST = 0.05

OPPOSITE_MOOD_DISTANCE = 0.5
"""Beyond this mood distance two moods are opposite, which is refused under either rule."""


def exact(track: Track, line: RequestRecord | None = None) -> Decision:
    """Return the decision for a repeat of the request that `track` was made for, or served by `line` of the log."""
    if line is None:
        reason = "the same request was served before"
        return Decision(
            action="reuse",
            rule="exact",
            reason=reason,
            threshold=1.0,
            track_id=track.id,
            similarity=1.0,
            score=1.0,
        )
    return Decision(
        action="reuse",
        rule="exact",
        reason="the same request was served before, by a close match",
        threshold=line.threshold,
        track_id=track.id,
        similarity=line.similarity,
        score=line.score,
        probability=line.probability,
    )


def weigh(
    request: Request, track: Track, similarity: float, terms: Terms, wanted: Card | None = None
) -> Candidate:
    """Return how well `track` fits `request`, and the reasons against it; `wanted` is the card of the request."""
    wanted = wanted or Card.of(request.context, request.features)
    distance, cost, against = difference(request.features, track)
    score = round(similarity - cost, 4)
    numbers = evidence(wanted, Card.of_track(track), similarity)
    if numbers["exchanged"] > MAX_MOOD_DISTANCE:
        against = (*against, "nearly the same words, with some exchanged for their opposite")
    fits = round(probability(terms.certificate.weights, numbers), 4) if terms.certificate else None
    refused = distance > (MAX_MOOD_DISTANCE if terms.by_score else OPPOSITE_MOOD_DISTANCE)
    return Candidate(
        track_id=track.id,
        style=track.style,
        summary=track.summary,
        similarity=round(similarity, 4),
        mood_distance=round(distance, 4),
        score=score,
        against=against,
        refused=refused,
        probability=fits,
        evidence={name: round(value, 4) for name, value in numbers.items()},
        admissible=not refused and terms.reached(score, fits),
    )


def difference(wanted: Features, other: Features | Track) -> tuple[float, float, tuple[str, ...]]:
    """Return the mood distance, the cost of all differences in the similarity, and the differences in words."""
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
    terms: Terms,
    *,
    facts: Filter | None = None,
    considered: int = 0,
    rejected_by: Mapping[str, int] | None = None,
) -> Decision:
    """Decide whether one of `hits` (track, cosine) that meets the hard facts is reused.

    A candidate is admissible when its probability, or its score where the caller set a minimum, reaches the threshold
    of `terms` and its mood is not refused. `auto` reuses the best admissible candidate, `always` the best of all,
    `never` makes a new track. Without a threshold no candidate is admissible. Ties go to the lesser id, so the decision
    does not depend on the order of `hits`. In a language that the certificate does not hold for nothing is admissible.
    """
    terms = terms.for_language(request.features.language)
    wanted = Card.of(request.context, request.features)
    ranked = sorted(
        (
            weigh(request, track, similarity, terms, wanted)
            for track, similarity in hits
            if facts is None or meets(track, facts)
        ),
        key=lambda one: (one.refused, -terms.worth(one), one.track_id),
    )
    best = ranked[0] if ranked else None
    rule, reason = _verdict(best, terms)
    chosen = best if best and rule in ("similar", "always") else None
    return Decision(
        action="reuse" if chosen else "make",
        rule=rule,
        reason=reason,
        threshold=1.0 if terms.threshold is None else terms.threshold,
        track_id=chosen.track_id if chosen else None,
        similarity=best.similarity if best else None,
        score=best.score if best else None,
        probability=best.probability if best else None,
        certificate=terms.certificate.id
        if terms.certificate and not (terms.by_score or terms.uncovered)
        else "",
        candidates=tuple(ranked),
        filter=facts,
        considered=considered,
        rejected_by=dict(rejected_by or {}),
    )


def like(wanted: Request, made: Request, similarity: float, terms: Terms) -> bool:
    """Return whether a track made for `made` would be reused for `wanted`, by mood and topic alone."""
    terms = terms.for_language(wanted.features.language)
    distance, cost, _ = difference(wanted.features, made.features)
    if terms.by_score:
        return distance <= MAX_MOOD_DISTANCE and terms.reached(similarity - cost, None)
    if terms.certificate is None or distance > OPPOSITE_MOOD_DISTANCE:
        return False
    cards = Card.of(wanted.context, wanted.features), Card.of(made.context, made.features)
    return terms.reached(None, probability(terms.certificate.weights, evidence(*cards, similarity)))


Rule = Literal["similar", "below_threshold", "uncertified", "no_candidate", "always", "never"]


def _verdict(best: Candidate | None, terms: Terms) -> tuple[Rule, str]:
    if terms.reuse == "never":
        return "never", "a new track was asked for"
    if best is None:
        return "no_candidate", "no track in the catalog meets the hard facts"
    if best.probability is None or terms.by_score:
        fit = f"score {best.score:.2f} (similarity {best.similarity:.2f}, mood distance {best.mood_distance:.2f})"
    else:
        fit = (
            f"fits with probability {best.probability:.2f} "
            f"(similarity {best.similarity:.2f}, mood distance {best.mood_distance:.2f})"
        )
    if best.admissible:
        return "similar", f"close match: {fit}, {terms.threshold:.2f} needed"
    if terms.reuse == "always":
        return "always", f"best of those that meet the hard facts: {fit}"
    if terms.threshold is None:
        return "uncertified", f"only exact repeats are reused: {terms.uncertified}"
    because = f"; {best.against[0]}" if best.against else ""
    return "below_threshold", f"closest track does not fit: {fit}, {terms.threshold:.2f} needed{because}"


def _mood(felt: Features | Track) -> str:
    return ", ".join(felt.mood_tags[:3]) or f"valence {felt.valence:+.1f}, energy {felt.energy:+.1f}"

"""The reuse decision: a pure function of a request and the candidates that met its hard facts.

1. Hard facts (role, loop, duration, quality, model, and the caller's own choices) are filters inside the vector query.
   They are checked here again, since a column that was damaged on the disk differs from the track's own record.
2. Each candidate is weighed (`weighing`). Has it the same scene and mood? Would its music serve the text, whatever it
   was made for? An opposite mood is refused whatever else is alike.
3. A track of the same scene is reused when its probability reaches the threshold of the certificate for the wanted rate
   of false reuse. Else one is reused whose chance to serve by its music reaches the threshold for music, and that may
   fit (`Terms.least_fit`). Plays are spread over those that fit best, or nearly, and some requests make another until
   enough serve (`Terms.variety`).
   Without a certificate only exact repeats are reused.

With a minimum similarity another rule takes the place of 2 and 3: the cosine, less a cost for differences in mood,
place and time, must reach that minimum.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from ..brief.reader import StyleLike
from ..models import Candidate, Decision, Filter, Request, RequestRecord, Track
from ..search.filters import meets
from .evidence import Card, evidence, probability
from .facts import in_words
from .terms import BY_HAND, Terms
from .weighing import EXCHANGED, MAX_MOOD_DISTANCE, OPPOSITE_MOOD_DISTANCE, difference, held_to_style, weigh

__all__ = ["decide", "exact", "like"]


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
    by = "your choice" if line.rule in BY_HAND else "its music" if line.rule == "music" else "a close match"
    return Decision(
        action="reuse",
        rule="exact",
        reason=f"the same request was served before, by {by}",
        threshold=line.threshold,
        track_id=track.id,
        similarity=line.similarity,
        score=line.score,
        probability=line.probability,
    )


def decide(
    request: Request,
    hits: Sequence[tuple[Track, float]],
    terms: Terms,
    *,
    styles: Mapping[str, StyleLike] | None = None,
    facts: Filter | None = None,
    considered: int = 0,
    rejected: int = 0,
    rejected_by: Mapping[str, int] | None = None,
) -> Decision:
    """Decide whether one of `hits` (track, cosine) that meets the hard facts is reused.

    `styles` are the presets by name; without them only tracks of the same scene are reused. `auto` reuses an
    admissible candidate, `always` the best of all, `never` makes a new track. Without a threshold no candidate is
    admissible, nor in a language that the certificate does not hold for. Ties go to the lesser id, so the decision does
    not depend on the order of `hits`. Of `considered` tracks in the catalog, `rejected` were left out of `hits` because
    people rejected them.
    """
    terms = terms.for_text(request.features, request.brief)
    wanted = Card.of(request.context, request.features)
    ranked = sorted(
        (
            weigh(request, track, similarity, terms, wanted, styles)
            for track, similarity in hits
            if facts is None or meets(track, facts)
        ),
        key=lambda one: (one.refused, not one.same_scene, -_worth(one), one.track_id),
    )
    best, rule, reason = _verdict(request, ranked, terms)
    if rule == "no_candidate":
        reason = _none_there(facts, considered, rejected)
    by_music = rule in ("music", "growth")
    threshold = terms.music_threshold if by_music else terms.threshold
    return Decision(
        action="reuse" if rule in REUSING else "make",
        rule=rule,
        reason=reason,
        threshold=1.0 if threshold is None else threshold,
        track_id=best.track_id if best and rule in REUSING else None,
        similarity=best.similarity if best else None,
        score=best.score if best else None,
        probability=(best.worth if by_music else best.probability) if best else None,
        certificate=_certificate(by_music, terms),
        candidates=tuple(ranked),
        filter=facts,
        considered=considered,
        rejected_by=dict(rejected_by or {}),
    )


def like(wanted: Request, made: Request, similarity: float, terms: Terms) -> bool:
    """Return whether a track made for `made` would be reused for `wanted` as one of the same scene and mood."""
    terms = terms.for_text(wanted.features, wanted.brief)
    if (held_to_style(wanted, terms) or held_to_style(made, terms)) and wanted.style != made.style:
        return False
    distance, cost, _ = difference(wanted.features, made.features)
    if terms.by_score:
        return distance <= MAX_MOOD_DISTANCE and terms.reached(similarity - cost, None)
    if terms.certificate is None or distance > OPPOSITE_MOOD_DISTANCE:
        return False
    cards = Card.of(wanted.context, wanted.features), Card.of(made.context, made.features)
    numbers = evidence(*cards, similarity)
    fits = terms.reached(None, probability(terms.certificate.weights, numbers))
    return fits and numbers["exchanged"] <= EXCHANGED


Rule = Literal[
    "similar", "music", "growth", "below_threshold", "uncertified", "no_candidate", "always", "never"
]
REUSING: tuple[Rule, ...] = ("similar", "music", "always")
NEARLY = 0.9
"""A track that serves is drawn where its chance to fit is at least this share of the best one's."""


def _verdict(
    request: Request, ranked: Sequence[Candidate], terms: Terms
) -> tuple[Candidate | None, Rule, str]:
    """Return the candidate that is reused, or else the best one, with the rule and the reason in words."""
    best = ranked[0] if ranked else None
    if terms.reuse == "never":
        return best, "never", "a new track was asked for"
    if best is None:
        return None, "no_candidate", ""
    if best.same_scene:
        return best, "similar", f"close match: {_closeness(best, terms)}, {terms.threshold:.2f} needed"
    if serving := [one for one in ranked if one.admissible]:
        return _by_music(request, serving, terms)
    if terms.reuse == "always":
        return best, "always", f"best of those that meet the hard facts: {_closeness(best, terms)}"
    if terms.threshold is None and terms.music_threshold is None:
        return best, "uncertified", f"only exact repeats are reused: {terms.uncertified}"
    return best, "below_threshold", _too_far(best, terms)


def _none_there(facts: Filter | None, considered: int, rejected: int) -> str:
    if rejected:
        return "each track that meets the hard facts was rejected for this request or one near it"
    if not considered:
        return "the catalog has no tracks to reuse"
    told = f": {in_words(facts)}" if facts and in_words(facts) else ""
    return f"no track in the catalog meets the hard facts{told}"


def _by_music(request: Request, serving: Sequence[Candidate], terms: Terms) -> tuple[Candidate, Rule, str]:
    number = len(serving)
    count = f"{number} track{'s serve' if number > 1 else ' serves'} this text"
    # Growth is paced, so that reuse begins with the first track and no kind of text stays with a few.
    grows = number < terms.variety and _drawn(request.key) < 1 / (number + 1)
    if grows and terms.reuse != "always":
        reason = (
            f"for variety: {count}, and until {terms.variety} do, one request in {number + 1} makes another"
        )
        return serving[0], "growth", reason
    chosen = _spread(request.key, serving)
    chance = f"chance {_worth(chosen):.2f}, {terms.music_threshold:.2f} needed"
    text = "this text, read word for word in English" if terms.glossed else "this text"
    return chosen, "music", f"its music serves {text}: {chosen.sounds} ({chance}); {count}"


def _spread(key: str, serving: Sequence[Candidate]) -> Candidate:
    """Return one of the candidates that fit best, or nearly: the same for the same request, others for others.

    By rendezvous hashing (Thaler and Ravishankar 1998): it needs no count of plays, and a new track that fits as well
    takes over its share of the requests and no more.
    """
    least = NEARLY * max(one.fits or 0.0 for one in serving)
    best = [one for one in serving if (one.fits or 0.0) >= least]
    return min(best, key=lambda one: (_drawn(f"{key}/{one.track_id}"), one.track_id))


def _drawn(name: str) -> float:
    """Return a number above 0 and up to 1 that is the same for the same name, and random otherwise."""
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 1) / 2**64


def _worth(one: Candidate) -> float:
    return one.score if one.worth is None else one.worth


def _certificate(by_music: bool, terms: Terms) -> str:
    if by_music:
        return terms.music.id if terms.music else ""
    if terms.certificate is None or terms.by_score or terms.uncovered:
        return ""
    return terms.certificate.id


def _short(value: float) -> str:
    """Return a chance or score that misses a threshold, rounded down: rounded up it could read as if it reached it."""
    return f"{math.floor(100 * value + 1e-6) / 100:.2f}"


def _closeness(best: Candidate, terms: Terms) -> str:
    where = f"similarity {best.similarity:.2f}, mood distance {best.mood_distance:.2f}"
    if best.probability is None or terms.by_score:
        score = f"{best.score:.2f}" if best.same_scene else _short(best.score)
        return f"score {score} ({where})"
    if best.sounds and not best.same_scene:
        return f"{best.sounds} (chance {_worth(best):.2f} that its music serves the text)"
    fits = f"{best.probability:.2f}" if best.same_scene else _short(best.probability)
    return f"fits with probability {fits} ({where})"


def _too_far(best: Candidate, terms: Terms) -> str:
    because = f"; {best.against[0]}" if best.against else ""
    if best.sounds and terms.music_threshold is not None:
        chance = f"chance {_short(_worth(best))} to serve it, {terms.music_threshold:.2f} needed"
        enough = _worth(best) >= terms.music_threshold
        fitting = (best.fits or 0.0) >= terms.least_fit
        if enough and fitting and best.against:
            return f"no track serves this text: the best is {best.sounds}, but {best.against[0]}"
        if enough and not fitting:
            chance = f"chance {_short(best.fits or 0.0)} to fit, {terms.least_fit:.2f} needed"
        return f"no track serves this text well enough: the best is {best.sounds} ({chance}){because}"
    needed = "" if best.needed is None else f", {best.needed:.2f} needed"
    return f"closest track does not fit: {_closeness(best, terms)}{needed}{because}"

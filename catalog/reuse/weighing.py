"""How well each candidate fits a request: by scene and mood, by its music, and by score."""

from __future__ import annotations

from collections.abc import Mapping

from ..brief.reader import StyleLike
from ..models import Candidate, Features, Request, Track
from ..text.mood import mood_distance
from . import serving
from .evidence import Card, evidence, probability
from .terms import Terms

__all__ = [
    "EXCHANGED",
    "MAX_MOOD_DISTANCE",
    "OPPOSITE_MOOD_DISTANCE",
    "difference",
    "serves_by_music",
    "weigh",
]


# For the rule by score.
MOOD_COST = 0.6
"""A mood distance of 1 lowers the similarity by this."""
MAX_MOOD_DISTANCE = 0.2
"""Beyond this mood distance a track is refused, however similar it is."""
EVEN = 0.1
"""Nearer to 0 than this a mood is on neither side."""
PLACE_COST = 0.15
TIME_COST = 0.05

OPPOSITE_MOOD_DISTANCE = 0.5
"""Beyond this mood distance two moods are opposite, which is refused under either rule."""
EXCHANGED = 0.5
"""Near copies of a text with words exchanged for their opposite, by so much or more, are not of the same mood."""
SAME_SCENE, TURNED = 0.4, 0.25
"""From this cosine on two texts tell of one scene, and from this mood distance on in another mood. Then the music of
one does not serve the other."""


def weigh(
    request: Request,
    track: Track,
    similarity: float,
    terms: Terms,
    wanted: Card | None = None,
    styles: Mapping[str, StyleLike] | None = None,
) -> Candidate:
    """Return how well `track` fits `request`, and the reasons against it.

    `wanted` is the card of the request. `styles` are the presets; without that of the track its music is not weighed.
    """
    wanted = wanted or Card.of(request.context, request.features)
    distance, cost, against = difference(request.features, track)
    score = round(similarity - cost, 4)
    numbers = evidence(wanted, Card.of_track(track), similarity)
    exchanged = numbers["exchanged"]
    if exchanged > MAX_MOOD_DISTANCE:
        against = (*against, "nearly the same words, with some exchanged for their opposite")
    scene = round(probability(terms.certificate.weights, numbers), 4) if terms.certificate else None
    refused = distance > (MAX_MOOD_DISTANCE if terms.by_score else OPPOSITE_MOOD_DISTANCE)
    same_scene = not refused and exchanged <= EXCHANGED and terms.reached(score, scene)
    music, chances, sounds = _music(request, track, terms, styles or {})
    turned = similarity >= SAME_SCENE and distance > TURNED
    serves = not (refused or turned or exchanged > MAX_MOOD_DISTANCE) and terms.serves(chances)
    worth, needed = (None if terms.by_score else scene), terms.threshold
    if chances and not same_scene and terms.music_threshold is not None:
        worth, needed = chances.passes, terms.music_threshold
    return Candidate(
        track_id=track.id,
        style=track.style,
        summary=track.summary,
        similarity=round(similarity, 4),
        mood_distance=round(distance, 4),
        score=score,
        against=against,
        refused=refused,
        probability=scene,
        evidence={name: round(value, 4) for name, value in numbers.items()},
        passes=None if chances is None else round(chances.passes, 4),
        fits=None if chances is None else round(chances.fits, 4),
        music=music,
        sounds=sounds,
        worth=None if worth is None else round(worth, 4),
        needed=needed,
        admissible=same_scene or serves,
        same_scene=same_scene,
    )


def serves_by_music(
    request: Request, music: serving.Music, terms: Terms, styles: Mapping[str, StyleLike]
) -> bool:
    """Return whether a track with this music would be reused for `request`, had it been made for another scene."""
    terms = terms.for_language(request.features.language)
    if terms.music_threshold is None:
        return False
    if mood_distance(request.features, music) > OPPOSITE_MOOD_DISTANCE:
        return False
    return terms.serves(_music(request, music, terms, styles)[1])


def _music(
    request: Request, track: serving.Music, terms: Terms, styles: Mapping[str, StyleLike]
) -> tuple[dict[str, float], serving.Chances | None, str]:
    """Return the evidence on the track's music, the chances that it serves, and how it sounds, in words."""
    style = styles.get(track.style)
    numbers = serving.evidence(request, track, style) if style else None
    if terms.music is None or request.brief is None or style is None or numbers is None:
        return {}, None, ""
    rounded = {name: round(value, 4) for name, value in numbers.items()}
    known = terms.music
    chances = serving.chances(numbers, known.weights, known.step, known.leniency.get(track.style, 0.0))
    return rounded, chances, serving.in_words(request.brief, style)


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


def _mood(felt: Features | Track) -> str:
    return ", ".join(felt.mood_tags[:3]) or " and ".join(
        (_level(felt.valence, "happy", "sad"), _level(felt.energy, "lively", "still"))
    )


def _level(value: float, more: str, less: str) -> str:
    """Return in words where a value from -1 to 1 lies."""
    if abs(value) < EVEN:
        return f"neither {more} nor {less}"
    return more if value > 0 else less

"""How well each candidate fits a request: by scene and mood, by its music, and by score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..brief.reader import StyleLike
from ..hearing.mixture import WORDS, Hearing, hearing_of
from ..models import Candidate, Features, Request, Track
from ..text.mood import mood_distance
from . import serving
from .evidence import Card, evidence, probability
from .music_certificate import MusicCertificate
from .terms import Terms

__all__ = [
    "EXCHANGED",
    "MAX_MOOD_DISTANCE",
    "OPPOSITE_MOOD_DISTANCE",
    "difference",
    "held_to_style",
    "serves_by_music",
    "weigh",
]


# For the rule by score.
MOOD_COST = 0.6
"""A mood distance of 1 lowers the similarity by this."""
MAX_MOOD_DISTANCE = 0.2
"""Beyond this mood distance a track is refused, however similar it is."""
PLACE_COST = 0.15
TIME_COST = 0.05

OPPOSITE_MOOD_DISTANCE = 0.5
"""Beyond this mood distance two moods are opposite, which is refused under either rule."""
EXCHANGED = 0.5
"""Near copies of a text with words exchanged for their opposite, by so much or more, are not of the same mood."""
SAME_SCENE, TURNED = 0.4, 0.25
"""From this cosine on two texts tell of one scene, and from this mood distance on in another mood. Then the music of
one does not serve the other."""


@dataclass(frozen=True)
class Felt:
    """A mood, and the place and time of a track's text."""

    valence: float
    energy: float
    mood_tags: tuple[str, ...]
    environment: str | None
    time_of_day: str | None


def felt(track: Track, hearing: Hearing) -> Felt:
    """Return the mood that is heard of a track. The tags are of its text, and say nothing of how it came out."""
    heard = hearing.brief
    return Felt(heard.valence, heard.energy, (), track.environment, track.time_of_day)


def held_to_style(request: Request, terms: Terms) -> bool:
    """Return whether a track of the same scene in another style than the request's must serve by its music too.

    Where no music is weighed (`reach="scene"`, the caller's own score, no certificate) the scene alone counts.
    """
    beyond = request.brief is not None and request.brief.beyond_the_text
    return beyond and terms.music_threshold is not None


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
    hearing = hearing_of(track, styles or {})
    distance, cost, against = difference(request.features, track)
    numbers = evidence(wanted, Card.of_track(track), similarity)
    scene = probability(terms.certificate.weights, numbers) if terms.certificate else None
    if hearing is not None:
        # What is compared is what is to be expected of a track that may be as asked, or as it is heard.
        apart, dear, against = difference(request.features, felt(track, hearing))
        heard = {**numbers, "mood_distance": apart}
        distance, cost = hearing.mixed(distance, apart), hearing.mixed(cost, dear)
        if terms.certificate and scene is not None:
            scene = hearing.mixed(scene, probability(terms.certificate.weights, heard))
        numbers = {name: hearing.mixed(value, heard[name]) for name, value in numbers.items()}
        if distance > MAX_MOOD_DISTANCE:
            against = (*against, hearing.words)
    scene = None if scene is None else round(scene, 4)
    score = round(similarity - cost, 4)
    exchanged = numbers["exchanged"]
    if exchanged > MAX_MOOD_DISTANCE:
        against = (*against, "nearly the same words, with some exchanged for their opposite")
    refused = distance > (MAX_MOOD_DISTANCE if terms.by_score else OPPOSITE_MOOD_DISTANCE)
    same_scene = not refused and exchanged <= EXCHANGED and terms.reached(score, scene)
    music, chances, sounds = _music(request, track, terms, styles or {}, hearing)
    if held_to_style(request, terms) and track.style != request.style:
        # The same text may want other music here, and no track tells what its own choice rested on.
        same_scene = same_scene and terms.serves(chances)
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
        heard=hearing.words if hearing else "",
        worth=None if worth is None else round(worth, 4),
        needed=needed,
        admissible=same_scene or serves,
        same_scene=same_scene,
    )


def serves_by_music(
    request: Request, music: serving.Music, terms: Terms, styles: Mapping[str, StyleLike]
) -> bool:
    """Return whether a track with this music would be reused for `request`, had it been made for another scene."""
    terms = terms.for_text(request.features, request.brief)
    if terms.music_threshold is None:
        return False
    if mood_distance(request.features, music) > OPPOSITE_MOOD_DISTANCE:
        return False
    return terms.serves(_music(request, music, terms, styles)[1])


def _music(
    request: Request,
    track: serving.Music,
    terms: Terms,
    styles: Mapping[str, StyleLike],
    hearing: Hearing | None = None,
) -> tuple[dict[str, float], serving.Chances | None, str]:
    """Return the evidence on the track's music, the chances that it serves, and how it sounds, in words."""
    known, brief, style = terms.music, request.brief, styles.get(track.style)
    if known is None or brief is None:
        return {}, None, ""
    numbers = serving.evidence(request, track, style) if style else None
    named = bool(request.choices.preset)
    asked = None
    if numbers is not None:
        asked = _chances(known, track.style, numbers, None if named else brief.styles[track.style].fits)
    if hearing is None:
        if numbers is None or asked is None or style is None:
            return {}, None, ""
        return _rounded(numbers), asked, serving.in_words(brief, style)
    heard, expected = serving.heard_evidence(request, hearing), numbers or {}
    chances = [
        (chance, _chances(known, name, one, brief.styles[name].fits), one) for name, chance, one in heard
    ]
    if not chances:
        return {}, None, ""
    passes, fits = (sum(chance * found[part] for chance, found, _ in chances) for part in (0, 1))
    means = {name: sum(chance * one[name] for chance, _, one in chances) for name in serving.NUMBERS}
    if asked is not None:
        passes, fits = hearing.mixed(asked.passes, passes), hearing.mixed(asked.fits, fits)
        means = {name: hearing.mixed(expected[name], value) for name, value in means.items()}
    return _rounded(means), serving.Chances(passes, fits), hearing.words


def _chances(
    known: MusicCertificate, style: str, numbers: Mapping[str, float], style_fits: float | None
) -> serving.Chances:
    return serving.chances(numbers, known.weights, known.step, known.leniency.get(style, 0.0), style_fits)


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in numbers.items()}


def difference(wanted: Features, other: Features | Track | Felt) -> tuple[float, float, tuple[str, ...]]:
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


def _mood(one: Features | Track | Felt) -> str:
    return ", ".join(one.mood_tags[:3]) or " and ".join(
        (_level(one.valence, "happy", "sad"), _level(one.energy, "lively", "still"))
    )


def _level(value: float, more: str, less: str) -> str:
    """Return in words where a value from -1 to 1 lies, told as what is heard of a track is told."""
    if abs(value) < WORDS:
        return f"neither {more} nor {less}"
    return more if value > 0 else less

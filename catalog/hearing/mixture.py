"""What a track is taken to be: a mixture of what was asked for when it was made and of what is heard of it.

Two explanations of the mood that is heard are compared by Bayes' rule: the track is as it was asked for, and the
hearing errs as usual; or it came out otherwise, and may be of any mood. The chance of the second is the weight of what
is heard, from a half on: below, a track is taken as it was asked for. The synthesizer does what it is asked, so only a
strong contradiction counts there. docs/HEARING.md has the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..models import ITS_WORDS, Track
from .model import ERRORS

__all__ = ["WORDS", "Hearing", "StyleMood", "heard_brief", "hearing_of"]

USUAL = ((0.13, 0.44), (-0.03, 0.51))
"""Mean and standard deviation of valence and of energy of the shipped styles: what a track may be that came out
otherwise."""
BEND = 0.2
"""How far a track of a style may be bent towards the mood of its text: a standard deviation."""
OTHERWISE = {"procedural": 0.01, "mlx": 0.25}
"""How often a track of a backend comes out otherwise than asked, before anything is heard: assumed, not measured."""
UNFITTED = 0.5
"""The same of a backend that is not named here."""
RECORDED = 1.5
"""How much larger the errors are on sound that the model was not fitted to: assumed, not measured."""
TIMBRE = 0.5
"""What chances by timbre count on such sound: they told 18 % of styles that serve, where a mood told 12 %."""
EAR_ERROR = 0.45
"""Standard deviation of the errors of an ear in valence and in energy: assumed, not measured."""
LEAST = 0.5
"""Below this weight a track is taken as asked: what is heard of styles is a guess, and would blur what was asked."""
WORDS = 0.25
"""From this distance on two moods are told apart in words."""


class StyleMood(Protocol):
    """What is read of a style preset."""

    @property
    def valence(self) -> float: ...
    @property
    def energy(self) -> float: ...
    @property
    def moods(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Brief:
    """What is heard of a track, from measured facts and from the ear where it heard the track."""

    valence: float
    energy: float
    errors: tuple[float, float]
    """Standard deviations of the errors in valence and energy."""
    styles: Mapping[str, float]
    """Chances of the styles, which sum to 1; none where nothing tells."""
    sure: float
    """The chance that the likeliest style is right."""
    by: str
    """In words, who heard it."""


@dataclass(frozen=True)
class Hearing:
    """How far a track is taken for what is heard of it."""

    weight: float
    """0: as it was asked for, 1: as it is heard."""
    brief: Brief
    words: str
    """In words, what is heard and how sure that is."""

    def mixed(self, asked: float, heard: float) -> float:
        """Return a number between what was asked and what is heard, by the weight."""
        return (1.0 - self.weight) * asked + self.weight * heard


def heard_brief(track: Track, styles: Mapping[str, StyleMood]) -> Brief | None:
    """Return what is heard of a track; None where nothing was measured and no ear has heard it."""
    suggests = track.measured.suggests if track.measured else None
    recorded = track.backend != "procedural"
    found: list[tuple[float, float, float, float]] = []
    by: list[str] = []
    if suggests is not None:
        wider = RECORDED if recorded else 1.0
        found.append((suggests.valence, suggests.energy, wider * ERRORS[0], wider * ERRORS[1]))
        by.append("measured facts")
    if track.heard is not None:
        found.append((track.heard.valence, track.heard.energy, EAR_ERROR, EAR_ERROR))
        by.append("the ear")
    if not found:
        return None
    valence, valence_error = _together([(one[0], one[2]) for one in found])
    energy, energy_error = _together([(one[1], one[3]) for one in found])
    chances = _chances(track, styles, (valence, energy), (valence_error, energy_error), recorded=recorded)
    sure = max(chances.values(), default=0.0)
    return Brief(valence, energy, (valence_error, energy_error), chances, sure, " and ".join(by))


def hearing_of(track: Track, styles: Mapping[str, StyleMood]) -> Hearing | None:
    """Return how far a track is taken for what is heard of it; None where it is taken for what was asked."""
    brief = heard_brief(track, styles)
    if brief is None:
        return None
    asked = styles.get(track.style)
    if asked is not None and _recognised(track):
        return None
    weight = 1.0 if asked is None else _otherwise(track, asked, brief)
    if asked is not None and weight < LEAST:
        return None
    return Hearing(round(weight, 4), brief, _words(track, asked, brief, weight))


def _recognised(track: Track) -> bool:
    """Tell whether a track of the synthesizer has the timbre of the style that it was made with."""
    suggests = track.measured.suggests if track.measured else None
    if track.backend != "procedural" or suggests is None:
        return False
    return suggests.styles.get(track.style, 0.0) >= LEAST


def _otherwise(track: Track, asked: StyleMood, brief: Brief) -> float:
    """Return the chance that a track came out otherwise than it was asked for."""
    before = OTHERWISE.get(track.backend, UNFITTED)
    if "style_sure" in track.config:
        # Nobody asked for it: its words tell the style, as surely as this.
        before = 1.0 - min(0.95, max(0.05, float(track.config["style_sure"])))
    # The chance of the asked mood by what is heard, against its chance before anything is heard.
    odds = (1.0 - before) / before
    for wanted, heard, error, (mean, spread) in zip(
        (asked.valence, asked.energy), (brief.valence, brief.energy), brief.errors, USUAL, strict=True
    ):
        odds *= _density(wanted - heard, error) / _normal(wanted - mean, spread)
    return 1.0 / (1.0 + odds)


def _density(apart: float, error: float) -> float:
    return _normal(apart, math.hypot(error, BEND))


def _normal(apart: float, spread: float) -> float:
    return math.exp(-0.5 * (apart / spread) ** 2) / (spread * math.sqrt(2.0 * math.pi))


def _together(found: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean of values, each weighed by its precision, and its error."""
    precisions = [1.0 / error**2 for _, error in found]
    mean = sum(value * one for (value, _), one in zip(found, precisions, strict=True)) / sum(precisions)
    return mean, math.sqrt(1.0 / sum(precisions))


def _chances(
    track: Track,
    styles: Mapping[str, StyleMood],
    mood: tuple[float, float],
    errors: tuple[float, float],
    *,
    recorded: bool,
) -> dict[str, float]:
    """Return chances of the styles: those that the model and the ear tell, and for the rest those of a like mood.

    What timbre tells counts `TIMBRE` on sound that it was not fitted to, and so sureness has a limit there.
    """
    by_mood = {
        name: _density(mood[0] - style.valence, errors[0]) * _density(mood[1] - style.energy, errors[1])
        for name, style in styles.items()
        if not track.backend.startswith("imported") or not getattr(style, "environment", None)
    }
    told = dict(track.measured.suggests.styles) if track.measured and track.measured.suggests else {}
    told = {name: chance for name, chance in told.items() if name in styles}
    ear = track.heard.of("style") if track.heard else {}
    ear = {name: share for name, share in ear.items() if name in styles}
    ways = [(TIMBRE if recorded else 1.0, told), (1.0, ear)]
    ways = [(share, way) for share, way in ways if way]
    mixed: dict[str, float] = {}
    for share, way in ways:
        for name, chance in way.items():
            mixed[name] = mixed.get(name, 0.0) + share * chance / max(1.0, sum(way.values())) / len(ways)
    rest, whole = 1.0 - sum(mixed.values()), sum(by_mood.values())
    for name, density in by_mood.items():
        mixed[name] = mixed.get(name, 0.0) + max(0.0, rest) * density / whole
    return {name: chance for name, chance in mixed.items() if chance > 0.0}


def _words(track: Track, asked: StyleMood | None, brief: Brief, weight: float) -> str:
    """Return in words what is heard, by whom, and how sure that is."""
    mood = f"{_mood(brief.valence, brief.energy)} by {brief.by}"
    if asked is None:
        return f"heard as {mood}, a guess (likeliest style {_best(brief)}, sure {brief.sure:.2f})"
    wanted = _mood(asked.valence, asked.energy)
    by = track.config.get("style_by")
    verb = "made as" if by is None else "its words say" if by == ITS_WORDS else "said to be"
    return f"{verb} {wanted}, heard as {mood} (chance {weight:.2f} that it came out otherwise)"


def _best(brief: Brief) -> str:
    return max(brief.styles, key=lambda name: (brief.styles[name], name), default="unknown")


def _mood(valence: float, energy: float) -> str:
    """Return a mood in two words: "calm and bright"."""
    pace = "calm" if energy < -WORDS else "driving" if energy > WORDS else "moderate"
    shade = "dark" if valence < -WORDS else "bright" if valence > WORDS else "neutral"
    return f"{pace} and {shade}"

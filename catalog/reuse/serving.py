"""Would this track serve this text? The evidence on its music, the two chances, and the reason in a listener's words.

A track serves a text when its music suits it, whatever it was made for. The score is a weighted sum: how well the
style suits the text (the logit of its chance to pass), how far the style lies from the valence and the energy that the
text wants, how far the moods of the two texts lie apart, and how forgiving judges were of the style. As in the brief,
sigmoid(score) is the chance that nobody would object, and sigmoid(score - step) that the track fits (McCullagh 1980).
The latter is averaged with the chance to fit that the brief gives the style: together they tell fitting pairs from the
rest better than either alone (docs/REUSE.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..brief.reader import StyleLike
from ..brief.vectors import logit
from ..hearing.mixture import Hearing
from ..models import Brief, Request
from ..text.mood import Feeling, mood_distance

__all__ = [
    "HURTS",
    "NUMBERS",
    "VERSION",
    "Chances",
    "Music",
    "chances",
    "evidence",
    "heard_evidence",
    "in_words",
]

VERSION = "music-1"
"""Raise it when a number is computed in another way: certificates made before then expire."""
NUMBERS = ("style", "valence", "energy", "mood")
HURTS = frozenset({"valence", "energy", "mood"})
"""A larger one of these never raises the chances; a larger one of the others never lowers them."""
RARE = 0.01
A_SHADE, CLEARLY = 0.2, 0.5
"""Differences in valence or energy from which a listener is told of them."""


class Chances(NamedTuple):
    """How likely a track serves a text."""

    passes: float
    """That nobody would object to its music."""
    fits: float
    """That a music supervisor would play it without a second thought."""


class Music(Feeling, Protocol):
    """What the decision looks at in a track, made or planned: its style and the mood it was made for."""

    @property
    def style(self) -> str: ...


def evidence(request: Request, track: Music, style: StyleLike) -> dict[str, float] | None:
    """Return the numbers that show whether `track`, of the preset `style`, serves `request`; None without a brief.

    style is a logit, the others are distances of at least 0. Where the caller named the style it is not in question:
    every candidate has it, and only the moods are compared.
    """
    brief = request.brief
    if brief is None or track.style not in brief.styles:
        return None
    mood = mood_distance(request.features, track)
    if request.choices.preset:
        best = max(one.passes for one in brief.styles.values())
        return {"style": logit(best), "valence": 0.0, "energy": 0.0, "mood": mood}
    return {
        "style": logit(brief.styles[track.style].passes),
        "valence": abs(brief.valence - style.valence),
        "energy": abs(brief.energy - style.energy),
        "mood": mood,
    }


def heard_evidence(request: Request, hearing: Hearing) -> list[tuple[str, float, dict[str, float]]]:
    """Return for each style that a track is heard as: its name, its chance, and the numbers of such a track.

    The chances sum to 1; styles of a chance under `RARE` are left out. The valence and the energy are those that are
    heard, not those of the style. Nothing without a brief.
    """
    brief, heard = request.brief, hearing.brief
    if brief is None:
        return []
    likely = {
        name: chance for name, chance in heard.styles.items() if chance >= RARE and name in brief.styles
    }
    total = sum(likely.values())
    mood = mood_distance(request.features, _Heard(heard.valence, heard.energy))
    apart = abs(brief.valence - heard.valence), abs(brief.energy - heard.energy)
    return [
        (
            name,
            chance / total,
            {
                "style": logit(brief.styles[name].passes),
                "valence": apart[0],
                "energy": apart[1],
                "mood": mood,
            },
        )
        for name, chance in likely.items()
    ]


@dataclass(frozen=True)
class _Heard:
    valence: float
    energy: float
    mood_tags: tuple[str, ...] = ()


def chances(
    numbers: Mapping[str, float],
    weights: Mapping[str, float],
    step: float,
    leniency: float,
    style_fits: float | None = None,
) -> Chances:
    """Return the chances that a track serves a text, from the `evidence`.

    `leniency` is how forgiving judges were of the track's style. `style_fits` is the chance to fit that the brief gives
    the style; None where the style is not in question. The odds of the two chances to fit have their geometric mean.
    """
    score = weights["constant"] + sum(weights[name] * numbers[name] for name in NUMBERS) + leniency
    fits = score - step if style_fits is None else (score - step + logit(style_fits)) / 2
    return Chances(_sigmoid(score), _sigmoid(min(score, fits)))


def in_words(brief: Brief, style: StyleLike) -> str:
    """Return how music of a style stands to what the text wants, such as "calm and cozy, a shade brighter"."""
    what = " and ".join(style.moods[:2]) or "music"
    differences = [
        _compared(style.valence - brief.valence, "brighter", "darker"),
        _compared(style.energy - brief.energy, "livelier", "calmer"),
    ]
    told = " and ".join(filter(None, differences))
    return (
        f"{what}, {told} than the text wants" if told else f"{what}, as bright and lively as the text wants"
    )


def _compared(difference: float, more: str, less: str) -> str:
    if abs(difference) < A_SHADE:
        return ""
    word = more if difference > 0 else less
    return f"clearly {word}" if abs(difference) >= CLEARLY else f"a shade {word}"


def _sigmoid(score: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))

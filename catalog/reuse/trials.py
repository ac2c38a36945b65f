"""Labelled texts as trials: what would be reused for what, and whether that is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..models import Context
from ..text import features as understanding
from ..text.encoder import Encoder, embed_document
from .evidence import Card, evidence, probability
from .labels import LabelledScene, Pair

__all__ = [
    "NEAREST",
    "PREVALENCE",
    "Case",
    "Known",
    "Report",
    "Trial",
    "Weights",
    "cases",
    "pair_trials",
    "read_texts",
    "trials",
]

PREVALENCE = 0.5
"""The share of trial requests for which the catalog holds a fitting track."""
NEAREST = 12
"""Tracks of other scenes that a trial weighs: those a search would put first."""

Report = Callable[[int, int], None]
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Known:
    """A text as the decision sees it."""

    card: Card
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A request of a scene, a catalog it meets, and what speaks for each track there."""

    scene: str
    weight: float
    matched: bool
    right: tuple[Mapping[str, float], ...]
    other: tuple[Mapping[str, float], ...]
    """The nearest tracks of other scenes."""
    opposite: tuple[Mapping[str, float], ...]
    """Tracks of the same scene in the opposite mood."""
    passable: tuple[Mapping[str, float], ...] = ()
    """Tracks of the same scene and mood in another place or at another time: neither counted as hits nor as wrong."""


@dataclass(frozen=True)
class Trial:
    """What a case comes to: up to which threshold anything is reused, and up to which something wrong could be.

    Every track above the threshold may be served, not only the best, so one wrong one makes the trial wrong.
    """

    scene: str
    weight: float
    matched: bool
    reused_to: float
    wrong_to: float
    right_to: float


def read_texts(
    texts: Iterable[str],
    encoder: Encoder,
    *,
    cache_dir: Path | None = None,
    on_progress: Report | None = None,
) -> dict[str, Known]:
    """Return every text as the decision would see it. `on_progress` is told texts done and texts in all."""
    wanted = list(dict.fromkeys(texts))
    known = {}
    for number, text in enumerate(wanted, 1):
        context = Context(text=text)
        card = Card.of(context, understanding.extract(context, encoder, cache_dir=cache_dir))
        known[text] = Known(card, embed_document(encoder, context.text))
        if on_progress:
            on_progress(number, len(wanted))
    return known


def cases(
    asked: Iterable[LabelledScene], background: Iterable[LabelledScene], known: Mapping[str, Known]
) -> list[Case]:
    """Return what the requests of every scene meet: a catalog of the background's tracks and of the scene's own.

    The background is the same for all and none of it is asked, so that scenes stay independent of each other. Every
    text asks twice over: with one other text of its list in the catalog, once for each, and with none. Tracks of
    the scene in the opposite mood are there each time.
    """
    tracks = [(scene.scene, text) for scene in background for _, text in scene.texts()]
    if not tracks:
        return []
    vectors = np.stack([known[text].vector for _, text in tracks])
    return [case for scene in asked for case in _scene_cases(scene, tracks, vectors, known)]


def _scene_cases(
    scene: LabelledScene,
    tracks: Sequence[tuple[str, str]],
    vectors: NDArray[np.float32],
    known: Mapping[str, Known],
) -> Iterator[Case]:
    texts = list(scene.texts())
    for variant, text in texts:
        mine = known[text]
        order = np.argsort(-(vectors @ mine.vector), kind="stable")
        others = [tracks[i][1] for i in order[: 4 * NEAREST] if tracks[i][0] != scene.scene][:NEAREST]
        turned = [other for kind, other in texts if "opposite" in (kind, variant) and kind != variant]
        moved = [other for kind, other in texts if other not in turned and kind != variant]
        near, opposite, passable = (
            tuple(_compared(mine, known[other]) for other in group) for group in (others, turned, moved)
        )
        fitting = [other for kind, other in texts if kind == variant and other != text]
        yield Case(scene.scene, (1 - PREVALENCE) / len(texts), False, (), near, opposite, passable)
        for other in fitting:
            weight = PREVALENCE / len(texts) / len(fitting)
            yield Case(scene.scene, weight, True, (_compared(mine, known[other]),), near, opposite, passable)


def _compared(asked: Known, track: Known) -> dict[str, float]:
    return evidence(asked.card, track.card, float(asked.vector @ track.vector))


def trials(labelled: Iterable[Case], weights: Weights) -> list[Trial]:
    """Return what each case comes to under the weights."""
    found = []
    for case in labelled:
        right = max((probability(weights, one) for one in case.right), default=0.0)
        wrong = max((probability(weights, one) for one in (*case.other, *case.opposite)), default=0.0)
        found.append(Trial(case.scene, case.weight, case.matched, max(right, wrong), wrong, right))
    return found


def pair_trials(pairs: Sequence[Pair], known: Mapping[str, Known], weights: Weights) -> list[Trial]:
    """Return what each judged pair comes to; pairs of one scene share its weight."""
    sizes: dict[str, int] = defaultdict(int)
    names = names_in(pairs)
    for name in names:
        sizes[name] += 1
    found = []
    for name, pair in zip(names, pairs, strict=True):
        fits = probability(weights, _compared(known[pair.asked], known[pair.track]))
        wrong, right = (0.0, fits) if pair.fits else (fits, 0.0)
        found.append(Trial(name, 1 / sizes[name], pair.fits, fits, wrong, right))
    return found


def names_in(pairs: Sequence[Pair]) -> list[str]:
    """Return the scene of each pair; one without is a scene of its own."""
    return [pair.scene or f"pair {number}" for number, pair in enumerate(pairs)]


def texts_in(scenes: Iterable[LabelledScene]) -> Iterator[str]:
    return (text for scene in scenes for _, text in scene.texts())

"""Labelled texts as trials: which track would be reused for which request, and whether that is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..models import Context
from ..text.encoder import Encoder
from ..text.features import features_of
from ..text.parsed import parse
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
    """A text with the values that the decision compares."""

    card: Card
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A request of a scene and a catalog, with the evidence for each track in it."""

    scene: str
    weight: float
    matched: bool
    right: tuple[Mapping[str, float], ...]
    other: tuple[Mapping[str, float], ...]
    """The nearest tracks of other scenes."""
    opposite: tuple[Mapping[str, float], ...]
    """Tracks of the same scene in the opposite mood."""
    passable: tuple[Mapping[str, float], ...] = ()
    """Tracks of the same scene and mood in another place or at another time: neither hits nor wrong."""


@dataclass(frozen=True)
class Trial:
    """A case as thresholds: up to which anything, a wrong track, and a right track is reused.

    Every track that reaches the threshold may be served, not only the best. So one wrong track makes the trial wrong.
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
    """Return the values that the decision compares of every text. `on_progress` gets the texts done and all texts."""
    wanted = list(dict.fromkeys(texts))
    known = {}
    for number, text in enumerate(wanted, 1):
        context = Context(text=text)
        parsed = parse(context, encoder, cache_dir)
        assert parsed.vector is not None
        known[text] = Known(Card.of(context, features_of(context, parsed)), parsed.vector)
        if on_progress:
            on_progress(number, len(wanted))
    return known


def cases(
    requests: Iterable[LabelledScene], background: Iterable[LabelledScene], known: Mapping[str, Known]
) -> list[Case]:
    """Return the cases of every scene: a request, and a catalog with tracks of the background and of the scene.

    The background is the same for all scenes and none of its texts is a request, so that scenes stay independent of
    each other. Every text is a request without any fitting track in the catalog, and once with each other text of its
    list as the fitting track. Tracks of the scene in the opposite mood are always in the catalog.
    """
    tracks = [(scene.scene, text) for scene in background for _, text in scene.texts()]
    if not tracks:
        return []
    vectors = np.stack([known[text].vector for _, text in tracks])
    return [case for scene in requests for case in _scene_cases(scene, tracks, vectors, known)]


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
        opposites = [other for kind, other in texts if "opposite" in (kind, variant) and kind != variant]
        moved = [other for kind, other in texts if other not in opposites and kind != variant]
        near, opposite, passable = (
            tuple(_compared(mine, known[other]) for other in group) for group in (others, opposites, moved)
        )
        fitting = [other for kind, other in texts if kind == variant and other != text]
        yield Case(scene.scene, (1 - PREVALENCE) / len(texts), False, (), near, opposite, passable)
        for other in fitting:
            weight = PREVALENCE / len(texts) / len(fitting)
            yield Case(scene.scene, weight, True, (_compared(mine, known[other]),), near, opposite, passable)


def _compared(request: Known, track: Known) -> dict[str, float]:
    return evidence(request.card, track.card, float(request.vector @ track.vector))


def trials(labelled: Iterable[Case], weights: Weights) -> list[Trial]:
    """Return the trial of each case under the weights."""
    tried = []
    for case in labelled:
        right = max((probability(weights, one) for one in case.right), default=0.0)
        wrong = max((probability(weights, one) for one in (*case.other, *case.opposite)), default=0.0)
        tried.append(Trial(case.scene, case.weight, case.matched, max(right, wrong), wrong, right))
    return tried


def pair_trials(pairs: Sequence[Pair], known: Mapping[str, Known], weights: Weights) -> list[Trial]:
    """Return the trial of each judged pair; pairs of one scene share its weight."""
    sizes: dict[str, int] = defaultdict(int)
    names = names_in(pairs)
    for name in names:
        sizes[name] += 1
    tried = []
    for name, pair in zip(names, pairs, strict=True):
        fits = probability(weights, _compared(known[pair.asked], known[pair.track]))
        wrong, right = (0.0, fits) if pair.fits else (fits, 0.0)
        tried.append(Trial(name, 1 / sizes[name], pair.fits, fits, wrong, right))
    return tried


def names_in(pairs: Sequence[Pair]) -> list[str]:
    """Return the scene of each pair; a pair without one is a scene of its own."""
    return [pair.scene or f"pair {number}" for number, pair in enumerate(pairs)]


def texts_in(scenes: Iterable[LabelledScene]) -> Iterator[str]:
    """Return the texts of the scenes."""
    return (text for scene in scenes for _, text in scene.texts())

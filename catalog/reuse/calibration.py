"""From labels to a certificate: fit the weights on some scenes, and certify thresholds on others.

The method is Learn-then-Test (Angelopoulos and others 2021). The thresholds of a fixed grid are tested from strict to
lenient, each against the hypothesis that more than the wanted share of reused tracks does not fit; the first hypothesis
that is not rejected ends it. Texts of one scene depend on each other, so the scene is the unit: the share of its reuses
that does not fit. The rate is the mean of these shares over the scenes in which anything is reused. The test is a bet
on the shares (Waudby-Smith and Ramdas 2024). It is exact for any number of scenes and any distribution.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models import Judgement, RequestRecord
from ..text.encoder import Encoder
from . import music_certificate
from .certificate import DELTA, MAX_FALSE_REUSE, Bound, Certificate, identified, shipped_for, version
from .evidence import HURTS, MOOD, TOPIC
from .labels import LabelledScene, Labels, Pair, shipped_labels
from .languages import languages_of
from .music_certificate import MusicCertificate
from .terms import MUSIC_RULES, SCENE_RULES
from .trials import (
    PREVALENCE,
    Case,
    Report,
    Trial,
    cases,
    names_in,
    pair_trials,
    read_texts,
    texts_in,
    trials,
)

__all__ = [
    "GRID",
    "RATES",
    "calibrate",
    "calibrate_from_ratings",
    "certified",
    "fit",
    "hit_rate",
    "music_from_ratings",
    "scenes_needed",
    "wrong_shares",
]


RATES = (0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
"""The rates of false reuse that every certificate has bounds for; a caller can add others."""
GRID = tuple(round(0.99 - 0.01 * step, 2) for step in range(99))
"""Thresholds, strict to lenient, fixed before any label is seen."""
BETS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Sizes of the bets, as shares of the largest one that cannot lose everything. Their mean wins when one does."""
PENALTY = 1e-4


def calibrate(
    encoder: Encoder,
    *,
    labels: Labels | None = None,
    rates: Iterable[float] = (),
    cache_dir: Path | None = None,
    on_progress: Report | None = None,
) -> Certificate:
    """Return a certificate for `encoder` from `labels`, by default the shipped ones. Takes a minute or two.

    The weights are always fitted on the "fit" scenes of the shipped labels, and those scenes certify nothing. Shipped
    labels certify with their "calibrate" scenes, other labels with all of theirs. `rates` are certified beside `RATES`.
    Apart from the date the result is deterministic. Raises Unavailable without encoder, and InputError where the labels
    are too few to certify the first of `rates` (or `MAX_FALSE_REUSE`) even if no reuse among them were wrong. It holds
    for each language in which the labels have as many scenes as that takes.
    """
    wanted = [*rates]
    if labels:
        names = {*names_in(labels.pairs), *(one.scene for one in labels.scenes)}
        _enough(f"{labels.source} has {len(names)}", len(names), wanted)
    shipped = shipped_labels()
    # The "fit" scenes are needed to fit weights, and as the tracks of a catalog in the trials of other scenes.
    fitted = shipped_for(encoder.identity) if labels else None
    background = () if fitted and labels and not labels.scenes else shipped.split("fit")
    tested = labels.scenes if labels else shipped.split("calibrate")
    pairs = labels.pairs if labels else ()
    languages = _languages(tested, pairs, wanted, (labels or shipped).source)
    known = read_texts(
        [
            *texts_in(background),
            *texts_in(tested),
            *(text for pair in pairs for text in (pair.asked, pair.track)),
        ],
        encoder,
        cache_dir=cache_dir,
        on_progress=on_progress,
    )
    weights = fitted.weights if fitted else fit(cases(background, background, known))
    tried = [*trials(cases(tested, background, known), weights), *pair_trials(pairs, known, weights)]
    about = labels or shipped
    reusing = len(wrong_shares(tried, GRID[-1]))
    _enough(f"{about.source} has {reusing}", reusing, wanted, "scenes in which anything is reused")
    return identified(
        Certificate(
            made_at=_now(),
            source=about.source,
            source_sha256=about.sha256,
            shipped_sha256=shipped.sha256,
            encoder=encoder.identity,
            features=version(),
            languages=languages,
            prevalence=None if pairs else PREVALENCE,
            scenes=len({trial.scene for trial in tried}),
            weights={name: round(value, 6) for name, value in weights.items()},
            bounds=tuple(certified(tried, rate) for rate in sorted({*RATES, *wanted})),
        )
    )


def calibrate_from_ratings(
    base: Certificate,
    judgements: Iterable[Judgement],
    requests: Iterable[RequestRecord],
    *,
    rates: Iterable[float] = (),
) -> Certificate:
    """Return a certificate from judgements of tracks that were reused under `base`; it keeps the weights of `base`.

    A reuse is wrong when it was rejected or rated 1 or 2 as the answer to its request, right when rated 3 or more. All
    reuses of one track are one unit. Only tracks that were served are judged, so no threshold below those they were
    served at can be certified. A track that a person chose or turned down counts like one that was served. Raises
    InputError when too few usable reuses were judged.
    """
    lines = [line for line in requests if line.rule in SCENE_RULES]
    about, units, bounds = _certified_by(_judged(base, judgements, lines), [*rates])
    return identified(
        base.model_copy(update={**about, "prevalence": None, "scenes": units, "bounds": bounds})
    )


def music_from_ratings(
    base: MusicCertificate,
    judgements: Iterable[Judgement],
    requests: Iterable[RequestRecord],
    *,
    rates: Iterable[float] = (),
) -> MusicCertificate:
    """Return a certificate for the decision on music, as `calibrate_from_ratings` does for that on the same scene."""
    judged = _judged(base, judgements, [line for line in requests if line.rule in MUSIC_RULES])
    about, units, bounds = _certified_by(judged, [*rates])
    made = base.model_copy(update={**about, "texts": units, "pairs": len(judged), "bounds": bounds})
    return music_certificate.identified(made)


Judged = Sequence[tuple[RequestRecord, Judgement]]


def _judged(
    base: Certificate | MusicCertificate, judgements: Iterable[Judgement], lines: Iterable[RequestRecord]
) -> Judged:
    """Return the reuses under `base` that were judged, each with the judgement that counts. Raises InputError."""
    served = {
        line.id: line
        for line in lines
        if line.probability is not None
        and line.created_at >= base.made_at
        and line.threshold in {bound.threshold for bound in base.bounds}
        # What is read word for word in English has bounds of its own, which stay as they are.
        and not (line.features and line.features.glossed)
    }
    newest: dict[tuple[str, str], Judgement] = {}
    rated: dict[tuple[str, str], Judgement] = {}
    for one in sorted(judgements, key=lambda one: one.created_at):
        if one.request_id in served and served[one.request_id].track_id == one.track_id:
            pair = one.track_id, one.request_id
            # A rejection that is taken back leaves the rating before it.
            newest[pair] = rated.get(pair, one) if one.verdict == "allowed" else one
            if one.verdict == "rated":
                rated[pair] = one
    judged = [(served[request], one) for (_, request), one in newest.items() if _fitted(one) is not None]
    if not judged:
        raise InputError(
            "no reuse under the certificate in use was judged yet; rate tracks as answers to their requests "
            "or reject them, or calibrate on the shipped labels"
        )
    return judged


def _certified_by(judged: Judged, wanted: Sequence[float]) -> tuple[dict[str, Any], int, tuple[Bound, ...]]:
    """Return what a certificate says of where it comes from, its number of units, and its bounds."""
    sizes = Counter(one.track_id for _, one in judged)
    wrong = len({one.track_id for _, one in judged if not _fitted(one)})
    have = f"there are {len(sizes)}, {wrong} of them wrong"
    _enough(have, len(sizes), wanted, "reused tracks that were judged")
    tried = []
    for line, one in judged:
        fits, right = float(line.probability or 0.0), bool(_fitted(one))
        tried.append(
            Trial(one.track_id, 1 / sizes[one.track_id], right, fits, fits * (not right), fits * right)
        )
    lowest = max(line.threshold for line, _ in judged)
    grid = [threshold for threshold in GRID if threshold >= lowest]
    lines = "\n".join(f"{one.id} {one.verdict} {one.rating}" for _, one in judged)
    about = {
        "made_at": _now(),
        "source": f"{len(judged)} judgements of reused tracks in this catalog",
        "source_sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    bounds = tuple(
        certified(tried, rate, grid=grid).model_copy(update={"hits": None})
        for rate in sorted({*RATES, *wanted})
    )
    return about, len(sizes), bounds


def scenes_needed(rate: float, *, delta: float = DELTA) -> int:
    """Return how many scenes certify `rate` where no reuse in them is wrong; fewer never do."""
    growth = np.log1p(np.array(BETS) * rate / (1 - rate))

    def won(scenes: int) -> float:
        return float(np.mean(np.exp(np.minimum(scenes * growth, 700.0))))

    most = 1
    while won(most) < 1 / delta:
        most *= 2
    return bisect.bisect_left(range(most), 1 / delta, key=won)


def _enough(have: str, scenes: int, wanted: Sequence[float], what: str = "scenes") -> None:
    """Raise InputError for labels so few that they certify nothing for the wanted rate, whatever they say."""
    rate = wanted[0] if wanted else MAX_FALSE_REUSE
    if scenes < (needed := scenes_needed(rate)):
        raise InputError(
            f"to certify {100 * rate:g}% of false reuse takes at least {needed} {what}, and {have}; add more, or name "
            "a higher max_false_reuse; the certificate in use stays as it was"
        )


def _languages(
    scenes: Sequence[LabelledScene], pairs: Sequence[Pair], wanted: Sequence[float], source: str
) -> tuple[str, ...]:
    """Return the languages that have scenes enough to certify the wanted rate. Raises InputError where none has."""
    units: dict[str, list[str]] = defaultdict(list)
    for scene in scenes:
        units[scene.scene] += [text for _, text in scene.texts()]
    for name, pair in zip(names_in(pairs), pairs, strict=True):
        units[name] += [pair.asked, pair.track]
    needed = scenes_needed(wanted[0] if wanted else MAX_FALSE_REUSE)
    if found := languages_of(units.values(), needed):
        return found
    raise InputError(
        f"a certificate holds for languages with at least {needed} scenes, and {source} has as many in none; add more "
        "in one language; the certificate in use stays as it was"
    )


def _fitted(one: Judgement) -> bool | None:
    """Return whether the track fitted by a judgement, None where the judgement was taken back."""
    if one.verdict == "rejected":
        return False
    return None if one.rating is None else one.rating >= 3


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def fit(labelled: Sequence[Case]) -> dict[str, float]:
    """Return the weights of the greatest likelihood: at most 0 for `HURTS`, at least 0 for the other numbers.

    Tracks that fit, tracks of other scenes, and tracks of the same scene that do not fit weigh 2 : 1 : 1.
    """
    from scipy.optimize import minimize

    names = ("topic", *TOPIC, "mood", *MOOD)
    cut = 1 + len(TOPIC)
    groups = (
        [numbers for case in labelled for numbers in case.right],
        [numbers for case in labelled if not case.matched for numbers in case.other],
        [numbers for case in labelled if not case.matched for numbers in (*case.opposite, *case.passable)],
    )
    if not all(groups):
        raise InputError(
            "weights need scenes with tracks that fit, with other scenes, and with tracks that do not fit"
        )
    rows = np.array([[numbers[name] for name in (*TOPIC, *MOOD)] for group in groups for numbers in group])
    ones = np.ones((len(rows), 1))
    topic, mood = np.hstack([ones, rows[:, : len(TOPIC)]]), np.hstack([ones, rows[:, len(TOPIC) :]])
    fits = np.arange(len(rows)) < len(groups[0])
    share = np.concatenate(
        [np.full(len(group), s / len(group)) for s, group in zip((0.5, 0.25, 0.25), groups, strict=True)]
    )

    def loss(weights: NDArray[np.float64]) -> float:
        log_fits = -np.logaddexp(0, -topic @ weights[:cut]) - np.logaddexp(0, -mood @ weights[cut:])
        log_not = np.log(-np.expm1(np.minimum(log_fits, -1e-12)))
        return float(-share @ np.where(fits, log_fits, log_not) + PENALTY * weights @ weights)

    free = {"topic", "mood"}
    limits = [(None if n in free or n in HURTS else 0.0, 0.0 if n in HURTS else None) for n in names]
    best = minimize(loss, np.zeros(len(names)), bounds=limits, method="L-BFGS-B")
    return dict(zip(names, map(float, best.x), strict=True))


def certified(
    tried: Sequence[Trial], rate: float, *, delta: float = DELTA, grid: Sequence[float] = GRID
) -> Bound:
    """Return the most lenient threshold of `grid` at which at most `rate` of the reused tracks do not fit.

    Over the draw of scenes that is wrong with probability `delta` at most. The threshold is None where none holds.
    """
    best, columns = None, _columns(tried)
    for threshold in grid:
        wrong = _shares(columns, threshold)
        if _evidence(0 * wrong, rate) < 1 / delta:
            continue  # too few reuses to certify even if none were wrong; this does not look at a label
        if _evidence(wrong, rate) < 1 / delta:
            break
        best = threshold
    if best is None:
        return Bound(max_false_reuse=rate, threshold=None)
    wrong = _shares(columns, best)
    return Bound(
        max_false_reuse=rate,
        threshold=best,
        scenes=len(wrong),
        wrong=int((wrong > 0).sum()),
        false_reuse=round(float(wrong.mean()), 4),
        upper_bound=round(_upper(wrong, rate, delta), 4),
        hits=round(hit_rate(tried, best), 4) if any(trial.matched for trial in tried) else None,
    )


def wrong_shares(tried: Iterable[Trial], threshold: float) -> NDArray[np.float64]:
    """Return, for each scene in which anything is reused, the share of its reuses that could serve something wrong."""
    return _shares(_columns(tried), threshold)


class _Columns(NamedTuple):
    scene: NDArray[np.int64]
    weight: NDArray[np.float64]
    reused_to: NDArray[np.float64]
    wrong_to: NDArray[np.float64]


def _columns(tried: Iterable[Trial]) -> _Columns:
    rows = list(tried)
    number = {name: i for i, name in enumerate(dict.fromkeys(row.scene for row in rows))}
    return _Columns(
        np.array([number[row.scene] for row in rows], np.int64),
        *(np.array([getattr(row, name) for row in rows]) for name in ("weight", "reused_to", "wrong_to")),
    )


def _shares(tried: _Columns, threshold: float) -> NDArray[np.float64]:
    size = int(tried.scene.max(initial=-1)) + 1
    reused, wrong = (
        np.bincount(tried.scene, tried.weight * (reached >= threshold), size)
        for reached in (tried.reused_to, tried.wrong_to)
    )
    return wrong[reused > 0] / reused[reused > 0]


def hit_rate(tried: Iterable[Trial], threshold: float) -> float:
    """Return the share of the trials with a fitting track in the catalog that reuse it."""
    matched = [trial for trial in tried if trial.matched]
    return sum(t.weight for t in matched if t.right_to >= threshold) / sum(t.weight for t in matched)


def _evidence(wrong: NDArray[np.float64], rate: float) -> float:
    """Return the value, from a stake of 1, of bets against the hypothesis that the mean of `wrong` is above `rate`.

    Under that hypothesis no bet gains on average. By Markov's inequality the value then reaches 1 / delta with
    probability delta at most.
    """
    logs = np.array([np.log1p(-bet / (1 - rate) * (wrong - rate)).sum() for bet in BETS])
    return math.exp(min(700.0, float(logs.max()))) * float(np.mean(np.exp(logs - logs.max())))


def _upper(wrong: NDArray[np.float64], rate: float, delta: float) -> float:
    """Return the smallest rate, up to `rate`, that the bets rule out."""
    low, high = 0.0, rate
    for _ in range(30):
        middle = (low + high) / 2
        if _evidence(wrong, middle) >= 1 / delta:
            high = middle
        else:
            low = middle
    return high

"""Plan a stock of tracks for a corpus: read its texts, and choose the tracks that serve most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..brief.supervisor import is_guess
from ..disk.reading import Row
from ..errors import InputError, Unavailable
from ..generator import Progress
from ..history.making_time import making_time
from ..models import Choices, Features, Filter, PlannedTrack, Request, StockPlan, StyleFit, Track
from ..presets import Library
from ..request.corpus import SAMPLE, Corpus, Sample, read_corpus
from ..reuse.facts import hard_facts
from ..reuse.terms import Terms
from ..reuse.weighing import serves_by_music
from ..search.filters import both, equals, one_of, to_sql
from ..store.requests import STOCKING
from ..store.store import Store
from ..text.language import name_of
from ..validation import checked, nearest
from .call import Call
from .cover import Pick, greedy_cover
from .stages import Flow

__all__ = ["OPTIONS", "arguments_of", "plan_stock"]


OPTIONS = ("role", "quality", "backend", "license", "duration_s", "loopable", "generation")
"""The choices of `find_or_make` that hold for a whole stock. Style and seed follow from the plan."""
FORM = ("duration_s", "loopable", "size", "backend")
"""The values of a configuration that hard facts depend on."""
ReadCalls = Callable[[Flow, Sequence[Call], "Progress | None"], None]
"""Reads the texts of calls, each of which then knows its request and its vector."""
MOOD_CELL = 0.5
"""For each style one text is a candidate to make the track for in each square this wide of the valence-energy plane."""
LEAST_BETTER = 0.25
"""A track that serves no more texts is made where it raises the chance that the music fits one of them by more."""
MOOD_STEP = 0.1
"""Tracks of the catalog whose moods differ by less count as one."""


@dataclass(frozen=True)
class Music:
    """What decides whether a track serves a text by its music."""

    style: str
    valence: float
    energy: float
    mood_tags: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """A track that could be made: of this style, for one of the texts."""

    style: str
    text: int
    """The number of the text."""
    track: Track | None = None
    """The track, where an earlier run made it."""


class Texts:
    """The texts of a corpus as requests for music, with which tracks would serve them."""

    def __init__(
        self,
        sample: Sample,
        calls: Sequence[Call],
        requests: Sequence[Request],
        serves: Callable[[Request, Music], bool],
        certified: Callable[[Features], bool],
    ) -> None:
        self.sample = sample
        self.calls = calls
        self.requests = requests
        self.guesses = [is_guess(request.warnings) for request in requests]
        """Whether the language of a text is not understood. What music it wants is a guess then, and none is made."""
        self.certified = [certified(request.features) for request in requests]
        """Whether a certificate holds for the language of each text. Where none does its own track alone serves it."""
        self._serves = serves
        self.facts = [hard_facts(request) for request in requests]
        self.with_facts: dict[str, list[int]] = {}
        """The texts by their hard facts. A track made for one of them meets the hard facts of the others."""
        for number, facts in enumerate(self.facts):
            self.with_facts.setdefault(facts.model_dump_json(), []).append(number)

    def served_by(self, music: Music, among: Iterable[int]) -> list[int]:
        """Return which of the texts `among` a track with this music would serve that meets their hard facts."""
        return [number for number in among if self._serves(self.requests[number], music)]

    def music_of(self, style: str, number: int) -> Music:
        """Return the music of a track of `style` that is made for a text."""
        mood = self.requests[number].features
        return Music(style, mood.valence, mood.energy, mood.mood_tags)


@checked
def plan_stock(
    flow: Flow,
    corpus: Corpus,
    tracks: int,
    options: Mapping[str, Any],
    terms: Terms,
    *,
    table: str | None = None,
    column: str | None = None,
    sample: int = SAMPLE,
    sample_seed: int = 0,
    on_progress: Progress | None = None,
    read_calls: ReadCalls | None = None,
) -> StockPlan:
    """Return up to `tracks` tracks that together serve most of a corpus, and suit it best. Makes nothing.

    `corpus` is read by `read_corpus`. A track serves a text that it would be reused for under `terms`, and the text
    that it is made for. `options` are choices named in `OPTIONS`. What the catalog holds covers first. Tracks that an
    earlier run made for these texts and options are the first of the plan, so that it goes on where that one stopped.
    `read_calls` reads the texts of calls in place of this process. Raises InputError, ConfigError, Unavailable.
    """
    _check(tracks, options)
    drawn = read_corpus(corpus, table=table, column=column, sample=sample, sample_seed=sample_seed)
    texts = _read(flow, drawn, options, terms, on_progress, read_calls)
    earlier = _made_earlier(flow, texts)
    covered = _covered(flow.store, texts, {one.track.id for one in earlier if one.track})
    proposals = [*earlier, *_propose(texts, flow.library)]
    covers = np.zeros((len(proposals), len(texts.calls)), dtype=bool)
    suits = np.zeros(covers.shape, dtype=np.float32)
    fits = {
        style: [_chance(request, style).fits for request in texts.requests]
        for style in {proposal.style for proposal in proposals}
    }
    names = []
    for number, proposal in enumerate(proposals):
        alike = texts.with_facts[texts.facts[proposal.text].model_dump_json()]
        covers[number, texts.served_by(texts.music_of(proposal.style, proposal.text), alike)] = True
        covers[number, proposal.text] |= texts.requests[proposal.text].style == proposal.style
        suits[number] = fits[proposal.style]
        # Of equal tracks the one that suits its own text best is made.
        names.append(f"{1 - suits[number, proposal.text]:.4f} {proposal.style} {proposal.text:09}")
    picks = greedy_cover(
        covers,
        names,
        tracks,
        covered=covered,
        first=range(len(earlier)),
        suits=suits,
        least=LEAST_BETTER,
    )
    return _plan(
        flow, texts, int(covered.sum()), [(pick, proposals[pick.candidate]) for pick in picks], tracks
    )


def _check(tracks: int, options: Mapping[str, Any]) -> None:
    if tracks < 1:
        raise InputError(f"tracks is {tracks}; plan at least 1")
    if unknown := sorted(options.keys() - {*OPTIONS}):
        raise InputError(f"stock takes no {unknown[0]!r}; {nearest(unknown[0], OPTIONS)}")


def _read(
    flow: Flow,
    sample: Sample,
    options: Mapping[str, Any],
    terms: Terms,
    on_progress: Progress | None,
    read_calls: ReadCalls | None,
) -> Texts:
    """Read what music each text wants; the same text is read once. Raises Unavailable where nobody reads a brief."""
    calls: list[Call] = []
    known: dict[str, Call] = {}
    begun = [flow.begin(STOCKING, text.source, options) for text in sample.texts]
    if read_calls is not None:
        read_calls(flow, [*{call.key: call for call in reversed(begun)}.values()], on_progress)
    for done, (text, call) in enumerate(zip(sample.texts, begun, strict=True)):
        if on_progress is not None and read_calls is None:
            on_progress(done, len(sample.texts))
        calls.append(known.setdefault(call.key, call))
        if flow.understand(calls[-1])[0].brief is None:
            raise Unavailable(
                f"stock chooses tracks by the brief, and nobody reads that of {text.place}: no model is fitted to "
                f"the encoder {flow.encoder.identity}; use the default encoder or a language model (docs/BRIEF.md)"
            )

    def serves(request: Request, music: Music) -> bool:
        return serves_by_music(request, music, terms, flow.library.styles)

    def certified(features: Features) -> bool:
        return not terms.for_text(features).music_uncovered

    return Texts(sample, calls, [flow.understand(call)[0] for call in calls], serves, certified)


def _made_earlier(flow: Flow, texts: Texts) -> list[Proposal]:
    """Return the tracks that stock made before for these texts with these options, in the order in which it did.

    They are told by their keys, and by the log, which has no request that made them.
    """
    with_text: dict[str, list[int]] = {}
    for number, call in enumerate(texts.calls):
        with_text.setdefault(call.context.sha256, []).append(number)
    found: dict[str, Proposal] = {}
    for row in _made_for(flow.store, [*with_text]):
        # One text may stand there with several queries, each of which makes it another request.
        same = with_text[row["context_sha256"]]
        text = next((n for n in same if _call(flow, texts, n, row["style"]).key == row["key"]), None)
        if text is None or row["key"] in found or _requested(flow.store, row["key"]):
            continue
        if track := next(flow.store.tracks.made_for(row["key"]), None):
            found[row["key"]] = Proposal(track.style, text, track)
    return [*found.values()]


def _made_for(store: Store, sha256s: list[str]) -> list[Row]:
    """Return key, style and text of the ready tracks made for texts with these digests, oldest first."""
    where = both(one_of("context_sha256", sha256s), equals("state", "ready"))
    return store.tracks.table.read(
        where, columns=("id", "key", "style", "context_sha256", "created_at"), order="created_at"
    )


def _requested(store: Store, key: str) -> bool:
    """Return whether a request made a track with that key, and not stock."""
    return any(line.command != STOCKING for line in store.requests.list(key=key, action="generated"))


def _call(flow: Flow, texts: Texts, number: int, style: str) -> Call:
    """Return the call that makes a track of `style` for a text.

    The style is named only where another one would be picked. So a later request with this text and these choices, for
    which this style is picked, is the same request and is served the track at once.
    """
    call = texts.calls[number]
    if texts.requests[number].style == style or style not in flow.library.styles:
        return call
    chosen = call.choices.model_copy(update={"preset": style})
    return flow.begin(STOCKING, call.context, arguments_of(chosen))


def arguments_of(choices: Choices) -> dict[str, Any]:
    """Return choices as arguments of a call."""
    return choices.model_dump(exclude_none=True)


def _covered(store: Store, texts: Texts, aside: set[str]) -> NDArray[np.bool_]:
    """Return which texts a track of the catalog serves, shape (texts,); tracks with the ids `aside` do not count."""
    covered = np.zeros(len(texts.calls), dtype=bool)
    for alike in texts.with_facts.values():
        left = alike
        for music in _kinds(store, texts.facts[alike[0]], aside):
            served = set(texts.served_by(music, left))
            covered[list(served)] = True
            left = [number for number in left if number not in served]
    return covered


def _kinds(store: Store, facts: Filter, aside: set[str]) -> list[Music]:
    """Return the music of the ready tracks that meet `facts`, each kind once."""
    rows = store.tracks.table.read(
        to_sql(facts, store.tracks.licenses), columns=("id", "style", "valence", "energy", "mood_tags")
    )
    steps = {
        (
            row["style"],
            round(row["valence"] / MOOD_STEP),
            round(row["energy"] / MOOD_STEP),
            tuple(row["mood_tags"]),
        )
        for row in rows
        if row["id"] not in aside
    }
    return [
        Music(style, valence * MOOD_STEP, energy * MOOD_STEP, tags)
        for style, valence, energy, tags in sorted(steps)
    ]


def _propose(texts: Texts, library: Library) -> list[Proposal]:
    """Return for each style the texts that a track of it could be made for: the one it suits best of each mood.

    A style is proposed for a text that a track of it would serve, or that it is picked for, where the text is
    understood. Texts in a certified
    language come first, since moods of others are hardly known, then texts that the style is picked for. The style of a
    place is proposed only for texts set there, as it is picked only for them.
    """
    alike_in_form = _forms(library)
    best: dict[tuple[str, str, tuple[int, int]], tuple[bool, bool, float, int]] = {}
    for facts, alike in texts.with_facts.items():
        for number in alike:
            if texts.guesses[number]:
                continue
            request = texts.requests[number]
            mood = request.features
            cell = round(mood.valence / MOOD_CELL), round(mood.energy / MOOD_CELL)
            for style, preset in library.styles.items():
                if preset.environment not in (None, mood.environment) or not alike_in_form(request, style):
                    continue
                picked = request.style == style
                if picked or texts.served_by(texts.music_of(style, number), [number]):
                    rated = texts.certified[number], picked, _chance(request, style).passes, -number
                    best[facts, style, cell] = max(rated, best.get((facts, style, cell), rated))
    return [Proposal(style, -number) for (_, style, _), (_, _, _, number) in best.items()]


def _chance(request: Request, style: str) -> StyleFit:
    """Return how likely a style fits the text of `request`, and passes; 0 for an unknown one."""
    fit = request.brief.styles.get(style) if request.brief else None
    return fit or StyleFit(fits=0.0, passes=0.0)


def _forms(library: Library) -> Callable[[Request, str], bool]:
    """Return what tells whether a track of another style would meet the same hard facts as one of the picked style.

    It does unless the presets give one of them a length, a loop or a model of its own.
    """

    @cache
    def form(style: str, role: str, quality: str) -> dict[str, Any]:
        values = library.resolve(style, role, quality).values
        return {name: values[name] for name in FORM}

    def alike(request: Request, style: str) -> bool:
        picked, other = (form(name, request.role, request.quality) for name in (request.style, style))
        stated = {*arguments_of(request.choices), *request.choices.generation}
        return all(picked[name] == other[name] for name in FORM if name not in stated)

    return alike


def _plan(
    flow: Flow, texts: Texts, before: int, chosen: Sequence[tuple[Pick, Proposal]], wanted: int
) -> StockPlan:
    times, read = making_time(flow.store), len(texts.calls)
    tracks, bases = [], dict[str, None]()
    for pick, proposal in chosen:
        call = _call(flow, texts, proposal.text, proposal.style)
        request, _ = flow.understand(call)
        model = request.config["size"] if request.config["backend"] == "mlx" else "procedural"
        there = proposal.track or next(flow.store.tracks.made_for(call.key), None)
        if there is None:
            bases[times[model].basis] = None
        tracks.append(
            PlannedTrack(
                key=call.key,
                context=call.context,
                choices=call.choices,
                place=texts.sample.texts[proposal.text].place,
                summary=request.features.summary_of_topic,
                style=request.style,
                role=request.role,
                quality=request.quality,
                backend=request.config["backend"],
                duration_s=request.config["duration_s"],
                newly_covered=pick.newly_covered,
                fit_gained=round(pick.fit_gained, 4),
                covered=pick.covered,
                share=round(pick.covered / read, 4),
                cost_s=0.0 if there else round(times[model].per_second * request.config["duration_s"], 2),
                track_id=there.id if there else None,
            )
        )
    return StockPlan(
        texts=texts.sample.total,
        read=read,
        covered_before=before,
        tracks=tuple(tracks),
        cost_s=round(sum(one.cost_s for one in tracks), 2),
        cost_basis=tuple(bases),
        note="" if len(tracks) == wanted else _note(len(tracks), wanted, certified=all(texts.certified)),
        languages=_languages(texts),
    )


def _languages(texts: Texts) -> str:
    """Return which texts are in languages that are not understood, and in others that no certificate holds for.

    And what that means for the plan; "" where there are none.
    """
    guesses, others = Counter[str](), Counter[str]()
    for request, guess, certified in zip(texts.requests, texts.guesses, texts.certified, strict=True):
        if guess:
            guesses[name_of(request.features.language)] += 1
        elif not certified:
            others[name_of(request.features.language)] += 1
    told = []
    if guesses:
        told.append(
            f"texts in languages that are not understood ({_counted(guesses)}) get no track, since its music would be "
            "a guess; configure a language model as reader (docs/BRIEF.md)"
        )
    if others:
        told.append(
            f"texts in languages that the certificate of reuse does not hold for ({_counted(others)}) are served by "
            "tracks of their own alone"
        )
    return "; ".join(told)


def _counted(languages: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in languages.most_common(5))


def _note(count: int, wanted: int, *, certified: bool) -> str:
    enough = (
        f"{count} of {wanted} tracks serve all that can be served, and no other suits them clearly better"
        if count
        else "no track would serve more texts"
    )
    known = "" if certified else ", nothing is certified for their language"
    return f"{enough}: for the rest no style is sure enough{known}, or the catalog serves them already"

"""The whole flow: a context goes in; a track that fits comes out, reused where one exists, made where none does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generator import Cancelled, Progress, load_generator
from presets import Library

from .. import report
from ..errors import InputError, NotFound
from ..history import feedback, requests, suggestions
from ..history.statistics import Statistics, statistics
from ..models import Audience, Choices, Context, Hit, Judgement, Match, Page, RequestRecord, Result, Track
from ..request.builder import load_library
from ..request.context import ContextSource, read_context
from ..request.repeat import choices_of, context_of, decision_again, request_again, request_of
from ..request.scene import loop_length_s, read_scene, settle
from ..reuse import certificate
from ..reuse.certificate import Certificate
from ..reuse.decision import exact
from ..reuse.labels import read_labels
from ..reuse.terms import Reuse, Terms
from ..search.query import Query, add_facts, parse
from ..store.sounds import sound_of
from ..store.store import Store
from ..text import encoder as encoders
from ..text import features as understanding
from ..text.encoder import Encoder, embed_document
from ..validation import nearest
from . import batches
from .browse import NEWEST, SearchBy, best, checked_by, page
from .call import Call, failure_of, record_of
from .making import Generators
from .stages import Flow, Outcome

__all__ = ["MusicService"]


class MusicService:
    """Find music for a context, or make it. Open one with `MusicService.open` and keep it: models stay loaded."""

    def __init__(
        self,
        store: Store,
        library: Library,
        encoder: Encoder,
        generators: Generators = load_generator,
        min_similarity: float | None = None,
    ) -> None:
        self.store = store
        self.library = library
        self.encoder = encoder
        self._flow = Flow(store, library, encoder, generators)
        self._min_similarity = min_similarity
        self._described: NDArray[np.float32] | None = None
        """The vectors of the descriptions of the style presets, once they were needed."""

    @classmethod
    def open(
        cls,
        home: str | Path = "data",
        *,
        config: str | Path | None = None,
        encoder: Encoder | str | None = None,
        generators: Generators = load_generator,
        min_similarity: float | None = None,
        create: bool = True,
    ) -> MusicService:
        """Open the catalog in `home`, creating it on first use; with `create` off a missing one raises NotFound.

        `config` is a file in the `musicgen:` shape; without it `catalog.yaml` in `home` is read where it
        exists. `encoder` is a model name, a folder or an Encoder. `min_similarity` is that of calls that name
        neither it nor a rate of false reuse; without it the certificate decides. Neither encoder nor generator is
        loaded before a call needs it.
        """
        library = load_library(config, home)
        reader = encoders.load(encoder) if isinstance(encoder, str) else encoder or encoders.load()
        store = Store.open(home, encoder=reader.identity, dimension=reader.dimension, create=create)
        return cls(store, library, reader, generators, min_similarity)

    def __enter__(self) -> MusicService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store and of loaded models."""
        self._flow.close()

    def warm(self) -> None:
        """Load what an answer needs, so that the first one is as quick as the rest; models of music are left."""
        embed_document(self.encoder, "warm")
        self.store.tracks.count()

    # The main job

    def find_or_make(
        self,
        text_context: ContextSource,
        *,
        reuse: Reuse = "auto",
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        dry_run: bool = False,
        explain: bool = False,
        on_progress: Progress | None = None,
        **asked: Any,
    ) -> Result:
        """Return a track that fits `text_context`: an exact repeat, else a close match, else a new one.

        `asked` takes the fields of `Choices` (preset, role, quality, backend, duration_s, loopable, seed,
        generation, continue_from, melody) and, where the pipeline knows them, those of `Context` (query, environment,
        time_of_day, mood_tags, valence, energy, ...). A `listener` gets another fitting track than the one just
        heard, a `theme` keeps its track. `continue_from` names a track to go on from, which counts in `duration_s`;
        `melody` is an audio file whose melody is followed; what goes on from a track or follows a melody is reused for
        the same request alone. `reuse`: "auto" decides by the certified
        threshold for `max_false_reuse`, the share of reused tracks that may not fit (0.1), or by `min_similarity`, the
        score to reach, where that is given; "always" takes the best that meets the hard facts and never makes, "never"
        makes. `dry_run` decides and stops. `explain` also counts what each hard fact rejects. Raises InputError,
        NotFound, Busy, StorageError or Unavailable.
        """
        terms = self._terms(reuse, min_similarity, max_false_reuse)
        if reuse == "never" and not dry_run:
            return self.generate(text_context, on_progress=on_progress, **asked)
        call = self._flow.begin("dry-run" if dry_run else "find-or-make", text_context, asked)
        with self._flow.failures_logged(call):
            outcome = self._flow.look(call, terms, explain=explain)
            if outcome.track is None and reuse == "always":
                raise NotFound(f"{outcome.decision.reason}, and making was ruled out; pass reuse='auto'")
            if outcome.track is None and not dry_run:
                with self.store.claim(call.key):
                    # Another process may have made it while this one waited for its turn.
                    outcome = self._flow.look(call, terms, explain=explain)
                    if outcome.track is None:
                        (outcome,) = self._flow.make([(call, outcome)], on_progress)
        return self._flow.finish(call, outcome)

    def find_or_make_all(
        self,
        text_contexts: Iterable[ContextSource],
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        on_progress: Progress | None = None,
        **asked: Any,
    ) -> list[Result]:
        """Return a result for each context as `find_or_make` would, the misses made together.

        A generator that takes batches makes up to `batches.BATCH` of them at once. Contexts that are close to one
        another share a track as they would one after the other. What is made before an error is kept.
        """
        terms = self._terms("auto", min_similarity, max_false_reuse)
        calls = [self._flow.begin("find-or-make", source, asked) for source in text_contexts]
        return batches.serve(self._flow, calls, terms, on_progress)

    def find(
        self,
        text_context: ContextSource,
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        **asked: Any,
    ) -> Match | None:
        """Return the track that `find_or_make` would reuse, or None. Never makes."""
        result = self.explain(
            text_context, min_similarity=min_similarity, max_false_reuse=max_false_reuse, **asked
        )
        if result.track is None or result.path is None:
            return None
        return Match(
            track=result.track,
            path=result.path,
            similarity=result.similarity,
            decision=result.decision,
            request=result.request,
        )

    def explain(
        self,
        text_context: ContextSource,
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        reuse: Reuse = "auto",
        log: bool = True,
        **asked: Any,
    ) -> Result:
        """Return what `find_or_make` would decide, with every candidate. Never makes; `log` False leaves no line."""
        terms = self._terms(reuse, min_similarity, max_false_reuse)
        call = self._flow.begin("find", text_context, asked)
        if not log:
            return self._flow.result(call, self._flow.look(call, terms, explain=True))
        with self._flow.failures_logged(call):
            outcome = self._flow.look(call, terms, explain=True)
        return self._flow.finish(call, outcome)

    def reuse(
        self,
        text_context: ContextSource,
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        explain: bool = False,
        **asked: Any,
    ) -> Result | None:
        """Return what `find_or_make` would reuse, logged as its answer; None, and no line, where it would make."""
        terms = self._terms("auto", min_similarity, max_false_reuse)
        call = self._flow.begin("find-or-make", text_context, asked)
        with self._flow.failures_logged(call):
            outcome = self._flow.look(call, terms, explain=explain)
        return self._flow.finish(call, outcome) if outcome.track else None

    def key_of(self, text_context: ContextSource, **asked: Any) -> str:
        """Return the identity of a request: what asks for the same has the same. Raises as `find_or_make` does."""
        return self._flow.begin("find-or-make", text_context, _of_request(asked)).key

    def log_cancelled(self, text_context: ContextSource, **asked: Any) -> None:
        """Record in the log that a request was cancelled before its track was made."""
        call = self._flow.begin("find-or-make", text_context, _of_request(asked))
        self.store.requests.append(failure_of(call, Cancelled("cancelled before it was made")))

    def generate(
        self, text_context: ContextSource, *, on_progress: Progress | None = None, **asked: Any
    ) -> Result:
        """Make a new track for `text_context`, whatever the catalog holds. Takes what `find_or_make` takes."""
        call = self._flow.begin("generate", text_context, asked)
        with self._flow.failures_logged(call):
            (outcome,) = self._flow.make(
                [(call, self._flow.look(call, Terms("never")))], on_progress, fresh=True
            )
        return self._flow.finish(call, outcome)

    def scene(
        self,
        chunk: ContextSource,
        environment: str | None = None,
        time_of_day: str | None = None,
        duration_s: float = 45.0,
        **asked: Any,
    ) -> Result:
        """Return a loop for the scene that `chunk` sets, reused where one fits; it serves any length.

        Tags of the pipeline - named here, or in `chunk` beside its text or under "tags" - win over what the text
        says, and a contradiction is among the warnings. The place picks an `environment_*` preset, the mood bends it.
        A new loop is made 30 to 60 s long; `catalog.export.write_at_length` repeats it to `duration_s`. `asked` is as
        for `find_or_make`. Raises InputError for an unknown place, with the nearest names.
        """
        context = read_scene(chunk, environment, time_of_day)
        bare = Context(text=context.text, query=context.query)
        read = understanding.extract(bare, self.encoder, cache_dir=self.store.home / "cache")
        preset, notes = settle(context, read, self.library.styles)
        made = {**asked.pop("generation", {}), "duration_s": loop_length_s(duration_s)}
        asked = {"preset": preset, "role": "loop_bed", **asked, "generation": made, "loopable": True}
        result = self.find_or_make(
            context, **{name: value for name, value in asked.items() if value is not None}
        )
        return result.model_copy(update={"warnings": (*notes, *result.warnings)})

    def again(self, track_id: str, *, variation: bool = False, on_progress: Progress | None = None) -> Result:
        """Make a track once more from what its row holds: the same samples, or with `variation` from another seed.

        Raises NotFound for an unknown track, Unavailable where its backend is not on this machine, InputError for a
        track that follows a melody, since recordings are not kept.
        """
        track = self.store.tracks.find_id(track_id)
        call = Call("generate", context_of(track), choices_of(track), track.key)
        with self._flow.failures_logged(call):
            with call.stage("encode"):
                vector = self._vector_of(call.context.text)
            request = request_again(track, call.context, call.choices, variation=variation)
            call.understood = request, vector
            looked = Outcome(request, decision_again(track, variation=variation))
            (outcome,) = self._flow.make([(call, looked)], on_progress, fresh=True)
        return self._flow.finish(call, outcome)

    def attach_soundtrack(self, answer_payload: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
        """Return `answer_payload` with a "music" entry for its answer added; the payload itself is left alone.

        The text is read from "answer" (or "text", "chunk", "scene", ...), the query from "query" or
        "question", and features the pipeline knows from keys named like the fields of `Context`. `asked` is
        as for `find_or_make`.
        """
        if asked.get("dry_run"):
            raise InputError("dry_run finds no soundtrack to attach; call explain instead")
        return {**answer_payload, "music": report.entry(self.find_or_make(answer_payload, **asked))}

    # The stages

    def _terms(self, reuse: Reuse, min_similarity: float | None, max_false_reuse: float | None) -> Terms:
        """Return what decisions are held to, every word checked."""
        if reuse not in ("auto", "always", "never"):
            raise InputError(f"reuse {reuse!r} is not known; {nearest(reuse, ('auto', 'always', 'never'))}")
        if min_similarity is not None and not -1.0 <= min_similarity <= 1.0:
            raise InputError(f"the minimum similarity is {min_similarity:g}; it lies between -1 and 1")
        rate = certificate.MAX_FALSE_REUSE if max_false_reuse is None else max_false_reuse
        counts = certificate.standing(self.store.home, self.encoder.identity)
        least = self._min_similarity if min_similarity is None and max_false_reuse is None else min_similarity
        return Terms(reuse, least, certificate.checked_rate(rate), counts.certificate, counts.note)

    def next_time(self, result: Result) -> tuple[Result, RequestRecord] | None:
        """Return what the same call gives next, and its line for the log; None where that has to be looked up."""
        track, request = result.track, result.request
        if track is None or track.key != request.key:
            return None
        call = Call("find-or-make", request.context, request.choices, request.key)
        again = request_of(track, request.context, request.choices)
        repeat = self._flow.result(call, Outcome(again, exact(track), track))
        return repeat, record_of(call, repeat)

    # What a decision rests on

    def calibrate(
        self,
        *,
        labels: str | Path | None = None,
        from_ratings: bool = False,
        max_false_reuse: float | None = None,
        out: str | Path | None = None,
        on_progress: Progress | None = None,
    ) -> Certificate:
        """Make a certificate for the encoder in use, keep it in the home, and return it; from then on it decides.

        From the shipped labels, from those in the file `labels`, or `from_ratings`: from what people said of reused
        tracks here. `max_false_reuse` adds a rate to those it has bounds for. `out` names another file to write. A
        minute or two on the labels. Raises InputError, StorageError or Unavailable; then the old one stays.
        """
        from ..reuse import calibration

        if labels is not None and from_ratings:
            raise InputError("a certificate comes from labels or from ratings; drop one of the two")
        rates = () if max_false_reuse is None else (certificate.checked_rate(max_false_reuse),)
        if from_ratings:
            counts = certificate.standing(self.store.home, self.encoder.identity)
            if counts.certificate is None:
                raise InputError(f"ratings cannot be used: {counts.note}; calibrate on labels first")
            made = calibration.calibrate_from_ratings(
                counts.certificate,
                self.store.judgements.list(),
                self.store.requests.list(rule="similar"),
                rates=rates,
            )
        else:
            made = calibration.calibrate(
                self.encoder,
                labels=read_labels(Path(labels)) if labels is not None else None,
                rates=rates,
                cache_dir=self.store.home / "cache",
                on_progress=on_progress,
            )
        certificate.save(made, Path(out) if out is not None else self.store.home / certificate.CERTIFICATE)
        return made

    # What people say

    def rate(self, track_id: str, rating: int | None, *, request_id: str | None = None) -> Track:
        """Give a track 1 to 5, or None to clear, and return it; with `request_id` as an answer to that request."""
        return feedback.rate(self.store, track_id, rating, request_id)

    def reject(self, track_id: str, request_id: str | None = None, *, undo: bool = False) -> Judgement:
        """Keep a track from the request it was wrong for, by default the last it answered, and from near ones.

        `undo` takes the rejection back. The track itself stays, and serves other requests.
        """
        return feedback.reject(self.store, track_id, request_id, undo=undo, encode=self._vector_of)

    # What happened so far

    def history(
        self,
        text: str | None = None,
        *,
        by: requests.HistoryBy = "meaning",
        limit: int = 50,
        since: datetime | None = None,
        **facts: str,
    ) -> list[requests.PastRequest]:
        """Return logged requests, newest first, or those nearest to `text`, by its meaning or its words.

        `since` and facts such as `style="ambient_lofi"`, `action="reused"` or `listener="ada"` narrow it.
        """
        return requests.history(
            self.store, self._vector_of, text, by=by, limit=limit, since=since, facts=facts
        )

    def suggest_presets(self, query: str, limit: int = 5) -> list[suggestions.PresetSuggestion]:
        """Return the style presets that served requests like `query` well, best first.

        Where the log tells little, the presets' descriptions decide; each suggestion says what it rests on. A preset of
        an environment that the query does not speak of is suggested only where it served such requests.
        """
        context = read_context(query)
        here = understanding.extract(context, self.encoder, cache_dir=self.store.home / "cache").environment
        vector, styles = self._vector_of(context.text), self.library.styles
        if self._described is None:
            self._described = self.encoder.encode([one.description for one in styles.values()])
        similarity = dict(zip(styles, (self._described @ vector).tolist(), strict=True))
        found = suggestions.served_tracks(self.store, vector)
        served = {one.style for one in found}
        offered = {
            name: one.description
            for name, one in styles.items()
            if one.environment in (None, here) or name in served
        }
        return suggestions.rank(offered, similarity, found, limit)

    def statistics(self) -> Statistics:
        """Return requests, hits, what they saved, and how often a reuse was wrong as far as people said."""
        return statistics(self.store)

    def _vector_of(self, text: str) -> NDArray[np.float32]:
        return embed_document(self.encoder, text)

    # The catalog

    def search(
        self,
        text: str | Query,
        *,
        by: SearchBy = "meaning",
        limit: int = 10,
        **facts: Any,
    ) -> list[Hit]:
        """Return the tracks that meet the query `text`, nearest first; `facts` are further fields of `Filter`.

        The query may hold facts beside words, as in `calm rain mood:calm length:30..60`; see
        `catalog.search.query`. A `Query` is taken as it is. Without words the newest come, with score 0.
        Raises InputError.
        """
        checked_by(by)
        query = add_facts(self._query(text), facts)
        if not query.text and not query.where.conditions:
            raise InputError("the search text is empty; pass at least one word")
        found = best(self.store, self.encoder, query, by, limit)
        return [Hit(track=track, path=self.store.audio.path_of(track), score=score) for track, score in found]

    def similar(
        self, track_id: str, *, by: Literal["text", "sound"] = "text", limit: int = 10, **facts: Any
    ) -> list[Hit]:
        """Return the tracks nearest to one, best first: by what they were made for, or by how they sound.

        `track_id` may be the beginning of an id, `facts` are fields of `Filter`. The score is a cosine. Raises
        NotFound without the track, InputError for another `by` and for a track that is silent or too short to compare.
        """
        if by not in ("text", "sound"):
            raise InputError(f"similar by {by!r} is not known; {nearest(by, ('text', 'sound'))}")
        one, where = self.store.tracks.find_id(track_id), add_facts(Query(), facts).where
        if by == "sound":
            found = self.store.tracks.search_sound(sound_of(self.store, one), where, limit + 1)
        else:
            vector = self.store.tracks.vector_of(one.id)
            found = self.store.tracks.search(vector, where, limit + 1) if vector is not None else []
        hits = [Hit(track=track, path=self.store.audio.path_of(track), score=score) for track, score in found]
        return [hit for hit in hits if hit.track.id != one.id][:limit]

    def browse(
        self,
        query: str | Query = "",
        *,
        by: SearchBy = "meaning",
        sort: str = NEWEST,
        limit: int = 50,
        offset: int = 0,
        **facts: Any,
    ) -> Page:
        """Return a page of the tracks that meet `query`, with the number of all and how they divide by facet.

        With words in the query it is a search, best first; without a list, ordered by `sort`. `facts` are further
        fields of `Filter`. Raises InputError.
        """
        checked_by(by)
        asked = add_facts(self._query(query), facts)
        return page(self.store, self.encoder, asked, by=by, sort=sort, limit=limit, offset=offset)

    def _query(self, text: str | Query) -> Query:
        if isinstance(text, Query):
            return text
        return parse(text, {"style": self.library.styles.keys(), "role": self.library.roles.keys()})


def _of_request(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the arguments of `find_or_make` is part of the request itself."""
    parts = Context.model_fields.keys() | Choices.model_fields.keys() | Audience.model_fields.keys()
    return {name: value for name, value in asked.items() if name in parts}

"""The whole flow: a context goes in; a track that fits comes out, reused where one exists, made where none does."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from catalog import certificate, feedback, listening, past, report, suggestions
from catalog import encoder as encoders
from catalog import features as understanding
from catalog.again import context_of, decision_again, request_again
from catalog.browse import NEWEST, By, best, checked_by, narrowed, page
from catalog.certificate import Certificate
from catalog.context import nearest, read_context, validated
from catalog.encoder import Encoder, embed_document
from catalog.errors import CatalogError, InputError, NotFound, StorageError
from catalog.history import Call, failure_of, record_of
from catalog.labels import read_labels
from catalog.making import Generators, Job, followed, keep, render, seed_of
from catalog.match import MAX_FALSE_REUSE, Reuse, Terms, alone, decide, exact, hard_facts, like
from catalog.models import (
    Audience,
    Choices,
    Context,
    Decision,
    Filter,
    Hit,
    Judgement,
    Match,
    Page,
    Request,
    RequestRecord,
    Result,
    Track,
)
from catalog.query import Query, parse
from catalog.request import build, key_of, load_library, preset_errors, request_of
from catalog.scene import loop_length_s, read_scene, settle
from catalog.sound import sound_of
from catalog.statistics import Statistics, statistics
from catalog.store import Store
from generator import Cancelled, Generator, Progress, load_generator, weights
from presets import Library

__all__ = ["MusicService", "Source"]

Source = str | Mapping[str, Any] | Context

CANDIDATES = 50
BATCH = 8
MODEL_SIZES = ("small", "medium", "large", "melody")


@dataclass(frozen=True)
class Outcome:
    """Where a call stands: what was understood, what was decided, and the track once there is one."""

    request: Request
    decision: Decision
    track: Track | None = None
    made: bool = False


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
        self._load_generator = generators
        self._min_similarity = min_similarity
        self._loaded: dict[tuple[str, str], Generator] = {}
        self._described: NDArray[np.float32] | None = None
        """The vectors of the descriptions of the style presets, once they were needed."""
        # Threads share the loaded models, and one generation fills the machine.
        self._one_at_a_time = threading.Lock()

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
        self._loaded.clear()
        self.store.close()

    def warm(self) -> None:
        """Load what an answer needs, so that the first one is as quick as the rest; models of music are left."""
        embed_document(self.encoder, "warm")
        self.store.count()

    # The main job

    def find_or_make(
        self,
        text_context: Source,
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
        generation, continue_from) and, where the pipeline knows them, those of `Context` (query, environment,
        time_of_day, mood_tags, valence, energy, ...). A `listener` gets another fitting track than the one just
        heard, a `theme` keeps its track. `continue_from` names a track to go on from, which counts in `duration_s`;
        what goes on from it is reused for the same request alone. `reuse`: "auto" decides by the certified
        threshold for `max_false_reuse`, the share of reused tracks that may not fit (0.1), or by `min_similarity`, the
        score to reach, where that is given; "always" takes the best that meets the hard facts and never makes, "never"
        makes. `dry_run` decides and stops. `explain` also counts what each hard fact rejects. Raises InputError,
        NotFound, Busy, StorageError or Unavailable.
        """
        terms = self._terms(reuse, min_similarity, max_false_reuse)
        if reuse == "never" and not dry_run:
            return self.generate(text_context, on_progress=on_progress, **asked)
        call = self._begin("dry-run" if dry_run else "find-or-make", text_context, asked)
        with self._failures_logged(call):
            outcome = self._look(call, terms, explain=explain)
            if outcome.track is None and reuse == "always":
                raise NotFound(f"{outcome.decision.reason}, and making was ruled out; use --reuse auto")
            if outcome.track is None and not dry_run:
                with self.store.claim(call.key):
                    # Another process may have made it while this one waited for its turn.
                    outcome = self._look(call, terms, explain=explain)
                    if outcome.track is None:
                        (outcome,) = self._make([(call, outcome)], on_progress)
        return self._finish(call, outcome)

    def find_or_make_all(
        self,
        text_contexts: Iterable[Source],
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        on_progress: Progress | None = None,
        **asked: Any,
    ) -> list[Result]:
        """Return a result for each context as `find_or_make` would, the misses made together.

        A generator that takes batches makes up to `BATCH` of them at once. Contexts that are close to one
        another share a track as they would one after the other. What is made before an error is kept.
        """
        terms = self._terms("auto", min_similarity, max_false_reuse)
        calls = [self._begin("find-or-make", source, asked) for source in text_contexts]
        results: dict[str, Result] = {}
        waiting = calls
        while waiting:
            waiting = self._serve(waiting, terms, results, on_progress)
        return [results[call.id] for call in calls]

    def find(
        self,
        text_context: Source,
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
        text_context: Source,
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        **asked: Any,
    ) -> Result:
        """Return what `find_or_make` would decide, with every candidate. Never makes."""
        terms = self._terms("auto", min_similarity, max_false_reuse)
        call = self._begin("find", text_context, asked)
        with self._failures_logged(call):
            outcome = self._look(call, terms, explain=True)
        return self._finish(call, outcome)

    def reuse(
        self,
        text_context: Source,
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        explain: bool = False,
        **asked: Any,
    ) -> Result | None:
        """Return what `find_or_make` would reuse, logged as its answer; None, and no line, where it would make."""
        terms = self._terms("auto", min_similarity, max_false_reuse)
        call = self._begin("find-or-make", text_context, asked)
        with self._failures_logged(call):
            outcome = self._look(call, terms, explain=explain)
        return self._finish(call, outcome) if outcome.track else None

    def key_of(self, text_context: Source, **asked: Any) -> str:
        """Return the identity of a request: what asks for the same has the same. Raises as `find_or_make` does."""
        return self._begin("find-or-make", text_context, _of_request(asked)).key

    def log_cancelled(self, text_context: Source, **asked: Any) -> None:
        """Record in the log that a request was cancelled before its track was made."""
        call = self._begin("find-or-make", text_context, _of_request(asked))
        self.store.log(failure_of(call, Cancelled("cancelled before it was made")))

    def generate(self, text_context: Source, *, on_progress: Progress | None = None, **asked: Any) -> Result:
        """Make a new track for `text_context`, whatever the catalog holds. Takes what `find_or_make` takes."""
        call = self._begin("generate", text_context, asked)
        with self._failures_logged(call):
            (outcome,) = self._make([(call, self._look(call, Terms("never")))], on_progress, fresh=True)
        return self._finish(call, outcome)

    def scene(
        self,
        chunk: Source,
        environment: str | None = None,
        time_of_day: str | None = None,
        duration_s: float = 45.0,
        **asked: Any,
    ) -> Result:
        """Return a loop for the scene that `chunk` sets, reused where one fits; it serves any length.

        Tags of the pipeline - named here, or in `chunk` beside its text or under "tags" - win over what the text
        says, and a contradiction is among the warnings. The place picks an `environment_*` preset, the mood bends it.
        A new loop is made 30 to 60 s long; `catalog.scene.write_at_length` repeats it to `duration_s`. `asked` is as
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

        Raises NotFound for an unknown track, Unavailable where its backend is not on this machine.
        """
        track = self.store.find_id(track_id)
        call = Call("generate", context_of(track), Choices(), track.key)
        with self._failures_logged(call):
            with call.stage("encode"):
                vector = self._vector_of(call.context.text)
            request = request_again(track, call.context, variation=variation)
            call.understood = request, vector
            looked = Outcome(request, decision_again(track, variation=variation))
            (outcome,) = self._make([(call, looked)], on_progress, fresh=True)
        return self._finish(call, outcome)

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
        rate = certificate.checked_rate(MAX_FALSE_REUSE if max_false_reuse is None else max_false_reuse)
        counts = certificate.standing(self.store.home, self.encoder.identity)
        least = self._min_similarity if min_similarity is None and max_false_reuse is None else min_similarity
        return Terms(reuse, least, rate, counts.certificate, counts.note)

    def _rejected_by(self, facts: Filter, considered: int) -> dict[str, int]:
        """Return how many ready tracks each hard fact alone rejects."""
        return {name: considered - self.store.count(fact) for name, fact in alone(facts).items()}

    def _begin(self, command: str, source: Source, asked: Mapping[str, Any]) -> Call:
        known = {name: value for name, value in asked.items() if name in Context.model_fields}
        chosen = {name: value for name, value in asked.items() if name in Choices.model_fields}
        whom = {name: asked.get(name) or "" for name in Audience.model_fields}
        if unknown := sorted(asked.keys() - known.keys() - chosen.keys() - whom.keys()):
            valid = [*Choices.model_fields, *Context.model_fields, *Audience.model_fields]
            raise InputError(f"unknown option {unknown[0]!r}; {nearest(unknown[0], valid)}")
        context = read_context(source, **known)
        choices, audience = validated(Choices, chosen), validated(Audience, whom)
        if choices.continue_from is not None:
            # The beginning of an id is enough to name a track; the request is the same one.
            whole = self.store.find_id(choices.continue_from).id
            choices = choices.model_copy(update={"continue_from": whole})
        with preset_errors():
            if choices.preset is not None:
                self.library.style(choices.preset)
            if choices.role is not None:
                self.library.role(choices.role)
        present = {size: weights.find(size) is not None for size in MODEL_SIZES}
        return Call(command, context, choices, key_of(context, choices, self.library, present), audience)

    def _look(self, call: Call, terms: Terms, *, explain: bool = False, whole: bool = False) -> Outcome:
        """Look for a track: first the same request, which needs neither encoder nor model, then a close match.

        Candidates are read in part, as a choice needs them, unless `whole` asks for rows and files that are checked.
        """
        same, kept = None, listening.theme_track(self.store, call.audience)
        if terms.reuse != "never":
            with call.stage("exact"):
                same = self._repeated(call.key, terms)
            if same and listening.at_once(self.store, call.audience, same, kept):
                asked_again = request_of(same, call.context, call.choices)
                return Outcome(asked_again.model_copy(update={"key": call.key}), exact(same), same)
        if call.choices.continue_from is not None:
            # However close another track is, it does not go on from this one.
            terms = replace(terms, reuse="never")
        request, vector = self._understand(call)
        facts = hard_facts(request)
        with call.stage("search"):
            rejected = feedback.rejected(self.store, call.key, vector)
            whole = whole or bool(call.audience.listener or call.audience.theme)
            near = self.store.search if whole else self.store.candidates
            hits = near(vector, facts, CANDIDATES + len(rejected))
            if kept and kept not in {track.id for track, _ in hits}:
                hits += self.store.search(vector, facts, 1, among=[kept])  # however many are nearer
            hits = [(track, cosine) for track, cosine in hits if track.id not in rejected]
            considered = self.store.ready()
        rejects = self._rejected_by(facts, considered) if explain else {}
        decision = decide(request, hits, terms, facts=facts, considered=considered, rejected_by=rejects)
        if terms.reuse != "never" and (call.audience.listener or call.audience.theme):
            decision, track = listening.chosen(
                self.store,
                call.audience,
                call.key,
                decision,
                same,
                [track for track, _ in hits],
                kept=kept,
                # A seed that the caller named leaves nothing to vary.
                may_make=terms.reuse == "auto" and request.config["seed"] is None,
            )
            return Outcome(request, decision, track)
        track = next((track for track, _ in hits if track.id == decision.track_id), None)
        if track is not None and not whole:
            track = self.store.whole(track)
            if track is None:
                return self._look(call, terms, explain=explain, whole=True)
        return Outcome(request, decision, track)

    def _repeated(self, key: str, terms: Terms) -> Track | None:
        """Return the track that this very request made before, or else was served before as a close match."""
        stamp = self.store.stamp()
        if kept := self.store.recall(key):
            return kept
        rejected = feedback.rejected(self.store, key)
        made = next((track for track in self.store.made_for(key) if track.id not in rejected), None)
        if made:
            self.store.remember(made, stamp)
            return made
        for line in self.store.requests(limit=1, key=key, rule="similar"):
            track = self.store.get(line.track_id) if line.track_id else None
            fits = terms.reached(line.score, line.probability)
            fits = fits and line.track_id not in rejected
            if track and fits and track.state == "ready" and self.store.has_audio(track):
                return track
        return None

    def _understand(self, call: Call) -> tuple[Request, NDArray[np.float32]]:
        """Return the request and the vector of its context; a call works them out once."""
        if call.understood is None:
            with call.stage("features"):
                cache = self.store.home / "cache"
                features = understanding.extract(call.context, self.encoder, cache_dir=cache)
            with call.stage("encode"):
                vector = embed_document(self.encoder, call.context.text)
            with call.stage("request"):
                request = build(
                    call.context,
                    features,
                    call.choices,
                    self.library,
                    key=call.key,
                    find_weights=weights.find,
                )
            call.understood = request, vector
        return call.understood

    def _serve(
        self,
        waiting: list[Call],
        terms: Terms,
        results: dict[str, Result],
        on_progress: Progress | None,
    ) -> list[Call]:
        """Reuse what can be reused, make one batch of the rest, and return the calls that are still waiting.

        A miss that is close to another one of the batch waits, since that one's track may fit it.
        """
        missing: list[Call] = []
        later: list[Call] = []
        for call in waiting:
            outcome = self._look(call, terms)
            if outcome.track:
                results[call.id] = self._finish(call, outcome)
            elif len(missing) == BATCH or any(self._alike(call, one, terms) for one in missing):
                later.append(call)
            else:
                missing.append(call)
        with ExitStack() as claims:
            # In one order everywhere, so that two batches never wait for each other.
            for call in sorted(missing, key=lambda call: call.key):
                claims.enter_context(self.store.claim(call.key))
            looked = [(call, self._look(call, terms)) for call in missing]
            made = self._make([(call, outcome) for call, outcome in looked if not outcome.track], on_progress)
        served = iter(made)
        for call, outcome in looked:
            results[call.id] = self._finish(call, outcome if outcome.track else next(served))
        return later

    def _alike(self, call: Call, other: Call, terms: Terms) -> bool:
        (wanted, mine), (made, theirs) = self._understand(call), self._understand(other)
        return call.key == other.key or like(wanted, made, float(mine @ theirs), terms)

    def _make(
        self, missing: Sequence[tuple[Call, Outcome]], on_progress: Progress | None, *, fresh: bool = False
    ) -> list[Outcome]:
        """Make and insert a track for each; with `fresh` a seed nobody gave is drawn, else it follows from the key."""
        jobs = []
        for call, outcome in missing:
            seed = outcome.request.config["seed"]
            if seed is None:
                seed = secrets.randbelow(2**32) if fresh else seed_of(call.key, self.store.takes(call.key))
            first = call.choices.continue_from
            follows = followed(self.store, first, outcome.request) if first is not None else None
            jobs.append(Job(call, outcome.request, seed, outcome.decision.variant_of, follows))
        made = []
        with self._one_at_a_time:
            raws = render(jobs, self._generator, on_progress)
        for (call, outcome), job, raw in zip(missing, jobs, raws, strict=True):
            track, sound = keep(job, raw, self.store, encoder=self.encoder.identity)
            _, vector = self._understand(call)
            stamp = self.store.stamp()
            with call.stage("insert"):
                self.store.insert(track, vector, sound)
            self.store.remember(track, stamp)
            request = outcome.request
            if job.follows and raw.provenance.get("continued_from") != "codes":
                said = (
                    f"the codes of track {call.choices.continue_from} were not kept or do not fit this model"
                )
                told = f"{said}, so its audio was encoded again, fades and all"
                request = request.model_copy(update={"warnings": (*request.warnings, told)})
            made.append(Outcome(request, outcome.decision, track, made=True))
        return made

    def next_time(self, result: Result) -> tuple[Result, RequestRecord] | None:
        """Return what the same call gives next, and its line for the log; None where that has to be looked up."""
        track, request = result.track, result.request
        if track is None or track.key != request.key:
            return None
        call = Call("find-or-make", request.context, request.choices, request.key)
        again = request_of(track, request.context, request.choices)
        repeat = self._result(call, Outcome(again, exact(track), track))
        return repeat, record_of(call, repeat)

    def _finish(self, call: Call, outcome: Outcome) -> Result:
        result = self._result(call, outcome)
        try:
            if outcome.decision.rule == "exact" and not self.store.opened:
                self.store.log_later(record_of(call, result))
            else:
                self.store.log(record_of(call, result), call.vector)
        except StorageError as error:
            # The answer stands without its line in the log: a read-only catalog still serves.
            return result.model_copy(update={"warnings": (*result.warnings, f"not logged: {error}")})
        return result

    def _result(self, call: Call, outcome: Outcome) -> Result:
        request, decision, track = outcome.request, outcome.decision, outcome.track
        return Result(
            action="generated" if outcome.made else "reused" if track else "none",
            track=track,
            path=self.store.path_of(track) if track else None,
            similarity=decision.similarity if track and not outcome.made else None,
            reason=decision.reason,
            decision=decision,
            request=request,
            request_id=call.id,
            warnings=(
                *request.warnings,
                *_substitution(outcome),
                *_weariness(decision),
                *_uncertified(decision),
            ),
            timings_s=call.timings_s,
        )

    @contextmanager
    def _failures_logged(self, call: Call) -> Iterator[None]:
        try:
            yield
        except (CatalogError, Cancelled) as error:
            with suppress(CatalogError):
                self.store.log(failure_of(call, error), call.vector)
            raise

    def _generator(self, backend: str, size: str) -> Generator:
        if (backend, size) not in self._loaded:
            self._loaded[backend, size] = self._load_generator(backend, size)
        return self._loaded[backend, size]

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
        from catalog import calibration

        if labels is not None and from_ratings:
            raise InputError("a certificate comes from labels or from ratings; drop one of the two")
        rates = () if max_false_reuse is None else (certificate.checked_rate(max_false_reuse),)
        if from_ratings:
            counts = certificate.standing(self.store.home, self.encoder.identity)
            if counts.certificate is None:
                raise InputError(f"ratings cannot be used: {counts.note}; calibrate on labels first")
            made = calibration.calibrate_from_ratings(
                counts.certificate,
                self.store.judgements(),
                self.store.requests(rule="similar"),
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
        by: past.By = "meaning",
        limit: int = 50,
        since: datetime | None = None,
        **facts: str,
    ) -> list[past.PastRequest]:
        """Return logged requests, newest first, or those nearest to `text`, by its meaning or its words.

        `since` and facts such as `style="ambient_lofi"`, `action="reused"` or `listener="ada"` narrow it.
        """
        return past.history(self.store, self._vector_of, text, by=by, limit=limit, since=since, facts=facts)

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
        found = suggestions.outcomes(self.store, vector)
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
        by: By = "meaning",
        limit: int = 10,
        **facts: Any,
    ) -> list[Hit]:
        """Return the tracks that meet the query `text`, nearest first; `facts` are further fields of `Filter`.

        The query may hold facts beside words, as in `calm rain mood:calm length:30..60`; see `catalog.query`. A `Query`
        is taken as it is. Without words the newest come, with score 0. Raises InputError.
        """
        checked_by(by)
        query = narrowed(self._query(text), facts)
        if not query.text and not query.where.conditions:
            raise InputError("the search text is empty; pass at least one word")
        found = best(self.store, self.encoder, query, by, limit)
        return [Hit(track=track, path=self.store.path_of(track), score=score) for track, score in found]

    def similar(
        self, track_id: str, *, by: Literal["text", "sound"] = "text", limit: int = 10, **facts: Any
    ) -> list[Hit]:
        """Return the tracks nearest to one, best first: by what they were made for, or by how they sound.

        `track_id` may be the beginning of an id, `facts` are fields of `Filter`. The score is a cosine. Raises
        NotFound without the track, InputError for another `by` and for a track that is silent or too short to compare.
        """
        if by not in ("text", "sound"):
            raise InputError(f"similar by {by!r} is not known; {nearest(by, ('text', 'sound'))}")
        one, where = self.store.find_id(track_id), narrowed(Query(), facts).where
        if by == "sound":
            found = self.store.search_sound(sound_of(self.store, one), where, limit + 1)
        else:
            vector = self.store.vector_of(one.id)
            found = self.store.search(vector, where, limit + 1) if vector is not None else []
        hits = [Hit(track=track, path=self.store.path_of(track), score=score) for track, score in found]
        return [hit for hit in hits if hit.track.id != one.id][:limit]

    def browse(
        self,
        query: str | Query = "",
        *,
        by: By = "meaning",
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
        asked = narrowed(self._query(query), facts)
        return page(self.store, self.encoder, asked, by=by, sort=sort, limit=limit, offset=offset)

    def _query(self, text: str | Query) -> Query:
        if isinstance(text, Query):
            return text
        return parse(text, {"style": self.library.styles.keys(), "role": self.library.roles.keys()})


def _of_request(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the arguments of `find_or_make` is part of the request itself."""
    parts = Context.model_fields.keys() | Choices.model_fields.keys() | Audience.model_fields.keys()
    return {name: value for name, value in asked.items() if name in parts}


def _substitution(outcome: Outcome) -> list[str]:
    """Say what stood in for the generator that was asked for, also when the track is an earlier one."""
    if outcome.made:
        return [outcome.request.substitution] if outcome.request.substitution else []
    track = outcome.track
    if track and track.backend == "procedural" and track.config_sources.get("backend", "").startswith("auto"):
        return ["this track was made by the procedural synthesizer, where MusicGen was not on the machine"]
    return []


def _uncertified(decision: Decision) -> list[str]:
    return [decision.reason] if decision.rule == "uncertified" else []


def _weariness(decision: Decision) -> list[str]:
    return ["all fitting tracks were heard recently"] if decision.rule == "least_recent" else []

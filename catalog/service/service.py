"""The public service: a context goes in, and a track that fits comes out, reused where one exists, else made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload

from typing_extensions import Unpack

from .. import report
from ..errors import InputError, NotFound
from ..generator import Cancelled, Progress, load_generator
from ..generator.thread.orders import OnAudio
from ..home import default_home
from ..models import (
    Match,
    RequestArguments,
    RequestRecord,
    Result,
    ServedResult,
)
from ..objects.address import is_address
from ..request.builder import load_library
from ..request.context import ContextSource
from ..request.repeat import choices_of, context_of, decision_again, request_again
from ..reuse.music_certificate import Fit
from ..reuse.terms import Reach, Reuse, TermArguments, Terms
from ..store.store import Store
from ..text import encoder as encoders
from ..text.encoder import Encoder, embed_document
from ..validation import check_type, checked_but_keywords
from . import batches
from .adding.catalog import AddingCatalog
from .call import (
    Call,
    CallArguments,
    FindArguments,
    ServeArguments,
    failure_of,
    of_request,
    record_of,
)
from .choice.catalog import ChoosingCatalog
from .making import Generators
from .outcome import Outcome
from .scenes import SceneCatalog
from .stock_plan import ReadCalls
from .streaming.music_stream import StreamsMusic

__all__ = ["MusicService"]


class MusicService(AddingCatalog, ChoosingCatalog, SceneCatalog, StreamsMusic):
    """Find music for a context, or make it. Open one with `MusicService.open` and keep it: models stay loaded."""

    @classmethod
    def open(
        cls,
        home: str | Path | None = None,
        *,
        config: str | Path | None = None,
        encoder: Encoder | str | None = None,
        generators: Generators = load_generator,
        min_similarity: float | None = None,
        create: bool = True,
        storage_options: Mapping[str, str] | None = None,
    ) -> MusicService:
        """Open the catalog in `home`, which is created on first use unless `create` is off.

        `home` is a folder, or an address such as `s3://bucket/prefix` that any number of processes share, or
        `db://NAME?blobs=s3://bucket/prefix` with the tables in a database of LanceDB Cloud or Enterprise. Without
        `home`, `music_catalog.home.find_home` finds it. `config` is a file in the `musicgen:` shape, by default
        `catalog.yaml` in `home`. `encoder` is a model name, a folder or an Encoder. `min_similarity` holds for calls
        that pass neither it nor `max_false_reuse`; without it the certificate decides. Encoder and generators are
        loaded at first need. `storage_options` reach an object store, in place of the file that CATALOG_STORAGE names
        and before the environment, such as `aws_access_key_id`, `aws_endpoint` and `aws_region`; a folder needs none.
        Raises NotFound for a missing home that may not be created.
        """
        for name, place in (("home", home), ("config", config)):
            check_type(name, str | os.PathLike | None, place)
        home = default_home() if home is None else home
        is_brought = config is None and is_address(home)  # opening the store brings its configuration
        library = None if is_brought else load_library(config, home)
        reader = encoders.load(encoder) if isinstance(encoder, str) else encoder or encoders.load()
        store = Store.open(
            home,
            encoder=reader.identity,
            dimension=reader.dimension,
            create=create,
            options=storage_options,
        )
        return cls(store, library or load_library(None, store.home), reader, generators, min_similarity)

    def __enter__(self) -> MusicService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Load the encoder and the store, so that the first call is as quick as the rest; generators are not loaded.

        Every index file is compared with what was written, which takes seconds for a large table: an altered index
        is dropped with a warning. Raises Unavailable without the encoder, Damage for an altered index in a home that
        cannot be written.
        """
        try:
            embed_document(self.encoder, "warm")
        finally:
            self.store.care.drop_altered_indexes()
        self.store.warm()

    # The main job

    @overload
    def find_or_make(
        self,
        text_context: ContextSource,
        *,
        dry_run: Literal[False] = False,
        **arguments: Unpack[ServeArguments],
    ) -> ServedResult: ...

    @overload
    def find_or_make(
        self, text_context: ContextSource, *, dry_run: bool, **arguments: Unpack[ServeArguments]
    ) -> Result: ...

    def find_or_make(
        self,
        text_context: ContextSource,
        *,
        reuse: Reuse = "auto",
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        reach: Reach | None = None,
        fit: Fit | None = None,
        variety: int | None = None,
        dry_run: bool = False,
        explain: bool = False,
        on_progress: Progress | None = None,
        on_audio: OnAudio | None = None,
        **arguments: Unpack[RequestArguments],
    ) -> Result:
        """Return a track that fits `text_context`: an exact repeat, else a close match, else a new one.

        `arguments` are fields of `Choices` (preset, role, duration_s, ...), of `Context` (query, environment, ...) and
        of `Audience`: a `listener` gets another fitting track than the one they heard last, a `theme` keeps its track.
        With `continue_from` or `melody` only a repeat is reused.

        `reach` "music" reuses every track whose music serves the text, "scene" only one of the same scene. `fit` says
        whether such a track must be "passable" or one that "fits". Until `variety` of them serve the text, some
        requests make another one.

        `reuse` "auto" reuses what reaches the certified threshold for `max_false_reuse`, the share of reused tracks
        that may not fit (default 0.1), or with `min_similarity` what reaches that score; "always" reuses the best track
        that meets the hard facts and never makes one; "never" makes one. `dry_run` decides and stops. `explain` also
        counts what each hard fact rejects. `on_audio` gets the sound as it is made, where the generator streams: what
        `stream_music` yields. Raises InputError, NotFound, Busy, StorageError or Unavailable.
        """
        terms = self._terms(reuse, min_similarity, max_false_reuse, reach, fit, variety)
        if reuse == "never" and not dry_run:
            return self.generate(text_context, on_progress=on_progress, on_audio=on_audio, **arguments)
        call = self._flow.begin("dry-run" if dry_run else "find-or-make", text_context, arguments)
        with ExitStack() as near:  # until the call is logged, where those of its theme look for its track
            with self._flow.failures_logged(call):
                outcome = self._flow.look(call, terms, explain=explain)
                if outcome.track is None and reuse == "always":
                    raise NotFound(f"{outcome.decision.reason}, and making was ruled out; pass reuse='auto'")
                if outcome.track is None and not dry_run:
                    near.enter_context(self._flow.under_way.noted(call, terms, on_progress))
                    with self.store.claim(call.key):
                        # Another call may have made it while this one waited.
                        outcome = self._flow.look(call, terms, explain=explain)
                        if outcome.track is None:
                            (outcome,) = self._flow.make([(call, outcome)], on_progress, on_audio=on_audio)
            return self._flow.finish(call, outcome)

    def find_or_make_all(
        self,
        text_contexts: Iterable[ContextSource],
        *,
        min_similarity: float | None = None,
        max_false_reuse: float | None = None,
        reach: Reach | None = None,
        fit: Fit | None = None,
        variety: int | None = None,
        on_progress: Progress | None = None,
        read_calls: ReadCalls | None = None,
        **arguments: Unpack[RequestArguments],
    ) -> list[ServedResult]:
        """Return a result for each context as `find_or_make` would, with as many tracks made together as it goes.

        Contexts near one another share a track as they would one after the other. Tracks that were made before an
        error are kept, and every call leaves a line in the log. A context that cannot be used is named by its place,
        from 1, before anything is made. `read_calls` reads the texts of those that are no
        repeats in place of this process (see `music_catalog.bulk`).
        """
        terms = self._terms("auto", min_similarity, max_false_reuse, reach, fit, variety)
        calls = batches.begun(self._flow, text_contexts, arguments)
        if read_calls is not None:
            # The key of a repeat was made for before, and its text is not read.
            there = self.store.tracks.ids_made_for([call.key for call in calls])
            read_calls(self._flow, [call for call in calls if call.key not in there], None)
        return batches.serve(self._flow, calls, terms, on_progress)

    def find(self, text_context: ContextSource, **arguments: Unpack[FindArguments]) -> Match | None:
        """Return the track that `find_or_make` would reuse, or None. Never makes."""
        result = self.explain(text_context, **arguments)
        if not isinstance(result, ServedResult):
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
        reach: Reach | None = None,
        fit: Fit | None = None,
        variety: int | None = None,
        reuse: Reuse = "auto",
        log: bool = True,
        **arguments: Unpack[RequestArguments],
    ) -> Result:
        """Return what `find_or_make` would decide, with every candidate. Never makes; logged only with `log`."""
        terms = self._terms(reuse, min_similarity, max_false_reuse, reach, fit, variety)
        call = self._flow.begin("find", text_context, arguments)
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
        reach: Reach | None = None,
        fit: Fit | None = None,
        variety: int | None = None,
        explain: bool = False,
        **arguments: Unpack[RequestArguments],
    ) -> ServedResult | None:
        """Return what `find_or_make` would reuse, and log it as such; None, and no line, where it would make."""
        terms = self._terms("auto", min_similarity, max_false_reuse, reach, fit, variety)
        call = self._flow.begin("find-or-make", text_context, arguments)
        with self._flow.failures_logged(call):
            outcome = self._flow.look(call, terms, explain=explain)
        return self._flow.served(call, outcome) if outcome.track else None

    def key_of(self, text_context: ContextSource, **arguments: Unpack[CallArguments]) -> str:
        """Return the key of a request, which the same request has each time. Raises as `find_or_make` does."""
        return self._flow.begin("find-or-make", text_context, of_request(arguments)).key

    def log_cancelled(self, text_context: ContextSource, **arguments: Unpack[CallArguments]) -> None:
        """Record in the log that a request was cancelled before its track was made."""
        call = self._flow.begin("find-or-make", text_context, of_request(arguments))
        self.store.requests.append(failure_of(call, Cancelled("cancelled before it was made")))

    def generate(
        self,
        text_context: ContextSource,
        *,
        on_progress: Progress | None = None,
        on_audio: OnAudio | None = None,
        **arguments: Unpack[RequestArguments],
    ) -> ServedResult:
        """Make a new track for `text_context`, whatever the catalog holds. Takes what `find_or_make` takes."""
        call = self._flow.begin("generate", text_context, arguments)
        with self._flow.failures_logged(call):
            looked = self._flow.look(call, Terms("never"))
            (outcome,) = self._flow.make([(call, looked)], on_progress, fresh=True, on_audio=on_audio)
        return self._flow.served(call, outcome)

    def again(
        self, track_id: str, *, variation: bool = False, on_progress: Progress | None = None
    ) -> ServedResult:
        """Make a track again from its row: the same samples, or with `variation` another take from another seed.

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
        return self._flow.served(call, outcome)

    @checked_but_keywords
    def attach_soundtrack(
        self, answer_payload: Mapping[str, Any], **arguments: Unpack[ServeArguments]
    ) -> dict[str, Any]:
        """Return a copy of `answer_payload` with a "music" entry for its answer.

        The text is read from "answer" (or "text", "chunk", "scene", ...), the query from "query" or "question", and
        other fields of `Context` from keys of their names. `arguments` are as for `find_or_make`.
        """
        if arguments.get("dry_run"):
            raise InputError("dry_run finds no soundtrack to attach; call explain instead")
        return {**answer_payload, "music": report.entry(self.find_or_make(answer_payload, **arguments))}

    @checked_but_keywords
    def next_time(
        self, result: Result, **terms: Unpack[TermArguments]
    ) -> tuple[ServedResult, RequestRecord] | None:
        """Return the result of the same call next time, and its line for the log; None where it decides anew then.

        `terms` are those arguments of the call that `find_or_make` takes beside the request: `reuse`, `fit`, ...
        """
        given: dict[str, Any] = {**terms}
        named = ("min_similarity", "max_false_reuse", "reach", "fit", "variety")
        stated = self._terms(given.get("reuse", "auto"), *(given.get(name) for name in named))
        request = result.request
        call = Call("find-or-make", request.context, request.choices, request.key)
        outcome = self._flow.look_again(call, stated)
        if outcome is None:
            return None
        repeat = self._flow.result(call, outcome)
        assert isinstance(repeat, ServedResult)
        return repeat, record_of(call, repeat)

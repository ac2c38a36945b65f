"""The stages of one call: begin, look (theme, repeat, read, search, decide, choose), make, finish."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..brief.supervisor import Supervisor, guessed
from ..errors import CatalogError, StorageError
from ..generator import Cancelled, Generator, Progress, weights
from ..generator.loaded import LoadedGenerators
from ..generator.thread.line import END_S
from ..generator.thread.orders import OnAudio
from ..generator.thread.turns import Places, Turns
from ..history.rejections import Rejections
from ..models import (
    Audience,
    Choices,
    Features,
    Request,
    Result,
    ServedResult,
    Takes,
)
from ..plugins.backends import OWN, Backends
from ..presets import Library
from ..request.builder import build, key_of, preset_errors
from ..request.context import ContextSource, own_moods, passed_over, read_context
from ..request.melody import read_melody
from ..request.repeat import request_of
from ..reuse.decision import decide, exact
from ..reuse.terms import Terms
from ..store.rows import NewTrack
from ..store.store import Store
from ..text.encoder import Encoder
from ..text.features import features_of
from ..text.parsed import parse
from ..validation import validated
from .call import Call, HandedOver, failure_of, parts_of, record_of
from .checking.budget import Budget
from .checking.made import TOGETHER, Kept, keep_takes, make_takes
from .checking.takes import TakeCheck
from .checking.told import checked_takes, with_reason
from .choice.found import rejected_by, search
from .choice.licensing import licensed, require_license
from .choice.under_way import UnderWay, Unended
from .ears.made import MadeTracks
from .ears.takes import TakeListener
from .listener import Listener
from .making import Generators, LastStep, MakingTask, noted, seed_of, task_for
from .music_vectors import MusicVectors
from .outcome import Outcome, result_of
from .repeats import Repeat, Repeats
from .streaming.heard import Heard

__all__ = ["Flow", "Outcome"]


class Flow:
    """The stages of a call over a store, a library of presets, an encoder and generators, which stay loaded."""

    def __init__(self, store: Store, library: Library, encoder: Encoder, generators: Generators) -> None:
        self.store = store
        self.library = library
        self.encoder = encoder
        self.music = MusicVectors(store, library, encoder)
        self.supervisor = Supervisor(library.styles, encoder, library.reader, store.home, library.application)
        self.made = MadeTracks(store, library)
        self.take_checks: tuple[TakeCheck, ...] = (TakeListener(self.made),)
        """What listens to each take beside the checks that need no model."""
        self.backends = Backends(library.backends)
        self.generators = generators
        self.at_once: int = getattr(generators, "at_once", 1)
        self.together: int = getattr(generators, "together", TOGETHER)
        """How many tracks are made at once at the most."""
        self.loaded = LoadedGenerators(generators, one_model=self.at_once == 1)
        self._cluster = Places(self.at_once) if self.at_once > 1 else None
        self._turns = Turns(self._generator, self._places_of)
        self.under_way, self.unended = UnderWay(), Unended()

    def close(self) -> None:
        """Cancel what is being made, drop the loaded models and close the store.

        Calls that this ends are in the log by then, where they take no longer than END_S.
        """
        latest = time.monotonic() + END_S
        self._turns.close()
        self.unended.wait(latest - time.monotonic())
        self.loaded.unload()
        self.store.close()

    @property
    def joins(self) -> bool:
        """Whether requests that wait for the generator at the same time are made together."""
        return self._turns.joins

    @property
    def makes(self) -> bool:
        """Whether the thread that looks makes music, and waits for its turn no more."""
        return self._turns.has_come

    def begin(self, command: str, source: ContextSource, arguments: Mapping[str, Any]) -> Call:
        """Return a new call with its arguments checked: fields of `Context`, `Choices`, `Audience`, `Takes`.

        Raises InputError, ConfigError for an unknown preset or role, NotFound for an unknown track to go on from.
        """
        known, chosen, audience_values, wanted = parts_of(arguments, command)
        if isinstance(chosen.get("melody"), Path):
            chosen["melody"] = str(chosen["melody"])
        context = read_context(source, **known)
        self.supervisor.check(context)
        choices, audience = validated(Choices, chosen), validated(Audience, audience_values)
        if choices.backend is not None:
            self.backends.check(choices.backend)
        takes = checked_takes(validated(Takes, wanted), choices)
        if choices.continue_from is not None:
            # The beginning of an id is enough to name a track, and names the same request as the whole id.
            first = self.store.tracks.find_id(choices.continue_from)
            require_license(first, choices)
            choices = choices.model_copy(update={"continue_from": first.id})
        melody = None
        if choices.melody is not None:
            melody, digest = read_melody(choices.melody)
            choices = choices.model_copy(update={"melody": digest})
        with preset_errors():
            if choices.preset is not None:
                self.library.style(choices.preset)
            if choices.role is not None:
                self.library.role(choices.role)
        key = key_of(context, choices, self.library, dict.fromkeys(weights.present(), True))
        notes = (*passed_over(source, context), *own_moods(context))
        return Call(command, context, choices, key, audience, takes, melody, notes)

    def look(self, call: Call, terms: Terms, *, explain: bool = False) -> Outcome:
        """Look for a track with unaltered audio: theme, repeat (without a model), read, search, decide, choose."""
        outcome = self._look(call, terms, explain=explain)
        # Audio that is found to be altered is passed over from then on, so that another track or none is chosen.
        while outcome.track is not None and not self.store.audio.intact(outcome.track):
            outcome = self._look(call, terms, explain=explain)
        return outcome

    def _look(self, call: Call, terms: Terms, *, explain: bool) -> Outcome:
        rejections = Rejections(self.store, call.key)
        listener = Listener(self.store, call.audience)
        repeats = Repeats(self.store, call.key, rejections)
        repeat = self._repeat(call, repeats, terms)
        if repeat and listener.takes_at_once(repeat.track):
            return self._again(call, repeat)

        if call.choices.continue_from is not None or call.melody is not None:
            # No other track goes on from that one or follows that melody, however near its context is.
            terms = replace(terms, reuse="never")
        request, vector = self.understand(call)
        with call.stage("search"):
            found = search(self.store, self.music, request, vector, rejections, terms, listener.theme_track)
        with call.stage("decide"):
            decision = decide(
                request,
                found.hits,
                terms,
                styles=self.library.styles,
                facts=found.facts,
                considered=found.considered,
                rejected=found.rejected,
                rejected_by=rejected_by(self.store, found) if explain else None,
            )
        if terms.reuse == "never" or not listener.named:
            track = next((track for track, _ in found.hits if track.id == decision.track_id), None)
            return Outcome(request, decision, track)
        decision, track = listener.choose(
            decision,
            [track for track, _ in found.hits],
            repeat.track if repeat else None,
            repeats.made,
            # A seed that the caller named leaves nothing to vary.
            may_make=terms.reuse == "auto" and request.config["seed"] is None,
        )
        return Outcome(request, decision, track)

    def look_again(self, call: Call, terms: Terms) -> Outcome | None:
        """Return what a repeat of `call` comes to for nobody in particular; None where it is decided anew."""
        repeat = self._repeat(call, Repeats(self.store, call.key, Rejections(self.store, call.key)), terms)
        return self._again(call, repeat) if repeat and self.store.audio.intact(repeat.track) else None

    def _repeat(self, call: Call, repeats: Repeats, terms: Terms) -> Repeat | None:
        if terms.reuse == "never":
            return None
        with call.stage("exact"):
            repeat = repeats.find(terms)
        call.unanswered_at = repeats.unanswered_at
        # One that was chosen by hand for the request may have any licence.
        return repeat if repeat and licensed(repeat.track, call.choices) else None

    def _again(self, call: Call, repeat: Repeat) -> Outcome:
        return Outcome(self._request_of(call, repeat), exact(repeat.track, repeat.line), repeat.track)

    def _request_of(self, call: Call, repeat: Repeat) -> Request:
        """Return the request of a repeat: that of its track, or of a close match with the features in the log."""
        if repeat.line is None or repeat.line.features is None:
            return request_of(repeat.track, call.context, call.choices)
        # A brief needs the vector of the text, which a repeat does without; the style it led to is in the log.
        served_style = repeat.line.style if self.supervisor.reads(call.context) else ""
        return self._build(call, repeat.line.features, served_style=served_style)

    def understand(self, call: Call) -> tuple[Request, NDArray[np.float32]]:
        """Return the request and the vector of its context; a call works them out once."""
        if call.understood is None:
            with call.stage("encode"):
                text = parse(call.context, self.encoder, self.store.home / "cache")
                assert text.vector is not None
            with call.stage("features"):
                features = features_of(call.context, text)
            with call.stage("brief"):
                brief, warnings = self.supervisor.read(call.context, text, features)
                if call.choices.preset is None:
                    warnings = (*warnings, *guessed(call.context, text, brief))
            with call.stage("request"):
                request = self._build(call, features, brief=brief, warnings=warnings)
            call.understood = request, text.vector
        return call.understood

    def _build(self, call: Call, features: Features, **reading: Any) -> Request:
        return build(
            call.context,
            features,
            call.choices,
            self.library,
            key=call.key,
            find_weights=weights.find,
            backends=self.backends,
            **reading,
        )

    def make(
        self,
        missing: Sequence[tuple[Call, Outcome]],
        on_progress: Progress | None,
        *,
        fresh: bool = False,
        on_audio: OnAudio | None = None,
    ) -> Iterator[Outcome]:
        """Make a track for each call, all of them before the first is stored, and yield each once it is stored.

        Where no seed was requested it follows from the request's key; with `fresh` it is drawn.
        """
        unlisted = self.make_unlisted(missing, on_progress, fresh=fresh, on_audio=on_audio)
        for (call, _), (new, outcome) in zip(missing, unlisted, strict=True):
            stamp = self.store.stamp()
            with call.stage("insert"):
                *_, stored = self.store.tracks.insert_all([*outcome.others, new])
            self.store.remember(stored, stamp)
            self.made.later()
            # In a remote home another replica may have taken over the claim: the first track stands for all callers.
            first = stored.created_at == new.track.created_at or not self.store.audio.intact(stored)
            yield outcome if first else Outcome(outcome.request, exact(stored), stored)

    def make_unlisted(
        self,
        missing: Sequence[tuple[Call, Outcome]],
        on_progress: Progress | None,
        *,
        fresh: bool = False,
        on_audio: OnAudio | None = None,
    ) -> Iterator[tuple[NewTrack, Outcome]]:
        """Make what `make` does, and yield each track once its audio is stored; the caller writes its row."""
        tasks = [
            task_for(self.store, call, looked.request, looked.decision.variant_of, fresh=fresh)
            for call, looked in missing
        ]
        steps, check = LastStep(on_progress), self.library.check
        heard = Heard(tasks[0].config, on_audio).add if on_audio and len(tasks) == 1 else None
        with self.loaded.in_use():
            made = make_takes(
                tasks,
                self._turns,
                Budget(check.retakes, check.time_share),
                other_seed=partial(self._other_seed, fresh=fresh),
                checks=self.take_checks,
                together=self.together,
                on_progress=steps if on_progress else None,
                on_audio=heard,
            )
        for (call, outcome), takes in zip(missing, made, strict=True):
            others, best = keep_takes(takes, self.store, self.encoder.identity, steps.again)
            *rest, new = [self._row_of(call, one) for one in (*others, best)]
            request = noted(best[0].task, best[0].raw)
            decision = with_reason(outcome.decision, new.track, len(rest))
            yield new, Outcome(request, decision, new.track, made=True, others=tuple(rest))

    def _row_of(self, call: Call, kept: Kept) -> NewTrack:
        _, track, sound = kept
        track, ear = self.made.at_once(call, track)
        return NewTrack(track, self.understand(call)[1], sound, self.music.of_track(track), ear)

    def _other_seed(self, task: MakingTask, number: int, *, fresh: bool) -> int:
        """Return the seed of a further take, no seed of another track for the same request."""
        key = task.call.key
        return secrets.randbelow(2**32) if fresh else seed_of(f"{key}/{number}", self.store.takes(key))

    def _generator(self, backend: str, size: str) -> Generator:
        return self.loaded(backend, size) if backend in OWN else self.backends.generator(backend)

    def _places_of(self, backend: str) -> Places | None:
        return self._cluster if backend in OWN else self.backends.generator(backend).places

    def finish(self, call: Call, outcome: Outcome) -> Result:
        """Return the result of a call and record it in the log."""
        result = self.result(call, outcome)
        try:
            if outcome.decision.rule == "exact" and not self.store.opened:
                self.store.requests.enqueue(record_of(call, result))
            else:
                line = record_of(call, result)
                self.store.requests.append(line, call.vector, unanswered_at=call.unanswered_at)
        except StorageError as error:
            # The result holds without its line in the log, so that a read-only catalog still serves.
            return result.model_copy(update={"warnings": (*result.warnings, f"not logged: {error}")})
        return result

    def served(self, call: Call, outcome: Outcome) -> ServedResult:
        """Return the result of a call that came to a track, and record it in the log."""
        result = self.finish(call, outcome)
        assert isinstance(result, ServedResult)
        return result

    def result(self, call: Call, outcome: Outcome) -> Result:
        """Return the result of a call, with all its warnings."""
        return result_of(self.store, call, outcome)

    @contextmanager
    def failures_logged(self, call: Call) -> Iterator[None]:
        """Leave a line in the log where the body fails, is cancelled or interrupted, not where it is handed over."""
        with self.unended.noted():
            try:
                yield
            except (CatalogError, Cancelled, KeyboardInterrupt) as error:
                if not isinstance(error, HandedOver):
                    self.log_failure(call, error)
                raise

    def log_failure(self, call: Call, error: CatalogError | Cancelled | KeyboardInterrupt) -> None:
        """Record in the log that a call ended in `error`; nothing where the log cannot be written."""
        # An interrupt may have cut off the import of a module that the log needs, which then fails in any way.
        with suppress(Exception if isinstance(error, KeyboardInterrupt) else CatalogError):
            self.store.requests.append(failure_of(call, error), call.vector)

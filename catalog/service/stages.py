"""The stages of one request: what it asks for, what there is, what is made, what is told; the service strings them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator import Cancelled, Generator, Progress, weights
from presets import Library

from ..errors import CatalogError, InputError, StorageError
from ..history import feedback
from ..models import (
    Audience,
    Choices,
    Context,
    Decision,
    Features,
    Filter,
    Request,
    RequestRecord,
    Result,
    Track,
)
from ..request.builder import build, key_of, preset_errors
from ..request.context import read_context
from ..request.melody import read_melody
from ..request.repeat import request_of
from ..reuse.decision import decide, exact
from ..reuse.facts import alone, hard_facts
from ..reuse.terms import Terms
from ..store.store import Store
from ..text import features as understanding
from ..text.encoder import Encoder, embed_document
from ..validation import nearest, validated
from . import listener
from .call import Call, failure_of, record_of
from .making import Generators, MakingTask, followed, keep, render, seed_of

__all__ = ["Flow", "Outcome"]


CANDIDATES = 20
"""How many tracks that meet the hard facts are weighed: with fifty, finding them took about half as long again."""


@dataclass(frozen=True)
class Outcome:
    """Where a call stands: what was understood, what was decided, and the track once there is one."""

    request: Request
    decision: Decision
    track: Track | None = None
    made: bool = False


class Flow:
    """The stages of a request over a store, a library of presets, an encoder and generators, which stay loaded."""

    def __init__(self, store: Store, library: Library, encoder: Encoder, generators: Generators) -> None:
        self.store = store
        self.library = library
        self.encoder = encoder
        self._load_generator = generators
        self._loaded: dict[tuple[str, str], Generator] = {}
        # Threads share the loaded models, and one generation fills the machine.
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        """Let go of the store and of loaded models."""
        self._loaded.clear()
        self.store.close()

    def begin(
        self, command: str, source: str | Mapping[str, Any] | Context, asked: Mapping[str, Any]
    ) -> Call:
        known = {name: value for name, value in asked.items() if name in Context.model_fields}
        chosen = {name: value for name, value in asked.items() if name in Choices.model_fields}
        if isinstance(chosen.get("melody"), Path):
            chosen["melody"] = str(chosen["melody"])
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
        melody = None
        if choices.melody is not None:
            melody, name = read_melody(choices.melody)
            choices = choices.model_copy(update={"melody": name})
        with preset_errors():
            if choices.preset is not None:
                self.library.style(choices.preset)
            if choices.role is not None:
                self.library.role(choices.role)
        present = {size: weights.find(size) is not None for size in weights.MODELS}
        key = key_of(context, choices, self.library, present)
        return Call(command, context, choices, key, audience, melody)

    def look(self, call: Call, terms: Terms, *, explain: bool = False) -> Outcome:
        """Look for a track: first the same request, which needs neither encoder nor model, then a close match."""
        same, line, kept = None, None, listener.theme_track(self.store, call.audience)
        if terms.reuse != "never":
            with call.stage("exact"):
                same, line = self._repeated(call.key, terms)
            if same and listener.at_once(self.store, call.audience, same, kept):
                return Outcome(self._asked_again(call, same, line), exact(same, line), same)
        if call.choices.continue_from is not None or call.melody is not None:
            # However close another track is, it goes on from no other one and follows no other melody.
            terms = replace(terms, reuse="never")
        request, vector = self.understand(call)
        facts = hard_facts(request)
        with call.stage("search"):
            rejected = feedback.rejected(self.store, call.key, vector, request.features)
            hits = self.store.search(vector, facts, CANDIDATES + len(rejected))
            if kept and kept not in {track.id for track, _ in hits}:
                hits += self.store.search(vector, facts, 1, among=[kept])  # however many are nearer
            allowed = [(track, cosine) for track, cosine in hits if track.id not in rejected]
            spared, hits = len(hits) - len(allowed), allowed
            considered = self.store.ready()
        rejects = self._rejected_by(facts, considered) if explain else {}
        if explain and spared:
            rejects["feedback"] = spared
        decision = decide(request, hits, terms, facts=facts, considered=considered, rejected_by=rejects)
        if terms.reuse != "never" and (call.audience.listener or call.audience.theme):
            decision, track = listener.chosen(
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
        return Outcome(request, decision, track)

    def _repeated(self, key: str, terms: Terms) -> tuple[Track | None, RequestRecord | None]:
        """Return the track that this very request made before, or else the close match it got, and its line."""
        stamp = self.store.stamp()
        if kept := self.store.recall(key):
            return kept, None
        rejected = feedback.rejected(self.store, key)
        made = next((track for track in self.store.made_for(key) if track.id not in rejected), None)
        if made:
            self.store.remember(made, stamp)
            return made, None
        for line in self.store.requests(limit=1, key=key, rule="similar"):
            track = self.store.get(line.track_id) if line.track_id and terms.stands(line) else None
            # A line of an earlier version does not tell what was asked, so that is read once more.
            if track and line.features and track.state == "ready" and self.store.has_audio(track):
                # It was no more than close here, so a rejection for a request near this one counts as well.
                vector = self.store.request_vector(line)
                rejected = feedback.rejected(self.store, key, vector, line.features)
                return (track, line) if track.id not in rejected else (None, None)
        return None, None

    def _asked_again(self, call: Call, same: Track, line: RequestRecord | None) -> Request:
        """Return a repeat's own request: that of the track made for it, or what `line` says was asked."""
        if line is None or line.features is None:
            return request_of(same, call.context, call.choices)
        return self._built(call, line.features)

    def understand(self, call: Call) -> tuple[Request, NDArray[np.float32]]:
        """Return the request and the vector of its context; a call works them out once."""
        if call.understood is None:
            with call.stage("features"):
                cache = self.store.home / "cache"
                features = understanding.extract(call.context, self.encoder, cache_dir=cache)
            with call.stage("encode"):
                vector = embed_document(self.encoder, call.context.text)
            with call.stage("request"):
                request = self._built(call, features)
            call.understood = request, vector
        return call.understood

    def _built(self, call: Call, features: Features) -> Request:
        return build(
            call.context, features, call.choices, self.library, key=call.key, find_weights=weights.find
        )

    def make(
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
            jobs.append(MakingTask(call, outcome.request, seed, outcome.decision.variant_of, follows))
        made = []
        with self._one_at_a_time:
            raws = render(jobs, self._generator, on_progress)
        for (call, outcome), job, raw in zip(missing, jobs, raws, strict=True):
            track, sound = keep(job, raw, self.store, encoder=self.encoder.identity)
            _, vector = self.understand(call)
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

    def finish(self, call: Call, outcome: Outcome) -> Result:
        result = self.result(call, outcome)
        try:
            if outcome.decision.rule == "exact" and not self.store.opened:
                self.store.log_later(record_of(call, result))
            else:
                self.store.log(record_of(call, result), call.vector)
        except StorageError as error:
            # The answer stands without its line in the log: a read-only catalog still serves.
            return result.model_copy(update={"warnings": (*result.warnings, f"not logged: {error}")})
        return result

    def result(self, call: Call, outcome: Outcome) -> Result:
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
    def failures_logged(self, call: Call) -> Iterator[None]:
        try:
            yield
        except (CatalogError, Cancelled) as error:
            with suppress(CatalogError):
                self.store.log(failure_of(call, error), call.vector)
            raise

    def _rejected_by(self, facts: Filter, considered: int) -> dict[str, int]:
        """Return how many ready tracks each hard fact alone rejects."""
        return {name: considered - self.store.count(fact) for name, fact in alone(facts).items()}

    def _generator(self, backend: str, size: str) -> Generator:
        if (backend, size) not in self._loaded:
            self._loaded[backend, size] = self._load_generator(backend, size)
        return self._loaded[backend, size]


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

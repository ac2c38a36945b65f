"""From a request to a track: generate, shape, measure, store the audio, and record how it was made."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import Damage, InputError, Unavailable
from ..generator import Audio, AudioError, Cancelled, Generator, GeneratorError, Progress, audio
from ..generator.audio import analysis, timbre
from ..generator.audio.seam import measure_seam
from ..generator.thread.orders import Asked, OnAudio
from ..generator.thread.turns import Turns
from ..generator.weights.sizes import rank_of
from ..hearing.measuring import measured
from ..models import Checked, Measured, Request, Track
from ..store.store import Store
from ..upkeep.companions import sidecar
from ..version import package_version
from .call import Call
from .choice.licensing import license_of_made, require_license_of_made

__all__ = [
    "Generators",
    "LastStep",
    "MakingTask",
    "followed",
    "generator_errors",
    "keep",
    "noted",
    "render",
    "seed_of",
    "shape",
    "task_for",
]


_log = logging.getLogger(__name__)
Value = TypeVar("Value", float, str, Measured)

CONTEXT_CHARACTERS = 32_000
TRUE_PEAK_DB = -1.0
Generators = Callable[[str, str], Generator]
"""Takes backend and model size; returns the generator, loaded once."""


@dataclass(frozen=True)
class MakingTask:
    """One track to be made: for which call and request, and with which seed."""

    call: Call
    request: Request
    seed: int
    variant_of: str | None = None
    """The id of the track it is a variant of."""
    follows: Audio | None = None
    """The audio it goes on from."""
    continued: Track | None = None
    """The track of that audio."""

    @property
    def config(self) -> dict[str, Any]:
        """The configuration with the seed in it."""
        return {**self.request.config, "seed": self.seed}


class LastStep:
    """The progress of a generator, passed on; `again` repeats its last step, so that whoever follows may cancel."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self._last: tuple[int, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Pass a step on."""
        self._last = done, total
        if self._on_progress is not None:
            self._on_progress(done, total)

    def again(self) -> None:
        """Pass the last step on once more; raises what the follower raises."""
        if self._last is not None:
            self(*self._last)


def render(
    tasks: Sequence[MakingTask],
    turns: Turns,
    on_progress: Progress | None = None,
    on_audio: OnAudio | None = None,
) -> list[Audio]:
    """Return the raw audio of each task; tasks of one model size are made together where the generator can.

    They are made on the thread of the generators, together with those of other callers that wait for the same one.
    `on_audio`, for one task alone, gets the parts as they are made, from a generator that streams. Raises Unavailable
    when a generator cannot make it, Cancelled when `on_progress` says so.
    """
    groups: dict[tuple[str, str], list[MakingTask]] = {}
    for task in tasks:
        groups.setdefault((task.config["backend"], task.config["size"]), []).append(task)
    made: dict[int, Audio] = {}
    for (backend, size), group in groups.items():
        with generator_errors(f"{backend} {size}"):
            asked = [
                Asked(task.request.prompt, task.config, task.call.melody, task.follows) for task in group
            ]
            audios, took_s = turns.make(backend, size, asked, on_progress, on_audio)
        for task in group:
            spent_s = task.call.timings_s.get("generate", 0.0) + took_s / len(group)
            task.call.timings_s["generate"] = round(spent_s, 4)
        made.update((id(task), one) for task, one in zip(group, audios, strict=True))
    return [made[id(task)] for task in tasks]


def keep(
    task: MakingTask,
    raw: Audio,
    shaped: Audio,
    store: Store,
    *,
    encoder: str,
    found: Checked | None = None,
    check: Callable[[], None] = lambda: None,
    track_id: str | None = None,
) -> tuple[Track, NDArray[np.float32] | None]:
    """Measure and store the `shaped` audio of a task; return the track and its sound vector, None for silence.

    The caller writes the row, so that it goes in last. `found` is what the check found, `track_id` the id where it was
    given out before. `check` is called before each stage up to the storing, and may raise Cancelled. Raises
    StorageError when the audio cannot be written.
    """
    call, request, config = task.call, task.request, task.config
    require_license_of_made(raw, call.choices)
    with generator_errors(f"{config['backend']} {config['size']}"):
        check()
        with call.stage("measure"):
            made = {**measure(shaped, loopable=bool(config["loopable"])), **_provenance(raw, task)}
            sound = timbre.sound_vector(shaped)
    stages = ("generate", "shape", "check", "measure")
    made["generation_s"] = round(sum(call.timings_s.get(stage, 0.0) for stage in stages), 3)
    track_id = track_id or store.new_id(request.key, task.seed)
    check()
    with call.stage("store_audio"):
        mark = _mark(track_id, request, made)
        data = audio.encode(shaped, "wav", title=request.features.summary_of_topic[:120], comment=mark)
        path, sha256, size = store.audio.put(data)
        track = Track(
            id=track_id,
            created_at=datetime.now(timezone.utc),
            **_requested(request),
            **made,
            config=config,
            config_sources=request.config_sources,
            audio_path=path,
            audio_sha256=sha256,
            audio_bytes=size,
            encoder=encoder,
            variant_of=task.variant_of,
            checked=found,
        )
        if raw.codes is not None:
            # A continuation starts from the end that is left after cutting; fades and loudness are not in the codes.
            frames = round(raw.codes.shape[1] * min(1.0, shaped.duration_s / raw.duration_s))
            store.audio.put_codes(path, raw.codes[:, :frames])
        store.audio.put_sidecar(path, sidecar(track))
    return track, sound


def task_for(
    store: Store, call: Call, request: Request, variant_of: str | None, *, fresh: bool
) -> MakingTask:
    """Return the making of a track; a seed that was not requested follows from the key, or is drawn with `fresh`.

    Raises NotFound without the track to go on from, and as `followed` does.
    """
    seed, first = request.config["seed"], call.choices.continue_from
    if seed is None:
        seed = secrets.randbelow(2**32) if fresh else seed_of(call.key, store.takes(call.key))
    if first is None:
        return MakingTask(call, request, seed, variant_of)
    track = store.tracks.find_id(first)
    return MakingTask(call, request, seed, variant_of, followed(store, track, request), track)


def followed(store: Store, track: Track, request: Request) -> Audio:
    """Return the audio of a track that `request` goes on from, with its codes where they were kept.

    Raises Damage where its file is gone, InputError where the request leaves no room.
    """
    if request.config["duration_s"] <= track.duration_s:
        raise InputError(
            f"track {track.id} lasts {track.duration_s:g} s and duration_s is {request.config['duration_s']:g} "
            f"(by {request.config_sources['duration_s']}), which counts it; ask for more"
        )
    if not store.audio.is_there(track):
        raise Damage(f"track {track.id} cannot be continued: its file {track.audio_path} is gone")
    with generator_errors("the track to continue"):
        sound = audio.read(store.audio.verified_path(track), max_bytes=track.audio_bytes)
    return replace(sound, codes=store.audio.codes_of(track))


@contextmanager
def generator_errors(source: str) -> Iterator[None]:
    """Turn what a generator raises into the catalog's errors; a cancellation passes as it is."""
    try:
        yield
    except Cancelled:
        raise
    except AudioError as error:
        raise InputError(str(error)) from error
    except GeneratorError as error:
        raise Unavailable(str(error)) from error
    except MemoryError as error:
        raise Unavailable(
            f"not enough memory to make this with {source}; ask for a shorter duration or a lower quality"
        ) from error


def shape(raw: Audio, config: dict[str, Any]) -> Audio:
    """Apply the duration rule, the fades and the loudness target of `config`."""
    loops = bool(config["loopable"])
    shaped = audio.fit_duration(raw, config["duration_s"], config["normalize_duration"], loopable=loops)
    shaped = audio.to_mono(shaped) if config["channels"] == 1 else audio.to_stereo(shaped)
    if not loops:
        shaped = audio.fade(shaped, config["fade_in_s"], config["fade_out_s"])
    if config["loudness_lufs"] is not None:
        shaped = audio.normalize_loudness(shaped, config["loudness_lufs"], TRUE_PEAK_DB)
    return shaped


def measure(shaped: Audio, *, loopable: bool = False) -> dict[str, Any]:
    """Return the facts about its samples that a track states, each measured on them."""
    joint = measure_seam(shaped) if loopable else None
    tempo, key = _measured(analysis.tempo_bpm, shaped), _measured(analysis.musical_key, shaped)
    return {
        "seam": joint.unusual if joint else None,
        "duration_s": round(shaped.duration_s, 6),
        "sample_rate": shaped.sample_rate,
        "channels": shaped.channels,
        "tempo_bpm": tempo,
        "musical_key": key,
        "loudness_lufs": _rounded(audio.loudness_lufs(shaped)),
        "true_peak_db": _rounded(audio.true_peak_db(shaped)),
        "measured": _measured(partial(measured, tempo_bpm=tempo, musical_key=key), shaped),
    }


def _measured(analyse: Callable[[Audio], Value | None], shaped: Audio) -> Value | None:
    """Return what `analyse` measures; None where it cannot run, so that the track, which is made already, is kept."""
    try:
        return analyse(shaped)
    except AudioError as error:
        _log.warning("something was not measured: %s", error)
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def noted(task: MakingTask, raw: Audio) -> Request:
    """Return the request of a task, with a warning where the continued track had to be encoded again."""
    request = task.request
    if not task.follows or raw.provenance.get("continued_from") == "codes":
        return request
    reason = f"the codes of track {task.call.choices.continue_from} were not kept or do not fit this model"
    warning = f"{reason}, so its audio was encoded again, fades and all"
    return request.model_copy(update={"warnings": (*request.warnings, warning)})


def seed_of(key: str, takes: int) -> int:
    """Return the seed of a request without one: the same for the same request, another for each further take."""
    return int(hashlib.sha256(f"{key}/{takes}".encode()).hexdigest()[:8], 16)


def _requested(request: Request) -> dict[str, Any]:
    context, features = request.context, request.features
    return {
        "key": request.key,
        "context": context.text[:CONTEXT_CHARACTERS],
        "context_sha256": context.sha256,
        "query": context.query,
        "summary": features.summary_of_topic,
        "tone": features.emotional_tone_description,
        "prompt": request.prompt,
        "mood_tags": features.mood_tags,
        "valence": features.valence,
        "energy": features.energy,
        "environment": features.environment,
        "time_of_day": features.time_of_day,
        "language": features.language,
        "style": request.style,
        "role": request.role,
        "quality": request.quality,
        "loopable": bool(request.config["loopable"]),
    }


def _provenance(raw: Audio, task: MakingTask) -> dict[str, Any]:
    origin = raw.provenance
    return {
        "backend": origin["backend"],
        "model": origin["model"],
        "model_rank": rank_of(task.config),
        "weights_license": license_of_made(raw, task.continued),
        "seed": int(origin["seed"]),
        "versions": {
            **{name: str(number) for name, number in origin["versions"].items()},
            "music-catalog": package_version(),
            "python": platform.python_version(),
        },
    }


def _mark(track_id: str, request: Request, made: dict[str, Any]) -> str:
    """Return the comment written into the audio file. It is short, since WAV drops comments of 2,000 bytes and more."""
    return json.dumps(
        {
            "id": track_id,
            "ai_generated": True,
            "backend": made["backend"],
            "model": made["model"],
            "model_rank": made["model_rank"],
            "quality": request.quality,
            "weights_license": made["weights_license"],
            "seed": made["seed"],
            "style": request.style,
            "key": request.key,
        },
        sort_keys=True,
    )

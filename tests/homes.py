"""Catalog homes for the tests of the store: tracks with real files, and work done in processes that may be killed."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
from builders import a_track

from music_catalog.errors import StorageError
from music_catalog.models import Judgement, RequestRecord, Track
from music_catalog.store.store import Store

ENCODER = "test@1/8"
DIMENSION = 8
NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)


def open_store(home: Any, **options: Any) -> Store:
    return Store.open(home, **{"encoder": ENCODER, "dimension": DIMENSION, **options})


def vector_of(name: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)


OTHER = "other@1/4"
"""The identity of `Axes`."""
NAMES = ("a", "b", "c", "d", "e")


class Axes:
    """An encoder of four numbers for the tracks of NAMES that counts its texts, and does something at one of them."""

    def __init__(self, at: str | None = None, then: Callable[[], object] = lambda: None) -> None:
        self.texts: list[str] = []
        self.at, self.then = at, then

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        for text in texts:
            if text == self.at:
                self.then()
            self.texts.append(text)
        return [np.roll([1.0, 0.0, 0.0, 0.0], NAMES.index(text[-1]) % 4) for text in texts]


def stored(store: Store, name: str, number: int = 0, *, audio: str | None = None, **changes: Any) -> Track:
    """Return a track named `name` whose audio file is in the store; its row is not."""
    path, sha256, size = store.audio.put((audio or f"audio of {name}").encode())
    values = {
        "id": name,
        "created_at": NOON + timedelta(seconds=number),
        "key": f"key-{name}",
        "context": f"the context of {name}",
        "encoder": ENCODER,
        "audio_path": path,
        "audio_sha256": sha256,
        "audio_bytes": size,
    }
    return a_track(**{**values, **changes})


def add(store: Store, name: str, number: int = 0, **changes: Any) -> Track:
    track = stored(store, name, number, **changes)
    store.tracks.insert(track, vector_of(name))
    return track


def newest_for(store: Store, key: str) -> Track | None:
    """Return the track that a repeat of the request `key` is served, None without."""
    return next(store.tracks.made_for(key), None)


def a_record(name: str, **changes: Any) -> RequestRecord:
    values: dict[str, Any] = {
        "id": name,
        "created_at": NOON,
        "command": "find-or-make",
        "key": "k",
        "context_sha256": "0" * 64,
        "query": "",
        "summary": "calm rain",
        "prompt": "ambient. calm rain.",
        "style": "ambient_lofi",
        "role": "background_bed",
        "quality": "standard",
        "action": "reused",
        "rule": "similar",
        "reason": "close enough",
        "similarity": 0.8,
        "score": 0.7,
        "threshold": 0.5,
        "track_id": "a",
        "backend": "procedural",
        "choices": {"seed": 3},
        "timings_s": {"find": 0.01},
    }
    return RequestRecord.model_validate({**values, **changes})


def a_judgement(name: str, **changes: Any) -> Judgement:
    values: dict[str, Any] = {
        "id": name,
        "created_at": NOON,
        "verdict": "rated",
        "track_id": "a",
        "rating": 4,
    }
    return Judgement.model_validate({**values, **changes})


def start(work: Any, *arguments: Any) -> Any:
    """Start `work(*arguments)` in a process of its own, forked from one that has the heavy imports done.

    What the server has loaded starts no threads; lancedb does, so that each child imports it itself.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["homes", "pyarrow", "lance_namespace"])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def finish(*processes: Any) -> list[int]:
    """Wait for processes and return their exit codes."""
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def note(journal: str, line: str) -> None:
    """Append a line to a journal that survives the death of this process."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def write_until_killed(home: str, journal: str, failpoint: str, names: list[str]) -> None:
    """Make tracks one after the other, trash, purge, log, compact and re-embed; note what was acknowledged."""
    os.fsync = os.fdatasync = lambda descriptor: None  # a kill loses nothing the system has taken
    store = open_store(home)
    os.environ["CATALOG_FAILPOINT"] = failpoint
    for number, name in enumerate(names):
        track = stored(store, name, number)
        store.audio.put_sidecar(track.audio_path, {"id": name})
        store.tracks.insert(track, vector_of(name))
        note(journal, f"track {name}")
        store.requests.append(a_record(name))
        note(journal, f"log {name}")
    store.tracks.trash(names[0])
    note(journal, f"trash {names[0]}")
    store.care.purge()
    note(journal, f"purge {names[0]}")
    store.care.compact()
    store.care.reembed(lambda texts: [vector_of(text) for text in texts], "test@2/8")
    note(journal, "reembed")


def insert_all(home: str, names: list[str]) -> None:
    store = open_store(home)
    for name in names:
        add(store, name)


def claim_and_make(home: str, key: str, journal: str) -> None:
    store = open_store(home)
    with store.claim(key, 60):
        if newest_for(store, key) is None:
            note(journal, "made")
            add(store, f"by-{os.getpid()}", key=key)


def claim_and_die(home: str, key: str, journal: str) -> None:
    store = open_store(home)
    with store.claim(key, 60):
        note(journal, "claimed")
        os.kill(os.getpid(), 9)


def read_with_flipped_bytes(home: str, data: str, places: list[int], journal: str) -> None:
    """Read every track with one byte of a data file flipped, place after place, and note what came back."""
    logging.disable()
    original = Path(data).read_bytes()
    for place in places:
        note(journal, json.dumps({"place": place}))
        flipped = bytearray(original)
        flipped[place] ^= 0xFF
        Path(data).write_bytes(flipped)
        found = {}
        try:
            store = open_store(home)
            tracks = [
                *store.tracks.list(),
                *(track for track, _ in store.tracks.search(vector_of("t0"), limit=3)),
            ]
            found = {track.id: track.model_dump(mode="json") for track in tracks}
        except StorageError:
            pass  # an error that names the damage is right as well
        finally:
            Path(data).write_bytes(original)
        note(journal, json.dumps({"place": place, "found": found}))

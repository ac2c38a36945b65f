"""Replicas for tests: processes that share a home on an object store and nothing else; what must hold after them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from fakes import WordHashEncoder

WAIT_S = 120.0
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}
SPAWN = multiprocessing.get_context("spawn")


def open_service(home: str, cache: Path, **options: Any) -> Any:
    """Open a service as one more replica, with a cache of its own; only the same request is reused."""
    from music_catalog import MusicService

    os.environ["CATALOG_CACHE"] = str(cache)
    return MusicService.open(home, **{"encoder": WordHashEncoder(), "min_similarity": 1.0, **options})


class Told:
    """A procedural generator that writes a line into a file for each make, and may wait in it until a file is there."""

    def __init__(self, log: Path, go: Path | None = None) -> None:
        self._log, self._go = log, go

    def __call__(self, backend: str, size: str) -> Told:
        return self

    def generate_music(self, prompt: str, config: Any, **rest: Any) -> Any:
        from music_catalog.generator import ProceduralGenerator

        note(self._log, make=os.getpid())
        while self._go and not self._go.exists():
            time.sleep(0.02)
        return ProceduralGenerator().generate_music(prompt, config, **rest)


def note(log: Path, **what: Any) -> None:
    """Add a line to a file that several processes write: one write, so that a kill leaves whole lines."""
    with log.open("ab", buffering=0) as file:
        file.write(json.dumps(what).encode() + b"\n")


def noted(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@contextlib.contextmanager
def running(*processes: Any) -> Iterator[None]:
    """Start processes, and end those that are left."""
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def until(holds: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def await_ready(ready: Any, processes: list[Any], timeout_s: float = WAIT_S) -> None:
    """Wait until every process has released the semaphore `ready`."""
    for _ in processes:
        until(
            lambda: ready.acquire(timeout=1) or any(not one.is_alive() for one in processes),
            "not ready",
            timeout_s,
        )
        assert all(one.is_alive() for one in processes)


# What replicas do


def ask_all(home: str, cache: Path, log: Path, keys: list[str], requests: int, ready: Any, go: Any) -> None:
    """Make requests for the keys in turn, as soon as all replicas are up."""
    service = open_service(home, cache, generators=Told(log))
    service.find("Warm up, please.", **SHORT)
    ready.release()
    go.wait(WAIT_S)
    for number in range(requests):
        key = keys[number % len(keys)]
        result = service.find_or_make(key, **SHORT)
        note(log, key=key, id=result.track.id, action=result.action)
    service.close()


def ask_once(home: str, cache: Path, log: Path, key: str, lease_s: float, go: Path | None) -> None:
    """Make one request; its make waits for the file `go`."""
    from music_catalog.objects import lease

    lease.LEASE_S = lease_s
    service = open_service(home, cache, generators=Told(log, go))
    result = service.find_or_make(key, **SHORT)
    note(log, key=key, id=result.track.id, action=result.action, sha256=result.track.audio_sha256)
    service.close()


def work_until_killed(home: str, cache: Path, log: Path, seed: int, ready: Any) -> None:
    """Make tracks and rate them, and note what was acknowledged; keys are shared with other replicas."""
    from music_catalog.errors import CatalogError
    from music_catalog.objects import lease

    lease.LEASE_S = 2.0
    draw = random.Random(seed)
    service = open_service(home, cache, generators=Told(log))
    for number in count():
        key = f"Scene {draw.randrange(200)} of a calm night at sea."
        try:
            track = service.find_or_make(key, **SHORT).track
            note(log, key=key, id=track.id, sha256=track.audio_sha256)
            service.store.tracks.update(track.id, rating=draw.randint(1, 5))
            note(log, rated=track.id)
        except CatalogError as error:
            note(log, error=f"{type(error).__name__}: {error}")
        if number == 0:
            ready.release()


def care_until_killed(home: str, cache: Path, log: Path, ready: Any) -> None:
    """Compact and index every table again and again."""
    from music_catalog.errors import CatalogError

    service = open_service(home, cache)
    service.store.tracks.count()
    ready.release()
    while True:
        try:
            service.store.care.compact()
            note(log, compacted=True)
        except CatalogError as error:
            note(log, error=f"{type(error).__name__}: {error}")


def kill_replicas(
    home: str, folder: Path, log: Path, draw: random.Random, start: Any = SPAWN, ready_s: float = WAIT_S
) -> Iterator[int]:
    """Let three replicas and a care process work until each is killed, again and again; yield how many were by then.

    `start` is the context of multiprocessing that starts them; each must work within `ready_s` seconds.
    """
    killed = 0
    while True:
        ready = start.Semaphore(0)
        work = [
            start.Process(
                target=work_until_killed,
                args=(home, folder / f"c{n}", log, draw.random(), ready),
                daemon=True,
            )
            for n in range(3)
        ]
        care = (home, folder / "care", log, ready)
        work.append(start.Process(target=care_until_killed, args=care, daemon=True))
        with running(*work):
            await_ready(ready, work, ready_s)
            for process in draw.sample(work, len(work)):
                time.sleep(draw.uniform(0.2, 1.2))
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
        yield killed


# What must hold


def check_home(home: str, cache: Path, acknowledged: list[dict[str, Any]]) -> Counter[str]:
    """Assert that nothing acknowledged is lost, nothing is there twice, and every row has its audio; return counts."""
    counts, faults = faults_of(home, cache, acknowledged)
    assert {name: found for name, found in faults.items() if found} == {}
    return counts


def faults_of(
    home: str, cache: Path, acknowledged: list[dict[str, Any]]
) -> tuple[Counter[str], dict[str, list[Any]]]:
    """Return counts, and what is lost, is there twice, or lacks its rating or its audio."""
    service = open_service(home, cache)
    store = service.store
    tracks = store.tracks.list(limit=100_000)
    by_id = Counter(track.id for track in tracks)
    by_key = Counter(track.key for track in tracks)
    ratings = {track.id: track.rating for track in tracks}
    lost = [each for each in acknowledged if "key" in each and not by_id[each["id"]]]
    twice = [track_id for track_id, rows in by_id.items() if rows > 1]
    made_twice = [key for key, rows in by_key.items() if rows > 1]
    unrated = [each["rated"] for each in acknowledged if "rated" in each and not ratings.get(each["rated"])]
    silent = [track.id for track in tracks if not sound(store, track)]
    service.close()
    counts = Counter(rows=len(tracks), acknowledged=sum("key" in each for each in acknowledged))
    return counts, {
        "lost": lost,
        "ids twice": twice,
        "requests made twice": made_twice,
        "ratings lost": unrated,
        "rows without audio": silent,
    }


def sound(store: Any, track: Any) -> bool:
    """Return whether the store has the audio of a row as the row states it."""
    data = store.blobs.get(track.audio_path)
    return data is not None and hashlib.sha256(data).hexdigest() == track.audio_sha256

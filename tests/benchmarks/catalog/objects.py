"""What calls cost in a catalog on an object store, behind the latency of one: time and requests of each.

    python tests/benchmarks/catalog/objects.py [--tracks 50000] [--calls 12] [--read-ms 20] [--write-ms 35]
                                               [--pause 0] [--trace]

Starts SeaweedFS on loopback and a proxy before it that delays every read and every write, fills a home with synthetic
tracks, made for texts of one vocabulary, and compacts it. Then it prints the median and the largest milliseconds, and
the requests, of an exact repeat, a close match, a search and a make of 5 s of music by the synthesizer, in one replica
that is warm. The log lines of the calls are written beside them, and their requests are counted with them.
`--pause` waits so many seconds before each call: after five the tables are looked up anew. `--trace` prints the
requests of the last call of each kind one by one: milliseconds since it began, kind, object and the bytes asked for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builders import a_track
from object_servers import s3_environment, start_seaweed
from slow_store import Seen, SlowStore

from music_catalog import MusicService
from music_catalog.disk.reading import to_arrow
from music_catalog.service.making import CONTEXT_CHARACTERS
from music_catalog.service.music_vectors import MusicVectors
from music_catalog.store.rows import BriefVector, to_track_row
from music_catalog.store.schema import track_schema

PLACES = ("harbour", "forest", "castle", "desert", "station", "attic", "valley", "market", "chapel", "reef")
SCENES = (
    "Rain falls on the {}",
    "Snow lies in the {}",
    "A fire burns by the {}",
    "Children play near the {}",
)
TIMES = ("at night", "in the morning", "at dusk", "on a summer day", "before the storm")
SHORT = {"backend": "procedural", "duration_s": 5}
CHUNK_ROWS = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=int, default=50_000)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--read-ms", type=float, default=20.0)
    parser.add_argument("--write-ms", type=float, default=35.0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_seaweed(Path(folder))
        os.environ["CATALOG_CACHE"] = f"{folder}/cache"
        try:
            with SlowStore(server.endpoint) as store:
                os.environ.update(s3_environment(store.endpoint))
                home = server.address()
                began = time.perf_counter()
                fill(home, options.tracks)
                print(
                    f"{options.tracks:,} tracks written and compacted in {time.perf_counter() - began:.0f} s"
                )
                store.read_s, store.write_s = options.read_ms / 1000, options.write_ms / 1000
                measure(home, store, options.calls, options.pause, trace=options.trace)
        finally:
            server.stop()


def fill(home: str, tracks: int) -> None:
    """Write `tracks` rows that name one audio object, with vectors of clusters around those of real texts."""
    with MusicService.open(home) as service:
        first = service.find_or_make("The first text of all", **SHORT).track
        texts = [scene.format(place) + f" {when}" for scene in SCENES for place in PLACES for when in TIMES]
        centres = service.encoder.encode(texts)
        draw = np.random.default_rng(0)
        music = MusicVectors(service.store, service.library, service.encoder)
        first_brief = music.of_track(first)
        schema = track_schema(centres.shape[1], service.encoder.identity)
        table = service.store.tracks.table.durable
        for start in range(0, tracks, CHUNK_ROWS):
            rows = []
            for number in range(start, min(tracks, start + CHUNK_ROWS)):
                text = number % len(texts)
                vector = centres[text] + 0.5 * draw.normal(size=centres.shape[1]) / np.sqrt(centres.shape[1])
                track = a_track(
                    **{name: getattr(first, name) for name in ("audio_path", "audio_sha256", "audio_bytes")},
                    **{name: getattr(first, name) for name in ("duration_s", "loopable", "encoder", "role")},
                    id=f"t{number}",
                    key=f"key-{number}",
                    context=f"{texts[text]} {number}"[:CONTEXT_CHARACTERS],
                    style=first.style,
                )
                near = first_brief.vector + 0.5 * draw.normal(size=len(first_brief.vector))
                rows.append(to_track_row(track, vector, brief=BriefVector(first_brief.kind, near)))
            data = to_arrow(rows, schema)
            table.commit("filling", lambda lance, data=data: lance.add(data, on_bad_vectors="null"))
        service.store.care.compact()


def measure(home: str, store: SlowStore, calls: int, pause_s: float, *, trace: bool) -> None:
    with MusicService.open(home) as service:
        service.warm()
        base = "Rain falls on the harbour while the last boats come home"
        service.find_or_make(base, **SHORT)
        close = [f"Rain falls on the harbour while {word} boats come home" for word in _words(2 * calls)]
        texts = iter(close)
        work: dict[str, Callable[[int], object]] = {
            "exact repeat": lambda _: service.find_or_make(base, **SHORT),
            "close match": lambda _: service.find_or_make(next(texts), **SHORT),
            "search": lambda call: service.search(f"rain {PLACES[call % len(PLACES)]}"),
            "make": lambda call: service.generate(f"Lanterns over the {PLACES[call % len(PLACES)]}", **SHORT),
        }
        print(f"{'':14}{'p50 ms':>8}{'max ms':>8}  requests a call, and what came of the last")
        for name, call in work.items():
            for number in range(3):
                call(number)
            service.store.requests.list(limit=1)
            store.reset()
            times = []
            for number in range(calls):
                time.sleep(pause_s)
                before, began = len(store.seen), time.perf_counter()
                last = call(number)
                times.append(1000 * (time.perf_counter() - began))
            if trace:
                show(store.seen[before:], began)
            service.store.requests.list(limit=1)
            counts = {kind: round(count / calls, 1) for kind, count in sorted(store.reset().items()) if count}
            print(
                f"{name:14}{statistics.median(times):8.0f}{max(times):8.0f}  {sum(counts.values()):.1f} {counts} "
                f"{getattr(last, 'action', '')}",
                flush=True,
            )


def show(requests: Sequence[Seen], began: float) -> None:
    for one in requests:
        path = unquote(one.path)
        asked = parse_qs(urlsplit(path).query).get("prefix", [urlsplit(path).path])[0]
        print(f"{1000 * (one.at_s - began):9.1f}  {one.kind:7} {asked} {one.part}")


def _words(count: int) -> list[str]:
    return [
        f"{size} {colour}"
        for size in ("the", "two", "some", "ten", "few")
        for colour in ("old", "red", "grey", "slow", "small", "white", "late", "worn", "long", "tired")
    ][:count]


if __name__ == "__main__":
    main()

"""What backups cost beside `cp -a` of the home and a sync, in one run.

    python tests/benchmarks/catalog/backup.py [--tracks 500] [--audio-kb 1000] [--new 20]

Fills a temporary home with tracks (384 numbers per vector, random bytes for audio), backs it up, backs it up again,
adds `new` tracks, backs it up once more, and brings it back. Prints seconds and what was copied. A copy of a folder is
the rival: it checks nothing, and copies everything each time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from builders import a_track

from music_catalog.disk.reading import to_arrow
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store
from music_catalog.upkeep.backup import back_up
from music_catalog.upkeep.restore import restore

DIMENSION, ENCODER = 384, "synthetic@1/384"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=int, default=500)
    parser.add_argument("--audio-kb", type=int, default=1000)
    parser.add_argument("--new", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, backup = Path(folder, "home"), Path(folder, "backup")
        store = Store.open(home, encoder=ENCODER, dimension=DIMENSION)
        fill(store, 0, asked.tracks, asked.audio_kb)
        table = sum(path.stat().st_size for path in store.tables["tracks"].files())
        print(f"{asked.tracks} tracks; table {table / asked.tracks / 1e3:.1f} kB a track")
        timed("cp -a and sync", lambda: copy(home, Path(folder, "copy")))
        for what in ("first backup", "again, nothing new"):
            timed(what, lambda: copied(store, backup))
        fill(store, asked.tracks, asked.new, asked.audio_kb)
        timed(f"after {asked.new} tracks more", lambda: copied(store, backup))
        timed("again, deep", lambda: copied(store, backup, deep=True))
        timed("restore", lambda: f"{restore(backup, Path(folder, 'back')).size_bytes / 1e6:.1f} MB")


def fill(store: Store, first: int, count: int, audio_kb: int) -> None:
    random, rows = np.random.default_rng(first), []
    for number in range(first, first + count):
        path, sha256, size = store.audio.put(random.bytes(audio_kb * 1000))
        store.audio.put_sidecar(path, {"number": number})
        track = a_track(
            id=f"t{number}",
            key=f"key-{number}",
            created_at=datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=number),
            context=hashlib.sha256(str(number).encode()).hexdigest() * 8,
            encoder=ENCODER,
            audio_path=path,
            audio_sha256=sha256,
            audio_bytes=size,
        )
        rows.append((track, random.normal(size=DIMENSION)))
    if not store.tables["tracks"].exists():
        store.tracks.insert(*rows.pop(0))
    data = to_arrow([to_track_row(*row) for row in rows], track_schema(DIMENSION, ENCODER))
    store.tables["tracks"].commit("rows", lambda table: table.add(data, on_bad_vectors="null"))


def copied(store: Store, backup: Path, **options: Any) -> str:
    done = back_up(store, backup, **options)
    assert not done.problems
    return f"{done.copied_files} of {done.files} files, {done.copied_bytes / 1e6:.1f} MB"


def copy(home: Path, target: Path) -> str:
    subprocess.run(["cp", "-a", str(home), str(target)], check=True)
    os.sync()
    return f"{sum(path.stat().st_size for path in target.rglob('*') if path.is_file()) / 1e6:.1f} MB"


def timed(what: str, work: Callable[[], str]) -> None:
    began = time.perf_counter()
    result = work()
    print(f"{what:22} {time.perf_counter() - began:7.2f} s  {result}")


if __name__ == "__main__":
    main()

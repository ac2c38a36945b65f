"""Kills, torn writes, full and read-only disks, many writers: what was acknowledged stays, and nothing is half there.

After each fault: the catalog opens with no manual step; every acknowledged track is there with the audio it had; ids
are unique; no row lacks its audio; what was not acknowledged is absent or complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from homes import (
    DIMENSION,
    ENCODER,
    a_record,
    add,
    claim_and_make,
    finish,
    insert_all,
    newest_for,
    open_store,
    read_with_flipped_bytes,
    start,
    stored,
    vector_of,
    write_until_killed,
)

from music_catalog.disk import recovery
from music_catalog.errors import Damage, StorageError
from music_catalog.models import Filter
from music_catalog.store import audit
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store

ALL = Filter(state=None)
NAMES = ["a", "b", "c"]
FAILPOINTS = {
    "audio.written": 2,
    "audio.synced": 2,
    "audio.renamed": 2,
    "sidecar.synced": 2,
    "row.merged": 2,
    "row.synced": 2,
    "row.acknowledged": 2,
    "log.merged": 2,
    "log.acknowledged": 2,
    "purge.merged": 1,
    "purge.synced": 1,
    "compact.merged": 1,
    "cleanup.merged": 1,
    "switch.merged": 1,
}
"""Where to kill, and at which time the work comes by."""
# The rows of `row.*` include those of the first track, so that the second hit is the second track.


def sound(store: Store) -> dict[str, str]:
    """Check what must hold after every fault and return the state of each track by id."""
    tracks = store.tracks.list(ALL)
    assert max(Counter(track.id for track in tracks).values(), default=1) == 1
    for track in tracks:
        audio = store.audio.path_of(track).read_bytes()
        assert hashlib.sha256(audio).hexdigest() == track.audio_sha256
        assert len(audio) == track.audio_bytes
    assert audit.read_through(store.home, store.tracks.table, deep=True) == []
    return {track.id: track.state for track in tracks}


# Killed at a named point


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """For each failpoint the home and journal of a process that died there; two at a time, as starting one is slow."""
    folder = tmp_path_factory.mktemp("killed")
    left, codes = list(FAILPOINTS.items()), {}
    while left:
        some, left = left[:3], left[3:]
        started = {
            point: start(
                write_until_killed,
                str(folder / point),
                str(folder / f"{point}.journal"),
                f"{point}:{nth}",
                NAMES,
            )
            for point, nth in some
        }
        codes |= {point: finish(process)[0] for point, process in started.items()}
    return folder, codes


@pytest.mark.parametrize("point", FAILPOINTS)
def test_killed_at(killed, point, monkeypatch):
    folder, codes = killed
    assert codes[point] == -9, "the process never came by this point"
    journal = folder / f"{point}.journal"
    noted = [line.split() for line in journal.read_text().splitlines()]
    acknowledged = {name for what, *names in noted if what == "track" for name in names}
    purged = {name for what, *names in noted if what == "purge" for name in names}
    trashed = {name for what, *names in noted if what == "trash" for name in names}

    store = Store.open(folder / point, dimension=DIMENSION)
    states = sound(store)
    started = {NAMES[len(acknowledged)]} if len(acknowledged) < len(NAMES) else set()
    being_purged = trashed if point.startswith("purge") else set()
    assert acknowledged - purged - being_purged <= set(states) <= (acknowledged | started) - purged
    assert all(states[name] == "trashed" for name in trashed & set(states))
    logged = {name for what, *names in noted if what == "log" for name in names}
    assert logged <= {record.id for record in store.requests.list()} <= set(NAMES)

    monkeypatch.setattr(audit, "LEFT_OVER_AFTER_S", 0.0)
    for problem in store.care.check():
        assert problem.kind == "leftover"
        assert store.care.fix(problem)
    assert store.care.check() == []
    encoder = store.care.stats()["encoder"]
    for name in ("b", "later"):  # the interrupted work is done again, and work goes on
        add(open_store(folder / point, encoder=encoder), name, encoder=encoder)
    assert set(sound(store)) >= {"b", "later"}


# A power cut: any part of the last commit may be missing


FATES = ("kept", "absent", "empty", "half")


def befall(path: Path, fate: str) -> None:
    if fate == "absent":
        path.unlink()
    elif fate == "empty":
        path.write_bytes(b"")
    elif fate == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif fate == "zeros":
        path.write_bytes(bytes(path.stat().st_size))


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def commit_without_acknowledging(home: Path, work) -> list[Path]:
    """Run `work`, put the note of the acknowledged version back, and return the files the commit made or changed."""
    before = files_below(home / "lance")
    work()
    for note in (path for path in before if path.suffix == ".acked"):
        (home / "lance" / note).write_bytes(before[note])
    after = files_below(home / "lance")
    changed = [path for path, data in after.items() if before.get(path) != data and path.suffix != ".acked"]
    return sorted(changed)


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    """A home with two acknowledged tracks and a third that is committed but not acknowledged, and the files of that."""
    home = tmp_path_factory.mktemp("torn") / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    third = stored(store, "c")
    return home, commit_without_acknowledging(home, lambda: store.tracks.insert(third, vector_of("c")))


def test_the_last_commit_in_every_state(torn, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    home, changed = torn
    assert {path.parent.name for path in changed} == {"data", "_transactions", "_versions"}
    assert len(changed) == 4
    seen = Counter()
    # Every third of the 256 states, which has each fate of each file with each fate of each other.
    states = [*itertools.product(FATES, repeat=4)][::3]
    for number, fates in enumerate([*states, ("zeros",) * 4, ("kept",) * 3 + ("zeros",)]):
        copy = tmp_path / str(number)
        shutil.copytree(home, copy)
        for path, fate in zip(changed, fates, strict=True):
            befall(copy / "lance" / path, fate)
        store = open_store(copy)
        tracks = [track.id for track in store.tracks.list(order="id")]
        assert tracks in (["a", "b"], ["a", "b", "c"]), fates
        seen[len(tracks)] += 1
        if number % 16 == 0:
            add(store, "c")
            assert set(sound(open_store(copy))) == {"a", "b", "c"}
        shutil.rmtree(copy)
    assert seen[2] > 0 < seen[3]
    assert "is set aside" in caplog.text


@pytest.mark.parametrize("fate", [*FATES, "zeros"])
def test_the_first_commit_of_all(tmp_path, fate, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    home = tmp_path / "home"
    table = open_store(home).tracks.table.durable
    table.create(track_schema(DIMENSION, ENCODER))
    for path in (home / "lance").rglob("*"):
        if path.is_file():
            befall(path, fate)
    store = open_store(home)
    assert sound(store) == {}
    add(store, "a")
    add(store, "b")
    assert set(sound(open_store(home))) == {"a", "b"}


@pytest.mark.parametrize("fate", FATES)
def test_the_last_line_of_the_log(tmp_path, fate):
    home = tmp_path / "home"
    store = open_store(home)
    store.requests.append(a_record("r1"))
    for path in commit_without_acknowledging(home, lambda: store.requests.append(a_record("r2"))):
        befall(home / "lance" / path, fate)
    store = open_store(home)
    assert {"r1"} <= {record.id for record in store.requests.list()} <= {"r1", "r2"}
    store.requests.append(a_record("r3"))
    assert {"r1", "r3"} <= {record.id for record in open_store(home).requests.list()}


def test_an_unreadable_version_that_was_acknowledged_is_told(tmp_path, caplog):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    newest = min((home / "lance" / "tracks.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    assert [problem.kind for problem in store.care.check()][:1] == ["table"]
    assert set(sound(open_store(home))) == {"a"}
    assert "lost its acknowledged version" in caplog.text
    assert len([*(home / "lance" / "damaged").iterdir()]) == 1


def test_a_table_that_no_version_opens_is_left_as_it_is(tmp_path, monkeypatch):
    home = tmp_path / "home"
    store = open_store(home)
    for number in range(4):
        add(store, f"t{number}")
    monkeypatch.setattr(recovery, "MOST_SET_ASIDE", 2)
    versions = home / "lance" / "tracks.lance" / "_versions"
    for path in versions.glob("*.manifest"):
        path.write_bytes(b"")
    before = sorted(path.name for path in versions.glob("*.manifest"))
    with pytest.raises(Damage, match="bring the folder back from a copy"):
        open_store(home)
    assert sorted(path.name for path in versions.glob("*.manifest")) == before


def test_everything_a_commit_wrote_is_synced_before_it_counts(tmp_path, monkeypatch):
    home = tmp_path / "home"
    store = open_store(home)
    add(store, "a")
    done: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "fdatasync") if hasattr(os, name)}

    def recorded(name):
        def call(descriptor):
            done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
            return real[name](descriptor)

        return call

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to tell the names of open files")
    for name in real:
        monkeypatch.setattr(os, name, recorded(name))
    before = files_below(home)
    track = stored(store, "b")
    store.tracks.insert(track, vector_of("b"))
    new = {str(home / path) for path in files_below(home) if path not in before}
    acked = str(home / "lance" / "tracks.acked")
    assert done[-1] == acked
    # The audio is synced under its temporary name, and its folder after the rename.
    audio = str(home / track.audio_path)
    assert new - {audio} <= set(done[:-1])
    assert {str(Path(path).parent) for path in new} <= set(done[:-1])
    rows = [place for place, path in enumerate(done) if "/tracks.lance/" in path]
    assert max(place for place, path in enumerate(done) if "/audio/" in path) < min(rows)


# Many at once


def test_many_writers_lose_and_double_nothing(tmp_path):
    home = tmp_path / "home"
    shared = [f"shared{number}" for number in range(3)]
    own = {writer: [f"own{writer}-{number}" for number in range(3)] for writer in range(4)}
    mixed = {writer: [*itertools.chain(*zip(shared, names, strict=True))] for writer, names in own.items()}
    codes = finish(*(start(insert_all, str(home), names) for names in mixed.values()))
    assert codes == [0] * 4
    store = open_store(home)
    assert set(sound(store)) == {*shared, *itertools.chain(*own.values())}
    assert store.tracks.count(ALL) == 15


def test_one_request_is_made_once(tmp_path):
    home, journal = tmp_path / "home", tmp_path / "journal"
    codes = finish(*(start(claim_and_make, str(home), "the key", str(journal)) for _ in range(3)))
    assert codes == [0] * 3
    assert journal.read_text() == "made\n"
    assert open_store(home).tracks.count() == 1
    assert not [*(home / "locks").glob("make-*")]


# Disks


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a small file system, or the same folder again, in a place of its own."""
    places: list[Path] = []

    def mount(*options: str) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("mounting needs root on Linux")
        if subprocess.run(["mount", *options, str(place)], capture_output=True, check=False).returncode:
            pytest.skip("this machine lets nobody mount")
        places.append(place)
        return place

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(mounted):
    disk = mounted("-t", "tmpfs", "-o", "size=3m", "tmpfs")
    reserve = disk / "reserve"
    reserve.write_bytes(bytes(400_000))
    home = disk / "home"
    store = open_store(home)
    acknowledged: list[str] = []

    def fill():
        for number in range(100):
            track = stored(store, f"t{number}", number, audio=f"{number} ".ljust(150_000))
            store.tracks.insert(track, vector_of(track.id))
            acknowledged.append(track.id)

    with pytest.raises(StorageError, match="disk is full; free some space and try again"):
        fill()
    assert len(acknowledged) > 3
    store = open_store(home)
    assert set(acknowledged) <= set(sound(store)) <= {*acknowledged, f"t{len(acknowledged)}"}
    for path in home.glob("audio/*/*"):  # what did not fit is not there in part
        assert path.stat().st_size == 150_000
    # Small writes take what is left, so that the rows meet the full disk too.
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    with pytest.raises(StorageError, match="disk is full"):
        store.tracks.trash(acknowledged[0])
    with pytest.raises(StorageError, match="disk is full"):
        store.requests.append(a_record("r"))
    assert store.tracks.get(acknowledged[0]).state == "ready"
    reserve.unlink()
    store = open_store(home)
    assert store.tracks.trash(acknowledged[0]).state == "trashed"
    assert set(acknowledged) <= set(sound(store))


def test_a_read_only_home(mounted, tmp_path):
    writable = tmp_path / "writable"
    track = add(open_store(writable), "a")
    home = mounted("--bind", str(writable))
    if subprocess.run(
        ["mount", "-o", "remount,ro,bind", str(home)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount read-only")
    store = open_store(home)
    assert newest_for(store, "key-a") == track
    assert store.tracks.search(vector_of("a"))[0][0] == track
    assert store.tracks.search_words("calm")[0][0] == track
    assert store.tracks.list() == [track]
    assert store.care.check() == []
    for write in (
        lambda: store.tracks.insert(track, vector_of("a")),
        lambda: store.audio.put(b"more"),
        lambda: store.audio.put_sidecar(track.audio_path, {}),
        lambda: store.tracks.update("a", rating=1),
        lambda: store.requests.append(a_record("r")),
        lambda: store.claim("k").__enter__(),
        store.care.compact,
        store.care.purge,
        lambda: store.care.reembed(lambda texts: [], ENCODER),
    ):
        with pytest.raises(StorageError, match=r"is read-only; choose a (home )?folder you can write to"):
            write()
    with pytest.raises(StorageError, match="read-only"):
        open_store(home / "new")


# Bit rot


def test_a_flipped_byte_never_passes_for_good_data(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    for number in range(3):
        add(store, f"t{number}", number)
    store.care.compact()
    expected = {track.id: track.model_dump(mode="json") for track in store.tracks.list()}
    data = max(
        (home / "lance" / "tracks.lance" / "data").glob("*.lance"), key=lambda path: path.stat().st_mtime_ns
    )
    size = data.stat().st_size
    places = sorted({place * size // 40 for place in range(40)})
    journal = tmp_path / "journal"
    while places:
        # A damaged file can bring the reader down; then another goes on behind that place.
        finish(start(read_with_flipped_bytes, str(home), str(data), places, str(journal)))
        tried = [json.loads(line)["place"] for line in journal.read_text().splitlines()]
        assert tried, "no reader came to the first place"
        places = [place for place in places if place > tried[-1]]
        places = (
            places[1:]
            if places and "found" not in json.loads(journal.read_text().splitlines()[-1])
            else places
        )
    outcomes = [json.loads(line) for line in journal.read_text().splitlines() if "found" in line]
    assert len(outcomes) > 20
    for outcome in outcomes:
        for track_id, track in outcome["found"].items():
            assert track == expected[track_id], f"byte {outcome['place']} gave altered data"
    assert any(len(outcome["found"]) < 3 for outcome in outcomes)

"""Backups: what was acknowledged before one comes back when the home is destroyed; damage never spreads into one."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from homes import a_judgement, a_record, add, finish, newest_for, note, open_store, start, vector_of

from music_catalog.collections.collections import Collections
from music_catalog.disk import maintenance
from music_catalog.disk.locks import hold
from music_catalog.doctor import examine
from music_catalog.errors import Busy, Damage, InputError, NotFound
from music_catalog.store.store import Store
from music_catalog.upkeep import snapshots, tables
from music_catalog.upkeep.backup import back_up, last_backup
from music_catalog.upkeep.companions import sidecar
from music_catalog.upkeep.restore import restore

NAMES = [f"t{number}" for number in range(6)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a home with tracks, one in the trash, lines in both logs, sidecars and a configuration."""
    home = tmp_path_factory.mktemp("backup") / "home"
    store = open_store(home)
    for number, name in enumerate(NAMES):
        track = add(store, name, number)
        store.audio.put_sidecar(track.audio_path, {"id": name})
    store.tracks.trash(NAMES[-1])
    store.requests.append(a_record("r1"), vector_of("r1"))
    store.requests.append(a_record("r2"))
    store.judgements.append(a_judgement("j1"))
    (home / "catalog.yaml").write_text("musicgen:\n  model: {size: small}\n", "utf-8")
    store.close()
    return home


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made, tmp_path / "home")


@pytest.fixture
def backup(tmp_path):
    return tmp_path / "backup"


def copied(home: Path, backup: Path, **options):
    store = open_store(home)
    try:
        return back_up(store, backup, **options)
    finally:
        store.close()


def whole(home: Path, names=tuple(NAMES)) -> Store:
    """Check that every track is there, is found by search, and has the audio it had; return the store."""
    store = open_store(home, create=False)
    ready = {track.id: track for track in store.tracks.list()}
    assert set(ready) == set(names) - {NAMES[-1]}
    for name, track in ready.items():
        audio = store.audio.verified_path(track).read_bytes()
        assert audio == f"audio of {name}".encode()
        assert hashlib.sha256(audio).hexdigest() == track.audio_sha256
        assert [found.id for found, _ in store.tracks.search(vector_of(name), limit=1)] == [name]
        assert newest_for(store, f"key-{name}") is not None
    assert store.care.check(deep=False) == []
    assert {line.id for line in store.requests.list()} >= {"r1", "r2"}
    assert [line.id for line in store.judgements.list()] == ["j1"]
    return store


def objects(backup: Path) -> list[Path]:
    return sorted(path for path in (backup / "objects").rglob("*") if path.is_file())


def flip(path: Path, place: int = -3) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def remove(home: Path) -> None:
    shutil.rmtree(home)


def truncate(home: Path) -> None:
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        os.truncate(path, path.stat().st_size // 2)


def flip_all(home: Path) -> None:
    for path in sorted(path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 3):
        flip(path)


@pytest.mark.parametrize("destroy", [remove, truncate, flip_all])
def test_a_destroyed_home_comes_back(home, backup, destroy):
    done = copied(home, backup)
    assert done.problems == ()
    assert done.tracks == len(NAMES)
    destroy(home)
    restored = restore(backup, home, force=destroy is not remove)
    assert restored.tracks == len(NAMES)
    assert restored.lacking == ()
    store = whole(home)
    assert store.tracks.restore(NAMES[-1]).state == "ready"
    assert (home / "catalog.yaml").read_text("utf-8").startswith("musicgen:")
    add(store, "new")  # a catalog that was brought back goes on
    assert len(store.tracks.list()) == len(NAMES) + 1
    if restored.aside:
        assert (Path(restored.aside) / "lance").is_dir()
        assert Path(restored.aside).is_relative_to(home)


def test_another_folder_gets_the_catalog_too(home, backup, tmp_path):
    copied(home, backup)
    restore(backup, tmp_path / "elsewhere" / "home")
    whole(tmp_path / "elsewhere" / "home")
    whole(home)


def test_a_second_backup_copies_only_what_is_new(home, backup):
    first = copied(home, backup)
    assert first.copied_files == len(objects(backup))
    again = copied(home, backup)
    assert again.copied_files == 0
    store = open_store(home)
    track = add(store, "new", 9)
    kept = {path: path.stat().st_mtime_ns for path in objects(backup)}
    second = back_up(store, backup)
    fresh = set(objects(backup)) - set(kept)
    assert len(fresh) == second.copied_files
    assert track.audio_sha256 in {path.name for path in fresh}
    # The audio, the data file of the row, its manifest and its transaction; no file from before is written again.
    assert second.copied_files <= 5
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(snapshots.snapshot_names(backup)) == 3


def test_an_earlier_snapshot_comes_back_by_name(home, backup, tmp_path):
    first = copied(home, backup)
    store = open_store(home)
    add(store, "new", 9)
    back_up(store, backup)
    restore(backup, tmp_path / "old", snapshot=first.snapshot)
    whole(tmp_path / "old")
    restore(backup, tmp_path / "new")
    whole(tmp_path / "new", (*NAMES, "new"))
    with pytest.raises(InputError, match="no snapshot 'x'"):
        restore(backup, tmp_path / "other", snapshot="x")
    assert not (tmp_path / "other").exists()


def back_up_and_die(home: str, backup: str, point: str) -> None:
    store = open_store(home)
    for number in range(3):
        add(store, f"new-{number}", 10 + number)
    os.environ["CATALOG_FAILPOINT"] = point
    back_up(store, backup)


@pytest.mark.parametrize("point", ["backup.renamed", "backup.copied", "snapshot.written", "snapshot.synced"])
def test_a_kill_in_the_middle_leaves_the_earlier_backup(home, backup, tmp_path, point):
    copied(home, backup)
    assert finish(start(back_up_and_die, str(home), str(backup), point)) == [-9]
    assert len(snapshots.snapshot_names(backup)) == 1
    restore(backup, tmp_path / "old")
    whole(tmp_path / "old")
    assert copied(home, backup).problems == ()
    restore(backup, tmp_path / "new")
    whole(tmp_path / "new", (*NAMES, "new-0", "new-1", "new-2"))


def restore_and_die(backup: str, home: str, point: str, force: bool) -> None:
    os.environ["CATALOG_FAILPOINT"] = point
    restore(backup, home, force=force)


@pytest.mark.parametrize("point", ["restore.built", "restore.moving:1", "restore.moving:3"])
def test_a_restore_that_is_killed_begins_no_empty_catalog(home, backup, point):
    copied(home, backup)
    shutil.rmtree(home)
    assert finish(start(restore_and_die, str(backup), str(home), point, False)) == [-9]
    with pytest.raises(Damage, match="is not finished; run `catalog restore --from DIR` again"):
        open_store(home)
    restore(backup, home, force=True)
    whole(home)
    assert not [path for path in home.iterdir() if path.name.startswith(".restoring-")]


@pytest.mark.parametrize("point", ["restore.built", "restore.moving:2", "restore.aside", "restore.moving:8"])
def test_a_restore_that_is_killed_destroys_nothing(home, backup, point):
    store = open_store(home)
    back_up(store, backup)
    later = add(store, "later", 9)
    store.close()
    assert finish(start(restore_and_die, str(backup), str(home), point, True)) == [-9]
    restore(backup, home, force=True)
    whole(home)
    names = [path.name for path in home.rglob("*.wav")]
    assert names.count(Path(later.audio_path).name) == 1


def test_a_home_that_holds_something_is_left(home, backup, tmp_path):
    copied(home, backup)
    with pytest.raises(InputError, match="is not empty; pass force=True"):
        restore(backup, home)
    whole(home)
    empty = tmp_path / "empty"
    (empty / "lost+found").mkdir(parents=True)
    restore(backup, empty)
    whole(empty)


def test_a_home_at_work_is_left(home, backup):
    copied(home, backup)
    with (
        hold(home / "locks" / "serve.lock", 0, "the test"),
        pytest.raises(Busy, match="stop it, then restore"),
    ):
        restore(backup, home, force=True)
    whole(home)
    assert not [path for path in home.iterdir() if path.name.startswith(".restoring-")]


def test_damaged_audio_never_replaces_a_good_copy(home, backup, tmp_path):
    store = open_store(home)
    back_up(store, backup)
    old, new = store.tracks.get("t0"), add(store, "new", 9)
    flip(home / old.audio_path)
    flip(home / new.audio_path)
    (home / store.tracks.get("t1").audio_path).unlink()
    done = back_up(store, backup)
    # What the backup has is not read again; only what it lacks is told.
    assert [(problem.kind, problem.subject) for problem in done.problems] == [("altered-audio", "new")]
    restored = restore(backup, tmp_path / "new")
    assert restored.lacking == (new.audio_path,)
    back = open_store(tmp_path / "new")
    assert [each.kind for each in back.care.check()] == ["missing-audio"]
    for name in ("t0", "t1"):
        assert back.audio.verified_path(back.tracks.get(name)).read_bytes() == f"audio of {name}".encode()


def test_a_damaged_sidecar_never_replaces_a_good_copy(home, backup, tmp_path):
    store = open_store(home)
    track = store.tracks.get("t1")
    store.audio.put_sidecar(track.audio_path, sidecar(track))
    back_up(store, backup)
    path = store.audio.path_of(track).with_suffix(".json")
    whole_text = path.read_bytes()
    path.write_bytes(whole_text.replace(b"calm", b"cold"))
    (problem,) = back_up(store, backup).problems
    assert "is damaged: it no longer says what was written" in problem.detail
    restore(backup, tmp_path / "new")
    assert (tmp_path / "new" / path.relative_to(home)).read_bytes() == whole_text


def test_codes_and_fingerprints_are_copied_and_a_damaged_one_never_replaces_a_good_copy(
    home, backup, tmp_path
):
    store = open_store(home)
    track, other = store.tracks.get("t1"), store.tracks.get("t2")
    codes, prints = np.ones((4, 9), np.int16), np.arange(40, dtype=np.uint32)
    store.audio.put_codes(track.audio_path, codes)
    store.audio.put_print(other.audio_path, prints)
    assert back_up(store, backup, keep=1).problems == ()
    flip(store.audio.path_of(other).with_suffix(".print.npz"), 60)
    (problem,) = back_up(store, backup).problems
    assert "print.npz is damaged: the array 'prints' cannot be read" in problem.detail
    store.close()
    restore(backup, tmp_path / "new")
    back = open_store(tmp_path / "new")
    assert np.array_equal(back.audio.codes_of(track), codes)
    assert np.array_equal(back.audio.print_at(other.audio_path), prints)


@pytest.mark.parametrize("text", [b"the context of t3", b"audio/"])
def test_a_damaged_row_never_replaces_a_good_copy(home, backup, tmp_path, text):
    first = copied(home, backup)
    store = open_store(home)
    add(store, "new", 9)
    store.requests.append(a_record("r3"))
    store.close()
    data = max(
        (home / "lance" / "tracks.lance" / "data").iterdir(), key=lambda path: path.read_bytes().count(b"t3")
    )
    flip(data, data.read_bytes().rindex(text))
    done = copied(home, backup)
    assert "altered-row" in {problem.kind for problem in done.problems}
    assert any(
        "run `catalog doctor --fix`, then back up again" in problem.detail for problem in done.problems
    )
    restore(backup, tmp_path / "new")
    # The tracks are those of the snapshot before, the log is of today.
    store = whole(tmp_path / "new")
    assert "r3" in {line.id for line in store.requests.list()}
    state = snapshots.named(backup, done.snapshot).tables["tracks"]
    assert state == snapshots.named(backup, first.snapshot).tables["tracks"]


def test_a_table_that_cannot_be_read_keeps_its_earlier_state(home, backup, tmp_path):
    copied(home, backup)
    store = open_store(home)
    store.care.compact()
    store.close()
    for path in (home / "lance" / "tracks.lance" / "data").iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    done = copied(home, backup)
    assert "table" in {problem.kind for problem in done.problems}
    restore(backup, tmp_path / "new")
    whole(tmp_path / "new")


def test_a_flipped_bit_in_the_backup_is_told(home, backup, tmp_path):
    store = open_store(home)
    back_up(store, backup)
    track = store.tracks.get("t2")
    store.close()
    audio = backup / "objects" / track.audio_sha256[:2] / track.audio_sha256
    flip(audio)
    restored = restore(backup, tmp_path / "one")
    assert restored.lacking == (track.audio_path,)
    # Reading the backup finds it, and copies it anew from a home that has it.
    assert copied(home, backup).copied_files == 0
    mended = copied(home, backup, deep=True)
    assert (mended.altered_files, mended.copied_files) == (1, 1)
    assert copied(home, backup, deep=True).altered_files == 0
    assert restore(backup, tmp_path / "two").lacking == ()
    whole(tmp_path / "two")


def test_a_damaged_table_in_the_backup_changes_nothing(home, backup, tmp_path):
    first = copied(home, backup)
    store = open_store(home)
    add(store, "new", 9)
    second = back_up(store, backup)
    old, new = (snapshots.named(backup, each.snapshot).tables["tracks"].files for each in (first, second))
    fresh = next(stored for path, stored in new.items() if path not in old and "/data/" in path)
    flip(backup / "objects" / fresh.sha256[:2] / fresh.sha256)
    with pytest.raises(Damage, match="pass another one as snapshot=NAME"):
        restore(backup, home, force=True)
    with pytest.raises(Damage, match="the backup is damaged"):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    whole(home, (*NAMES, "new"))
    restore(backup, tmp_path / "old", snapshot=first.snapshot)
    whole(tmp_path / "old")


def test_an_altered_snapshot_is_told(home, backup, tmp_path):
    first, second = copied(home, backup), copied(home, backup)
    flip(backup / "snapshots" / f"{second.snapshot}.json", 400)
    with pytest.raises(Damage, match="is altered; pass another one as snapshot=NAME"):
        restore(backup, tmp_path / "new")
    listed = snapshots.summaries(backup)
    assert [each.name for each in listed] == [second.snapshot, first.snapshot]
    assert "is altered" in listed[0].detail
    assert listed[1].tracks == len(NAMES)
    restore(backup, tmp_path / "new", snapshot=first.snapshot)
    whole(tmp_path / "new")


def insert_until(home: str, journal: str, stop: str) -> None:
    store = open_store(home)
    number = 0
    while not Path(stop).exists():
        add(store, f"w{number}", 100 + number)
        note(journal, f"w{number}")
        number += 1


def test_a_writer_inserts_meanwhile(home, backup, tmp_path, monkeypatch):
    journal, stop = tmp_path / "journal", tmp_path / "stop"
    writer = start(insert_until, str(home), str(journal), str(stop))
    acknowledged: set[str] = set()
    try:
        for _ in range(3):
            before = len(acknowledged)
            while not journal.exists() or len(journal.read_text().split()) < before + 2:
                assert writer.is_alive()
            acknowledged = set(journal.read_text().split())
            assert copied(home, backup).problems == ()
    finally:
        stop.touch()
    assert finish(writer) == [0]
    restore(backup, tmp_path / "new")
    back = open_store(tmp_path / "new")
    ready = {track.id for track in back.tracks.list()}
    assert acknowledged | set(NAMES[:-1]) <= ready
    assert back.care.check() == []
    for track in back.tracks.list():
        back.audio.verified_path(track)


def test_a_compaction_meanwhile_is_no_damage(home, backup, tmp_path, monkeypatch):
    """The files of the version that is copied go away in the middle; then the version after it is copied."""
    monkeypatch.setattr(maintenance, "KEEP_OLD", timedelta(0))
    store, real, times = open_store(home), tables._read, []

    def read(table, version):
        if table.name == "tracks" and not times:
            times.append(version)
            add(open_store(home), "new", 9)
            open_store(home).care.compact()
        return real(table, version)

    monkeypatch.setattr(tables, "_read", read)
    assert back_up(store, backup).problems == ()
    restore(backup, tmp_path / "new")
    whole(tmp_path / "new", (*NAMES, "new"))


def test_lines_that_wait_are_copied(home, backup, tmp_path):
    store = open_store(home)
    store.requests.enqueue(a_record("waiting"))
    back_up(store, backup)
    restore(backup, tmp_path / "new")
    assert "waiting" in {line.id for line in open_store(tmp_path / "new").requests.list()}


def test_repeats_of_the_catalog_before_do_not_hold(home, backup):
    """A catalog that is brought back has stamps of its own: no kept answer of another state is believed."""
    store = open_store(home)
    before = store.stamp()
    back_up(store, backup)
    store.close()
    restore(backup, home, force=True)
    assert set(open_store(home).stamp()).isdisjoint(before)


def test_folders_that_cannot_hold_a_backup(home, backup, tmp_path):
    store = open_store(home)
    for folder in (home, home / "backup", home.parent, "s3://bucket/x", "s3:/bucket/x", "gs:x", " "):
        with pytest.raises(InputError):
            back_up(store, folder)
    with pytest.raises(NotFound, match="there is no backup in"):
        restore(tmp_path / "nothing", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_home_knows_its_last_backup(home, backup, tmp_path):
    assert last_backup(home) is None
    copied(home, backup)
    last = last_backup(home)
    assert (last.folder, last.tracks) == (str(backup), len(NAMES))
    restore(backup, tmp_path / "new")
    assert last_backup(tmp_path / "new") is None
    flip(home / "backup.json")
    assert last_backup(home) is None


def test_an_empty_catalog(tmp_path, backup):
    done = copied(tmp_path / "home", backup)
    assert done.tracks == 0
    restore(backup, tmp_path / "new")
    assert open_store(tmp_path / "new", create=False).tracks.list() == []


# Pruning


def several(home: Path, backup: Path, count: int = 4) -> list[str]:
    """Back up `count` times, each with a track more and the tables written anew; return the tracks' names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maintenance, "KEEP_OLD", timedelta(milliseconds=1))
        store = open_store(home)
        for number in range(count):
            add(store, f"n{number}", 20 + number)
            store.care.compact()
            back_up(store, backup)
        store.close()
    return [f"n{number}" for number in range(count)]


def names_of(backup: Path) -> set[str]:
    """Return the names of the files that the snapshots of a backup name."""
    every = [snapshots.named(backup, name) for name in snapshots.snapshot_names(backup)]
    return {stored.sha256 for snapshot in every for stored in snapshot.files.values()}


def every_snapshot_comes_back(backup: Path, folder: Path) -> None:
    for number, name in enumerate(snapshots.snapshot_names(backup)):
        assert restore(backup, folder / f"{number}", snapshot=name).lacking == ()
        store = open_store(folder / f"{number}", create=False)
        assert store.care.check(deep=False) == []
        for track in store.tracks.list():
            store.audio.verified_path(track)
        store.close()


def test_keep_deletes_what_no_kept_snapshot_names(home, backup, tmp_path):
    new = several(home, backup)
    names, before = snapshots.snapshot_names(backup), objects(backup)
    done = copied(home, backup, keep=2)
    assert snapshots.snapshot_names(backup) == [done.snapshot, names[0]]
    assert done.pruned.snapshots == len(names) - 1
    left = objects(backup)
    assert {path.name for path in left} == names_of(backup)
    assert done.pruned.files == len(before) - len(left) > 0
    assert done.pruned.size_bytes > 0
    assert (done.not_pruned, done.problems) == (None, ())
    every_snapshot_comes_back(backup, tmp_path / "back")
    whole(tmp_path / "back" / "0", (*NAMES, *new)).close()
    assert copied(home, backup).pruned is None
    assert len(snapshots.snapshot_names(backup)) == 3


def prune_and_die(home: str, backup: str, point: str) -> None:
    store = open_store(home)
    os.environ["CATALOG_FAILPOINT"] = point
    back_up(store, backup, keep=1)


@pytest.mark.parametrize(
    "point",
    ["prune.forgetting:1", "prune.forgetting:3", "prune.forgotten", "prune.deleting:1", "prune.deleting:7"],
)
def test_a_prune_that_is_killed_leaves_snapshots_whole(home, backup, tmp_path, point):
    new = several(home, backup)
    assert finish(start(prune_and_die, str(home), str(backup), point)) == [-9]
    assert names_of(backup) <= {path.name for path in objects(backup)}
    every_snapshot_comes_back(backup, tmp_path / "back")
    done = copied(home, backup, keep=1)
    assert {path.name for path in objects(backup)} == names_of(backup)
    assert snapshots.snapshot_names(backup) == [done.snapshot]
    restore(backup, tmp_path / "new")
    whole(tmp_path / "new", (*NAMES, *new))


def test_an_altered_snapshot_keeps_every_file(home, backup):
    several(home, backup)
    flip(backup / "snapshots" / f"{snapshots.snapshot_names(backup)[2]}.json", 400)
    before = objects(backup)
    done = copied(home, backup, keep=1)
    assert "is altered" in done.not_pruned
    assert len(snapshots.snapshot_names(backup)) == 5
    assert set(before) <= set(objects(backup))


def test_damage_keeps_every_snapshot(home, backup):
    store = open_store(home)
    back_up(store, backup)
    flip(home / add(store, "new", 9).audio_path)
    done = back_up(store, backup, keep=1)
    assert done.problems
    assert "something was damaged" in done.not_pruned
    assert len(snapshots.snapshot_names(backup)) == 2


def test_keep_leaves_snapshots_of_other_homes(home, made, backup, tmp_path):
    other = shutil.copytree(made, tmp_path / "other")
    add(open_store(other), "theirs", 9)
    theirs = copied(other, backup)
    several(home, backup, 2)
    copied(home, backup, keep=1)
    assert theirs.snapshot in snapshots.snapshot_names(backup)
    assert len(snapshots.snapshot_names(backup)) == 2
    restore(backup, tmp_path / "back", snapshot=theirs.snapshot)
    whole(tmp_path / "back", (*NAMES, "theirs"))


def test_backups_into_one_folder_take_turns(home, backup, monkeypatch):
    copied(home, backup)
    monkeypatch.setattr("music_catalog.upkeep.backup.LOCK_S", 0.0)
    with hold(backup / "lock", 0, "the test"), pytest.raises(Busy, match="still holds the backup in"):
        copied(home, backup)
    with pytest.raises(InputError, match="keep is 0"):
        copied(home, backup, keep=0)


def test_a_damaged_collection_never_replaces_a_good_copy(home, backup, tmp_path):
    own = Collections(home, lambda ids: ids)
    kept = own.create("Podcast", NAMES)
    copied(home, backup)
    path = home / "collections" / f"{kept.id}.json"
    path.write_bytes(path.read_bytes().replace(b"Podcast", b"Broadca"))
    done = copied(home, backup, keep=1)
    assert [(problem.kind, problem.subject) for problem in done.problems] == [
        ("altered-collection", f"collections/{kept.id}.json")
    ]
    assert done.not_pruned
    restore(backup, tmp_path / "restored")
    assert Collections(tmp_path / "restored", lambda ids: ids).list() == [kept]


def test_a_damaged_collection_that_was_moved_away_stays_in_the_backup_until_it_is_deleted(
    home, backup, tmp_path
):
    own = Collections(home, lambda ids: ids)
    kept = own.create("Podcast", NAMES)
    copied(home, backup)
    path = home / "collections" / f"{kept.id}.json"
    path.write_bytes(path.read_bytes().replace(b"Podcast", b"Broadca"))
    examine(str(home), fix=True)
    for _ in range(2):
        assert copied(home, backup, keep=1).pruned
    restore(backup, tmp_path / "restored")
    assert Collections(tmp_path / "restored", lambda ids: ids).list() == [kept]
    shutil.rmtree(home / "lost")
    copied(home, backup, keep=1)
    restore(backup, tmp_path / "later")
    assert not (tmp_path / "later" / "collections").exists()


def test_a_damaged_collection_comes_back_from_the_newest_snapshot_that_has_it_whole(home, backup, tmp_path):
    own = Collections(home, lambda ids: ids)
    kept, never = own.create("Podcast", NAMES), own.create("Broken", NAMES)
    path, other = (home / "collections" / f"{one.id}.json" for one in (kept, never))
    other.write_bytes(other.read_bytes().replace(b"Broken", b"Broke "))
    copied(home, backup)
    path.write_bytes(path.read_bytes().replace(b"Podcast", b"Broadca"))
    copied(home, backup)
    found = [
        check
        for check in examine(str(home), fix=True, backup=str(backup), keep=1)
        if check.name == "altered-collection"
    ]
    assert [check.status for check in found] == ["fixed", "fixed"]
    assert [check.detail.count("brought it back") for check in found].count(1) == 1
    assert own.list() == [kept]
    assert not other.exists()
    assert len(list((home / "lost").iterdir())) == 2
    assert len(snapshots.snapshot_names(backup)) == 1
    restore(backup, tmp_path / "restored")
    assert Collections(tmp_path / "restored", lambda ids: ids).list() == [kept]


def test_collections_are_backed_up_and_checked(home, backup, tmp_path):
    def own(folder):
        return Collections(folder, lambda ids: ids)

    kept = own(home).create("Podcast", NAMES)
    copied(home, backup)
    restored = tmp_path / "restored"
    restore(backup, restored)
    assert own(restored).list() == [kept]
    path = restored / "collections" / f"{kept.id}.json"
    path.write_bytes(path.read_bytes().replace(b"Podcast", b"Broadca"))
    found = [check for check in examine(str(restored)) if check.name == "altered-collection"]
    assert [check.status for check in found] == ["damage"]
    found = [check for check in examine(str(restored), fix=True) if check.name == "altered-collection"]
    assert [check.status for check in found] == ["fixed"]
    assert not any(check.name == "altered-collection" for check in examine(str(restored)))

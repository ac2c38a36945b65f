from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from homes import add, claim_and_die, finish, open_store, start
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.disk import files, locks
from music_catalog.disk.locks import hold, remove_abandoned
from music_catalog.errors import Busy, Damage, InputError, StorageError
from music_catalog.store import audit
from music_catalog.store.audio import AudioFiles
from music_catalog.store.store import make_folders


@pytest.fixture
def home(tmp_path):
    make_folders(tmp_path / "home")
    return tmp_path / "home"


def temporaries(home):
    return [path for path in AudioFiles(home).files() if path.name.startswith(files.TEMPORARY)]


def test_folders_are_for_their_owner_only(home):
    for folder in (home, *home.iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@settings(max_examples=30, deadline=None)
@given(data=st.binary(min_size=1, max_size=4096))
def test_audio_is_found_under_its_digest(tmp_path_factory, data):
    home = tmp_path_factory.mktemp("home")
    make_folders(home)
    path, sha256, size = AudioFiles(home).put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert path == f"audio/{sha256[:2]}/{sha256}.wav"
    assert size == len(data)
    assert (home / path).read_bytes() == data
    assert AudioFiles(home).put(data) == (path, sha256, size)
    assert [found.relative_to(home).as_posix() for found in AudioFiles(home).files()] == [path]


def test_a_file_that_does_not_hold_its_digest_is_replaced(home):
    path, *_ = AudioFiles(home).put(b"right")
    for wrong in (b"wrong", b"", b"longer than right"):
        (home / path).write_bytes(wrong)
        AudioFiles(home).put(b"right")
        assert (home / path).read_bytes() == b"right"


@pytest.mark.parametrize(("data", "suffix"), [(b"", ".wav"), (b"x", "wav"), (b"x", ".w/v"), (b"x", "./../x")])
def test_odd_audio_is_refused(home, data, suffix):
    with pytest.raises(InputError):
        AudioFiles(home).put(data, suffix=suffix)


def test_sidecar_stands_beside_the_audio(home):
    path, sha256, _ = AudioFiles(home).put(b"audio")
    AudioFiles(home).put_sidecar(path, {"id": "a", "mood": ["calm", "平静"]})
    sidecar = home / "audio" / sha256[:2] / f"{sha256}.json"
    assert json.loads(sidecar.read_text("utf-8")) == {"id": "a", "mood": ["calm", "平静"]}
    with pytest.raises(InputError, match="JSON"):
        AudioFiles(home).put_sidecar(path, {"level": float("nan")})


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "audio/../../x", "audio/\x00"])
def test_paths_stay_inside_the_home(home, path):
    with pytest.raises(Damage, match="out of the home"):
        files.inside(home, path)


def test_links_out_of_the_home_are_refused(home, tmp_path):
    (home / "audio" / "out").symlink_to(tmp_path)
    with pytest.raises(Damage, match="link out of"):
        files.inside(home, "audio/out/x.wav")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_nothing_half_written(home, monkeypatch, call):
    AudioFiles(home).put(b"before")
    kept = [*AudioFiles(home).files()]
    real = os.write

    def refuse(*arguments):
        if call == "write":
            real(arguments[0], arguments[1][:3])  # a part still fits
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        if call == "fsync":
            patched.delattr("fcntl.F_FULLFSYNC", raising=False)
        # The folder is there, so that the file itself is what cannot be written.
        with pytest.raises(StorageError, match="disk is full; free some space"):
            AudioFiles(home).put(b"before it, more")
    assert [*AudioFiles(home).files()] == kept
    AudioFiles(home).put(b"before it, more")
    assert len([*AudioFiles(home).files()]) == 2


def test_every_file_and_folder_is_synced_and_one_that_is_gone_is_passed_over(tmp_path, monkeypatch):
    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths:
        path.touch()
    synced, fsync = [], os.fsync

    def note(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    files.sync([*paths, tmp_path / "gone"], [tmp_path])
    assert sorted(synced) == sorted(path.stat().st_ino for path in (*paths, tmp_path))
    files.sync([], [tmp_path / "gone"])


def test_one_file_that_cannot_be_synced_fails_the_whole(tmp_path, monkeypatch):
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.touch()
    bad = paths[1].stat().st_ino

    def refuse(descriptor):
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        files.sync(paths, [tmp_path])


def test_a_thread_that_outlives_the_main_one_still_syncs_and_encodes(tmp_path):
    script = """
import sys, threading
from pathlib import Path
from music_catalog.disk import files
from music_catalog.text import encoder, minilm
loaded = encoder.load()
loaded.encode(["warm"])
minilm._cores = lambda: 2
def late():
    threading.main_thread().join()
    folder = Path(sys.argv[1])
    files.sync([folder / "a", folder / "b"], [folder])
    print(loaded.encode(["calm sea " * 80, "storm " * 120]).shape, flush=True)
threading.Thread(target=late).start()
"""
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("(2, 384)\n", "")


def test_a_failed_replacement_keeps_the_old_file(home, monkeypatch):
    path, *_ = AudioFiles(home).put(b"audio")
    AudioFiles(home).put_sidecar(path, {"version": 1})
    monkeypatch.setattr(
        os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error"))
    )
    with pytest.raises(StorageError, match="Input/output error"):
        AudioFiles(home).put_sidecar(path, {"version": 2})
    assert json.loads((home / path).with_suffix(".json").read_text()) == {"version": 1}
    assert not temporaries(home)


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    inside, most = [0], [0]

    def work():
        for _ in range(20):
            with hold(tmp_path / "x.lock", 30, "it", remove=True):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not (tmp_path / "x.lock").exists()


def test_waiting_for_a_lock_ends(tmp_path):
    path = tmp_path / "x.lock"
    too_late = pytest.raises(Busy, match=r"still holds the table after 0\.05 s")
    with hold(path, 1, "it"), too_late, hold(path, 0.05, "the table"):
        pass
    with hold(tmp_path / "x.lock", 0, "it"):
        pass


def test_a_lock_file_that_cannot_be_made_says_so(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"), hold(tmp_path / "no" / "x.lock", 0, "it"):
        pass


def test_a_lock_in_a_folder_that_is_read_only_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    told = f"{tmp_path} is read-only; choose a folder you can write to"
    with pytest.raises(StorageError, match=re.escape(told)), hold(tmp_path / "x.lock", 0, "it"):
        pass


@pytest.mark.parametrize("writable", [False, True])
def test_a_lock_file_of_another_user_is_named_where_its_folder_is_writable(tmp_path, monkeypatch, writable):
    def refuse(*_):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "access", lambda *_: writable)
    with pytest.raises(StorageError) as refused, hold(tmp_path / "x.lock", 0, "it"):
        pass
    named = f"the lock file {tmp_path / 'x.lock'} cannot be opened: Permission denied; let its owner make it"
    assert str(refused.value).startswith(named if writable else f"{tmp_path} is read-only; choose a folder")


def test_the_lock_of_a_dead_holder_is_free(tmp_path):
    home, journal = str(tmp_path / "home"), str(tmp_path / "journal")
    assert finish(start(claim_and_die, home, "k", journal)) == [-9]
    assert (tmp_path / "journal").read_text() == "claimed\n"
    (lock,) = (tmp_path / "home" / "locks").glob("make-*.lock")
    with hold(lock, 0, "it"):
        pass


# The folder above a new home


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the open files")
def test_the_name_of_a_new_home_is_synced(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    make_folders(tmp_path / "new" / "folder" / "home")
    assert {str(tmp_path), str(tmp_path / "new"), str(tmp_path / "new" / "folder")} <= {*synced}
    synced.clear()
    make_folders(tmp_path / "new" / "folder" / "home")
    assert synced == []


def test_a_folder_above_that_cannot_be_read_is_no_fault(tmp_path, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and real(path, mode))
    make_folders(tmp_path / "home")
    assert (tmp_path / "home" / "lance").is_dir()


# Locks of makers that were killed


def test_locks_of_killed_makers_do_not_pile_up(home, tmp_path):
    for number in range(3):
        assert finish(start(claim_and_die, str(home), f"k{number}", str(tmp_path / "journal"))) == [-9]
    left = [*(home / "locks").glob("make-*.lock")]
    assert len(left) == 3
    store = open_store(home)
    with store.claim("young"):
        pass
    assert len([*(home / "locks").glob("make-*.lock")]) == 3  # they may be of makers that begin just now
    for path in left:
        os.utime(path, (0, 0))
    with store.claim("other"):
        pass
    assert [*(home / "locks").glob("make-*.lock")] == []


def test_an_old_lock_that_is_held_stays(home):
    path = home / "locks" / "make-x.lock"
    with hold(path, 0, "x", remove=True):
        os.utime(path, (0, 0))
        remove_abandoned(home / "locks", "make-*.lock")
        assert path.is_file()
        with pytest.raises(Busy), hold(path, 0, "x"):
            pass
    assert not path.exists()


def test_nobody_holds_a_lock_twice_while_old_ones_are_removed(home, monkeypatch):
    monkeypatch.setattr(locks, "ABANDONED_AFTER_S", -1.0)
    path, inside, most, stop = home / "locks" / "make-x.lock", [], [], threading.Event()

    def take():
        for _ in range(60):
            with hold(path, 60, "x", remove=True):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    def remove():
        while not stop.is_set():
            remove_abandoned(home / "locks", "make-*.lock")

    takers, remover = [threading.Thread(target=take) for _ in range(3)], threading.Thread(target=remove)
    for thread in (remover, *takers):
        thread.start()
    for thread in takers:
        thread.join(120)
    stop.set()
    remover.join(120)
    assert len(most) == 180
    assert max(most) == 1


# The limits of a deep check


def test_a_deep_check_that_takes_too_long_is_given_up(home, audited_in_child, monkeypatch):
    add(open_store(home), "a")
    monkeypatch.setattr(audit, "_limits", lambda home: (0.01, 8_000_000_000))
    (problem,) = open_store(home).care.check(deep=True)
    assert (problem.kind, problem.detail) == ("table", "reading everything was given up after 0 s")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_a_deep_check_that_asks_for_too_much_memory_is_told(home, audited_in_child, monkeypatch):
    add(open_store(home), "a")
    monkeypatch.setattr(audit, "_limits", lambda home: (600.0, 100_000_000))
    (problem,) = open_store(home).care.check(deep=True)
    assert (problem.kind, problem.subject) == ("table", "tracks")
    assert problem.detail.startswith("reading every row failed")


def test_the_limits_grow_with_the_catalog(home):
    least_s, least_bytes = audit._limits(home)
    assert (least_s, least_bytes) == (600.0, 8_000_000_000)
    add(open_store(home), "a", audio="x" * 4_000_000)
    most_s, most_bytes = audit._limits(home)
    assert most_s > least_s + 2
    assert most_bytes > least_bytes


def test_a_home_that_was_deleted_is_not_told_as_read_only(tmp_path):
    with pytest.raises(
        StorageError, match=r"the job cannot be kept: .*lance is gone; open the catalog again"
    ):
        files.check_writable(tmp_path, "the job cannot be kept")

"""Too few descriptors, too little memory, a full disk, a read-only one: refused in one sentence, nothing lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from homes import note
from invariants import (
    CRASH,
    SHORT,
    WRONG,
    Died,
    acknowledged,
    in_process,
    look_over,
    one_sentence,
    open_service,
    text_of,
)

from music_catalog.disk.files import TEMPORARY
from music_catalog.errors import Damage
from music_catalog.upkeep.companions import is_whole

LIMITS = 40
"""Limits of each kind that are tried."""
MEGABYTE = 1 << 20
DISKS_MB = (3, 8, 32)
LONG = {**SHORT, "duration_s": 15.0}
LONG_BYTES = 480_332
"""What its audio takes."""
ROOM = 64 * 1024
"""What stays free for the last steps of each phase of a full disk."""


def a_home(home):
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home) as service:
        tracks = [service.find_or_make(text_of(number), **SHORT).track for number in range(4)]
        service.store.care.compact()
    return {track.id: [acknowledged(track)] for track in tracks}


def under(home, journal, kind, limit):
    """Read and write a home under a limit of this process; note what was acknowledged; return what was no sentence."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(Path(home).with_name("other")) as service:  # what is imported on first use is imported
        service.find_or_make(text_of(-1), **SHORT)
    if kind == "descriptors":
        used, which = len([*Path("/proc/self/fd").iterdir()]), resource.RLIMIT_NOFILE
    else:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        used, which = pages * resource.getpagesize(), resource.RLIMIT_AS
    resource.setrlimit(which, (used + limit, resource.getrlimit(which)[1]))
    found = []
    for call in (
        lambda service: service.store.tracks.list(),
        lambda service: service.search(text_of(1), by="both"),
        lambda service: _made(service, journal, limit),
        lambda service: service.store.care.compact(),
    ):
        if failure := one_sentence(lambda: _run(home, call)):  # noqa: B023
            found.append((CRASH, failure))
    return found


def _run(home, call):
    try:
        with open_service(home) as service:
            call(service)
    except MemoryError:
        pass  # Python's own, which says what it is
    except Damage as error:
        raise AssertionError(f"a limit is told as damage: {error}") from None


def _made(service, journal, number):
    track = service.find_or_make(text_of(1000 + number), **SHORT).track
    note(journal, json.dumps([track.id, acknowledged(track)]))


@pytest.mark.skipif(
    not Path("/proc/self/statm").is_file(), reason="limits: needs /proc to measure what is in use"
)
@pytest.mark.parametrize("kind", ["descriptors", "bytes of memory"])
def test_a_limit_of_the_process(kind, tmp_path, dice, scaled, tally):
    home = tmp_path / "home"
    before = in_process(a_home, str(home))
    # Some descriptors, or some megabytes, more than are in use.
    unit, most = (1, 40) if kind == "descriptors" else (MEGABYTE, 400)
    limits = sorted(dice.randrange(most) for _ in range(scaled(LIMITS)))
    died = 0
    with tally(f"limit of {kind}") as count:
        for number, limit in enumerate(limits):
            copy, journal = tmp_path / f"{number}" / "home", tmp_path / f"{number}.journal"
            shutil.copytree(home, copy)
            journal.touch()
            try:
                found = in_process(under, str(copy), str(journal), kind, limit * unit)
            except Died:  # native code that gets no memory ends the process; that must lose nothing
                died, found = died + 1, []
            made = [json.loads(line) for line in journal.read_text().splitlines()]
            expected = before | {track_id: [state] for track_id, state in made}
            found += in_process(partial(look_over, unknown=1), str(copy), expected)
            count.tried(f"{limit} more than in use", found)
            shutil.rmtree(copy.parent)
        if died:
            count.notes.append(f"{died} of {len(limits)} ended the process, by native code without memory")


# Disks


@contextlib.contextmanager
def mounted(place, *options):
    """Mount a file system for a while; skip where this machine lets nobody."""
    place.mkdir(exist_ok=True)
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("disks: mounting needs root on Linux")
    if subprocess.run(["mount", *options, str(place)], capture_output=True, check=False).returncode:
        pytest.skip("disks: this machine lets nobody mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def filled(disk, journal, phase):
    """Fill a disk by `phase` until it refuses, then try everything else; return what was no sentence."""
    home, found = Path(disk) / "home", []
    with open_service(home) as service:
        first = service.find_or_make(text_of(0), **SHORT).track
        note(journal, json.dumps([first.id, acknowledged(first)]))
        if phase != "audio":
            for number in range(1, 4):
                _made(service, journal, number)
            _fill(disk, {"rows": ROOM, "compaction": 4 * ROOM}[phase])
        calls = {
            "audio": lambda: [_made(service, journal, number) for number in range(2000)],
            "rows": lambda: [service.rate(first.id, 1 + number % 5) for number in range(2000)],
            "compaction": lambda: [service.store.care.compact() for _ in range(50)],
        }
        for call in (calls[phase], *calls.values(), lambda: service.store.tracks.trash(first.id)):
            if failure := one_sentence(call):
                found.append((CRASH, failure))
        for read in (
            service.store.tracks.list,
            lambda: service.search(text_of(0)),
            lambda: service.history(),
        ):
            if failure := one_sentence(read):
                found.append((CRASH, f"a read fails on a full disk: {failure}"))
    return found


def _fill(disk, leaving):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (Path(disk) / "filler").write_bytes(bytes(max(0, free - leaving)))


@pytest.mark.parametrize("phase", ["audio", "rows", "compaction"])
def test_a_full_disk(phase, tmp_path, scaled, tally):
    disks = DISKS_MB[: scaled(len(DISKS_MB))]
    with tally(f"disk of {', '.join(map(str, disks))} MB full while writing {phase}") as count:
        for megabytes in disks:
            with mounted(
                tmp_path / f"disk{megabytes}", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"
            ) as disk:
                reserve, journal = disk / "reserve", tmp_path / f"{megabytes}.journal"
                reserve.write_bytes(bytes(MEGABYTE))
                journal.touch()
                try:
                    found = in_process(filled, str(disk), str(journal), phase, timeout_s=600.0)
                except Died as error:
                    found = [(CRASH, f"the process ended with {error.args[0]}")]
                (disk / "filler").unlink(missing_ok=True)
                reserve.unlink()
                made = dict(json.loads(line) for line in journal.read_text().splitlines())
                # Ratings and the trash of the first track came to nothing, or were done.
                first, *_ = made
                states = {track_id: [state] for track_id, state in made.items()}
                states[first] = [
                    {**made[first], "rating": rating, "state": state}
                    for rating in (None, 1, 2, 3, 4, 5)
                    for state in ("ready", "trashed")
                ]
                found += in_process(partial(look_over, unknown=1), str(disk / "home"), states)
                count.tried(f"{megabytes} MB", found)


@contextlib.contextmanager
def _room(kind, home, room):
    """Leave `room` bytes on the disk of a home, or in any one file that this process writes."""
    if kind == "disk":
        _fill(home.parent, room)
        yield
        (home.parent / "filler").unlink()
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _half_written(home):
    """Yield the files below `audio/` that are not whole."""
    for path in (home / "audio").rglob("*.*"):
        sidecar = path.suffix == ".json"
        if path.name.startswith(TEMPORARY):
            yield WRONG, f"{path.name} is left over"
        elif not (is_whole if sidecar else partial(_is_named, path))(path.read_bytes()):
            yield WRONG, f"{path.name} is half-written"


def _is_named(path, data):
    return hashlib.sha256(data).hexdigest() == path.stem


def audio_within(home, journal, kind, room):
    """Make a track with little room, then with enough; note each; return what is wrong, and whether it was refused."""
    os.fsync = os.fdatasync = lambda descriptor: None
    home, found = Path(home), []

    def make():
        track = service.find_or_make(text_of(1000 + room), **LONG).track
        note(journal, json.dumps([track.id, acknowledged(track)]))

    with open_service(home) as service:
        with _room(kind, home, room):
            if failure := one_sentence(make):
                found.append((CRASH, failure))
            refused = not journal_of(journal)
            for read in (service.store.tracks.list, lambda: service.search(text_of(0)), service.history):
                if failure := one_sentence(read):
                    found.append((CRASH, f"a read fails: {failure}"))
            found += _half_written(home)
        try:
            make()
        except Exception as error:
            found.append((CRASH, f"it fails with room again: {type(error).__name__}: {str(error)[:200]}"))
        found += _half_written(home)
    return found, refused


def journal_of(path):
    """Return what was acknowledged, by id."""
    return dict(json.loads(line) for line in Path(path).read_text().splitlines())


@pytest.mark.parametrize("kind", ["disk", "file"])
def test_little_room_while_audio_is_written(kind, tmp_path, dice, scaled, tally):
    before = in_process(a_home, str(tmp_path / "home"))
    place = mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=32m", "tmpfs")
    what = {"disk": "disk of 32 MB full", "file": "limit of the size of a file"}[kind]
    refusals = 0
    with tally(f"{what} while writing audio of {LONG_BYTES / MEGABYTE:.1f} MB") as count:
        with place if kind == "disk" else contextlib.nullcontext(tmp_path / "disk") as disk:
            for number in range(scaled(LIMITS)):
                # Most limits fall into the audio, some into what is written around it.
                room, home = dice.randrange(8192, LONG_BYTES + 300_000), disk / "home"
                journal = tmp_path / f"{number}.journal"
                journal.touch()
                shutil.copytree(tmp_path / "home", home)
                found, refused = in_process(audio_within, str(home), str(journal), kind, room)
                refusals += refused
                made = {track_id: [state] for track_id, state in journal_of(journal).items()}
                found += in_process(look_over, str(home), before | made)
                count.tried(f"{room} bytes of room", found)
                shutil.rmtree(home)
        count.notes.append(f"{refusals} of {count.count} were refused; the others had room enough")
        assert refusals


def read_only(home, before):
    """Try every read and every write of a read-only home."""
    found = []
    with open_service(home) as service:
        track_id = next(iter(before))
        for read in (
            service.store.tracks.list,
            lambda: service.search(text_of(0), by="words"),
            lambda: service.explain(text_of(0), log=False, **SHORT),
            service.store.care.check,
            service.history,
        ):
            if failure := one_sentence(read):
                found.append((CRASH, failure))
        for write in (
            lambda: service.find_or_make(text_of(9), **SHORT),
            lambda: service.rate(track_id, 1),
            lambda: service.store.tracks.trash(track_id),
            service.store.care.purge,
            service.store.care.compact,
        ):
            if failure := one_sentence(write):
                found.append((CRASH, failure))
    return found


def test_a_read_only_disk(tmp_path, tally):
    home = tmp_path / "home"
    before = in_process(a_home, str(home))
    with tally("read-only disk, 10 calls") as count, mounted(tmp_path / "disk", "--bind", str(home)) as disk:
        options = ["mount", "-o", "remount,ro,bind", str(disk)]
        if subprocess.run(options, capture_output=True, check=False).returncode:
            pytest.skip("disks: this machine lets nobody mount read-only")
        found = in_process(read_only, str(disk), before)
        count.tried("read-only", found + in_process(look_over, str(home), before))
        count.count = 10

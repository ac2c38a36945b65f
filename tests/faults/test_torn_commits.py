"""The last commit before a power cut: each of its files, audio and sidecar too, kept, absent, zero or cut in half."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from invariants import (
    CRASH,
    LOST,
    SHORT,
    Died,
    acknowledged,
    in_batches,
    in_process,
    look_over,
    open_service,
    text_of,
)

from music_catalog.errors import Damage

FATES = ("kept", "absent", "zero", "half")
STATES = 1024
MEND_EACH = 8
"""Every eighth state is also mended by doctor and written to."""


def befall(path, fate):
    """Leave a file as a power cut may: as it was, not there, of its size but zero, or its first half."""
    size = path.stat().st_size
    if fate == "absent":
        path.unlink()
    elif fate == "zero":
        path.write_bytes(bytes(size))
    elif fate == "half":
        path.write_bytes(path.read_bytes()[: size // 2])


def two_and_a_third(home):
    """Make two tracks and a third; put the note back as before the third, and return states, id and files of it."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home) as service:
        tracks = [service.find_or_make(text_of(number), **SHORT).track for number in range(2)]
        lance = Path(home) / "lance"
        notes = {path: path.read_bytes() for path in lance.glob("*.acked")}
        before = {path for path in Path(home).rglob("*") if path.is_file()}
        third = service.find_or_make(text_of(2), **SHORT).track
        for path, content in notes.items():
            path.write_bytes(content)
    parts = ("tracks.lance", "audio")
    files = sorted(path for path in {path for path in Path(home).rglob("*") if path.is_file()} - before)
    names = [str(path.relative_to(home)) for path in files if path.relative_to(home).parts[0] == "audio"]
    names += [str(path.relative_to(home)) for path in files if parts[0] in path.parts]
    return {track.id: [acknowledged(track)] for track in tracks}, (third.id, acknowledged(third)), names


def torn(case, home, folder, expected, third, names):
    """Return what does not hold after the files of the last commit met their fates."""
    number, fates = case
    copy = Path(folder) / f"{number}"
    shutil.copytree(home, copy)
    for name, fate in zip(names, fates, strict=True):
        befall(copy / name, fate)
    third_id, third_state = third
    whole = fates[names.index(next(name for name in names if name.endswith(".wav")))] == "kept"
    found = [] if whole else [*_served_only_whole(copy, third_id)]
    # Doctor moves a third whose audio was torn to the trash.
    mend = number % MEND_EACH == 0
    states = [None, third_state, {**third_state, "state": "trashed"}] if mend else [None, third_state]
    if whole or mend:
        again = [text_of(2)] if mend else []
        torn_audio = () if whole else (third_id,)
        found += look_over(copy, {**expected, third_id: states}, mend=mend, again=again, torn=torn_audio)
    shutil.rmtree(copy)
    return found


def _served_only_whole(home, third_id):
    os.fsync = os.fdatasync = lambda descriptor: None
    try:
        with open_service(home) as service:
            ids = {track.id for track in service.store.tracks.list()}
            if len(ids - {third_id}) != 2:
                yield LOST, f"{2 - len(ids - {third_id})} acknowledged tracks"
            for text in (text_of(number) for number in range(3)):
                match = service.find(text, **SHORT)
                if match is None and text != text_of(2):
                    yield LOST, "an acknowledged track is not found"
                elif match and match.track.id == third_id:
                    yield LOST, "a track is served whose audio is torn"
            track = service.store.tracks.get(third_id)
            if track:
                try:
                    service.store.audio.verified_path(track)
                    yield LOST, "torn audio is handed out"
                except Damage:
                    pass
    except BaseException as error:
        yield CRASH, f"{type(error).__name__}: {str(error)[:300]}"


def test_the_last_commit_is_torn(tmp_path, dice, scaled, tally):
    home = tmp_path / "home"
    expected, third, names = in_process(two_and_a_third, str(home))
    assert {Path(name).suffix for name in names} >= {".wav", ".json", ".manifest", ".lance", ".txn"}
    every = [*itertools.product(FATES, repeat=len(names))]
    states = dice.sample(every, scaled(STATES))
    with tally(f"torn last commit of {len(names)} files, audio and sidecar too") as count:
        cases = [*enumerate(states)]
        for (_, fates), found in in_batches(torn, cases, str(home), str(tmp_path), expected, third, names):
            case = ", ".join(f"{Path(name).suffix} {fate}" for name, fate in zip(names, fates, strict=True))
            count.tried(case, [(CRASH, f"died with {found}")] if isinstance(found, Died) else found)

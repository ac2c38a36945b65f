"""Compactions and indexes nobody noted: pages of 4 kB and sectors of 512 B of their files zero, or files absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from invariants import (
    CRASH,
    SHORT,
    Died,
    acknowledged,
    in_batches,
    in_process,
    look_over,
    open_service,
    text_of,
)

from music_catalog.disk import table

ROWS = 30
SIZES = {"page": 4096, "sector": 512}
MEND_EACH = 8
"""Every eighth state is also mended by doctor and written to."""
POINTS = ("compact.merged", "index.merged")


class Stopped(BaseException):
    """Raised where the process would have died."""


def stopped_at(home, point):
    """Make tracks, and stop a compaction before its note; return the states and the files it wrote."""
    os.fsync = os.fdatasync = lambda descriptor: None
    before = set()

    def passed(name):
        if name == point:
            raise Stopped
        if name.endswith(".acknowledged"):
            before.update(_files(home))

    with open_service(home) as service:
        tracks = [service.find_or_make(text_of(number), **SHORT).track for number in range(ROWS)]
        if point == "compact.merged":
            # Searches make the indexes that a compaction brings up to date.
            service.search("calm", by="words")
            service.history("calm", by="words")
            tracks += [
                service.find_or_make(text_of(number), **SHORT).track for number in range(ROWS, ROWS + 3)
            ]
        before.update(_files(home))
        table.failpoint = passed
        try:
            service.store.care.compact()
        except Stopped:
            pass
        else:
            raise AssertionError(f"compaction never came by {point}")
    names = sorted(str(path.relative_to(home)) for path in _files(home) - before)
    return {track.id: [acknowledged(track)] for track in tracks}, names


def _files(home):
    paths = (Path(home) / "lance").glob("*.lance/**/*")
    return {path for path in paths if path.is_file() and "hint" not in path.name}


def zeroed(case, home, folder, expected):
    """Return what does not hold after a stretch of a file is zero, or the file absent."""
    number, name, place, size = case
    copy = Path(folder) / f"{number}"
    shutil.copytree(home, copy)
    if size:
        with (copy / name).open("r+b") as file:
            stretch = file.read()[place : place + size]
            file.seek(place)
            file.write(bytes(len(stretch)))
    else:
        (copy / name).unlink()
    mend = number % MEND_EACH == 0
    found = look_over(copy, expected, mend=mend, again=[text_of(0), text_of(-1)] if mend else [])
    shutil.rmtree(copy)
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_compaction_is_torn(point, tmp_path, dice, scaled, tally):
    home = tmp_path / "home"
    expected, names = in_process(stopped_at, str(home), point)
    assert names
    for what, size in {**SIZES, "file": 0}.items():
        places = [
            (name, place, size)
            for name in names
            for place in (range(0, (home / name).stat().st_size, size) if size else (0,))
        ]
        cases = [(number, *each) for number, each in enumerate(dice.sample(places, scaled(len(places))))]
        zero = "zero" if size else "absent"
        with tally(f"{what} {zero}, {point.partition('.')[0]} not noted ({len(places)} places)") as count:
            for case, found in in_batches(zeroed, cases, str(home), str(tmp_path), expected):
                told = [(CRASH, f"died with {found}")] if isinstance(found, Died) else found
                count.tried(f"{case[1]} {case[2]}", told)

"""Two versions at once: a home of version 0.1 under readers and writers of this version, and one of a later version.

Where git has the sources of an earlier version, that version writes to the same home at the same time.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from homes import note
from invariants import (
    ALL,
    CRASH,
    SHORT,
    WRONG,
    acknowledged,
    encoder_of,
    in_process,
    look_over,
    one_sentence,
    open_service,
    start,
    text_of,
)

from music_catalog.store import schema

ROOT = Path(__file__).resolve().parents[2]
OLD_HOME = ROOT / "tests" / "data" / "home-0.1.tar.gz"
EARLIER = "d885d5f"
"""A commit of before the catalog checked audio, notes and logs."""
WRITERS, EACH = 4, 10


def an_old_home(home):
    with tarfile.open(OLD_HOME) as archive:
        archive.extractall(home, filter="data")
    return in_process(states_of, str(home))


def states_of(home):
    with open_service(home, encoder=encoder_of(home)) as service:
        return {track.id: acknowledged(track) for track in service.store.tracks.list(ALL)}


def read_on(home, journal):
    """Open the home before it is upgraded, and read it while others upgrade it and write."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home, encoder=encoder_of(home)) as service:
        note(journal, "open")
        while not Path(f"{journal}.over").exists():
            if failure := one_sentence(lambda: (service.store.tracks.list(ALL), service.history(limit=3))):
                note(journal, f"failed {failure}")
                return
            time.sleep(0.05)
        service.rate(service.store.tracks.list()[0].id, 5)


def write(home, first):
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home, encoder=encoder_of(home)) as service:
        tracks = [service.find_or_make(text_of(first + number), **SHORT).track for number in range(EACH)]
        service.store.care.compact()
        return {track.id: acknowledged(track) for track in tracks}


def test_an_old_home_is_upgraded_under_readers(tmp_path, scaled, tally):
    with tally("home of version 0.1 read and written by several processes") as count:
        for number in range(scaled(10)):
            home, journal = tmp_path / f"{number}", tmp_path / f"{number}.journal"
            expected = an_old_home(home)
            journal.touch()
            readers = [start(read_on, str(home), str(journal)) for _ in range(2)]
            while journal.read_text().count("open") < len(readers):
                assert all(reader.exitcode is None for reader in readers)
            for first in range(WRITERS // 2):
                expected |= in_process(write, str(home), 1000 * first)
            Path(f"{journal}.over").touch()
            for reader in readers:
                reader.join(120)
            failed = [line for line in journal.read_text().splitlines() if line.startswith("failed")]
            found = [(CRASH, line) for line in failed]
            found += [
                (CRASH, f"a reader ended with {reader.exitcode}") for reader in readers if reader.exitcode
            ]
            states = {name: [state, {**state, "rating": 5}] for name, state in expected.items()}
            count.tried(f"home {number}", found + in_process(look_over, str(home), states))


def of_a_later_version(home, name):
    """State a later schema version in a table, as a later program would, and read it; return what is no sentence."""
    os.fsync = os.fdatasync = lambda descriptor: None
    before = {path: path.read_bytes() for path in (Path(home) / "lance").rglob("*.lance") if path.is_file()}
    schema.VERSIONS[name] -= 1  # this program is the earlier one
    failure = one_sentence(lambda: open_service(home).close())
    try:
        open_service(home).close()
    except OSError:
        pass
    else:
        return [(WRONG, f"a {name} table of a later version was opened")]
    changed = [str(path) for path, content in before.items() if path.read_bytes() != content]
    return [(CRASH, failure)] * bool(failure) + [(WRONG, f"{path} was changed") for path in changed]


def test_a_later_version_is_refused(tmp_path, tally):
    with tally("home of a later version") as count:
        for name in ("tracks", "requests", "judgements"):
            home = str(tmp_path / name)
            in_process(write_and_rate, home)
            count.tried(name, in_process(of_a_later_version, home, name))


def write_and_rate(home):
    with open_service(home) as service:
        result = service.find_or_make(text_of(0), **SHORT)
        service.rate(result.track.id, 3)


EARLIER_PROGRAM = """
import json, sys
folder, home, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
sys.path[:0] = [folder, folder + "/tests"]
from fakes import WordHashEncoder
from catalog import MusicService
from catalog.errors import CatalogError
for text in texts:
    try:
        with MusicService.open(home, encoder=WordHashEncoder(), min_similarity=0.55) as service:
            track = service.find_or_make(text, duration_s=1.0, quality="preview", backend="procedural").track
        line = {"id": track.id, "sha256": track.audio_sha256, "key": track.key}
    except CatalogError as error:
        line = {"refused": str(error)}
    print(json.dumps(line), flush=True)
"""


def earlier_program(folder):
    """Put the sources of the earlier version below `folder`; skip where git has them not."""
    made = subprocess.run(
        ["git", "-C", str(ROOT), "archive", EARLIER, "catalog", "generator", "presets", "tests/fakes.py"],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"two versions: git has no commit {EARLIER}")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder, filter="data")

    def begin(home, numbers):
        return subprocess.Popen(
            [sys.executable, "-c", EARLIER_PROGRAM, str(folder), str(home), *map(text_of, numbers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    return begin


def test_two_programs_write_at_once(tmp_path, scaled, tally):
    begin = earlier_program(tmp_path / "earlier")
    named = f"earlier program ({EARLIER}) and this one write to one home at once"
    with tally(named) as count:
        for number in range(scaled(10)):
            home, expected, found, refused = tmp_path / f"home{number}", {}, [], 0
            for programs in ([begin(home, range(3))], [begin(home, range(3, 3 + EACH))]):
                if len(expected):  # the earlier program began the catalog
                    expected |= in_process(write, str(home), 1000)
                for program in programs:
                    printed, told = program.communicate(timeout=300)
                    if program.returncode:
                        found.append((CRASH, f"the earlier program: {told.strip().splitlines()[-1:]}"))
                    lines = [json.loads(line) for line in printed.splitlines()]
                    refused += sum("refused" in line for line in lines)
                    expected |= {
                        line["id"]: {
                            "sha256": line["sha256"],
                            "key": line["key"],
                            "state": "ready",
                            "rating": None,
                        }
                        for line in lines
                        if "id" in line
                    }
            states = {name: [state] for name, state in expected.items()}
            count.tried(f"home {number}", found + in_process(look_over, str(home), states))
            if not number:
                count.notes.append(f"{refused} of {3 + EACH} calls of the earlier program were refused")

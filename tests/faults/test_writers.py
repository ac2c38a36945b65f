"""Eight processes that write at once: distinct tracks, the same requests, and writers beside readers and compaction."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from homes import note
from invariants import (
    CRASH,
    DUPLICATE,
    LOST,
    SHORT,
    acknowledged,
    in_process,
    look_over,
    open_service,
    start,
    text_of,
)

PROCESSES, EACH = 8, 100
WRITING_S = 1200.0


def write(home, journal, texts):
    """Request each text in turn; note the makes, and what was acknowledged."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home, made=lambda: note(journal, "made")) as service:
        for text in texts:
            track = service.find_or_make(text, **SHORT).track
            note(journal, f"done {track.id} {track.audio_sha256} {track.key}")


def compact_and_read(home, journal, texts):
    """Compact, search and list until the writers have come to an end, twice a second."""
    os.fsync = os.fdatasync = lambda descriptor: None
    with open_service(home) as service:
        while not Path(f"{journal}.over").exists():
            service.store.care.compact()
            for text in texts[:3]:
                service.search(text, by="both")
            service.store.tracks.list()
            service.history(limit=10)
            time.sleep(0.5)


TEXTS = {
    "distinct requests": lambda each, writer: [text_of(writer * each + number) for number in range(each)],
    "the same requests": lambda each, writer: [text_of(number) for number in range(each)],
}


@pytest.mark.parametrize("beside", [0, 2], ids=["alone", "beside compaction and readers"])
@pytest.mark.parametrize("what", TEXTS)
def test_many_write(what, beside, tmp_path, scaled, tally):
    each = scaled(EACH // 4 if beside else EACH)
    home, journal = str(tmp_path / "home"), str(tmp_path / "journal")
    named = f"{PROCESSES} writers x {each}, {what}" + (", beside compaction and readers" if beside else "")
    with tally(named) as count:
        texts = [TEXTS[what](each, writer) for writer in range(PROCESSES)]
        readers = [start(compact_and_read, home, journal, texts[0]) for _ in range(beside)]
        writers = [start(write, home, journal, one) for one in texts]
        for process in writers:
            process.join(WRITING_S)
        Path(f"{journal}.over").touch()
        for process in readers:
            process.join(WRITING_S)
        codes = [process.exitcode for process in (*writers, *readers)]
        lines = Path(journal).read_text().splitlines()
        done = dict(line.split()[1:3] for line in lines if line.startswith("done"))
        found = [(CRASH, f"a process ended with {code}") for code in codes if code]
        wanted = {text for one in texts for text in one}
        if lines.count("made") != len(wanted):
            found.append((DUPLICATE, f"{lines.count('made')} makes for {len(wanted)} requests"))
        if len(done) != len(wanted):
            found.append((LOST, f"{len(done)} tracks for {len(wanted)} requests"))
        expected = in_process(states_of, home, [*done])
        found += [
            (LOST, f"{track_id} has other audio")
            for track_id in done
            if expected[track_id][0] != done[track_id]
        ]
        states = {track_id: [state] for track_id, (_, state) in expected.items()}
        found += in_process(look_over, home, states, timeout_s=WRITING_S)
        count.tried(named, found)
        count.count = PROCESSES * each


def states_of(home, track_ids):
    """Return audio and state of each track; None for one that is gone."""
    with open_service(home) as service:
        tracks = {track_id: service.store.tracks.get(track_id) for track_id in track_ids}
    return {
        name: (track and track.audio_sha256, track and acknowledged(track)) for name, track in tracks.items()
    }

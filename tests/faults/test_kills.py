"""SIGKILL at every named point of a life of a catalog, and at random times.

A life makes, repeats, rates, rejects, trashes, restores, purges, mends, compacts and re-embeds; a second one upgrades a
home that version 0.1 wrote. Before each step it notes what it is about to do, and after it what was acknowledged.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import tarfile
import tempfile
import time
from pathlib import Path

import pytest
from fakes import WordHashEncoder
from homes import note
from invariants import (
    CRASH,
    LOST,
    SHORT,
    Died,
    acknowledged,
    encoder_of,
    in_process,
    look_over,
    open_service,
    side_by_side,
    start,
    text_of,
)

from music_catalog.disk import failpoint as points
from music_catalog.disk import files, table
from music_catalog.models import Filter
from music_catalog.store import audit, requests

OLD_HOME = Path(__file__).parents[1] / "data" / "home-0.1.tar.gz"
EACH, RANDOM = 8, 200
"""Kills at each named point, and at random times."""
TEXTS = 4


class Other(WordHashEncoder):
    identity = "word-hash@2/384/pool-1"


class Journal:
    """What a life was about to do, and what was acknowledged, by track and in lines that outlive it."""

    def __init__(self, path):
        self._path = str(path)

    def doing(self, *track_ids, to="?", known=True):
        note(self._path, json.dumps({"doing": track_ids, "to": to, "known": known}))

    def done(self, *states, line=None):
        note(self._path, json.dumps({"done": states, "line": line}))

    def read(self):
        """Return for each track the states it may have, how many tracks nobody knows, and the lines of the log."""
        lines = [json.loads(line) for line in Path(self._path).read_text().splitlines()]
        states, log, pending = {}, set(), {}
        for entry in lines:
            if "done" in entry:
                states |= dict(entry["done"])
                log |= {entry["line"]} - {None}
                pending = {}
            else:
                pending = entry
        allowed = {track_id: [state] for track_id, state in states.items()}
        for track_id in pending.get("doing", ()):
            now = states.get(track_id) or {}
            to = pending["to"]
            allowed[track_id] = [states.get(track_id), None if to is None else {**now, **to}]
        return allowed, 0 if pending.get("known", True) else 1, log


def a_life(home, journal, failpoint, fates):
    """Do everything that writes; `fates` varies the ratings and the texts."""
    os.fsync = os.fdatasync = lambda descriptor: None  # a kill loses nothing that the system has taken
    journal = Journal(journal)
    audit.in_child = lambda home: []
    audit.LEFT_OVER_AFTER_S = -1.0
    os.environ[points.VARIABLE] = failpoint
    ids, state = [], {}

    def settled(service, *track_ids, line=None):
        for track_id in track_ids:
            track = service.store.tracks.get(track_id)
            state[track_id] = track and acknowledged(track)
        journal.done(*((track_id, state[track_id]) for track_id in track_ids), line=line)

    with open_service(home) as service:
        for number in range(TEXTS):
            journal.doing(known=False)
            result = service.find_or_make(text_of(fates + number), **SHORT)
            ids.append(result.track.id)
            service.store.audio.put_codes(result.track.audio_path, [[number]])
            settled(service, result.track.id, line=result.request_id)
        journal.doing(ids[0], to={"rating": 4})
        service.rate(ids[0], 4, request_id=result.request_id if ids[0] == result.track.id else None)
        settled(service, ids[0])
        service.reject(ids[1])
    with open_service(home) as service:  # Lance is not loaded in it, so that its line waits in queue/
        result = service.find_or_make(text_of(fates), **SHORT)
        journal.done(line=result.request_id)
        repeat, record = service.next_time(result)
        del repeat
        service.store.requests.enqueue(record)
        journal.done(line=record.id)
    with open_service(home) as service:
        service.history(limit=1)
        for track_id, to in ((ids[1], "trashed"), (ids[2], "trashed"), (ids[1], "ready")):
            journal.doing(track_id, to={"state": to})
            (service.store.tracks.trash if to == "trashed" else service.store.tracks.restore)(track_id)
            settled(service, track_id)
        journal.doing(ids[2], to=None)
        service.store.care.purge()
        settled(service, ids[2])
        _break_a_row(service, ids[3], journal)
        for problem in service.store.care.check():
            service.store.care.fix(problem, service.encoder.encode)
        settled(service, ids[3])
        service.search("anything", by="words")
        service.store.care.compact()
        service.store.care.reembed(Other().encode, Other.identity)
    with open_service(home, encoder=Other()) as service:
        journal.doing(known=False)
        result = service.find_or_make(text_of(fates + TEXTS), **SHORT)
        settled(service, result.track.id, line=result.request_id)


def _break_a_row(service, track_id, journal):
    """Alter a row and its record by hand, and leave a file over, so that doctor has something to drop."""
    journal.doing(track_id, to=None)
    durable = service.store.tracks.table.durable
    durable.commit("a test", lambda lance: lance.update(where=f"id = '{track_id}'", values={"record": "{}"}))
    (service.store.home / "audio" / "00").mkdir(exist_ok=True)
    (service.store.home / "audio" / "00" / f"{'0' * 64}.wav").write_bytes(b"left over")


def an_upgrade(home, journal, failpoint, fates):
    """Open a home of version 0.1 and write to it, which upgrades its tables."""
    os.fsync = os.fdatasync = lambda descriptor: None
    os.environ[points.VARIABLE] = failpoint
    journal = Journal(journal)
    with open_service(home, encoder=encoder_of(home)) as service:
        first = service.store.tracks.list(Filter(state=None))[fates % 2].id
        for rating in (1 + fates % 5, None, 3):
            journal.doing(first, to={"rating": rating})
            service.rate(first, rating)
            journal.done((first, acknowledged(service.store.tracks.get(first))))
        service.history(limit=1)
        service.store.care.upgrade()
        service.store.care.compact()


def hits_of(life, home, journal):
    """Return how often each point is passed in a life that nobody ends, and how long it takes in seconds."""
    hits = {}

    def passed(name):
        hits[name] = hits.get(name, 0) + 1

    for module in (files, table, requests):
        module.failpoint = passed
    began = time.monotonic()
    life(home, journal, "none", 0)
    return hits, time.monotonic() - began


def killed(life, folder, number, failpoint, after_s):
    """Run a life that ends at a point or after a time, look its home over, and return what does not hold."""
    home, journal = folder / f"{number}", folder / f"{number}.journal"
    _begin(life, home, journal)
    process = start(life, str(home), str(journal), failpoint or "none", number)
    process.join(after_s)
    if process.exitcode is None:
        process.kill()
        process.join()
    if process.exitcode not in (0, -9):
        return [(CRASH, f"the life itself ended with {process.exitcode}")]
    if failpoint and process.exitcode == 0:
        return [(CRASH, f"it never came by {failpoint}")]
    expected, unknown, log = Journal(journal).read()
    # The second track was rejected for its request, for which another one may be made.
    again = [text_of(number + place) for place in range(TEXTS) if place != 1] if life is a_life else []
    try:
        found = in_process(looked_over, str(home), expected, unknown, again, log)
    except Died as error:
        found = [(CRASH, f"reading died with {error.args[0]}")]
    if not found:
        shutil.rmtree(home)
    return found


def looked_over(home, expected, unknown, again, log):
    found = look_over(home, expected, unknown=unknown, again=again)
    with open_service(home) as service:
        lines = {line.id for line in service.store.requests.list()}
    return [*found, *((LOST, f"line {line} of the log is gone") for line in log - lines)]


def _begin(life, home, journal):
    """Put the home in place that a life begins with, and note what was acknowledged in it already."""
    journal.touch()
    if life is an_upgrade:
        _extract(home)
        tracks, lines = what_the_old_home_has()
        Journal(journal).done(*tracks)
        for line in lines:
            Journal(journal).done(line=line)


def _extract(home):
    with tarfile.open(OLD_HOME) as archive:
        archive.extractall(home, filter="data")


@functools.cache
def what_the_old_home_has():
    """Return the states of the tracks of the home that version 0.1 wrote, by id, and the ids of its log lines."""
    with tempfile.TemporaryDirectory() as folder:
        _extract(folder)
        return in_process(_has, folder)


def _has(home):
    with open_service(home, encoder=encoder_of(home)) as service:
        tracks = service.store.tracks.list(Filter(state=None))
        lines = [line.id for line in service.store.requests.list()]
    return [(track.id, acknowledged(track)) for track in tracks], lines


LIVES = {"make, rate, purge, mend, compact, re-embed": a_life, "upgrade from version 0.1": an_upgrade}


@pytest.mark.parametrize("name", LIVES)
def test_killed_at_named_points(name, tmp_path, dice, scaled, tally):
    life = LIVES[name]
    _begin(life, tmp_path / "whole", tmp_path / "whole.journal")
    hits, _ = in_process(hits_of, life, str(tmp_path / "whole"), str(tmp_path / "whole.journal"))
    kills = [
        f"{point}:{dice.randint(1, most)}"
        for point, most in sorted(hits.items())
        for _ in range(scaled(EACH))
    ]
    with tally(f"kill at {len(hits)} named points: {name}") as count:
        cases = [*enumerate(kills)]
        for case, found in side_by_side(lambda case: killed(life, tmp_path, *case, 120.0), cases):
            count.tried(case[1], found)


@pytest.mark.parametrize("name", LIVES)
def test_killed_at_random_times(name, tmp_path, dice, scaled, tally):
    life = LIVES[name]
    _begin(life, tmp_path / "whole", tmp_path / "whole.journal")
    _, takes_s = in_process(hits_of, life, str(tmp_path / "whole"), str(tmp_path / "whole.journal"))
    moments = [round(dice.uniform(0.0, takes_s), 4) for _ in range(scaled(RANDOM // len(LIVES)))]
    with tally(f"kill at a random time: {name}") as count:
        cases = [*enumerate(moments)]
        for case, found in side_by_side(lambda case: killed(life, tmp_path, case[0], None, case[1]), cases):
            count.tried(f"{case[0]} after {case[1]} s", found)

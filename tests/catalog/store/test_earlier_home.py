"""A home that version 0.1 wrote opens as it is: tracks, audio, log, rating, and the line that still waits for the log.

`home-0.1.tar.gz` has two tracks, made and rated on the command line. The first was requested three times; the last time
it was answered from `cache/repeats`, which left its line in `queue/`.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from music_catalog import MusicService
from music_catalog.disk.lance import Connection
from music_catalog.disk.queue import queued
from music_catalog.disk.versions import TableFiles
from music_catalog.store.schema import VERSIONS
from music_catalog.store.store import Store

ARCHIVE = Path(__file__).parents[2] / "data" / "home-0.1.tar.gz"
RAIN = "Calm rain over a quiet library at night."
REQUEST = {"duration_s": 1.0, "quality": "preview", "seed": 7}
RAIN_ID, ALARM_ID = "bda38943b4e94bd9", "0625661e15cc405f"
RAIN_KEY = "01eede699493ba75229f02146ecd3f88"


@pytest.fixture
def home(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "home", filter="data")
    return tmp_path / "home"


def test_its_repeat_is_served_without_lance(home, monkeypatch):
    monkeypatch.setattr(Connection, "connect", lambda self: pytest.fail("Lance was loaded"))
    store = Store.open(home, create=False)
    track, _ = store.recall(RAIN_KEY)
    assert track.id == RAIN_ID
    assert store.audio.exists(track)


def test_nothing_of_it_is_lost(home):
    store = Store.open(home, create=False)
    versions = [TableFiles(home, name).head() for name in VERSIONS]
    alarm, rain = store.tracks.list()
    assert (rain.id, alarm.id) == (RAIN_ID, ALARM_ID)
    assert (rain.rating, alarm.rating) == (None, 4)
    for track in (rain, alarm):
        data = store.audio.path_of(track).read_bytes()
        assert hashlib.sha256(data).hexdigest() == track.audio_sha256
    found = store.tracks.search(store.tracks.vector_of(RAIN_ID))
    assert [track.id for track, _ in found] == [RAIN_ID, ALARM_ID]
    assert [track.id for track, _ in store.tracks.search_words("engines")] == [ALARM_ID]
    assert [track.id for track in store.tracks.made_for(RAIN_KEY)] == [RAIN_ID]
    assert [judgement.rating for judgement in store.judgements.list(track_id=ALARM_ID)] == [4]
    assert [
        TableFiles(home, name).head() for name in VERSIONS
    ] == versions  # opened as it is, not written anew
    assert store.care.check(deep=True) == []


def test_its_waiting_line_reaches_the_log(home):
    (line,) = queued(home)
    store = Store.open(home, create=False)
    lines = store.requests.list()
    assert lines[0].id == line.stem
    assert [each.action for each in lines] == ["reused", "reused", "generated", "generated"]
    assert queued(home) == []


def test_a_service_serves_the_track_of_an_earlier_request_again(home):
    # The key of a request covers the shipped presets. They changed since, so this is a new request that the track fits.
    with MusicService.open(home, create=False) as service:
        result = service.find_or_make(RAIN, **REQUEST)
    assert (result.action, result.track.id) == ("reused", RAIN_ID)
    assert (result.decision.rule, result.decision.similarity) == ("similar", pytest.approx(1.0))

"""Searches by sound: a text finds what sounds like it, a part of a track finds what sounds like that part."""

from __future__ import annotations

import numpy as np
import pytest
from builders import a_track
from command_line import data, run
from fakes import PITCHES, PitchEar, WordHashEncoder

from music_catalog.ear.loading import NotHeard
from music_catalog.ear.tags import Tagger
from music_catalog.errors import InputError
from music_catalog.generator import Audio, audio
from music_catalog.generator.audio import timbre
from music_catalog.service.ears import by_sound
from music_catalog.service.ears.filling import hear_all

RATE = 32_000


def tone(*hertz: float, seconds: float = 2.0) -> Audio:
    """One tone after the other, with a little noise."""
    time = np.arange(round(RATE * seconds)) / RATE
    noise = np.random.default_rng(0).normal(scale=0.001, size=len(time) * len(hertz))
    samples = np.concatenate([0.3 * np.sin(2 * np.pi * one * time) for one in hertz]) + noise
    return Audio(samples.astype(np.float32)[:, None], RATE)


SOUNDS = {"low": tone(80), "middle": tone(700), "high": tone(6_000), "both": tone(80, 6_000)}


@pytest.fixture
def sounds(service):
    """A catalog of tones, whose texts say nothing of them."""
    for name, sound in SOUNDS.items():
        path, sha256, size = service.store.audio.put(audio.encode(sound))
        facts = {"audio_path": path, "audio_sha256": sha256, "audio_bytes": size, "key": name}
        shape = {"duration_s": sound.duration_s, "sample_rate": RATE, "channels": 1}
        track = a_track(id=name, encoder=WordHashEncoder.identity, **facts, **shape)
        vector = WordHashEncoder().encode(["a text"])[0]
        service.store.tracks.insert(track, vector, timbre.sound_vector(sound))
    return service


@pytest.fixture
def heard(sounds, monkeypatch):
    monkeypatch.setattr(by_sound, "load", lambda name: PitchEar())
    hear_all(sounds.store, PitchEar(), Tagger(PitchEar(), sounds.library.styles))
    return sounds


def ids(hits):
    return [hit.track.id for hit in hits]


def test_a_text_finds_the_sound_that_it_tells_of(heard):
    for name in PITCHES:
        hits = heard.search(f"a {name} tone", by="sound")
        assert hits[0].track.id == name
        assert len(hits) == 4
        assert hits[0].score > 0.9
    assert ids(heard.search("low and high tones", by="sound", limit=1)) == ["both"]
    assert ids(heard.search("a low tone length:..3", by="sound"))[0] == "low"
    assert "both" not in ids(heard.search("a low tone", by="sound", max_duration_s=3))
    for narrow in (False, True):
        page = heard.browse("high tone length:..3", by="sound", narrow=narrow)
        assert [page.tracks[0].id, page.total] == ["high", 3]


def test_tracks_that_were_not_heard_are_left_out(heard):
    heard.store.tracks.trash("low")
    assert ids(heard.search("a low tone", by="sound"))[0] == "both"
    path, sha256, size = heard.store.audio.put(audio.encode(tone(90)))
    late = a_track(
        id="late", encoder=WordHashEncoder.identity, audio_path=path, audio_sha256=sha256, audio_bytes=size
    )
    heard.store.tracks.insert(late, WordHashEncoder().encode(["a text"])[0])
    assert "late" not in ids(heard.search("a low tone", by="sound"))
    assert ids(heard.similar("late", by="ear"))[0] == "both"  # it is heard for this, and that is kept
    assert ids(heard.search("a low tone", by="sound"))[0] == "late"


def test_a_part_of_a_track_finds_what_sounds_like_that_part(heard):
    for by in ("sound", "ear"):
        assert ids(heard.similar("both", by=by, start_s=0.0, end_s=2.0))[0] == "low", by
        assert ids(heard.similar("both", by=by, start_s=2.0))[0] == "high", by
    assert ids(heard.similar("low", by="ear"))[0] == "both"


def test_parts_that_are_not_there_are_refused(sounds):
    for start, end in ((3.0, 2.0), (-1.0, 1.0), (0.0, 9.0), (1.0, 1.1), (float("nan"), 2.0)):
        with pytest.raises(InputError, match=r"pass a part of at least 0.5 s within the 4 s of track both"):
            sounds.similar("both", by="sound", start_s=start, end_s=end)
    with pytest.raises(InputError, match="a text has no parts"):
        sounds.similar("both", start_s=1.0)
    with pytest.raises(InputError, match="similar by 'words' is not known"):
        sounds.similar("both", by="words")


def test_without_an_ear_one_sentence_says_what_to_do(sounds):
    for search in (lambda: sounds.search("low", by="sound"), lambda: sounds.similar("low", by="ear")):
        with pytest.raises(NotHeard, match="run `catalog models pull clap`"):
            search()
    assert ids(sounds.similar("both", by="sound", start_s=2.0))[0] == "high"  # measured, without an ear


def test_the_command_line_searches_by_sound_and_by_parts(heard):
    home = heard.store.home
    hits = data(run("similar", "both", "--from", "2", "--json", home=home))["hits"]
    assert hits[0]["id"] == "high"
    wrong = run("similar", "both", "--from", "3", "--to", "2", home=home)
    assert wrong.exit_code == 2
    assert "--from is 3 and --to 2; pass a part" in wrong.stderr
    assert run("similar", "both", "--by", "text", "--from", "1", home=home).exit_code == 2
    found = data(run("search", "--by", "sound", "a high tone", "--json", "--no-server", home=home))["hits"]
    assert found[0]["id"] == "high"


def test_http_searches_by_sound_and_by_parts(heard):
    testclient = pytest.importorskip("starlette.testclient")
    from music_catalog.web.app import create_app

    with testclient.TestClient(create_app(heard), base_url="http://127.0.0.1") as client:
        found = client.get("/api/tracks", params={"q": "a high tone", "by": "sound"}).json()
        assert found["tracks"][0]["id"] == "high"
        assert found["tracks"][0]["heard"]["ear"].startswith(PitchEar.identity)
        near = client.get("/api/tracks/both/similar", params={"by": "ear", "start_s": 2}).json()
        assert near["tracks"][0]["id"] == "high"
        note = client.get("/api/tracks/both/similar", params={"by": "sound", "start_s": 3.9}).json()["note"]
        assert "pass a part of at least" in note
        body = {"query": "a low tone", "by": "sound"}
        assert client.post("/api/search", json=body).json()["hits"][0]["id"] == "low"

"""Analysis of audio, re-embedding and care by workers: the same as here, written once, gone on with."""

from __future__ import annotations

import numpy as np
import pytest
from bulk_texts import CORPUS, SHORT
from fakes import PitchEar, WordHashEncoder

from music_catalog.bulk import listening
from music_catalog.bulk.caring import care_by
from music_catalog.bulk.embedding import encode_by
from music_catalog.bulk.workers import InProcess, opener_of
from music_catalog.store.vectors.facts import measure_facts


class Dying(InProcess):
    """Ends, as a process that is killed, after so many parts."""

    def __init__(self, parts):
        self.parts = parts

    def run(self, *arguments, **options):
        for place, done in enumerate(super().run(*arguments, **options)):
            if place == self.parts:
                raise KeyboardInterrupt
            yield done


class Doubled:
    """The word-hash encoder with each number twice."""

    identity = "doubled@1/768"
    dimension = 768

    def encode(self, texts):
        return np.repeat(WordHashEncoder().encode(texts), 2, axis=1) / np.sqrt(2)


@pytest.fixture
def made(service):
    for text in CORPUS:
        service.find_or_make(text, reuse="never", **SHORT)
    return service


def forget(service):
    """Take away what was measured, as in a home of an earlier version."""
    tracks = [service.store.tracks.get(track.id) for track in service.store.tracks.list()]
    table = service.store.tracks.table
    table.put_vectors(
        "sounds",
        [track.id for track in tracks],
        lambda *_: (None, None, None),
        lambda track: track.model_copy(update={"measured": None}),
    )


def test_samples_are_measured_as_here_and_a_run_goes_on(made, monkeypatch):
    tracks = made.store.tracks
    forget(made)
    measure_facts(made.store, tracks.unmeasured())
    expected = {track.id: track.measured for track in tracks.list()}
    forget(made)
    assert len(tracks.without_sound()) == len(tracks.unmeasured()) == 4
    monkeypatch.setattr(listening, "MOST_TRACKS", 1)
    monkeypatch.setattr(listening, "COMMIT_TRACKS", 1)
    with pytest.raises(KeyboardInterrupt):
        listening.measure_all(Dying(1), made.flow)
    assert len(tracks.unmeasured()) == 3
    steps = []
    assert listening.measure_all(InProcess(), made.flow, lambda *step: steps.append(step)) == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert tracks.without_sound() == tracks.unmeasured() == []
    assert {track.id: track.measured for track in tracks.list()} == expected
    assert listening.measure_all(InProcess(), made.flow) == 0


def test_tracks_are_heard_by_the_ear_of_the_configuration(made, monkeypatch):
    ear = PitchEar()
    monkeypatch.setattr("music_catalog.service.ears.made.load", lambda _: ear)
    done = listening.hear_all(InProcess(), made.flow, ear, limit=3)
    assert (done.heard, done.tagged, done.failed, done.left) == (3, 3, (), 1)
    assert listening.hear_all(InProcess(), made.flow, ear).heard == 1
    assert made.store.tracks.unheard(ear.identity) == []


def test_texts_are_embedded_in_their_order(made, open_service):
    other = open_service(made.store.home, encoder=Doubled())
    encode = encode_by(InProcess(), opener_of(other.flow))
    texts = [f"text {number}" for number in range(9)]
    assert np.allclose(encode(texts), Doubled().encode(texts))
    assert other.store.care.reembed(encode, Doubled.identity) == 4
    assert other.search(CORPUS[1], limit=1)[0].track.context == CORPUS[1]


def test_a_worker_cares_for_the_home(made):
    assert care_by(InProcess(), made.flow).purged == 0

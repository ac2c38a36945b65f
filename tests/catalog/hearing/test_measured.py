"""Every track that is made has what is measured in its samples; earlier ones get it."""

from __future__ import annotations

import numpy as np
import pytest
from homes import add, open_store
from renders import STYLES, render
from sample_texts import CALM, SHORT

from music_catalog import doctor
from music_catalog.disk.reading import to_arrow
from music_catalog.generator import audio
from music_catalog.generator.audio import analysis, timbre
from music_catalog.generator.protocol import Audio
from music_catalog.hearing.measuring import analysed, measured
from music_catalog.store.rows import to_track_row


def forget_facts(service):
    """Make the rows as they were before facts were kept."""
    tracks = service.store.tracks

    def write(lance):
        for track in tracks.list():
            old = track.model_copy(update={"measured": None})
            row = to_track_row(old, tracks.vector_of(track.id), tracks.sound_of(track.id))
            merge = lance.merge_insert("id").when_matched_update_all().use_index(False)
            merge.execute(to_arrow([row], lance.schema), on_bad_vectors="null")

    tracks.table.durable.commit("forgetting", write)


def test_what_is_too_short_or_silent_is_not_measured():
    assert (
        measured(Audio(np.zeros((96_000, 2), np.float32), 32_000), tempo_bpm=None, musical_key=None) is None
    )
    assert (
        measured(Audio(np.full((6_000, 1), 0.1, np.float32), 32_000), tempo_bpm=None, musical_key=None)
        is None
    )


@pytest.mark.parametrize("seconds", [0.3, 0.7, 2.0, 6.0])
def test_all_at_once_is_what_each_measurement_gives_alone(seconds):
    sound = render(STYLES["dark_techno"]["synthesis"], duration_s=8.0)
    sound = Audio(sound.samples[: round(seconds * sound.sample_rate)], sound.sample_rate)
    tempo, key = analysis.tempo_bpm(sound), analysis.musical_key(sound)
    alone = measured(sound, tempo_bpm=tempo, musical_key=key), timbre.sound_vector(sound)
    found = analysed(sound)
    if found is None:
        assert alone == (None, None)
        return
    assert (found.tempo_bpm, found.musical_key) == (tempo, key)
    assert found.facts == (alone[0] and alone[0].model_copy(update={"loudness_range_lu": None}))
    assert np.array_equal(found.sound, alone[1])


def test_a_made_track_has_what_is_measured_in_its_file(service):
    result = service.find_or_make(CALM, preset="dark_techno", duration_s=6.0, quality="preview")
    facts = result.track.measured
    assert facts.density_per_s > 1.0
    assert facts.percussiveness > 0.02
    assert facts.loudness_range_lu is not None
    again = measured(audio.read(result.path), tempo_bpm=result.track.tempo_bpm, musical_key=None)
    # The file has 16 bits, the samples that were measured have more.
    assert again.brightness_hz == pytest.approx(facts.brightness_hz, rel=0.01)
    assert service.get(result.track.id).measured == facts
    assert "measured" not in result.path.with_suffix(".json").read_text()


def test_doctor_measures_earlier_tracks(service):
    made = service.find_or_make(CALM, **SHORT).track
    forget_facts(service)
    home = str(service.store.home)
    assert service.get(made.id).measured is None
    noted = [check for check in doctor.examine(home) if check.name == "facts"]
    assert [(check.status, check.detail.split(";")[1]) for check in noted] == [
        ("note", " run `catalog doctor --fix`")
    ]
    fixed = [check for check in doctor.examine(home, fix=True) if check.name == "facts"]
    assert [check.detail for check in fixed] == ["1 of 1 tracks measured"]
    found = service.get(made.id)
    assert found.model_copy(update={"measured": made.measured}) == made
    assert found.measured.percussiveness == pytest.approx(made.measured.percussiveness, abs=0.01)
    assert [check for check in doctor.examine(home, deep=True) if check.status == "damage"] == []
    assert service.store.tracks.sound_of(made.id) is not None


def test_silent_tracks_are_not_measured_again_and_again(tmp_path):
    store = open_store(tmp_path)
    add(store, "silent", loudness_lufs=None)
    assert store.tracks.unmeasured() == []

"""Tracks that sound alike, in a catalog: kept when they are made, worked out later for older ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from homes import vector_of

from music_catalog import cli, doctor
from music_catalog.disk.reading import to_arrow
from music_catalog.errors import InputError, NotFound
from music_catalog.generator.audio import timbre
from music_catalog.store.rows import to_track_row

ASKED = {"duration_s": 3.0, "quality": "preview", "backend": "procedural", "reuse": "never"}


def hits(found):
    return [hit.track.id for hit in found]


@pytest.fixture
def four(service):
    """Two pianos and two drum machines, made for texts that say nothing of it."""
    texts = ("The first chapter.", "The report is late.", "A letter from home.", "Bread and butter.")
    styles = ("sad_piano", "dark_techno", "sad_piano", "dark_techno")
    return [
        service.find_or_make(text, preset=style, **ASKED).track
        for text, style in zip(texts, styles, strict=True)
    ]


def forget_sounds(service):
    """Make the rows as they were before sounds were kept."""
    table = service.store.tracks.table

    def write(lance):
        for track in service.store.tracks.list():
            row = to_track_row(track, service.store.tracks.vector_of(track.id))
            merge = lance.merge_insert("id").when_matched_update_all().use_index(False)
            merge.execute(to_arrow([row], lance.schema), on_bad_vectors="null")

    table.durable.commit("forgetting", write)


def test_similar_by_sound_and_by_text(service, four):
    piano, drums, piano_2, drums_2 = (track.id for track in four)
    assert hits(service.similar(piano, by="sound"))[0] == piano_2
    assert hits(service.similar(drums, by="sound"))[0] == drums_2
    assert set(hits(service.similar(piano))) == {drums, piano_2, drums_2}
    (hit,) = service.similar(drums[:8], by="sound", limit=1)
    assert hit.path.is_file()
    assert 0.5 < hit.score <= 1.0
    assert hits(service.similar(piano, by="sound", style="dark_techno", limit=3)) != []
    service.store.tracks.trash(piano_2)
    assert piano_2 not in hits(service.similar(piano, by="sound"))
    with pytest.raises(InputError, match="similar by 'words' is not known"):
        service.similar(piano, by="words")
    with pytest.raises(NotFound):
        service.similar("zzz")


def test_a_changed_row_keeps_its_sound(service, four):
    before = service.store.tracks.sound_of(four[0].id)
    assert before.shape == (timbre.DIMENSION,)
    service.store.tracks.update(four[0].id, rating=5)
    np.testing.assert_array_equal(service.store.tracks.sound_of(four[0].id), before)
    assert service.store.care.check(deep=True) == []


def test_older_tracks_are_listened_to_when_asked(service, four):
    before = {track.id: service.store.tracks.sound_of(track.id) for track in four}
    forget_sounds(service)
    assert service.store.tracks.sound_of(four[0].id) is None
    assert len(service.store.tracks.without_sound()) == 4
    assert service.similar(four[0].id, by="sound") == []  # itself is known now, the others not
    assert len(service.store.tracks.without_sound()) == 3
    noted = [check for check in doctor.examine(str(service.store.home)) if check.name == "sounds"]
    assert [check.status for check in noted] == ["note"]
    fixed = [check for check in doctor.examine(str(service.store.home), fix=True) if check.name == "sounds"]
    assert fixed[0].detail == "3 of 3 tracks listened to"
    for track in four:
        assert service.store.tracks.get(track.id) == track
        np.testing.assert_allclose(service.store.tracks.sound_of(track.id), before[track.id], atol=0.05)


def test_a_silent_track_cannot_be_compared_by_sound(service, four):
    from homes import stored

    silent = stored(service.store, "silent", encoder=service.encoder.identity)
    path = service.store.audio.path_of(silent)
    from music_catalog.generator import Audio, audio

    data = audio.encode(Audio(np.zeros((32_000, 1), np.float32), 32_000))
    relative, sha256, size = service.store.audio.put(data)
    changed = {"audio_path": relative, "audio_sha256": sha256, "audio_bytes": size}
    service.store.tracks.insert(silent.model_copy(update=changed), np.ones(service.encoder.dimension))
    assert path.exists()
    with pytest.raises(InputError, match="silent or too short to be compared by sound"):
        service.similar("silent", by="sound")
    assert hits(service.similar("silent", limit=2))


def test_a_track_that_is_too_short_to_compare_waits_for_nothing(service):
    from homes import stored

    vector = np.ones(service.encoder.dimension)
    for name, duration_s in (("short", 0.1), ("long", 3.0)):
        track = stored(service.store, name, encoder=service.encoder.identity, duration_s=duration_s)
        service.store.tracks.insert(track, vector)
    assert [track.id for track in service.store.tracks.without_sound()] == ["long"]


def test_the_command(service, four):
    args = [
        "similar",
        four[0].id,
        "--by",
        "sound",
        "--limit",
        "1",
        "--home",
        str(service.store.home),
        "--json",
    ]
    done = CliRunner().invoke(cli.catalog, args)
    assert done.exit_code == 0, done.output
    assert [hit["id"] for hit in json.loads(done.stdout)["hits"]] == [four[2].id]


def test_rows_without_a_sound_are_whole_rows():
    from builders import a_track

    row = to_track_row(a_track(), vector_of("a"))
    assert (row["sound"], row["sound_kind"], row["sound_sha256"]) == (None, "", "")

"""Tracks that are handed out as files and added again: tags, style, quality and rank."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
import soundfile as sf
from builders import a_track

from music_catalog.export import export_tracks, write_zip
from music_catalog.file_tags import credits_of, has_tags, tags_of, wav_of
from music_catalog.generator import Audio, audio
from music_catalog.generator.audio.files import MAX_TAG_BYTES
from music_catalog.intake.tags import read_tags

RATE = 32_000


def tone(hz: float) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(8 * RATE) / RATE)).astype(np.float32)


@pytest.fixture
def service(prepared_here, open_service):
    return open_service()


@pytest.fixture
def added(service, tmp_path):
    """A piece without a word on its style, by an artist and under a licence."""
    path = tmp_path / "x9.flac"
    sf.write(path, tone(220), RATE)
    batch = service.add(path, license="CC-BY-4.0", source="https://music.example/x9")
    track = service.get(batch.files[0].track_id)
    assert track.style == "unsorted"
    row = {"config": {**track.config, "artist": "Jö Doe"}}
    return track.model_copy(update={**row, "title": "Ünder <b>sea</b>, ocean waves and ships"})


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_exported_music_keeps_title_artist_licence_and_style(service, added, open_service, tmp_path, form):
    (file,) = export_tracks(service.store, [added], form, str(tmp_path / "out"))
    words = read_tags(file)
    assert (words.title, words.artist, words.license) == (added.title, "Jö Doe", "CC-BY-4.0")
    assert (words.source, words.made_by, words.ai_generated) == ("https://music.example/x9", "", False)
    other = open_service(tmp_path / "other")
    again = other.get(other.add(file).files[0].track_id)
    assert (again.title, again.config["artist"], again.license) == (added.title, "Jö Doe", "CC-BY-4.0")
    assert (again.style, again.quality, again.model_rank) == ("unsorted", "final", added.model_rank)


def test_a_wav_is_handed_out_with_the_samples_that_are_stored(service, added):
    stored = service.store.audio.verified_path(added)
    data = b"".join(wav_of(added, stored))
    assert audio.read(data).samples.tobytes() == audio.read(stored).samples.tobytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert audio.read_tags(data)["artist"] == "Jö Doe"


def test_a_wav_of_a_model_under_a_licence_says_the_licence(tmp_path):
    (tmp_path / "made.wav").write_bytes(audio.encode(Audio(tone(220)[:, None], RATE), title="A line"))
    track = a_track(backend="mlx", weights_license="CC-BY-NC-4.0")
    tags = audio.read_tags(b"".join(wav_of(track, tmp_path / "made.wav")))
    assert (tags["license"], tags["title"]) == ("CC-BY-NC-4.0", track.summary)
    assert not has_tags(track)
    assert has_tags(a_track(backend="procedural", weights_license="none"))


def test_many_credits_of_a_mix_fit_into_its_tags():
    tracks = [a_track(title=f"{number} {'ß' * 150}") for number in range(20)]
    said = credits_of([*tracks, tracks[0]])
    assert said.startswith(f'Music: "{tracks[0].title}" by ')
    assert len(said.encode()) <= MAX_TAG_BYTES
    assert credits_of(tracks[:1] * 3).count(tracks[0].title) == 1


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_list_keeps_whose_imported_music_is(service, added, open_service, tmp_path, form):
    config = {**added.config, "artist": "Jö Doe", "album": "Ships", "rights": "(c) Jö"}
    track = added.model_copy(update={"config": config, "model": "Jö Doe"})
    (listed,) = export_tracks(service.store, [track], form, str(tmp_path / f"l.{form}"))
    other = open_service(tmp_path / "other")
    again = other.get(other.add(listed=listed).files[0].track_id)
    kept = ("artist", "album", "rights", "source")
    assert [again.config.get(name) for name in kept] == [config.get(name) for name in kept]
    assert (again.model, again.config.get("made_by"), again.style) == ("Jö Doe", None, "unsorted")


def test_a_zip_has_the_tags(service, added, tmp_path):
    write_zip(service.store, [added], tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        tags = audio.read_tags(io.BytesIO(archive.read(archive.namelist()[0])).getvalue())
    assert (tags["title"], tags["license"]) == (added.title, "CC-BY-4.0")


def test_a_preview_of_the_synthesizer_is_no_final_of_a_large_model(service, open_service, tmp_path):
    made = service.find_or_make("The kraken rises from the deep!", quality="preview").track
    other = open_service(tmp_path / "other")
    (file,) = export_tracks(service.store, [made], "wav", str(tmp_path / "out"))
    again = other.get(other.add(file).files[0].track_id)
    assert (again.quality, again.model_rank, again.style) == ("preview", 0, made.style)
    for form in ("csv", "jsonl"):
        (listed,) = export_tracks(service.store, [made], form, str(tmp_path / f"l.{form}"))
        third = open_service(tmp_path / form)
        one = third.get(third.add(listed=listed).files[0].track_id)
        assert (one.quality, one.model_rank, one.style) == ("preview", 0, made.style)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("sign", ["ß", '"', "\\", "\x01", "\0", "\ud800"])
@pytest.mark.parametrize("backend", ["imported", "musicgen"])
def test_long_words_leave_room_for_the_mark(form, sign, backend):
    long = dict.fromkeys(("artist", "made_by", "source", "rights"), sign * 2000)
    # A row may hold what the model refuses today.
    track = a_track(backend=backend, config=long).model_copy(
        update={
            "title": sign * 200,
            "weights_license": sign * 3_000,
            "model": sign * 500,
            "style": sign * 300,
        }
    )
    tags = tags_of(track)
    assert len("".join(tags.values()).encode()) <= MAX_TAG_BYTES
    read = audio.read_tags(audio.encode(Audio(tone(220)[:, None], RATE), form, **tags))
    assert json.loads(read["comment"])["id"] == track.id


@pytest.mark.parametrize("source", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_a_converted_file_keeps_its_tags(tmp_path, source, form):
    tags = {"title": "Rain", "comment": "a bed", "artist": "Jo Doe", "license": "CC0"}
    path = tmp_path / f"a.{source}"
    path.write_bytes(audio.encode(Audio(tone(220)[:, None], RATE), source, **tags))
    audio.convert(path, tmp_path / f"b.{form}", form)
    assert audio.read_tags(tmp_path / f"b.{form}") == tags

"""Going on from a track of the catalog, by a small random MusicGen behind the service."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_musicgen import write_checkpoint

from music_catalog.errors import InputError, NotFound, Unavailable

pytest.importorskip("mlx.core")
pytest.importorskip("torch")
pytest.importorskip("transformers")

from music_catalog.generator import ProceduralGenerator
from music_catalog.generator.audio import resample
from music_catalog.generator.musicgen.adapter import MusicgenAdapter
from music_catalog.generator.weights import models as weights

CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
SHORT = {"duration_s": 1.0, "quality": "preview"}
LONGER = {"duration_s": 1.6, "quality": "preview"}


class Tiny:
    """A small random MusicGen whose output is brought to a rate that audio files have; its codes stay."""

    def __init__(self, folder):
        self.adapter = MusicgenAdapter.from_pretrained(folder)
        self.adapter.token_limit = 512

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        made = self.adapter.generate_music(prompt, config, **rest)
        return replace(resample(made, 32_000), codes=made.codes)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "musicgen-small"
    write_checkpoint(folder)
    return folder, Tiny(folder)


@pytest.fixture
def service(open_service, tiny, monkeypatch):
    folder, generator = tiny
    monkeypatch.setattr(weights, "find", lambda size: folder)
    return open_service(generators=generator)


def codes_file(service, track):
    return service.store.audio.path_of(track).with_suffix(".codes.npz")


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def test_a_track_keeps_its_codes_beside_its_audio(service):
    track = service.find_or_make(CALM, **SHORT).track
    assert track.backend == "mlx"
    codes = service.store.audio.codes_of(track)
    assert codes.shape == (4, 50)
    assert codes_file(service, track).is_file()
    assert service.store.care.check(deep=True) == []
    assert service.store.care.stats()["audio_files"] == 1


def test_a_continuation_begins_with_the_codes_of_the_track(service):
    first = service.find_or_make(CALM, **SHORT).track
    result = service.find_or_make(CALM, continue_from=first.id[:8], **LONGER)
    assert (result.action, result.track.duration_s) == ("generated", 1.6)
    assert result.track.config["continue_from"] == first.id
    assert result.track.config_sources["continue_from"] == "caller"
    assert not any("encoded again" in warning for warning in result.warnings)
    codes = service.store.audio.codes_of(result.track)
    assert codes.shape == (4, 80)
    assert np.array_equal(codes[:, :50], service.store.audio.codes_of(first))


def test_no_flipped_bit_of_kept_codes_is_an_error_or_believed(service):
    first = service.find_or_make(CALM, **SHORT).track
    file = codes_file(service, first)
    whole, codes = file.read_bytes(), service.store.audio.codes_of(first)
    for place in range(len(whole)):
        for bit in (1, 32):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            read = service.store.audio.codes_of(first)
            assert read is None or np.array_equal(read, codes), place


def test_only_the_same_continuation_is_reused(service):
    first = service.find_or_make(CALM, **SHORT).track
    other = service.generate(CALM, **SHORT).track
    made = service.find_or_make(CALM, continue_from=first.id, **LONGER)
    again = service.find_or_make(CALM, continue_from=first.id, **LONGER)
    assert (again.action, again.track.id) == ("reused", made.track.id)
    elsewhere = service.find_or_make(CALM, continue_from=other.id, **LONGER)
    assert elsewhere.action == "generated"
    together = service.find_or_make_all([CALM, CALM + " Indeed."], continue_from=first.id, **LONGER)
    assert [result.action for result in together] == ["reused", "generated"]


def test_without_kept_codes_the_audio_is_encoded_and_that_is_said(service):
    first = service.find_or_make(CALM, **SHORT).track
    file = codes_file(service, first)
    whole = file.read_bytes()
    assert service.store.audio.codes_of(first) is not None
    for damaged in (b"no archive", b"", whole[: len(whole) // 2], flipped(whole, 80), None):
        if damaged is None:
            file.unlink()
        else:
            file.write_bytes(damaged)
        assert service.store.audio.codes_of(first) is None
    result = service.generate(CALM, continue_from=first.id, **LONGER)
    assert result.track.duration_s == 1.6
    assert any("its audio was encoded again" in warning for warning in result.warnings)


def test_codes_go_with_their_audio(service):
    track = service.find_or_make(CALM, **SHORT).track
    file = codes_file(service, track)
    service.store.tracks.trash(track.id)
    assert file.is_file()
    service.store.care.purge()
    assert not file.exists()


def test_what_cannot_be_continued_is_refused(service, open_service):
    first = service.find_or_make(CALM, **SHORT).track
    with pytest.raises(NotFound, match="there is no track"):
        service.find_or_make(CALM, continue_from="nothing", **LONGER)
    with pytest.raises(InputError, match=r"lasts 1 s and duration_s is 1 .*ask for more"):
        service.find_or_make(CALM, continue_from=first.id, **SHORT)
    synthesizer = open_service(generators=lambda backend, size: ProceduralGenerator())
    with pytest.raises(Unavailable, match="procedural generator cannot continue"):
        synthesizer.find_or_make(CALM, continue_from=first.id, backend="procedural", **LONGER)
    assert service.store.care.stats()["rows"] == 1

"""Which of several copies of a recording is taken first."""

from __future__ import annotations

import mutagen.flac
import numpy as np
import pytest
import soundfile as sf

from music_catalog.intake.finding import Found, find
from music_catalog.intake.preference import rank
from music_catalog.intake.words import Words

NOISE = np.random.default_rng(0).uniform(-0.1, 0.1, (44_100, 2)).astype(np.float32)


def names(found, said=lambda _: Words()):
    return [one.path.name for one in sorted(found, key=lambda one: rank(one, said(one)))]


@pytest.fixture
def folder(tmp_path):
    sf.write(tmp_path / "a.ogg", NOISE, 44_100)
    sf.write(tmp_path / "b low.mp3", NOISE, 44_100, bitrate_mode="CONSTANT", compression_level=0.9)
    sf.write(tmp_path / "c high.mp3", NOISE, 44_100, bitrate_mode="CONSTANT", compression_level=0.0)
    sf.write(tmp_path / "d.flac", NOISE, 44_100, subtype="PCM_16")
    sf.write(tmp_path / "e deep.flac", NOISE, 44_100, subtype="PCM_24")
    sf.write(tmp_path / "f told.flac", NOISE, 44_100, subtype="PCM_16")
    tags = mutagen.flac.FLAC(tmp_path / "f told.flac")
    tags["title"], tags["genre"] = "Rainy Window", "lo-fi hip hop"
    tags.save()
    return tmp_path


def test_lossless_comes_first_then_the_higher_rate_then_what_is_told_of_more(folder):
    (folder / "broken.mp3").write_bytes(b"nonsense" * 20)
    ordered = names(find([folder]))
    assert ordered[:3] == ["e deep.flac", "f told.flac", "d.flac"]
    assert ordered.index("c high.mp3") < ordered.index("b low.mp3")
    assert ordered[-1] == "broken.mp3"
    listed = {"d.flac": Words(artist="A", album="B", source="C")}
    assert names(find([folder]), lambda one: listed.get(one.path.name, Words()))[1] == "d.flac"


def test_an_object_is_known_by_its_name_and_what_a_list_says(tmp_path):
    found = [Found(tmp_path / name, address=f"s3://bucket/{name}") for name in ("a.mp3", "b.flac", "c.flac")]
    assert names(found) == ["b.flac", "c.flac", "a.mp3"]
    assert names(found, lambda one: Words(artist="A" if "c.flac" in one.address else "")) == [
        "c.flac",
        "b.flac",
        "a.mp3",
    ]


def test_a_name_that_the_disk_refuses_to_look_at_ends_no_call(tmp_path):
    long = tmp_path / f"{'x' * 300}.wav"
    assert names([Found(long), Found(tmp_path / "gone.mp3")]) == [long.name, "gone.mp3"]

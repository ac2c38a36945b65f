"""What is shown of a track: words for what was measured, and its spectrum in letters."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders import a_track

from music_catalog.generator.protocol import Audio
from music_catalog.models import Heard, HeardTag, Measured, Suggested
from music_catalog.portrait.spectrum import SHADES, spectrum_lines
from music_catalog.portrait.structure import structure_json
from music_catalog.portrait.words import in_words

PARTS = {
    "beats": [0.5, 1.0, 61.5],
    "sections": [
        {"start_s": 0.0, "end_s": 14.3, "label": "A"},
        {"start_s": 14.3, "end_s": 62.0, "label": "B"},
    ],
}
WHOLE = {"beats": [], "sections": [{"start_s": 0.0, "end_s": 9.0, "label": "A"}]}
SHORT = {"beats": [], "sections": []}
MEASURED = Measured(loudness_range_lu=3.0, brightness_hz=640.0, density_per_s=2.0, percussiveness=0.2)


def test_the_words_tell_what_the_numbers_are():
    track = a_track(tempo_bpm=119.8, musical_key="A minor", loudness_lufs=-30.0, measured=MEASURED)
    assert in_words(track, PARTS) == {
        "beat": "120 bpm, 3 beats from 0:00 to 1:01",
        "key": "A minor",
        "sections": "A 0:00–0:14, B 0:14–1:02",
        "loudness": "quiet (−30.0 LUFS), even (3.0 LU)",
        "sound": "dark (centre 640 Hz), some sounds (2.0 a second), many strike (20%)",
        "suggests": "not known",
        "heard": "not heard",
    }


def test_what_is_not_there_is_said():
    track = a_track(tempo_bpm=None, musical_key=None, loudness_lufs=None)
    told = in_words(track, WHOLE)
    assert (told["beat"], told["key"], told["loudness"]) == ("no steady beat", "no clear key", "silent")
    assert (told["sections"], told["sound"]) == ("one, without a change", "not measured")
    assert {in_words(track, SHORT)[name] for name in ("beat", "key", "sections")} == {"too short to tell"}


def test_the_heard_brief_is_told_with_its_chances():
    suggests = Suggested(by="m", valence=0.5, energy=-0.6, styles={"sad_piano": 0.2, "ambient_lofi": 0.62})
    heard = Heard(ear="clap", tags=(HeardTag(kind="mood", name="calm", share=0.4),), valence=0.3, energy=0.0)
    told = in_words(
        a_track(tempo_bpm=99.0, measured=MEASURED.model_copy(update={"suggests": suggests}), heard=heard),
        PARTS,
    )
    assert told["suggests"] == "ambient lofi 62%, sad piano 20%; pleasant, calm"
    assert told["heard"] == "calm 40%; pleasant, neither calm nor lively"


@pytest.mark.parametrize(("hertz", "line"), [(60.0, 4), (200.0, 3), (800.0, 2), (2_000.0, 1), (8_000.0, 0)])
def test_a_tone_is_full_on_its_line_while_it_sounds(hertz, line):
    tone = np.sin(2 * np.pi * hertz * np.arange(64_000) / 32_000).astype(np.float32)
    lines = spectrum_lines(Audio(np.concatenate([tone, 0 * tone])[:, None], 32_000), 10)
    assert [len(one) for one in lines] == [10] * 5
    assert lines[line] == SHADES[-1] * 5 + SHADES[0] * 5


def test_silence_and_a_click_can_be_drawn():
    assert set("".join(spectrum_lines(Audio(np.zeros((10, 2), np.float32), 32_000), 7))) == {" "}
    assert SHADES[-1] in "".join(spectrum_lines(Audio(np.ones((3, 1), np.float32), 8_000), 40))


def test_what_was_found_is_kept_for_the_audio_and_its_tempo():
    kept, read = {}, []

    def keep(kind, name, make):
        if (kind, name) not in kept:
            kept[kind, name] = make()
        return io.BytesIO(kept[kind, name])

    def samples():
        read.append(1)
        return Audio(0.1 * np.random.default_rng(0).standard_normal((8 * 8_000, 1)).astype(np.float32), 8_000)

    track = a_track(tempo_bpm=100.0)
    first = structure_json(track, samples, keep)
    assert structure_json(track, samples, keep) == first
    assert len(read) == 1
    structure_json(track.model_copy(update={"tempo_bpm": None}), samples, keep)
    assert len(read) == 2
    assert first["sections"][0]["start_s"] == 0.0

"""A story becomes one timeline: scenes, themes that return, cues and a plot; and what cannot be scored is refused."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import WordHashEncoder

from music_catalog import MusicService
from music_catalog.errors import InputError, Unavailable
from music_catalog.generator import Audio, audio
from music_catalog.soundtrack.renderers import COVERS, renderer
from music_catalog.soundtrack.score import score
from music_catalog.soundtrack.story import read_story, split_scenes

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "story.jsonl"
SHORT = {"quality": "preview", "backend": "procedural"}
STORY = [
    {"text": "The forest is calm, birds sing softly.", "tags": {"environment": "forest"}},
    {"text": "Leaves rustle, calm and peaceful.", "tags": {"environment": "forest"}},
    {"text": "Waves roll softly, calm and peaceful.", "tags": {"environment": "ocean"}},
    {"text": "The forest is calm again, birds sing softly.", "tags": {"environment": "forest"}},
    {
        "text": "Horror! Terrified screams, murder and death, a dreadful night of fear.",
        "environment": "forest",
    },
]


class Hummer:
    """Speaks any text as a hum, a tenth of a second a word."""

    def render(self, text, target):
        time_s = np.arange(round(0.1 * len(text.split()) * 16_000)) / 16_000
        hum = 0.3 * np.sign(np.sin(2 * np.pi * 120 * time_s)) * (np.sin(2 * np.pi * 3 * time_s) > -0.5)
        target.write_bytes(audio.encode(Audio(hum.astype(np.float32)[:, None], 16_000)))


@pytest.fixture
def story(tmp_path):
    def write(chunks=STORY):
        path = tmp_path / "story.jsonl"
        path.write_text("".join(json.dumps(chunk) + "\n" for chunk in chunks), "utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """One scored story for all that look at it."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "story.jsonl").write_text("".join(json.dumps(chunk) + "\n" for chunk in STORY), "utf-8")
    with MusicService.open(folder / "home", encoder=WordHashEncoder()) as service:
        files = folder / "story.jsonl", folder / "out.wav"
        payload = score(service, *files, voice=Hummer(), stems=folder / "stems", **SHORT)
    return payload, folder


def test_scenes_go_on_turn_and_return(service, story):
    scenes = split_scenes(read_story(story(), service))
    assert [(scene.place, len(scene.chunks)) for scene in scenes] == [
        ("forest", 2),
        ("ocean", 1),
        ("forest", 1),
        ("forest", 1),
    ]
    first, sea, back, horror = (scene.theme for scene in scenes)
    assert first == back
    assert len({first, sea, horror}) == 3


def test_one_command_makes_everything_and_themes_come_back(scored):
    payload, folder = scored
    ids = [row["track_id"] for row in payload["scenes"]]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 3
    mixed, rate = soundfile.read(folder / "out.wav", always_2d=True)
    assert len(mixed) / rate == pytest.approx(payload["duration_s"], abs=0.01)
    voice, _ = soundfile.read(folder / "stems" / "out.voice.wav", always_2d=True)
    music, _ = soundfile.read(folder / "stems" / "out.music.wav", always_2d=True)
    assert np.abs(mixed - voice - music).max() < 2e-4
    loud = np.abs(music[: len(music) // rate * rate].reshape(-1, rate, 2)).max(axis=(1, 2))
    assert np.all(loud[1:-6] > 1e-3), "music all the way"
    assert payload["safety_gain"] == 1.0


def test_cross_fades_begin_on_a_beat_and_cues_tell_all(scored):
    payload, folder = scored
    sheet = json.loads((folder / "out.json").read_text("utf-8"))
    music = [cue for cue in sheet["cues"] if cue["kind"] == "music"]
    spoken = [cue for cue in sheet["cues"] if cue["kind"] == "voice"]
    assert [cue["text"] for cue in spoken] == [chunk["text"] for chunk in STORY]
    assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(spoken))
    for before, after, row in zip(music, music[1:], payload["scenes"], strict=False):
        assert after["start_s"] < before["end_s"], "they overlap"
        if row["tempo_bpm"]:
            beats = (after["start_s"] - before["start_s"]) * row["tempo_bpm"] / 60
            assert abs(beats - round(beats)) < 0.01
    vtt = (folder / "out.vtt").read_text("utf-8")
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> ")
    assert "[music: environment_forest" in vtt


def test_the_plot_is_a_drawing_of_the_moods(scored):
    payload, folder = scored
    root = ElementTree.parse(folder / "out.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == 2
    assert len(root.findall(f"{space}circle")) == 2 * len(STORY)
    words = [text.text for text in root.findall(f"{space}text")]
    assert {"valence", "energy", "forest"} <= set(words)
    assert payload["scenes"][0]["track_id"][:8] in words


def test_a_narration_of_ones_own_and_reading_time_without(service, story, tmp_path):
    Hummer().render("one two three four five six seven eight nine ten", tmp_path / "spoken.wav")
    path = story(
        [{**STORY[0], "narration": "spoken.wav"}, "Ten words are read in about four seconds by anyone."]
    )
    payload = score(service, path, tmp_path / "out.flac", **SHORT)
    assert payload["duration_s"] == pytest.approx(2.5 + 1.0 + 0.7 + 10 / 2.6 + 5.0, abs=0.5)


def test_the_example_is_twenty_chunks(service):
    assert len(read_story(EXAMPLE, service)) == 20


@pytest.mark.parametrize(
    ("chunks", "word"),
    [
        ([], "no chunks"),
        ([{"text": "x", "tags": {"environment": "forrest"}}], "did you mean forest"),
        ([{"text": "x", "narration": "gone.wav"}], "not there"),
        ([{"text": "x", "narration": 3}], "path of an audio file"),
        ([{"words": "x"}], "no text"),
        (["x", {"text": "x", "tags": "forest"}], "line 2: the tags are 'forest'"),
    ],
)
def test_a_story_that_cannot_be_scored_is_refused_with_its_chunk(service, story, tmp_path, chunks, word):
    with pytest.raises(InputError, match=word):
        score(service, story(chunks), tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("out", ["", ".", "out"])
def test_a_name_without_an_ending_is_refused(service, story, out):
    with pytest.raises(InputError, match="the ending picks the format"):
        score(service, story(), out)


def test_a_broken_narration_and_files_in_the_way(service, story, tmp_path):
    (tmp_path / "spoken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    with pytest.raises(InputError, match=r"line 2 .*narration"):
        score(
            service, story([STORY[0], {**STORY[0], "narration": "spoken.wav"}]), tmp_path / "out.wav", **SHORT
        )
    (tmp_path / "out.svg").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        score(service, story(), tmp_path / "out.wav", **SHORT)
    assert (tmp_path / "out.svg").read_text() == "mine"
    (tmp_path / "stems").mkdir()
    (tmp_path / "stems" / "other.music.wav").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        score(service, story(), tmp_path / "other.wav", stems=tmp_path / "stems", **SHORT)
    with pytest.raises(InputError, match="cannot be read"):
        score(service, tmp_path / "no.jsonl", tmp_path / "other.wav")


def test_a_narrator_that_fails_leaves_nothing(service, story, tmp_path):
    class Mute:
        def render(self, text, target):
            raise Unavailable("no voice")

    class Painter:
        def render(self, text, target):
            raise Unavailable("no such painter")

    with pytest.raises(Unavailable):
        score(service, story(), tmp_path / "out.wav", voice=Mute(), **SHORT)
    with pytest.raises(Unavailable, match="no such painter"):
        score(service, story(STORY[:1]), tmp_path / "out.wav", cover=Painter(), **SHORT)
    with pytest.raises(Unavailable, match="uv tool install mflux"):
        score(
            service, story(), tmp_path / "out.wav", cover=renderer("mflux:program=/no/such", COVERS), **SHORT
        )
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["story.jsonl"]


def test_a_chunk_with_nothing_to_say_is_music_alone(service, story, tmp_path):
    class Speaker(Hummer):
        def render(self, text, target):
            if text == "* * *":
                target.write_bytes(audio.encode(Audio(np.zeros((8_000, 1), np.float32), 16_000)))
            else:
                super().render(text, target)

    payload = score(service, story([STORY[0], "* * *"]), tmp_path / "out.wav", voice=Speaker(), **SHORT)
    assert any("line 2" in note for note in payload["warnings"])
    assert payload["duration_s"] > 8


def test_lines_are_counted_as_an_editor_does(service, tmp_path):
    path = tmp_path / "story.jsonl"
    path.write_text('"One\u2028and the same line."\n\n{"text": "x", "environment": "forrest"}\n', "utf-8")
    with pytest.raises(InputError, match=r"story.jsonl, line 3: unknown environment"):
        read_story(path, service)
    path.write_text('"x"\n{bad\n', "utf-8")
    with pytest.raises(InputError, match=r"story.jsonl: line 2 is not JSON"):
        read_story(path, service)

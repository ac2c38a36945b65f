"""Scenes: tags and text, the preset of a place, the mood that bends it, loops at any length."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from music_catalog.errors import InputError
from music_catalog.export import write_at_length
from music_catalog.generator import Audio, audio
from music_catalog.request import scene
from music_catalog.request.scene import loop_length_s, read_scene

WOOD = "Deep in the forest the leaves rustle over moss and pines, and birds sing in the trees."
SHORT = {"quality": "preview", "backend": "procedural"}


@pytest.fixture
def service(open_service, monkeypatch):
    """A service whose loops last 4 s, where those of scenes last half a minute and more."""
    for name in ("SHORTEST_LOOP_S", "LONGEST_LOOP_S"):
        monkeypatch.setattr(scene, name, 4.0)
    return open_service()


def test_the_text_says_where_it_is_and_the_preset_follows(service):
    result = service.scene(WOOD, **SHORT)
    assert (result.track.style, result.track.role, result.track.loopable) == (
        "environment_forest",
        "loop_bed",
        True,
    )
    assert result.track.seam is not None
    assert not any("tags" in warning for warning in result.warnings)


def test_tags_win_over_the_text_and_it_is_noted(service):
    result = service.scene({"text": WOOD, "tags": {"environment": "ocean"}}, **SHORT)
    assert (result.track.style, result.track.environment) == ("environment_ocean", "ocean")
    assert any("forest" in warning and "tags win" in warning for warning in result.warnings)
    named = service.scene({"text": WOOD, "environment": "ocean"}, environment="cave", **SHORT)
    assert named.track.style == "environment_cave"


def test_a_place_that_nobody_names_leaves_the_style_to_the_mood(service):
    result = service.scene("Profits rose by four percent in the third quarter.", **SHORT)
    assert not result.track.style.startswith("environment_")
    assert any("where the scene is set" in warning for warning in result.warnings)


def test_mood_and_hour_bend_the_same_place(service):
    calm = service.scene(WOOD, environment="forest", time_of_day="dawn", valence=0.6, energy=-0.6, **SHORT)
    grim = service.scene(WOOD, environment="forest", time_of_day="night", valence=-0.8, energy=0.2, **SHORT)
    bright, dark = (one.track.config["synthesis"] for one in (calm, grim))
    assert calm.track.id != grim.track.id
    assert bright["mode"] in ("major", "lydian")
    assert dark["mode"] in ("minor", "phrygian")
    assert "birds" in bright["textures"]
    assert {"crickets", "owl"} <= dark["textures"].keys()
    assert dark["register_shift"] < bright["register_shift"]


def test_a_loop_serves_any_length_and_only_loops_serve(service):
    service.find_or_make(WOOD, preset="environment_forest", role="background_bed", **SHORT)
    first = service.scene(WOOD, duration_s=40, **SHORT)
    again = service.scene(WOOD, duration_s=300, **SHORT)
    assert (first.action, again.action) == ("generated", "reused")
    assert again.track.id == first.track.id


@pytest.mark.parametrize(("asked_s", "made_s"), [(0.5, 30), (45, 45), (3000, 60)])
def test_how_long_a_loop_is_made(asked_s, made_s):
    assert loop_length_s(asked_s) == made_s


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), 1e6])
def test_a_length_that_cannot_be_served(bad):
    with pytest.raises(InputError, match="duration_s"):
        loop_length_s(bad)


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"environment": "forrest"}, "did you mean forest"),
        ({"environment": "moon base"}, "valid: cave, city"),
        ({"time_of_day": "noonish"}, "valid: dawn"),
    ],
)
def test_an_unknown_tag_is_refused_with_the_nearest(tags, word):
    with pytest.raises(InputError, match=word):
        read_scene("some text", **tags)
    with pytest.raises(InputError, match=word):
        read_scene({"text": "some text", "tags": tags})


def test_tags_as_pipelines_write_them():
    context = read_scene(
        {"chunk": "x", "tags": {"environment": "environment_Forest", "time_of_day": " Dawn"}}
    )
    assert (context.environment, context.time_of_day) == ("forest", "dawn")


@pytest.mark.parametrize("duration_s", [0.3, 1.0, 2.0, 5.25])
def test_a_loop_is_written_at_any_length_without_a_seam(tmp_path, duration_s):
    rate = 8_000
    turn = (0.4 * np.sin(2 * np.pi * 50 * np.arange(rate) / rate)).astype(np.float32)
    source, target = tmp_path / "loop.wav", tmp_path / "long.flac"
    source.write_bytes(audio.encode(Audio(np.stack([turn, turn], 1), rate), title="a loop"))
    write_at_length(source, target, duration_s)
    made, _ = soundfile.read(target, always_2d=True)
    assert made.shape == (round(duration_s * rate), 2)
    whole = np.tile(turn, 6)[: len(made)]
    steady = (
        len(made) if duration_s % 1 == 0 else round(max(0.0, len(made) - 0.5 * rate * min(1, duration_s)))
    )
    assert np.abs(made[:steady, 0] - whole[:steady]).max() < 1e-3
    assert audio.read_tags(target)["title"] == "a loop"
    if duration_s % 1:
        assert np.abs(made[-3:]).max() < 0.01

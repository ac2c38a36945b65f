"""Pictures over HTTP: the outline of a waveform, the spectrogram, and the map."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from calls import samples

from music_catalog.web.layout.axes import fit, kept_axes
from music_catalog.web.routes.pictures import HEIGHT, WIDTH, colours, spectrogram_png


@pytest.mark.parametrize("points", [1, 7, 400, 2000])
def test_peaks_outline_the_waveform(client, made, points):
    payload = client.get(f"/api/tracks/{made['id']}/peaks?points={points}").json()
    wave = samples(client, made["id"])
    assert (payload["points"], payload["duration_s"]) == (points, 1.0)
    assert len(payload["min"]) == len(payload["max"]) == points
    starts = np.arange(points) * 2000 // points
    frames = starts * len(wave) // 2000
    low = np.minimum.reduceat(wave.min(axis=1), frames)
    high = np.maximum.reduceat(wave.max(axis=1), frames)
    assert np.abs(low - payload["min"]).max() < 0.006
    assert np.abs(high - payload["max"]).max() < 0.006


def pixels(png):
    """Return the indexes and the palette of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    return lines[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)


@pytest.mark.parametrize(("hertz", "seconds"), [(110.0, 2.0), (1_000.0, 0.01), (8_000.0, 90.0)])
def test_a_spectrogram_shows_a_tone_at_its_height(hertz, seconds):
    time = np.arange(round(seconds * 32_000)) / 32_000
    image, palette = pixels(spectrogram_png(np.sin(2 * np.pi * hertz * time).astype(np.float32), 32_000))
    assert image.shape == (HEIGHT, WIDTH)
    row = HEIGHT - 1 - image[:, WIDTH // 2].argmax()
    seen = 40.0 * (16_000.0 / 40.0) ** (row / (HEIGHT - 1))
    assert abs(np.log2(seen / hertz)) < 0.15
    assert len(palette) == 256


def test_silence_is_dark():
    image, _ = pixels(spectrogram_png(np.zeros(100, np.float32), 32_000))
    assert image.max() == 0


def test_the_colours_read_the_same_in_grey():
    grey = colours() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(grey) > 0).all()


def test_a_spectrogram_is_a_picture_of_its_own(client, made):
    answer = client.get(f"/api/tracks/{made['id']}/spectrogram.png")
    assert answer.headers["content-type"] == "image/png"
    image, _ = pixels(answer.content)
    assert image.max() == 255


def test_beats_and_sections_are_found_once_and_told_in_words(client, made):
    payload = client.get(f"/api/tracks/{made['id']}/structure").json()
    assert (payload["beats"], payload["sections"]) == ([], [])
    assert payload["words"]["sections"] == "too short to tell"
    assert client.get(f"/api/tracks/{made['id']}/structure").json() == payload
    assert client.get("/api/tracks/nothing-there/structure").status_code == 404


def test_the_map_places_every_track(client, three):
    points = client.get("/api/map").json()["points"]
    assert {point["id"] for point in points} == {one["id"] for one in three}
    assert max(abs(point[axis]) for point in points for axis in "xy") == 1.0
    assert {point["title"] for point in points} == {one["track"]["summary"] for one in three}
    client.delete(f"/api/tracks/{three[0]['id']}")
    assert len(client.get("/api/map").json()["points"]) == 2


def test_the_map_places_tracks_by_their_sound(client, three):
    by_text, by_sound = client.get("/api/map").json(), client.get("/api/map?by=sound").json()
    assert (by_text["of"], by_sound["of"]) == ("context", "measured")
    assert [one["id"] for one in by_sound["points"]] == [one["id"] for one in by_text["points"]]
    assert [one["x"] for one in by_sound["points"]] != [one["x"] for one in by_text["points"]]
    assert by_sound["without"] == 0
    assert client.get("/api/map?by=nothing").status_code == 422


def test_an_empty_map_has_no_points(client):
    for by in ("context", "sound"):
        payload = client.get(f"/api/map?by={by}").json()
        assert payload["points"] == []
        assert payload["frame"]["left"] < payload["frame"]["right"]


def layout(vectors):
    return fit(vectors).place(vectors)


def test_the_map_keeps_apart_what_is_apart_and_does_not_flip():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(2, 16))
    vectors = np.repeat(centres, 20, axis=0) + 0.1 * rng.normal(size=(40, 16))
    placed = layout(vectors.astype(np.float32))
    assert placed.shape == (40, 2)
    gap = abs(placed[:20, 0].mean() - placed[20:, 0].mean())
    assert gap > 5 * placed[:20, 0].std()
    assert np.allclose(layout(vectors[::-1].astype(np.float32))[::-1], placed, atol=1e-6)
    assert np.array_equal(layout(np.ones((1, 16), np.float32)), np.zeros((1, 2)))


def test_tracks_that_are_added_move_no_other_on_the_map(tmp_path):
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(200, 16)).astype(np.float32)
    first = kept_axes(tmp_path, "e", vectors[:60])
    before = first.place(vectors[:60])
    later = kept_axes(tmp_path, "e", vectors[:110])
    assert np.allclose(later.place(vectors[:60]), before, atol=1e-6)
    assert later.frame == first.frame
    placed = later.place(100 * vectors[60:110])
    assert (placed >= later.frame[:2]).all()
    assert (placed <= later.frame[2:]).all()
    # With more than twice the tracks the axes are fitted anew, and turned so that the map is not mirrored.
    anew = kept_axes(tmp_path, "e", vectors)
    assert anew.count == 200
    turned = anew.place(vectors[:60])
    plain = fit(vectors, "e").place(vectors[:60])
    assert ((turned - before) ** 2).sum() <= ((plain - before) ** 2).sum() + 1e-9
    assert np.corrcoef(turned[:, 0], before[:, 0])[0, 1] > 0.3
    assert np.corrcoef(turned[:, 1], before[:, 1])[0, 1] > 0.3


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"count": 1}', '{"mean": [1], "main": [], "frame": [], "count": 9}']
)
def test_damaged_axes_are_fitted_again(tmp_path, damage):
    vectors = np.random.default_rng(5).normal(size=(20, 16)).astype(np.float32)
    kept = kept_axes(tmp_path, "e", vectors)
    (tmp_path / "cache" / "map.json").write_text(damage)
    assert np.allclose(kept_axes(tmp_path, "e", vectors).main, kept.main)
    assert kept_axes(tmp_path, "another encoder", vectors).encoder == "another encoder"

"""A voice that is sent comes back over a track: louder than the music, in the format wanted, and nothing is kept."""

from __future__ import annotations

import io
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from music_catalog.web import guard

RATE = 16_000
WAV = {"Content-Type": "audio/wav"}


def recording(seconds=3.0, level=0.3, form="WAV"):
    """Return bursts of noise as the bytes of a file: half a second of "speech", a quarter of silence, and so on."""
    at = np.arange(round(seconds * RATE))
    noise = np.random.default_rng(1).normal(0, level, len(at)) * ((at / RATE) % 0.75 < 0.5)
    file = io.BytesIO()
    soundfile.write(file, np.clip(noise, -1, 1), RATE, format=form)
    return file.getvalue()


def send(client, track_id, content, query="", headers=WAV):
    return client.request("POST", f"/api/tracks/{track_id}/mix{query}", content=content, headers=headers)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_a_recording_is_mixed_over_a_track(client, made, form):
    answer = send(client, made["id"], recording(form="FLAC"), f"?format={form}&loop=true")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == f"audio/{form}"
    assert f'-mix.{form}"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    samples, rate = soundfile.read(io.BytesIO(answer.content), always_2d=True)
    assert len(samples) / rate == pytest.approx(3.0 + 2.0 + 3.0, abs=0.01)
    seconds = np.arange(len(samples)) / rate - 2.0
    talking = (seconds > 0) & (seconds < 3) & (seconds % 0.75 < 0.45)
    silent = (seconds > 0) & (seconds < 3) & (seconds % 0.75 > 0.55)
    music, voice, ducked = (
        np.sqrt(np.mean(samples[part] ** 2)) for part in (seconds < -0.5, talking, silent)
    )
    assert 0 < ducked < 0.6 * music
    assert voice > 3 * ducked


def test_a_track_that_is_too_short_is_told_in_a_header(client, made):
    answer = send(client, made["id"], recording(), "?loop=false")
    assert answer.status_code == 200
    assert "the bed ends" in unquote(answer.headers["mix-warnings"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no sound at all", "the recording is no WAV, FLAC or OGG file"),
        (recording()[:2000], "the recording"),
        (recording(level=0.0), "the recording is silent; pass a recording with a voice in it"),
    ],
)
def test_what_is_no_recording_gets_a_sentence_without_a_path(client, made, content, says):
    answer = send(client, made["id"], content)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert says in detail
    assert "path" not in detail
    assert "/" not in detail


def test_only_sound_is_taken_only_there_and_only_from_here(client, made):
    assert send(client, made["id"], recording(), headers={}).status_code == 415
    assert send(client, made["id"], recording(), headers={"Content-Type": "text/plain"}).status_code == 415
    elsewhere = client.request("POST", "/api/find", content=recording(), headers=WAV)
    assert elsewhere.status_code == 415
    foreign = {**WAV, "Origin": "http://evil.example"}
    assert send(client, made["id"], recording(), headers=foreign).status_code == 403
    assert send(client, "nowhere", recording()).status_code == 404


def test_a_recording_over_the_limit_is_refused(client, made, monkeypatch):
    monkeypatch.setattr(guard, "MAX_SOUND_BYTES", 1024**2)
    answer = send(client, made["id"], bytes(1024**2 + 1))
    assert (answer.status_code, "1 MiB" in answer.json()["detail"]) == (413, True)


def test_more_recordings_than_are_held_at_once_wait_their_turn(client, made, monkeypatch):
    monkeypatch.setattr(guard, "MOST_SOUNDS", 0)
    answer = send(client, made["id"], recording())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(guard, "MOST_SOUNDS", 1)
    for _ in range(2):
        assert send(client, made["id"], recording()).status_code == 200


def test_nothing_of_a_recording_is_kept(client, made):
    home = client.app.state.shared.service.store.home
    before = {path for path in home.rglob("*") if path.is_file()}
    assert send(client, made["id"], recording()).status_code == 200
    assert {path for path in home.rglob("*") if path.is_file()} == before

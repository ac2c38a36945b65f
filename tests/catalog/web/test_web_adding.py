"""Music is sent to the service, added once, and refused where it cannot be read."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

RATE = 22_050


def piece(seed=1, form="WAV", seconds=6.0):
    time = np.arange(round(seconds * RATE)) / RATE
    random = np.random.default_rng(seed)
    hz = 220.0 * 2.0 ** (random.integers(0, 24, 64)[(time * 4).astype(int)] / 12)
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE), RATE, format=form)
    return file.getvalue()


def send(client, content, query="?name=Jazz%20Bar.wav&license=CC0-1.0", kind="audio/wav"):
    return client.request("POST", f"/api/tracks{query}", content=content, headers={"Content-Type": kind})


def test_a_file_is_added_once_and_listed(prepared_here, client):
    answer = send(client, piece())
    assert answer.status_code == 200, answer.text
    added = answer.json()
    assert (added["outcome"], added["track"]["title"]) == ("added", "Jazz Bar")
    again = send(client, piece()).json()
    assert (again["outcome"], again["track"]["id"]) == ("present", added["track"]["id"])
    copy = send(client, piece(form="FLAC"), "?name=other.flac").json()
    assert (copy["outcome"], copy["track"]["id"], copy["batch"]) == ("copy", added["track"]["id"], "")
    listed = client.get("/api/tracks?q=license:cc0").json()
    assert [track["id"] for track in listed["tracks"]] == [added["track"]["id"]]
    audio = client.get(f"/api/tracks/{added['track']['id']}/audio?format=wav")
    assert audio.content[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("content", "query", "kind", "status", "says"),
    [
        (b"nonsense", "?name=a.mp3", "audio/mpeg", 422, "a.mp3 cannot be added: it is damaged"),
        (b"", "?name=a.mp3", "audio/mpeg", 422, ""),
        (b"x", "?name=a.wav&role=bed", "audio/wav", 422, "role 'bed' is unknown"),
        (b"x", "?name=a.wav", "text/plain", 415, "such as audio/wav or audio/mpeg"),
        (b"x" * 70_000, "?name=a.wav", "application/json", 415, "such as audio/wav or audio/mpeg"),
        (b"x", "?name=a.wav&licence=CC0-1.0", "audio/wav", 422, "'licence' in the address; did you mean lic"),
    ],
)
def test_what_cannot_be_added_is_refused(client, content, query, kind, status, says):
    answer = send(client, content, query, kind)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]

"""A client of the service in this process, and a generator that can be held."""

from __future__ import annotations

import asyncio
import io
import threading

import httpx
import numpy as np
import soundfile

from music_catalog.generator import Audio

SECRET = "the-secret-of-the-home"
SHORT = {"duration_s": 1.0, "quality": "preview", "backend": "procedural"}
RAIN = "Soft rain taps on the library windows while students read in calm, peaceful silence."
WOLVES = "Wolves howl in the snow under a full moon; fear grips the tense, dark valley."
CARGO = "Container shipping volumes grew by four percent in the third quarter."


class StepGenerator:
    """Make a tone in four steps; while it is held it reports the first one over and over."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        report = on_progress or (lambda done, total: None)
        report(0, 4)
        self.began.release()
        while not self.go.wait(0.005):
            report(1, 4)
        for step in range(1, 5):
            report(step, 4)
        time = np.arange(round(config["duration_s"] * 32_000)) / 32_000
        pitch = 110.0 * (1 + config["seed"] / 2**32)
        tone = 0.1 * np.sin(2 * np.pi * pitch * time) * np.linspace(0.2, 1.0, len(time))
        samples = np.repeat(tone[:, None], 2, axis=1).astype(np.float32)
        provenance = {
            "backend": "procedural",
            "model": "steps",
            "weights_license": "none",
            "seed": config["seed"],
        }
        return Audio(samples, 32_000, {**provenance, "versions": {}})


class Client:
    """A synchronous client of an application in this process; answers whole, also where they stream."""

    def __init__(self, app, address="127.0.0.1"):
        self.app = app
        self.address = address

    def request(self, method, path, **options):
        async def ask():
            transport = httpx.ASGITransport(
                self.app, raise_app_exceptions=False, client=(self.address, 50_000)
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, json=None, **options):
        return self.request("POST", path, json={} if json is None else json, **options)

    def patch(self, path, json, **options):
        return self.request("PATCH", path, json=json, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def follow(self, job):
        """Follow a job to its end and return its events as pairs of name and data."""
        answer, events = self.get(f"/api/jobs/{job['id']}/events"), []
        assert answer.status_code == 200, answer.text
        for block in answer.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if lines:
                events.append((lines["event"], httpx.Response(200, text=lines["data"]).json()))
        return events

    def make(self, context, **choices):
        """Have a track made and return the result."""
        answer = self.post("/api/find-or-make", {"context": context, **SHORT, **choices})
        assert answer.status_code == 202, answer.text
        name, job = self.follow(answer.json()["job"])[-1]
        assert name == "done", job
        return job["result"]


def ids(answer):
    """Return the ids of the tracks in an answer."""
    assert answer.status_code == 200, answer.text
    return [track["id"] for track in answer.json()["tracks"]]


def samples(client, track_id):
    """Return the samples of a track, shape (frames, channels), as the service sends them."""
    return soundfile.read(io.BytesIO(client.get(f"/api/tracks/{track_id}/audio").content), always_2d=True)[0]

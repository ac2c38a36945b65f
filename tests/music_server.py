"""Services that make music, on loopback: ACE-Step 1.5's server in shape, and one whose answer is the audio.

The first follows acestep/api_server.py of ACE-Step 1.5 (MIT): the wrapper of each answer, the states of a task, the
result as JSON in a text, and the address of a file.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np

from music_catalog.generator import Audio, audio

RATE = 48_000


def music(seconds, seed=0, rate=RATE, format="wav"):
    """Return the bytes of a file with noise over a tone."""
    frames = round(seconds * rate)
    noise = np.random.default_rng(seed).normal(size=(frames, 2)) * 0.05
    tone = np.sin(2 * np.pi * 330.0 * np.arange(frames) / rate)[:, None] * 0.3
    return audio.encode(Audio((noise + tone).astype(np.float32), rate), format)


@dataclass
class MusicServer:
    """A running service: what it was sent, and how it goes wrong."""

    url: str = ""
    key: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests that hand in a task."""
    paths: list[str] = field(default_factory=list)
    faults: list[Callable[[Any], bool]] = field(default_factory=list)
    """Each answers one request in place of the server; it returns false to let the server answer after all."""
    polls: int = 2
    """How often a task is asked after before it is done."""
    failed: bool = False
    file: Callable[[str], str] = lambda path: f"/v1/audio?path={quote(path, safe='')}"
    made: Callable[[dict[str, Any]], bytes] = lambda body: music(
        float(body["audio_duration"]), int(body["seed"])
    )
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)


@contextmanager
def music_server(**settings):
    """Run a service until the block is left."""
    server = MusicServer(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._may_answer():
                getattr(self, f"_{urlsplit(self.path).path.strip('/').replace('/', '_')}")(body)

        def do_GET(self):
            if self._may_answer():
                path = parse_qs(urlsplit(self.path).query)["path"][0]
                self.send(200, server.made(server.tasks[path]), "audio/wav")

        def _may_answer(self):
            server.paths.append(self.path)
            if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
                self.send(401, b'{"detail": "Invalid API key"}')
                return False
            return not (server.faults and server.faults.pop(0)(self))

        def _release_task(self, body):
            server.asked.append(body)
            task = str(uuid.uuid4())
            server.tasks[f"/srv/out/{task}.wav"] = server.tasks[task] = body
            self._wrapped({"task_id": task, "status": "queued", "queue_position": 1})

        def _query_result(self, body):
            self._wrapped([self._state(task) for task in body["task_id_list"]])

        def _state(self, task):
            server.waited[task] = server.waited.get(task, 0) + 1
            status = 2 if server.failed else int(server.waited[task] > server.polls)
            file = server.file(f"/srv/out/{task}.wav") if status == 1 else ""
            entry = {"file": file, "wave": "", "status": status, "create_time": int(time.time()), "metas": {}}
            if server.failed:
                entry["error"] = "out of memory"
            return {"task_id": task, "result": json.dumps([entry]), "status": status}

        def _make(self, body):
            server.asked.append(body)
            self.send(200, server.made(body), "audio/wav")

        def _wrapped(self, data):
            answer = {
                "data": data,
                "code": 200,
                "error": None,
                "timestamp": int(time.time() * 1000),
                "extra": None,
            }
            self.send(200, json.dumps(answer).encode())

        def send(self, status, body, kind="application/json", **headers):
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Threads(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # a client that left

    http = Threads(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()

"""A language model on loopback: an OpenAI-compatible server whose answers, good and bad, a test scripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = {
    "fits": ["quiet_room", "ambient_lofi"],
    "passable": ["documentary_neutral"],
    "valence": 0.2,
    "energy": -0.6,
    "text_kind": "place",
    "place": "rain",
    "culture": None,
    "serious": 2,
}

Answer = Callable[["Exchange"], None]


@dataclass
class ChatServer:
    """Answers each request with the next of `answers`, and the last one from then on; keeps what it was asked."""

    answers: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def formats(self) -> list[str | None]:
        """Return the response format of each request; None where it had none."""
        return [body.get("response_format", {}).get("type") for body in self.asked]


class Exchange:
    """One request on its way to an answer."""

    def __init__(self, server: ChatServer, handler: BaseHTTPRequestHandler) -> None:
        self.server, self._handler = server, handler

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole response."""
        self._handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.send_header("Content-Length", str(len(body)))
        self._handler.end_headers()
        self.write(body)

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(data)
        self._handler.wfile.flush()


def says(content: Any, **message: Any) -> Answer:
    """Answer with a chat completion whose message holds `content`, a text or a value for JSON."""
    text = content if isinstance(content, str | None) else json.dumps(content)
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}}
    return raw(200, json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def fails(status: int, message: str = "no", **headers: str) -> Answer:
    """Answer with an error as OpenAI-compatible servers do."""
    return raw(status, json.dumps({"error": {"message": message, "type": "error"}}).encode(), **headers)


def raw(status: int, body: bytes, **headers: str) -> Answer:
    """Answer with these bytes."""
    return lambda exchange: exchange.send(status, body, **headers)


def silent(exchange: Exchange) -> None:
    """Answer nothing until the server ends."""
    exchange.server.ended.wait(30)


def drips(lead: bytes) -> Answer:
    """Begin with `lead` and go on with a byte now and then, without an end."""

    def drip(exchange: Exchange) -> None:
        exchange.write(lead)
        with suppress(OSError):
            while not exchange.server.ended.wait(0.05):
                exchange.write(b" ")

    return drip


@contextmanager
def serve(*answers: Answer) -> Iterator[ChatServer]:
    """Run a server on a free port until the block ends."""
    server = ChatServer(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append(json.loads(body))
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            with suppress(OSError):
                answer(Exchange(server, self))
            self.close_connection = True

        do_GET = do_POST

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        http.shutdown()
        http.server_close()
        thread.join()

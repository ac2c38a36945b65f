"""A proxy before a server of object storage, which adds latency, answers 503 at times, and counts requests."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

__all__ = ["Seen", "SlowStore"]

BUSY = (
    b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>'
)
OWN_HEADERS = {"connection", "transfer-encoding", "expect", "content-length", "keep-alive"}
"""Headers of one connection, which are not passed on."""


class Seen(NamedTuple):
    """One request: when it came (`time.perf_counter`), its kind, path with query, and the bytes that a GET names."""

    at_s: float
    kind: str
    path: str
    part: str


class SlowStore:
    """Passes requests on to the server at `target`, while the block of its `with` runs.

    A read waits `read_s` seconds, a write `write_s`. A share `refused` of the requests is answered 503 and not passed
    on; a share `forgotten` is passed on and answered 503, as by a server that dies between. All four can
    be changed at any time. `counts` has the requests since `reset` by kind: GET, HEAD, LIST, PUT, PUT if (conditional),
    POST (a part of an upload), DELETE; and "503". `seen` has them one by one, in order.
    """

    def __init__(
        self,
        target: str,
        *,
        read_s: float = 0.0,
        write_s: float = 0.0,
        refused: float = 0.0,
        forgotten: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.read_s, self.write_s, self.refused, self.forgotten = read_s, write_s, refused, forgotten
        self.counts: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self._lock, self._draw = threading.Lock(), random.Random(seed)
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        store, to = self, (parts.hostname, parts.port)

        class Handler(_Handler):
            proxy, target = store, to

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> SlowStore:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> Counter[str]:
        """Return the requests since the last reset by kind, and count from zero."""
        with self._lock:
            counted, self.counts, self.seen = self.counts, Counter(), []
        return counted

    def _count(self, kind: str, path: str, part: str) -> tuple[float, bool, bool]:
        """Count a request; return the seconds that it waits, whether it is refused, and whether it is forgotten."""
        with self._lock:
            self.counts[kind] += 1
            self.seen.append(Seen(time.perf_counter(), kind, path, part))
            drawn = self._draw.random()
            refused, forgotten = drawn < self.refused, self.refused <= drawn < self.refused + self.forgotten
            self.counts["503"] += refused or forgotten
        writes = kind.startswith("PUT") or kind in ("POST", "DELETE")
        return self.write_s if writes else self.read_s, refused, forgotten


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that was killed."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with one connection to the server beside it."""

    proxy: SlowStore
    target: tuple[str, int]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one write

    def setup(self) -> None:
        super().setup()
        self._server_side = http.client.HTTPConnection(*self.target, timeout=120)

    def finish(self) -> None:
        self._server_side.close()
        super().finish()

    def _pass_on(self) -> None:
        body = self._body()
        seconds, refused, forgotten = self.proxy._count(
            self._kind(), self.path, self.headers.get("Range", "")
        )
        time.sleep(seconds)
        if refused:
            self._answer(503, [("Content-Type", "application/xml")], BUSY)
            return
        status, headers, content = self._ask(body)
        if forgotten:
            status, headers, content = 503, [("Content-Type", "application/xml")], BUSY
        self._answer(status, headers, content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

    def _kind(self) -> str:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if self.command == "GET" and ("list-type" in query or query.get("comp") == ["list"]):
            return "LIST"
        if self.command == "POST" and "delete" in query:
            return "DELETE"
        conditional = "If-None-Match" in self.headers or "If-Match" in self.headers
        return "PUT if" if self.command == "PUT" and conditional else self.command

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        server = self._server_side
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # Host among them: it is signed
            if name.lower() not in OWN_HEADERS:
                server.putheader(name, value)
        if body or self.command in ("PUT", "POST"):
            server.putheader("Content-Length", str(len(body)))
        server.endheaders(body)
        answer = server.getresponse()
        content = answer.read()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in OWN_HEADERS]
        if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
            headers.append(("Content-Length", length))
        return answer.status, headers, content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers) and status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""

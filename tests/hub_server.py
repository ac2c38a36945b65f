"""A model hub on loopback: enough of the hub's protocol for its real client, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Serves each folder as a repository at one commit and logs every file request with its Range."""

    repos: dict[str, Path]
    cut_at: dict[str, int] = field(default_factory=dict)
    """File name to the number of bytes after which a response for it breaks off."""
    cuts_left: int = 0
    forged: set[str] = field(default_factory=set)
    """Files served with other bytes than the hub's own sha256 says."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def downloads(self, name: str) -> list[str | None]:
        """Return the Range of every GET of a file."""
        return [ranged for method, file, ranged in self.requests if method == "GET" and file == name]

    def listing(self, repo: str) -> dict[str, object]:
        siblings = []
        for file in sorted(self.repos[repo].iterdir()):
            data = file.read_bytes()
            git_sha1 = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            entry: dict[str, object] = {"rfilename": file.name, "size": len(data), "blobId": git_sha1}
            if file.suffix in (".safetensors", ".bin"):
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {
            "id": repo,
            "modelId": repo,
            "sha": COMMIT,
            "siblings": siblings,
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "cardData": {"license": "mit"},
        }


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the hub on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/.+)?", path):
                return self.answer_listing(match[1])
            if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                return self.answer_file(match[1], match[3])
            return self.answer(404, b"")

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer_listing(self, repo: str) -> None:
            if repo not in hub.repos:
                return self.answer(404, b"{}", X_Error_Code="RepoNotFound")
            return self.answer(200, json.dumps(hub.listing(repo)).encode(), Content_Type="application/json")

        def answer_file(self, repo: str, name: str) -> None:
            file = hub.repos.get(repo, Path("/nowhere")) / name
            hub.requests.append((self.command, name, self.headers.get("Range")))
            if not file.is_file():
                return self.answer(404, b"", X_Error_Code="EntryNotFound")
            data = file.read_bytes()
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            if name in hub.forged:
                data = bytes(len(data))
            start, status = 0, 200
            common = {"ETag": etag, "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
            if ranged := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
                start, status = int(ranged[1]), 206
                common["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            end = hub.cut_at.get(name, len(data)) if self.command == "GET" else len(data)
            if hub.cuts_left and start <= end < len(data):
                hub.cuts_left -= 1
                self.send_response(status)
                for key, value in common.items():
                    self.send_header(key.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write(data[start:end])
                self.close_connection = True
                return None
            return self.answer(status, data[start:], **common)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

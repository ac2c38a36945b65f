"""Requests to a service, each over by its deadline, bounded in size, cancelled from outside, and told in a sentence.

No redirect is followed, and neither the address nor the key stands in a message.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import GeneratorError

__all__ = ["Answer", "Exchange", "ServiceError", "loaded"]

MAX_JSON_BYTES = 1_000_000
TICK_S = 0.2
"""How often a caller is asked whether it still wants the music."""
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between attempts; the last one from then on."""
NOT_TAKEN = (429, 503)
"""What servers answer before they take a request: it may be sent again."""
PASSING = (*NOT_TAKEN, 502, 504)
"""Faults that pass. Of these 502 and 504 come also from a gateway whose server has begun on the request."""
SHOWN_CHARACTERS = 200
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ServiceError(GeneratorError):
    """The service gave no music. The message goes on from "the service <name> ..."."""


class Answer:
    """Status, media type and body of an answer."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        self.status, self.kind, self.body = status, kind, body


class Exchange:
    """What is said to one service for one track: every request until `deadline`, a time of `time.monotonic`.

    `tick` is called several times a second while an answer is waited for, in the thread of the caller; what it raises
    ends the request.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_s: float, retries: int, tick: Callable[[], None]
    ) -> None:
        self._headers = dict(headers)
        # A proxy that the environment names is not for a server on this machine.
        self._trust_env = urlsplit(url).hostname not in LOOPBACK
        self._timeout_s, self._deadline = timeout_s, time.monotonic() + timeout_s
        self._retries = retries
        self._tick = tick

    def post(self, url: str, body: Mapping[str, Any], *, most_bytes: int = MAX_JSON_BYTES) -> Answer:
        """Send `body` as JSON. A request that no server took is sent again. Raises ServiceError."""
        return self._send("POST", url, body, most_bytes, repeatable=False)

    def ask(
        self, url: str, body: Mapping[str, Any] | None = None, *, most_bytes: int = MAX_JSON_BYTES
    ) -> Answer:
        """Ask for something that stays as it is: a GET, or with `body` a POST; sent again after any fault."""
        return self._send("GET" if body is None else "POST", url, body, most_bytes, repeatable=True)

    def wait(self, seconds: float) -> None:
        """Wait, and go on asking the caller. Raises ServiceError where the time is over."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(TICK_S, left_s, max(0.0, self._left_s())))

    def shown(self, words: str) -> str:
        """Return what a service said, as a message may hold it: without the key, and cut to 200 characters."""
        if key := self._headers.get("Authorization", "").removeprefix("Bearer "):
            words = words.replace(key, "***")
        return words[:SHOWN_CHARACTERS]

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise ServiceError(
                f"made nothing within {self._timeout_s:g} s; give it longer with timeout_s, or ask for less"
            )
        return left_s

    def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None, most_bytes: int, *, repeatable: bool
    ) -> Answer:
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                answer = self._once(method, url, body, most_bytes)
            except _Fault as fault:
                if last or not (repeatable or fault.not_taken):
                    raise ServiceError(str(fault)) from None
            else:
                if answer.status == 200:
                    return answer
                if last or answer.status not in (PASSING if repeatable else NOT_TAKEN):
                    raise ServiceError(self._refusal(answer))
            self.wait(WAITS_S[min(attempt, len(WAITS_S) - 1)])
        raise AssertionError("the last attempt returns or raises")

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None, most_bytes: int) -> Answer:
        """Return the answer to one request, made in a thread of its own so that the caller can leave it."""
        import httpx

        client = httpx.Client(timeout=self._left_s(), follow_redirects=False, trust_env=self._trust_env)
        outcome: list[Answer | BaseException] = []

        def exchange() -> None:
            try:
                with client.stream(method, url, headers=self._headers, json=body) as answer:
                    read = bytearray()
                    for piece in answer.iter_raw(65_536):
                        read += piece
                        if len(read) > most_bytes:
                            raise ServiceError(f"answered more than {most_bytes:,} bytes")
                    outcome.append(
                        Answer(answer.status_code, answer.headers.get("content-type", ""), bytes(read))
                    )
            except BaseException as error:  # handed over to the caller's thread
                outcome.append(error)

        thread = threading.Thread(target=exchange, daemon=True, name="music-service")
        try:
            thread.start()
            while not outcome:
                self._tick()
                thread.join(min(TICK_S, self._left_s()))
        finally:
            client.close()
        first = outcome[0]
        # The messages of httpx are left out: they may hold the address or a header.
        if isinstance(first, Answer):
            return first
        if isinstance(first, ServiceError):
            raise first
        if isinstance(first, httpx.ConnectError | httpx.ConnectTimeout):
            raise _Fault("cannot be reached; check that it runs, and its url", not_taken=True)
        if isinstance(first, httpx.TimeoutException):
            self._left_s()
            raise _Fault("did not answer in time")
        raise _Fault(f"broke off its answer ({type(first).__name__}); look into its log")

    def _refusal(self, answer: Answer) -> str:
        """Return what failed and what to do, with the service's own words and without the key."""
        status = answer.status
        advice = {
            401: "check its key, and api_key_env",
            403: "check the rights of its key",
            404: "check url, and api",
            429: "it has too much to do; try later",
        }.get(status, "look into its log" if status >= 500 else "check the settings of the backend")
        if 300 <= status < 400:
            advice = "redirects are not followed; set url to where it leads"
        words = self.shown(_words_of(answer.body))
        said = f" ({words})" if words else ""
        return f"answered with status {status}{said}; {advice}"


class _Fault(Exception):
    """A request without an answer; `not_taken` where no server can have begun on it."""

    def __init__(self, message: str, *, not_taken: bool = False) -> None:
        super().__init__(message)
        self.not_taken = not_taken


def loaded(body: bytes) -> Any:
    """Return the JSON in `body`, None for anything else."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _words_of(body: bytes) -> str:
    """Return the message of an error as services write it, "" where there is none."""
    found = loaded(body)
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    if not isinstance(found, str):
        return ""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in found).split()).rstrip(".")

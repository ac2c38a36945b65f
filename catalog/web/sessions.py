"""Sessions of the page: who has logged in, until when, and how many wrong tokens are allowed."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

__all__ = ["FAILURES_S", "MOST_FAILURES", "MOST_SESSIONS", "SESSION_S", "Sessions"]

SESSION_S = 30 * 24 * 3600
MOST_SESSIONS = 1_000
MOST_FAILURES, FAILURES_S = 20, 60.0
"""After this many wrong tokens in this many seconds, from all callers together, no token is checked."""


class Sessions:
    """The sessions of browsers that showed the token; they end when the service stops."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._failures: list[float] = []
        # Browsers send the cookies of one host to all its ports; a name of its own keeps two services apart.
        self.cookie = f"catalog_session_{secrets.token_hex(4)}"

    def begin(self) -> str:
        """Begin a session and return its secret; the oldest ends where there are too many."""
        session = secrets.token_urlsafe(32)
        while len(self._until) >= MOST_SESSIONS:
            self._until.pop(next(iter(self._until)))
        self._until[session] = time.monotonic() + SESSION_S
        return session

    def knows(self, headers: Headers) -> bool:
        """Return whether the request carries the cookie of a session that has not ended."""
        session = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return self._until.get(session, 0.0) > time.monotonic()

    def end(self, headers: Headers) -> None:
        """End the session of this request."""
        self._until.pop(cookie_parser(headers.get("cookie", "")).get(self.cookie, ""), None)

    def may_try(self) -> bool:
        """Return whether another token may be checked; after too many wrong ones none is for a minute."""
        oldest = time.monotonic() - FAILURES_S
        self._failures = [moment for moment in self._failures if moment > oldest]
        return len(self._failures) < MOST_FAILURES

    def failed(self) -> None:
        """Count a wrong token."""
        self._failures.append(time.monotonic())

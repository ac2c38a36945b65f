"""Sessions of the page: who has logged in, and until when."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

__all__ = ["MOST_SESSIONS", "SESSION_S", "Sessions"]

SESSION_S = 30 * 24 * 3600
MOST_SESSIONS = 1_000


class Sessions:
    """The sessions of browsers that showed the token; they end when the service stops."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
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

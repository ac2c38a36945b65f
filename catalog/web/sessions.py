"""Sessions of the page: who logged in, until when, and how many guesses are allowed."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

__all__ = ["FAILURES_S", "MOST_FAILURES", "MOST_SESSIONS", "SESSION_S", "Sessions"]

SESSION_S = 30 * 24 * 3600
MOST_SESSIONS = 1_000
MOST_FAILURES, FAILURES_S = 20, 60.0
"""How many wrong tokens are heard in how many seconds, from everybody together."""


class Sessions:
    """Browsers that showed the token; they are forgotten when the service stops."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._failures: list[float] = []
        # Browsers do not tell the ports of one host apart when they send cookies.
        self.cookie = f"catalog_session_{secrets.token_hex(4)}"

    def begin(self) -> str:
        """Return a new session."""
        session = secrets.token_urlsafe(32)
        while len(self._until) >= MOST_SESSIONS:
            self._until.pop(next(iter(self._until)))
        self._until[session] = time.monotonic() + SESSION_S
        return session

    def knows(self, headers: Headers) -> bool:
        """Tell whether the request carries the cookie of a session."""
        session = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return self._until.get(session, 0.0) > time.monotonic()

    def end(self, headers: Headers) -> None:
        """Forget the session of this request."""
        self._until.pop(cookie_parser(headers.get("cookie", "")).get(self.cookie, ""), None)

    def may_try(self) -> bool:
        """Tell whether another token is heard; too many wrong ones close the door for a minute."""
        late = time.monotonic() - FAILURES_S
        self._failures = [moment for moment in self._failures if moment > late]
        return len(self._failures) < MOST_FAILURES

    def failed(self) -> None:
        """Count a wrong token."""
        self._failures.append(time.monotonic())

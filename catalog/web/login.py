"""The way in for a browser where a token is asked for: a small page trades it for a session cookie.

The token comes in the fragment of the address, which browsers send to nobody, or is typed in; it is posted once. The
cookie holds a random session, not the token; scripts cannot read it and other sites cannot send it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import FileResponse, Response

from catalog.web.problems import PROBLEMS, refused

__all__ = ["Sessions", "routes"]

FILES = Path(__file__).parent / "login"
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


def routes(token: str | None, sessions: Sessions) -> APIRouter:
    """Return the routes of the way in, for the service's `token`."""
    router = APIRouter()

    @router.get("/login", include_in_schema=False)
    @router.get("/login.js", include_in_schema=False)
    @router.get("/login.css", include_in_schema=False)
    async def file(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return FileResponse(
            FILES / (name if "." in name else f"{name}.html"), headers={"Cache-Control": "no-cache"}
        )

    @router.post("/api/login", status_code=204, responses=PROBLEMS, tags=["service"])
    async def login(request: Request, given: Annotated[str, Body(alias="token", embed=True)]) -> Response:
        """Trade the service's token for a session cookie."""
        if token is None:
            return Response(status_code=204)
        if not sessions.may_try():
            return refused(429, "too many wrong tokens; wait a minute", {"Retry-After": f"{FAILURES_S:.0f}"})
        if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            sessions.failed()
            return refused(401, "that is not the token of this service; it was printed where it was started")
        response = Response(status_code=204)
        response.set_cookie(
            sessions.cookie,
            sessions.begin(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @router.delete("/api/login", status_code=204, responses=PROBLEMS, tags=["service"])
    async def logout(request: Request) -> Response:
        """End the session of this browser."""
        sessions.end(request.headers)
        response = Response(status_code=204)
        response.delete_cookie(sessions.cookie)
        return response

    return router

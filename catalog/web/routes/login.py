"""The login of a browser where the service needs a token: a small page exchanges it for a session cookie.

A person types the token in, or it stands in the fragment of the address, which browsers do not send. The page posts it
once. The cookie holds a random session, not the token; scripts cannot read it and other sites cannot send it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.responses import FileResponse, Response

from ..access.guesses import Guesses, TooManyGuesses, too_many_guesses
from ..access.sessions import SESSION_S, Sessions
from ..problems import PROBLEMS, refusal_response
from ..state import Root

__all__ = ["routes"]


FILES = Path(__file__).resolve().parents[1] / "login"
"""Resolved as in `app.STATIC`."""


def routes(token: str | None, sessions: Sessions, guesses: Guesses) -> APIRouter:
    """Return the routes of the login, for the service's `token`."""
    router = APIRouter()

    @router.get("/login", include_in_schema=False)
    @router.get("/login.js", include_in_schema=False)
    @router.get("/login.css", include_in_schema=False)
    async def file(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return FileResponse(
            FILES / (name if "." in name else f"{name}.html"), headers={"Cache-Control": "no-cache"}
        )

    @router.post("/api/login", status_code=204, responses=PROBLEMS, tags=["service"])
    async def login(
        request: Request, root: Root, shown: Annotated[str, Body(alias="token", embed=True)]
    ) -> Response:
        """Trade the service's token for a session cookie."""
        if token is None:
            return Response(status_code=204)
        try:
            right = await guesses.check(shown, token, request.client)
        except TooManyGuesses:
            return too_many_guesses()
        if not right:
            return refusal_response(
                401, "that is not the token of this service; it was printed where it was started"
            )
        response = Response(status_code=204)
        response.set_cookie(
            sessions.cookie,
            sessions.begin(),
            max_age=SESSION_S,
            path=f"{root}/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @router.delete("/api/login", status_code=204, responses=PROBLEMS, tags=["service"])
    async def logout(request: Request, root: Root) -> Response:
        """End the session of this browser."""
        sessions.end(request.headers)
        response = Response(status_code=204)
        response.delete_cookie(sessions.cookie, path=f"{root}/")
        return response

    return router

"""The application: the routes, the page, and the guard in front of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import InputError
from ..service.jobs import Jobs
from ..service.service import MusicService
from ..soundtrack.queued import KINDS
from ..version import package_version
from .cache import FileCache
from .guard import LOOPBACK, Guard, Policy
from .metrics import Metered, Metrics
from .note import proof_of
from .parameters import check_parameters
from .problems import add_handlers, openapi
from .readiness import Readiness, read_tables
from .routes import (
    adding,
    audio,
    by_hand,
    collections,
    export,
    history,
    login,
    mixes,
    music,
    pictures,
    stories,
    takes,
    tracks,
)
from .routes import jobs as jobs_routes
from .routes import map as map_routes
from .routes import service as service_routes
from .state import Shared

__all__ = ["create_app"]


STATIC = Path(__file__).resolve().parent / "static"
"""The page. Resolved, since an editable install is a tree of links and no link is served."""

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Prefixed:
    """ASGI middleware that tells the application its `prefix`, where the server or an outer application does not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the prefix as its `root_path`."""
        if scope["type"] == "http" and not scope.get("root_path"):
            scope = {**scope, "root_path": self.prefix}
        await self.app(scope, receive, send)


def create_app(
    service: MusicService,
    *,
    token: str | None = None,
    secret: str | None = None,
    address: str = "",
    hosts: Sequence[str] = LOOPBACK,
    queue_limit: int = 8,
    workers: int | None = None,
    logged: int = 0,
    prefix: str = "",
) -> FastAPI:
    """Return the ASGI application over `service`.

    With a `token` callers must show it. `secret` proves that a caller can read the home, as the command line can; by
    default it is random. The application proves that it knows it, as the service at `address`. `hosts` are the names
    that a Host header may hold, "*" for every IP address. At most `queue_limit` makes wait. At most `workers` requests
    are worked on at the same time, by default as many as the framework has threads, and `logged` ones beside them that
    leave a line in the log. The jobs end with the application; the caller closes `service`.

    `prefix` is the path at which another application mounts this one: `app.mount("/music", create_app(service,
    prefix="/music"))`. What is mounted is told neither of the start nor of the end: let the lifespan of the outer
    application enter `music.router.lifespan_context(music)`. Raises InputError for a prefix that is no path.
    """
    if prefix and not PREFIX.fullmatch(prefix):
        raise InputError(
            f"the prefix is {prefix!r}; write a path that begins with a slash and ends without one"
        )
    jobs = Jobs(service, limit=queue_limit, kinds=KINDS)
    metrics = Metrics(jobs)
    secret = secret or secrets.token_urlsafe(32)
    policy = Policy(secret=secret, token=token, hosts=tuple(hosts))
    cache = FileCache(service.store.home / "cache" / "web", looked_up=metrics.looked_up)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if workers is not None:
            anyio.to_thread.current_default_thread_limiter().total_tokens = workers
        if logged:
            app.state.shared.logged_turns = anyio.CapacityLimiter(logged)
        yield
        jobs.close(grace_s=0.0)
        cache.close()

    app = FastAPI(
        title="Music catalog",
        version=package_version(),
        description="Reuse a track that fits what an application just said, or make one.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(check_parameters)],
    )
    app.state.shared = Shared(
        service=service,
        jobs=jobs,
        metrics=metrics,
        cache=cache,
        readiness=Readiness(partial(read_tables, service.store)),
        version=package_version(),
        token_required=token is not None,
        prove=partial(proof_of, secret, address),
    )
    add_handlers(app)
    app.openapi = partial(openapi, app)  # type: ignore[method-assign]
    for routes in (service_routes, history, music, jobs_routes, by_hand, tracks, audio, pictures, map_routes):
        app.include_router(routes.router)
    for routes in (adding, collections, export, mixes, stories, takes):
        app.include_router(routes.router)
    app.include_router(mixes.kept)
    app.include_router(login.routes(token, policy.sessions, policy.guesses))
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        if not (STATIC / "index.html").is_file():
            raise HTTPException(404)
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.add_middleware(Guard, policy=policy)
    app.add_middleware(Metered, metrics=metrics)
    if prefix:
        app.add_middleware(Prefixed, prefix=prefix)
    return app

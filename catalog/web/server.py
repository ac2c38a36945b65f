"""Run the service: bind, write the note into the home, answer until a signal arrives, let running work finish."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from ..errors import CatalogError, InputError, Unavailable
from ..service.service import MusicService
from .app import create_app
from .connections import Connection
from .guard import LOOPBACK
from .limits import Limits, limits_for, raise_descriptor_limit
from .note import only_service, remove_note, write_note
from .readiness import Readiness
from .state import Shared

__all__ = ["serve"]


MIN_TOKEN = 12
KEEP_ALIVE_S = 15
ACCEPTED_AT_ONCE = 8
"""Connections that are accepted before the first of them is looked at: few, since each takes a descriptor."""
QUEUED_CONNECTIONS = 512
"""Connections that the system keeps until they are accepted."""
CONNECTIONS_S = 5
"""How long a stop waits until answers have been sent."""

_log = logging.getLogger(__name__)


def serve(
    service: MusicService,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str | None = None,
    allow_hosts: Sequence[str] = (),
    queue_limit: int = 8,
    grace_s: float = 10.0,
    drain_s: float = 0.0,
    hand_over: bool = False,
    warm: bool = True,
    settings: Mapping[str, Any] | None = None,
    on_ready: Callable[[str], object] = str,
) -> bool:
    """Serve `service` over HTTP until SIGINT or SIGTERM; call `on_ready(address)` once it can be reached.

    Returns whether all work has ended. If not, a make or a load of the encoder that cannot be interrupted still runs
    in a thread, and the process should end by `os._exit`: native code crashes when the interpreter ends under it.

    `port` 0 takes a free one. A host other than loopback needs a `token` of `MIN_TOKEN` characters. `settings` go into
    the note that the command line reads. A stop first tells load balancers for `drain_s` seconds to send no more, and
    goes on as before meanwhile. Then it takes no more jobs, cancels those that wait and gives the running one
    `grace_s` seconds; with `hand_over` jobs that are not made are left to the next process of the home.
    Raises InputError for an address that cannot be used, Busy when the home has a service already.
    """
    _check_token(host, token)
    home, secret = service.store.home, secrets.token_urlsafe(32)
    with only_service(home), _bound(host, port) as listening:
        real_port = listening.getsockname()[1]
        hosts = (*LOOPBACK, *_names(host), *(name.lower() for name in allow_hosts))
        limits = limits_for(raise_descriptor_limit())
        reached = "127.0.0.1" if host in ("", "0.0.0.0", "localhost") else "::1" if host == "::" else host
        note = {"address": _address(reached, real_port), "secret": secret, **(settings or {})}
        app = create_app(
            service,
            token=token,
            secret=secret,
            address=note["address"],
            hosts=hosts,
            queue_limit=queue_limit,
            workers=limits.workers,
            logged=limits.logged,
        )
        shared: Shared = app.state.shared
        warming = threading.Thread(
            target=_warm, args=(service, shared.readiness), name="catalog-warm", daemon=True
        )

        def ready() -> None:
            with contextlib.suppress(OSError):  # a read-only home is served without a note
                write_note(home, note)
            if warm:
                shared.readiness.loading()
                warming.start()
            on_ready(_address(host if not _is_wildcard(host) else reached, real_port))

        def stopping() -> None:
            remove_note(home)

        close = partial(shared.jobs.close, grace_s, hand_over=hand_over)
        _GracefulServer(_config(app, limits), shared.readiness, drain_s, close, ready, stopping).run(
            sockets=[listening]
        )
        return shared.jobs.at_rest and not warming.is_alive()


def _check_token(host: str, token: str | None) -> None:
    """Raise InputError for a host that needs a token and has none, and for a token that is too short."""
    if not _is_loopback(host) and token is None:
        raise InputError(
            f"the host {host} can be reached from other machines, so it needs a token: set CATALOG_TOKEN, "
            "say to 32 random characters, or serve on 127.0.0.1"
        )
    if token is not None and len(token) < MIN_TOKEN:
        raise InputError(f"the token has {len(token)} characters; give at least {MIN_TOKEN}")


def _config(app: FastAPI, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=partial(Connection, limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CONNECTIONS_S,
        backlog=ACCEPTED_AT_ONCE,
    )


class _GracefulServer(uvicorn.Server):
    """Uvicorn's server with an orderly end: it answers requests until the jobs are over."""

    def __init__(
        self,
        config: uvicorn.Config,
        readiness: Readiness,
        drain_s: float,
        close_jobs: Callable[[], None],
        ready: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._readiness, self._drain_s, self._close_jobs = readiness, drain_s, close_jobs
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(QUEUED_CONNECTIONS)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        self._readiness.stopping = True
        drained = time.monotonic() + self._drain_s
        while time.monotonic() < drained and not self.force_exit:
            await asyncio.sleep(0.05)
        # A daemon thread: a second Ctrl-C ends the process without waiting for it.
        closing = threading.Thread(target=self._close_jobs, daemon=True)
        closing.start()
        while closing.is_alive() and not self.force_exit:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; Uvicorn would raise the signal again at the end, as if it had been killed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.force_exit = self.should_exit
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named. Without it answers wait for a delayed ACK.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"{_address(host, port)} cannot be served: {getattr(error, 'strerror', None) or error}; "
                "choose another --port, or 0 for any that is free"
            ) from error
        yield listening


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _is_wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str) -> tuple[str, ...]:
    """Return the names that a Host header may hold for `host`; "*" where the service listens on all addresses."""
    return ("*", socket.gethostname().lower()) if _is_wildcard(host) else (host.lower(),)


def _warm(service: MusicService, readiness: Readiness) -> None:
    failed = False
    try:
        service.warm()
    except CatalogError as error:
        # An altered index is told, and keeps no request from its answer.
        failed = isinstance(error, Unavailable)
        _log.warning("%s", error)
    readiness.loaded(failed=failed)

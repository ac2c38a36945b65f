"""Commands that run until they are interrupted: the HTTP service, the care of a home, and the MCP server."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import click
from click.core import ParameterSource

from ..errors import InputError, Unavailable
from .home import open_library, open_service, open_store, workers_at
from .options import MOST_DAYS, config_option, days_option, home_option, json_option, workers_option
from .terminal import Command, end_at_once, print_json

__all__ = ["care", "mcp", "serve"]


MOST_TOKEN = 4096


@click.command(cls=Command, examples=["catalog serve --port 8765"])
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; beyond loopback a token is needed.",
)
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="A file with the token that callers must show; - reads it from the standard input.",
)
@click.option(
    "--token",
    envvar="CATALOG_TOKEN",
    show_envvar=True,
    help="The token itself. Prefer the variable or the file: everybody on the machine can read arguments.",
)
@click.option(
    "--allow-host", "allow_hosts", multiple=True, help="A further name the service is called by; repeatable."
)
@click.option(
    "--queue",
    "queue_limit",
    default=8,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Makes that may wait.",
)
@click.option(
    "--grace",
    "grace_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds a running make gets at a stop.",
)
@click.option(
    "--drain",
    "drain_s",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds at a stop in which it goes on as before, while /api/ready tells balancers to send no more.",
)
@click.option(
    "--at-stop",
    type=click.Choice(["cancel", "hand-over"]),
    default="cancel",
    show_default=True,
    help="What becomes of jobs that are not made: hand-over leaves them to the next process of the home.",
)
@click.option("--warm/--no-warm", default=True, show_default=True, help="Load the text encoder at the start.")
@home_option
@config_option
@workers_option
def serve(
    home: str,
    config: str | None,
    workers: str | None,
    token: str | None,
    token_file: str | None,
    **options: Any,
) -> None:
    """Serve the catalog over HTTP, with a page to browse it.

    It prints its address, and runs until it is interrupted.
    """
    if token and click.get_current_context().get_parameter_source("token") is ParameterSource.COMMANDLINE:
        _hide_token(token)
    if token_file:
        token = _read_token(token_file)
    from ..upkeep.scrub import scrubbing
    from ..web.note import settings_of

    try:
        from ..web import limits, server
    except ImportError as error:
        raise Unavailable(
            f"the service needs a package that is not installed ({error.name}); "
            "install it with: pip install 'music-catalog[serve]'"
        ) from error
    settings = settings_of(home, config)
    # Before the threads of Lance and of the service begin.
    limits.limit_arenas()
    limits.share_with_arrow()
    limits.share_interpreter()
    with open_service(home, config, makers=workers) as service:
        pace = service.library.scrub
        with limits.trimming(), scrubbing(service.store, days=pace.days, most_mb_per_s=pace.most_mb_per_s):
            options["hand_over"] = options.pop("at_stop") == "hand-over"
            at_rest = server.serve(service, settings=settings, on_ready=click.echo, token=token, **options)
    if not at_rest:
        end_at_once()


def _hide_token(token: str) -> None:
    """Start this process anew with the token in its environment, which only its owner can read, unlike arguments."""
    arguments, left = iter(sys.orig_argv), []
    for argument in arguments:
        if argument == "--token":
            next(arguments)
        elif not argument.startswith("--token="):
            left.append(argument)
    if left == sys.orig_argv:  # called from a program, not from a shell
        return
    click.echo(
        "warning: others could read --token in the list of processes; use --token-file or CATALOG_TOKEN",
        err=True,
    )
    os.execve(sys.executable, left, {**os.environ, "CATALOG_TOKEN": token})


def _read_token(path: str) -> str:
    """Return the token on the first line of a file; "-" is the standard input."""
    try:
        with click.open_file(path, encoding="utf-8") as file:
            token: str = file.readline(MOST_TOKEN).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"--token-file {path} cannot be read: {reason}") from error
    if not token:
        raise InputError(f"--token-file {path} is empty; write the token on its first line")
    return token


@click.command(cls=Command, examples=["catalog care", "catalog care --once --purge-after 7"])
@click.option("--once", is_flag=True, help="Make one round and end, as a task of cron.")
@click.option(
    "--every",
    "every_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 86_400),
    help="Seconds between two rounds.",
)
@click.option(
    "--purge-after",
    "purge_after_days",
    type=click.FloatRange(0, MOST_DAYS),
    callback=days_option,
    metavar="DAYS",
    help="Take tracks out of the trash, as rm --purge does, that lie there for so many days.",
)
@json_option
@home_option
@config_option
@workers_option
def care(
    once: bool,
    every_s: float,
    purge_after_days: float | None,
    as_json: bool,
    home: str,
    config: str | None,
    workers: str | None,
) -> None:
    """Compact, index, purge and scrub a catalog.

    One process does it for a home. It prints a line for each round that did something, until it is interrupted.
    """
    from ..upkeep.rounds import Round, care_once, keep_caring, only_carer
    from ..upkeep.scrub import scrubbing

    def told(done: Round) -> None:
        if as_json:
            print_json(done.model_dump(mode="json"))
        elif once or done.compacted or done.purged or done.deleted:
            click.echo(str(done))
        sys.stdout.flush()

    if workers is not None:
        if not once:
            raise InputError("--workers goes with --once")
        from ..bulk.caring import care_by

        shared = workers_at(workers)
        assert shared is not None
        with open_service(home, config, create=False) as service:
            told(care_by(shared, service.flow, purge_after_days=purge_after_days))
        return
    with open_store(home) as store, only_carer(store):
        if once:
            told(care_once(store, purge_after_days=purge_after_days))
            return
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):  # a round that has begun is finished
            signal.signal(number, lambda *_: stop.set())
        pace = open_library(config, home).scrub
        with scrubbing(store, days=pace.days, most_mb_per_s=pace.most_mb_per_s):
            keep_caring(store, stop, every_s=every_s, purge_after_days=purge_after_days, on_round=told)


@click.command(cls=Command, examples=["catalog mcp --transport http --port 8766"])
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="stdio for a client that starts this, http for streamable HTTP on the loopback interface.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="With http: a loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8766,
    show_default=True,
    help="With http: the port; 0 takes a free one.",
)
@home_option
@config_option
def mcp(transport: str, host: str, port: int, home: str, config: str | None) -> None:
    """Serve the catalog to MCP clients.

    They search, find or make, and rate; tracks are resources.
    """
    from ..integrations.mcp import serve

    with open_service(home, config) as service:
        at_rest = serve(service, transport=transport, host=host, port=port)  # type: ignore[arg-type]
    if not at_rest:
        end_at_once()

"""The `catalog` command: parse, call, print. stdout carries data only; progress and notes go to stderr.

Exit codes: 0 ok, 1 failure, 2 usage, 3 nothing found, 4 busy, 5 damage found, 6 generator or model
unavailable, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import signal
import sys

import click

from .commands import history, listening, music, presets, servers, setup, soundtrack, stock, tracks
from .commands.collected.playlists import playlists
from .commands.installed.plugins import plugins
from .commands.intake import add
from .commands.music import musicgen
from .commands.terminal import Group, interrupt

__all__ = ["catalog", "main", "musicgen"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="music-catalog", prog_name="catalog")
def catalog() -> None:
    """Music that fits what your application just said: reuse a close match, or make and insert a new track.

    `catalog COMMAND --help` shows the options of a command and an example.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a path that is no UTF-8 is printed byte by byte


def main() -> None:
    """Run the command line with one error border."""
    signal.signal(signal.SIGINT, interrupt)
    # What ends by SIGTERM has its line in the log too.
    signal.signal(signal.SIGTERM, interrupt)
    try:
        code = catalog.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        # SIGTERM came where its handler is gone: the caller sees an end by that signal.
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)
        # An interrupt during the import of a module leaves a mark that would make the interpreter kill itself at its
        # end; the next exec takes the mark away.
        exec("")
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OSError as error:
        click.echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
        # The rest of the buffer cannot be written either, and the interpreter must not try that at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


catalog.add_section("Make and reuse", music.find_or_make, music.musicgen, music.find, stock.stock, add.add)
catalog.add_section(
    "Look",
    music.search,
    music.similar,
    tracks.list_,
    tracks.show,
    tracks.export,
    playlists,
    history.history,
    history.stats,
)
catalog.add_section(
    "Listen and judge",
    listening.play,
    listening.rate,
    listening.reject,
    listening.hear,
    tracks.rm,
    tracks.restore,
)
catalog.add_section("Scenes and stories", soundtrack.scene, soundtrack.mix, soundtrack.score)
catalog.add_section(
    "Set up",
    presets.presets,
    presets.schema,
    setup.config_,
    setup.models,
    plugins,
    setup.doctor,
    history.calibrate,
    setup.completion,
)
catalog.add_section("Serve", servers.serve, servers.care, servers.mcp)

"""The terminal: how commands fail, show progress and print."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import CatalogError

if TYPE_CHECKING:
    from generator import Progress

    from ..models import Result

__all__ = ["SCHEMA_VERSION", "Command", "Failure", "Group"]


SCHEMA_VERSION = 1
_interrupted = False


class Failure(click.ClickException):
    """A catalog error on its way to the terminal."""

    def __init__(self, error: CatalogError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]


class Command(click.Command):
    """A command whose catalog errors become one line and an exit code, also when a host CLI mounts it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CatalogError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                # The reader of the pipe went away (`| head`); click ends the process quietly.
                raise
            place = f" ({error.filename})" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{place}") from error


class Group(click.Group):
    command_class = Command
    group_class = type


def interrupt(number: int, frame: Any) -> NoReturn:
    """Raise KeyboardInterrupt, and remember it: code that is just being imported may swallow what is raised in it."""
    del number, frame
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def end_at_once() -> NoReturn:
    """End the process well although a thread still works: the interpreter's end under native code would abort it.

    What such a thread works on is in the log as cancelled, and what is stored is synced.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def progress_bar(doing: str = "making") -> Iterator[Progress]:
    """Show a bar on stderr once a generator reports progress; a terminal that is none gets nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn(doing), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None, visible=False)

        def report(done: int, total: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total, visible=True)

        yield report


# Printing


def result_payload(result: Result, out: str | None = None) -> dict[str, Any]:
    """Return what is to be told of a result; its track is written to `out` where that was asked for."""
    from .. import report
    from ..export import write_audio

    path = result.path
    if out is not None and path is not None:
        write_audio(path, Path(out))
        path = Path(out)
    return report.told(result, path)


def print_result(told: dict[str, Any], as_json: bool, explain: bool) -> None:
    """Print where the track is, and how it came about."""
    headline, explanation = told.pop("headline"), told.pop("explanation")
    for warning in told["warnings"]:
        click.echo(f"note: {warning}", err=True)
    if as_json:
        whole = () if explain else ("request", "decision")
        print_json({name: value for name, value in told.items() if name not in whole})
        return
    for line in (*(explanation if explain else ()), headline):
        click.echo(line, err=True)
    if told["path"]:
        click.echo(told["path"])


def print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **value}, ensure_ascii=False))


def print_rows(
    name: str, rows: list[dict[str, Any]], as_json: bool, as_jsonl: bool, lines: list[str]
) -> None:
    if as_json:
        print_json({name: rows})
    elif as_jsonl:
        for row in rows:
            print_json(row)
    else:
        for told in lines:
            click.echo(told)

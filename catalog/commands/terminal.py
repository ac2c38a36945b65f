"""The terminal: how commands fail, show progress and print."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import CatalogError, in_one_line
from .flags import in_flags, result_in_flags
from .help import write_commands, write_examples, write_options
from .inputs import AFTER_DASHES

if TYPE_CHECKING:
    from ..generator import Progress
    from ..models import Result

__all__ = [
    "OUTPUT_VERSION",
    "Command",
    "Failure",
    "Group",
    "end_at_once",
    "interrupt",
    "print_json",
    "print_result",
    "print_rows",
    "progress_bar",
    "result_payload",
]


OUTPUT_VERSION = 1
AGAIN_S = 0.02
"""So long after an interrupt that came in an import it is tried again."""
"""The `schema_version` of every JSON object that is printed; raise it when a reader of the old one would break."""
_interrupted = False


class Failure(click.ClickException):
    """A catalog error on its way to the terminal."""

    def __init__(self, error: CatalogError) -> None:
        super().__init__(in_one_line(in_flags(str(error))))
        self.exit_code = error.exit_code  # type: ignore[misc]


class Command(click.Command):
    """A command whose catalog errors become one line and an exit code, also when a host CLI mounts it."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self, ctx, formatter)
        write_examples(self.examples, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[AFTER_DASHES] = "--" in args
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:  # its choices stand on a line each
            message = in_one_line(" ".join(error.format_message().split()))
            raise click.UsageError(message, error.ctx) from error
        except click.UsageError as error:
            error.message = in_one_line(error.message)  # type: ignore[misc]
            raise

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
            raise click.ClickException(in_one_line(f"{error.strerror or error}{place}")) from error


class Group(click.Group):
    """A group whose commands and groups are of these classes."""

    command_class = Command
    group_class = type

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.sections: dict[str, list[str]] = {}

    def add_section(self, heading: str, *commands: click.Command) -> None:
        """Add commands that `--help` lists under a heading."""
        for command in commands:
            self.add_command(command)
        self.sections[heading] = [str(command.name) for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_commands(self, self.sections, ctx, formatter)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, after the import that is under way, and remember it: some code may swallow it.

    After a SIGTERM a second one ends the process at once, as it does without a handler.
    """
    global _interrupted
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _interrupted = True
    if _imports(frame) and hasattr(signal, "setitimer"):
        # Cut off there, the machinery of imports may keep its lock, for which every other thread then waits for ever.
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        return
    raise KeyboardInterrupt


def _imports(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported in a frame."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def end_at_once() -> NoReturn:
    """End the process with exit code 0 although a thread still works.

    The interpreter's own end would abort it while that thread is in native code. The log has the thread's call as
    cancelled, and everything stored is synced.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def progress_bar(doing: str = "making") -> Iterator[Progress]:
    """Show a bar on stderr once progress is reported; nothing where stderr is no terminal."""
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


def result_payload(result: Result, out: str | None = None) -> dict[str, Any]:
    """Return the payload of a result for `print_result`; write its track to `out`, unless that is None."""
    from .. import report
    from ..export import write_audio

    path = result.path
    if out is not None and path is not None and result.track is not None:
        write_audio(result.track, path, Path(out))
        path = Path(out)
    return report.payload(result, path)


def print_result(payload: dict[str, Any], as_json: bool, explain: bool) -> None:
    """Print the path of the track, or the whole as JSON; warnings, explanation and headline go to stderr.

    A warning that the headline repeats as its reason is printed once.
    """
    payload = result_in_flags(payload)
    headline, explanation = payload.pop("headline"), payload.pop("explanation")
    for warning in payload["warnings"]:
        if as_json or warning not in headline:
            click.echo(f"note: {warning}", err=True)
    if as_json:
        left_out = () if explain else ("request", "decision")
        print_json({name: value for name, value in payload.items() if name not in left_out})
        return
    for line in (*(explanation if explain else ()), *([headline] if headline else ())):
        click.echo(line, err=True)
    if payload["path"]:
        click.echo(payload["path"])


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on a line."""
    text = json.dumps({"schema_version": OUTPUT_VERSION, **value}, ensure_ascii=False)
    # A byte of a path that is no UTF-8 is half of a character, which only an escape can state.
    click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_rows(
    name: str, rows: list[dict[str, Any]], as_json: bool, as_jsonl: bool, lines: list[str]
) -> None:
    """Print a list: as one JSON object that holds `rows` under `name`, as one object a row, or as `lines`."""
    if as_json:
        print_json({name: rows})
    elif as_jsonl:
        for row in rows:
            print_json(row)
    else:
        for line in lines:
            click.echo(line)

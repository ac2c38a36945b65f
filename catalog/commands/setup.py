"""Commands about the installation: configuration, models, health and shell completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .home import open_library, workers_at
from .options import (
    STYLE,
    complete_names,
    config_option,
    home_option,
    json_option,
    list_output,
    workers_option,
)
from .terminal import Command, Group, print_json, print_rows, progress_bar

if TYPE_CHECKING:
    from ..store.rewrite import Encode

__all__ = ["completion", "config_", "config_show", "doctor", "models", "models_list", "models_pull"]

SHOWN_STYLE = "ambient_lofi"
"""The style whose values `config show` merges where none is named; a request picks its own by the text."""


@click.group(cls=Group, name="config")
def config_() -> None:
    """Show the configuration and where each value comes from."""


@config_.command("show", cls=Command, examples=["catalog config show --style ambient_lofi --quality preview"])
@click.option(*STYLE, shell_complete=complete_names("styles"), help="Show what this style makes of it,")
@click.option("--role", shell_complete=complete_names("roles"), help="... in this role,")
@click.option("--quality", help="... at this quality.")
@json_option
@home_option
@config_option
def config_show(
    preset: str | None, role: str | None, quality: str | None, as_json: bool, home: str, config: str | None
) -> None:
    """Print every value with where it came from.

    With --style, --role or --quality it prints the merged result.
    """
    from ..report import shown
    from ..request.builder import preset_errors
    from ..request.selection import USUAL_QUALITY, USUAL_ROLE

    library = open_library(config, home)
    if preset or role or quality:
        with preset_errors():
            resolved = library.resolve(preset or SHOWN_STYLE, role or USUAL_ROLE, quality or USUAL_QUALITY)
        rows = [(key, value, resolved.sources.get(key, "")) for key, value in resolved.values.items()]
    else:
        rows = list(library.explain())
    if as_json:
        print_json(
            {"values": [{"key": key, "value": value, "source": source} for key, value, source in rows]}
        )
        return
    for key, value, source in rows:
        click.echo(f"{key}: {shown(value)}  [{source}]")


@click.group(cls=Group)
def models() -> None:
    """List and pull checkpoints: of MusicGen, and of the ear."""


@models.command("list", cls=Command, examples=["catalog models list"])
@list_output
def models_list(as_json: bool, as_jsonl: bool) -> None:
    """List the checkpoints and where they are on this machine.

    Each has its size, its type or bits, and its licence.
    """
    from ..checkpoints import checkpoints

    rows = checkpoints()
    forms = [f"{row['bits']} bits" if row["bits"] else row["dtype"] or "" for row in rows]
    lines = [
        f"{row['name']:22} {row['size_bytes'] / 1e9:5.1f} GB  {form:9} {row['license']:16} "
        f"{row['path'] or 'not on this machine'}"
        for row, form in zip(rows, forms, strict=True)
    ]
    print_rows("models", rows, as_json, as_jsonl, lines)


@models.command(
    "pull", cls=Command, examples=["catalog models pull small --bits 8", "catalog models pull clap"]
)
@click.argument("name")
@click.option("--bits", type=click.Choice(["8", "4"]), help="Quantize the decoder.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float16", "bfloat16"]), help="Convert the decoder to this."
)
def models_pull(name: str, bits: str | None, dtype: str | None) -> None:
    """Fetch a checkpoint and convert it once.

    NAME is a size of MusicGen, clap for the ear, a repository of the hub or a folder.
    """
    from ..checkpoints import check_name, pull_checkpoint
    from ..generator.weights import is_ear

    check_name(name)
    if not is_ear(name):
        click.echo("MusicGen weights are CC-BY-NC-4.0: they may not be used commercially", err=True)
    with progress_bar("fetching") as on_progress:
        path = pull_checkpoint(name, dtype=dtype, bits=int(bits) if bits else None, on_progress=on_progress)
    click.echo(str(path))


@click.command(cls=Command, examples=["catalog doctor --deep --fix", "catalog doctor --backup /media/backup"])
@click.option(
    "--deep",
    is_flag=True,
    help="Also read every audio file, compare its checksum, and find recordings that are there twice.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended without losing anything.")
@click.option("--reembed", is_flag=True, help="Embed every row again with the encoder in use.")
@click.option(
    "--backup",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Copy what is new and sound to the backup in DIR; with --fix, take lost audio and playlists from it first. "
    "`catalog restore --from DIR` brings the whole back.",
)
@click.option(
    "--keep",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="With --backup: then delete all but the newest N snapshots of this home, and the files that no snapshot "
    "names.",
)
@json_option
@home_option
@config_option
@workers_option
def doctor(
    deep: bool,
    fix: bool,
    reembed: bool,
    backup: str | None,
    keep: int | None,
    as_json: bool,
    home: str,
    config: str | None,
    workers: str | None,
) -> None:
    """Check the installation and the catalog; repair it; back it up.

    It checks versions, encoder, models, disk, and the rows and files of the catalog.
    """
    from ..doctor import examine

    if keep is not None and backup is None:
        raise InputError("--keep goes with --backup")
    if workers is not None and not reembed:
        raise InputError("--workers goes with --reembed")
    with progress_bar("copying") as on_progress:
        checks = examine(
            home,
            config=config,
            deep=deep,
            fix=fix,
            reembed=reembed,
            backup=backup,
            keep=keep,
            encode=_encode_by(workers, home, config),
            on_progress=on_progress,
        )
    if as_json:
        print_json({"checks": [check.model_dump(mode="json") for check in checks]})
    else:
        for check in checks:
            click.echo(f"{check.status:7} {check.name}: {check.detail}")
    if any(check.status == "damage" for check in checks):
        raise click.exceptions.Exit(5)


def _encode_by(workers: str | None, home: str, config: str | None) -> Encode | None:
    shared = workers_at(workers)
    if shared is None:
        return None
    from ..bulk.embedding import encode_by
    from ..bulk.workers import Opener
    from ..generator import load_generator
    from ..text.encoder import load

    return encode_by(shared, Opener(home, open_library(config, home), load(), load_generator))


@click.command(cls=Command, examples=['eval "$(catalog completion zsh)"'])
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    Source it in the start-up file of SHELL.
    """
    from click.shell_completion import get_completion_class

    group = click.get_current_context().find_root().command
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(group, {}, "catalog", "_CATALOG_COMPLETE").source())

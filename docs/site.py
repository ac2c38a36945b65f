"""Pages of the site that are not files of docs/: README as its first page, the changelog, and the references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FROM_THE_TOP = {
    "index.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
}
PYTHON = """# Python API

Import these from `music_catalog`. [The Python API](../API.md) shows them at work.

"""
COMMANDS = """# Commands

What `--help` prints. [The command line](../COMMANDS.md) tells it in short.
"""


def on_config(config: Any) -> Any:
    """Add the pages of docs/ that the navigation does not name to "How to"."""
    (how_to,) = (entry["How to"] for entry in config.nav if "How to" in entry)
    how_to += [
        page for page in sorted(path.name for path in ROOT.glob("docs/*.md")) if page not in str(config.nav)
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {name: page_of((ROOT / source).read_text("utf-8")) for name, source in FROM_THE_TOP.items()}
    pages["reference/python.md"] = PYTHON + "\n".join(f"::: {name}\n" for name in public_names())
    pages["reference/commands.md"] = COMMANDS + "".join(helps())
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def page_of(text: str) -> str:
    """Return a document of the top folder as a page of the site: links into docs/ are links beside it."""
    text = re.sub(r"\[docs/(\w+\.md)\]", r"[\1]", text)
    text = re.sub(r"(\]\()docs/", r"\1", text)
    # The site has no page for a test or for source code: its path stays, as text.
    text = re.sub(r"\[([^\]]+)\]\((?:tests|examples|catalog|generator|presets)/[^)]*\)", r"\1", text)
    return re.sub(
        r"(\*\*Hear it:\*\* .*\((sounds/[\w-]+\.ogg)\)(?:.+\n)+)",
        r'\1\n<audio controls src="\2"></audio>\n',
        text,
    )


def public_names() -> list[str]:
    """Return the full names of what `music_catalog` exports, the service first, errors last."""
    import music_catalog

    values = [getattr(music_catalog, name) for name in music_catalog.__all__ if name != "__version__"]
    values.sort(
        key=lambda value: (value.__name__ != "MusicService", issubclass(value, Exception), value.__name__)
    )
    return [f"{value.__module__}.{value.__name__}" for value in values]


def helps() -> Iterator[str]:
    """Yield a section for `catalog` and for each of its commands: what `--help` prints, 80 columns wide."""
    import click

    from music_catalog.cli import catalog

    def of(command: click.Command, context: click.Context) -> Iterator[str]:
        yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
        for name, part in sorted(getattr(command, "commands", {}).items()):
            yield from of(part, click.Context(part, info_name=name, parent=context))

    settings = {**catalog.context_settings, "terminal_width": 80}
    yield from of(catalog, click.Context(catalog, info_name="catalog", **settings))

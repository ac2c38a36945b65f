"""Manifests of versions that do not count: they are moved to `lance/damaged/`, and stay there."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import StorageError
from ..files import refusal, sync
from ..lance import lance_errors
from ..versions import TableFiles, is_whole, manifest_path

__all__ = [
    "put_back",
    "report",
    "set_aside",
    "set_aside_after",
    "set_aside_later",
    "set_aside_unreadable",
    "version_of",
]


_log = logging.getLogger(__name__)


def set_aside(table: TableFiles, version: int, aside: list[Path]) -> None:
    """Move the manifest of a version, and add its new path to `aside`. The caller holds the lock of the table."""
    folder, manifest = table.home / "lance" / "damaged", manifest_path(table.folder, version)
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{table.name}-{version}-{os.urandom(3).hex()}.manifest"
    manifest.rename(target)
    aside.append(target)
    # Lance's own note of the newest version may name the one set aside; it is a hint and is made anew.
    (manifest.parent / "latest_version_hint.json").unlink(missing_ok=True)
    sync([], [manifest.parent, folder])


def set_aside_later(table: TableFiles, version: int, aside: list[Path]) -> None:
    """Move the manifests of every version after `version`, newest first."""
    for later in [each for each in table.versions() if each > version]:
        set_aside(table, later, aside)


def set_aside_after(table: TableFiles, version: int) -> None:
    """Set aside every version after `version`, with a warning. The caller holds the lock of the table."""
    aside: list[Path] = []
    set_aside_later(table, version, aside)
    report(table, aside)


def set_aside_unreadable(table: TableFiles, open_at: Callable[[int], Any]) -> bool:
    """Set aside the versions before the newest that cannot be opened, and tell whether there was one.

    Lance reads every manifest when it removes old versions. The caller holds the lock of the table.
    """
    aside: list[Path] = []
    for version in table.versions()[1:]:
        try:
            with lance_errors(f"version {version} of the {table.name} table cannot be opened"):
                whole = is_whole(manifest_path(table.folder, version))
                if whole:
                    opened = open_at(version)
                    opened.list_indices()  # in a part of the manifest that is read on its own
                    whole = opened.version == version
        except StorageError as error:
            if refusal(error):
                raise
            whole = False
        if not whole:
            set_aside(table, version, aside)
    report(table, aside)
    return bool(aside)


def put_back(table: TableFiles, aside: Sequence[Path]) -> None:
    """Undo what `set_aside` did."""
    for path in aside:
        path.rename(manifest_path(table.folder, version_of(path)))
    with contextlib.suppress(OSError):  # a system that refuses is told by the error that led here
        sync([], [table.folder / "_versions", *{path.parent for path in aside}])


def report(table: TableFiles, aside: Sequence[Path]) -> None:
    """Warn of versions that were set aside."""
    for path in aside:
        _log.warning(
            "version %d of the %s table is damaged and is set aside as %s", version_of(path), table.name, path
        )


def version_of(path: Path) -> int:
    """Return the version whose manifest was set aside as `path`."""
    return int(path.name.split("-")[1])

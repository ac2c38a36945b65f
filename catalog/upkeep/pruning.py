"""Earlier snapshots of a backup deleted, and the files that no snapshot names any more.

Snapshots go first, and their names are off the disk before a file goes, so that no snapshot ever names a file that was
deleted. Files that a killed process left are deleted by the next.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..disk.failpoint import failpoint
from ..disk.files import storing, sync
from ..models import Value
from .snapshots import Snapshot, named, snapshot_names

__all__ = ["Pruned", "prune"]


_OBJECT = re.compile(r"[0-9a-f]{64}")


class Pruned(Value):
    """What was deleted from a backup."""

    snapshots: int = 0
    files: int = 0
    size_bytes: int = 0
    """Of the files."""


def prune(backup: Path, home: str, keep: int) -> Pruned:
    """Delete all but the newest `keep` snapshots of `home`, and each file that no snapshot names.

    Snapshots of other homes stay. The caller holds the lock of the backup. Raises Damage or InputError, and deletes
    nothing, where a snapshot cannot be read: nobody knows which files it names. StorageError where the disk refuses.
    """
    snapshots = {name: named(backup, name) for name in snapshot_names(backup)}
    going = [name for name, snapshot in snapshots.items() if snapshot.home == home][keep:]
    with storing(f"the backup in {backup} cannot be pruned"):
        for name in reversed(going):  # the oldest first
            (backup / "snapshots" / f"{name}.json").unlink()
            failpoint("prune.forgetting")
        sync([], [backup / "snapshots"])
        failpoint("prune.forgotten")
        files, size = _delete_unnamed(
            backup / "objects", [snapshot for name, snapshot in snapshots.items() if name not in going]
        )
    return Pruned(snapshots=len(going), files=files, size_bytes=size)


def _delete_unnamed(objects: Path, kept: list[Snapshot]) -> tuple[int, int]:
    """Delete the files that no kept snapshot names; return how many, and their bytes."""
    named_by_one = {stored.sha256 for snapshot in kept for stored in snapshot.files.values()}
    files = size = 0
    for path in sorted(objects.glob("*/*")):
        if _OBJECT.fullmatch(path.name) and path.name not in named_by_one:
            size += path.stat().st_size
            path.unlink()
            files += 1
            failpoint("prune.deleting")
    return files, size

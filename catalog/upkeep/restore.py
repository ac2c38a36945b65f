"""A home brought back from a backup: built beside what is there, then put in its place, and nothing destroyed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..disk.failpoint import failpoint
from ..disk.files import inside, storing, sync
from ..disk.locks import hold, is_held
from ..disk.versions import Marks, TableFiles, new_stamp
from ..errors import Busy, Damage, InputError, StorageError
from ..generator import Progress
from ..models import Value
from ..mounts import check_local
from ..objects.address import is_address, refuse_mistyped
from ..objects.lease import lease
from ..store.homes.remote import RESTORING_MARK
from ..store.schema import VERSIONS
from ..store.store import RESTORING, Store, make_folders
from .copying import copy_home
from .objects import Objects, Stored, copy
from .snapshots import Snapshot, named, snapshot_names

__all__ = ["Restored", "restore"]


ASIDE = "before-restore-"
"""How the names of folders begin that hold what was in a home before; time and random digits follow."""
LOCK_S = 5.0
"""How long a writer may take to finish before a home is moved aside."""
RESTORE_WAIT_S = 30.0
"""How long a restore into an object store waits for another one there; that of a dead process counts for 10 s."""
_STAYS = ("lost+found",)


class Restored(Value):
    """What a restore did."""

    snapshot: str
    """Its name; "" where the source was a home."""
    home: str
    tracks: int
    files: int
    size_bytes: int
    aside: str | None = None
    """The folder that holds what was there before."""
    lacking: tuple[str, ...] = ()
    """Audio that the snapshot names and the backup has not, or not any more as it was stored."""


def restore(
    folder: str | Path,
    home: str | Path,
    *,
    snapshot: str | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Restored:
    """Bring the newest snapshot of the backup in `folder` back as the catalog in `home`, or the one that is named.

    Every file is compared with its sha256. Audio that fails is left out and told; any other file that fails raises
    Damage, and nothing is changed. `home` must be absent or empty. With `force` what it holds moves to a folder
    `before-restore-*` in it. A `home` on an object store must hold no catalog; there `folder` may also be a home, such
    as `copy_to_folder` makes. Until it ends the home refuses to open; the same call goes on with one that did not end.
    Raises NotFound without a backup, InputError for a home that holds something, Busy while a service or a
    writer works there.
    """
    if is_address(home):
        return _into_store(Path(folder).expanduser().absolute(), str(home), snapshot, on_progress)
    refuse_mistyped(home)
    backup, target = Path(folder).expanduser().absolute(), Path(home).expanduser().absolute()
    name = snapshot or snapshot_names(backup)[0]
    wanted = named(backup, name)
    with storing(f"the catalog cannot be restored into {target}"):
        _check_place(target, wanted, force=force)
        with contextlib.ExitStack() as locks:
            with _staging(target) as staging:
                lacking = _build(wanted, Objects(backup), staging, on_progress)
                failpoint("restore.built")
                locks.enter_context(_alone(target))
                _check_place(target, wanted, force=force)  # another process may have come first
            aside = _move_aside(target) if _existing(target) else None
            failpoint("restore.aside")
            _move_up(staging, target)
        _forget_unfinished(target)
    return Restored(
        snapshot=name,
        home=str(target),
        tracks=wanted.tracks,
        files=len(wanted.files) - len(lacking),
        size_bytes=sum(stored.size_bytes for stored in wanted.files.values()),
        aside=str(aside) if aside else None,
        lacking=(*wanted.lacking, *lacking),
    )


def _into_store(folder: Path, home: str, snapshot: str | None, on_progress: Progress | None) -> Restored:
    """Bring a home in a folder, or a snapshot of one, into an empty place on an object store."""
    with contextlib.ExitStack() as after:
        source, name = folder, ""
        if not (folder / "lance").is_dir():
            source = Path(after.enter_context(tempfile.TemporaryDirectory())) / "home"
            name = restore(folder, source, snapshot=snapshot).snapshot
        elif snapshot is not None:
            raise InputError(f"{folder} is a home and has no snapshots; leave out snapshot={snapshot!r}")
        from_ = Store.open(source, create=False)
        after.callback(from_.close)
        target = Store.open(home, restoring=True)
        after.callback(target.close)
        assert target.blobs is not None
        if target.tracks.table.durable.of_service:
            raise InputError(f"the tables of {home} are in a service; restore into s3://, gs:// or az://")
        after.enter_context(lease(target.blobs, "restore", RESTORE_WAIT_S, f"the restore into {home}"))
        _begin(target, json.dumps({"from": str(folder), "snapshot": name}).encode())
        # A replica that opened the place before may have stored rows of its own, which stay.
        done = copy_home(from_, target, on_progress, prune=False)
        target.blobs.delete(RESTORING_MARK)
    return Restored(
        snapshot=name,
        home=home,
        tracks=done.tracks,
        files=done.files,
        size_bytes=done.size_bytes,
        lacking=tuple(problem.detail for problem in done.problems),
    )


def _begin(target: Store, mark: bytes) -> None:
    """Mark a place on an object store as not restored yet. Raises InputError for a catalog, or another restore."""
    assert target.blobs is not None
    begun = target.blobs.get(RESTORING_MARK)
    if begun is None:
        if any(table.durable.exists() and table.count(None) for table in _tables(target)):
            raise InputError(f"{target.address} holds a catalog already; pass an empty place")
        target.blobs.put(RESTORING_MARK, mark)
    elif begun != mark:
        raise InputError(
            f"a restore of {begun.decode(errors='replace')} into {target.address} has not ended; go on with that one, "
            "or pass an empty place"
        )


def _tables(store: Store) -> Sequence[Any]:
    return [store.tracks.table, store.requests.table, store.judgements.table]


def _existing(home: Path) -> list[Path]:
    """Return what a home holds, `lance/` first; nothing where it is absent. Raises InputError for a file."""
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is a file; pass a folder for the catalog")
    paths = (
        sorted(home.iterdir(), key=lambda path: (path.name != "lance", path.name)) if home.exists() else []
    )
    passed = (RESTORING, ASIDE)
    return [path for path in paths if path.name not in _STAYS and not path.name.startswith(passed)]


def _check_place(home: Path, snapshot: Snapshot, *, force: bool) -> None:
    """Raise Busy for a home that is served, InputError for one that holds something, StorageError for want of space."""
    check_local(home)
    if is_held(home / "locks" / "serve.lock"):
        raise Busy(f"a service runs in {home}; stop it, then restore")
    if _existing(home) and not force:
        raise InputError(
            f"{home} is not empty; pass force=True, and what it holds moves to a folder {ASIDE}* in it"
        )
    place = next(path for path in (home, *home.parents) if path.exists())
    needed = sum(stored.size_bytes for stored in snapshot.files.values())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise StorageError(
            f"the snapshot has {needed / 1e9:.1f} GB and {place} has {free / 1e9:.1f} GB free; free some space"
        )


@contextlib.contextmanager
def _staging(home: Path) -> Iterator[Path]:
    """Yield a new folder in the home; it goes, and a home that was not there too, when the body raises."""
    absent = not home.exists()
    staging = home / f"{RESTORING}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        staging.mkdir(mode=0o700, parents=True)
        yield staging
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if absent:
            with contextlib.suppress(OSError):
                home.rmdir()
        raise


def _build(
    snapshot: Snapshot, objects: Objects, staging: Path, on_progress: Progress | None
) -> tuple[str, ...]:
    """Write a home into the folder `staging`, on the disk on return; return the audio that cannot be had."""
    make_folders(staging)
    lacking, written = [], []
    for relative, stored in snapshot.files.items():
        try:
            written.append(_bring(staging, relative, stored, objects))
        except (Damage, FileNotFoundError) as error:
            if relative not in snapshot.audio:
                raise Damage(
                    f"the backup is damaged: {relative} of this snapshot cannot be had ({error}); "
                    "pass another one as snapshot=NAME"
                ) from error
            lacking.append(relative)
        if on_progress is not None:
            on_progress(len(written) + len(lacking), len(snapshot.files))
    folders = {folder for path in written for folder in path.parents if folder.is_relative_to(staging)}
    sync(written, sorted(folders))
    for name, state in snapshot.tables.items():
        # A stamp that no table had before: nothing that was remembered of the catalog before holds for this one.
        marks = Marks(state.version, state.compacted, new_stamp(), state.schema_version)
        TableFiles(staging, name).write_marks(marks)
    _check_tables(staging, snapshot)
    return tuple(lacking)


def _bring(staging: Path, relative: str, stored: Stored, objects: Objects) -> Path:
    path = inside(staging, relative)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy(objects.path(stored), path, stored)
    return path


def _check_tables(staging: Path, snapshot: Snapshot) -> None:
    """Open the tables of a home that was built, and compare the number of their rows. Raises Damage."""
    store = Store.open(staging, create=False)
    try:
        counts = {name: int(store.tables[name].table.count_rows()) for name in snapshot.tables}
    finally:
        store.close()
    for name, state in snapshot.tables.items():
        if counts[name] != state.rows:
            raise Damage(
                f"the {name} table of this snapshot has {counts[name]} rows, and {state.rows} were copied; "
                "pass another one as snapshot=NAME"
            )


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the locks of the tables in a home. Raises Busy where a writer does not end."""
    locks = home / "locks"
    with contextlib.ExitStack() as stack:
        for name in VERSIONS if locks.is_dir() else ():
            stack.enter_context(hold(locks / f"{name}.lock", LOCK_S, f"the {name} table of {home}"))
        yield


def _move_aside(home: Path) -> Path:
    """Move what a home holds to a new folder in it, `lance/` first: without that, nobody takes it for a catalog."""
    aside = home / f"{ASIDE}{int(time.time())}-{secrets.token_hex(3)}"
    aside.mkdir(mode=0o700)
    for path in _existing(home):
        path.rename(aside / path.name)
        failpoint("restore.moving")
    sync([], [aside, home])
    return aside


def _move_up(staging: Path, home: Path) -> None:
    """Move the home that was built to its place, `lance/` last: with that, it is a catalog."""
    for path in sorted(staging.iterdir(), key=lambda path: (path.name == "lance", path.name)):
        if path.name == "lance":
            sync([], [staging, home])
        path.rename(home / path.name)
        failpoint("restore.moving")
    sync([], [home, home.parent])


def _forget_unfinished(home: Path) -> None:
    """Delete what restores left that did not end; everything in there is in their backups."""
    for path in home.glob(f"{RESTORING}*"):
        shutil.rmtree(path, ignore_errors=True)

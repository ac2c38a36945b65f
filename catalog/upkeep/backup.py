"""Spare copies of a home: incremental, checked while they are made, and whole at every moment.

A backup is a folder of files under their sha256 and of snapshots that list them. A snapshot is written last, when all
of its files are on the disk, so that whatever happens to a later one leaves the earlier ones as they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from ..collections.files import collection_in, moved_aside
from ..collections.files import damaged as damaged_collections
from ..collections.files import paths as collection_paths
from ..disk.arrays import array_in
from ..disk.checksummed import from_checked, to_checked
from ..disk.failpoint import failpoint
from ..disk.files import TEMPORARY, inside, refusal, storing, write_file
from ..disk.locks import hold
from ..disk.queue import queued
from ..disk.table import DurableTable
from ..errors import CatalogError, Damage, InputError, StorageError
from ..generator import Progress
from ..models import Value
from ..objects.address import looks_mistyped
from ..store.audio import ARRAYS, beside
from ..store.audit import Problem
from ..store.store import Store
from ..version import package_version
from .companions import is_whole
from .copying import Copied, copy_home
from .objects import Objects, Stored
from .pruning import Pruned, prune
from .snapshots import Snapshot, TableState, newest, write
from .tables import TrackAudio, copy_table

__all__ = ["Backup", "LastBackup", "back_up", "copy_to_folder", "last_backup"]


NOTE = "backup.json"
COPY_NOTE = "copy-of.json"
"""The file in a copy of a catalog on an object store that names its address."""
NOT_COPIED = ("serve.json", "scrub.json", NOTE, COPY_NOTE)
"""Files of a home that concern the process or the machine."""
LOCK_S = 600.0
"""How long a backup waits for another one into the same folder."""


class Backup(Value):
    """What a backup did."""

    snapshot: str
    tracks: int
    files: int
    size_bytes: int
    """Of every file of the snapshot."""
    copied_files: int
    copied_bytes: int
    """Of those that the folder did not have yet."""
    altered_files: int
    """Files of the folder that were found altered; those that the home has are among the copied ones."""
    problems: tuple[Problem, ...] = ()
    """What was damaged. The snapshot has what an earlier one had in its place, where there was one."""
    pruned: Pruned | None = None
    """What was deleted for `keep`; None without `keep`, and where it was refused."""
    not_pruned: str | None = None
    """Why what `keep` does not keep is still there, or some of it."""


class LastBackup(Value):
    """The note of the newest backup, in the home."""

    made_at: datetime
    folder: str
    tracks: int


def back_up(
    store: Store,
    folder: str | Path,
    *,
    deep: bool = False,
    keep: int | None = None,
    on_progress: Progress | None = None,
) -> Backup:
    """Copy what the catalog has, and the backup in `folder` has not, and write a snapshot of it.

    Rows and audio are compared with their checksums. A table with a damaged row stays as it was in the snapshot before,
    and so does a damaged file. `deep` reads also what the folder has, and copies anew what was altered there. With
    `keep`, all but the newest `keep` snapshots of this home are deleted then, and the files that no snapshot names;
    nothing is where something was damaged. Writers may go on. Raises InputError for a folder in the home, Busy while
    another process backs up into it, StorageError where the disk refuses; earlier snapshots stay.
    """
    if keep is not None and keep < 1:
        raise InputError(f"keep is {keep}; pass how many snapshots stay, 1 at the least")
    if store.blobs:
        raise InputError(
            f"{store.address} is no folder, and such a backup copies files; `copy_to_folder` copies it to a folder"
        )
    target = _checked_folder(store.home, folder)
    with storing(f"the backup in {target} cannot be written"):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(target, must=keep is not None):
            objects, before = Objects(target, deep=deep), newest(target)
            try:
                done = _snapshot(store, target, objects, before, on_progress)
            finally:
                objects.clear()
            if keep is not None:
                done = _pruned(done, target, str(store.home), keep)
    with contextlib.suppress(OSError):  # a home that is read-only keeps no note
        last = LastBackup(made_at=datetime.now(timezone.utc), folder=str(target), tracks=done.tracks)
        write_file(store.home / NOTE, to_checked(last.model_dump(mode="json")), point="note")
    return done


def copy_to_folder(store: Store, folder: str | Path, on_progress: Progress | None = None) -> Copied:
    """Make `folder` a copy of a catalog on an object store: a home, which is brought up to date where it is there.

    Raises InputError for a folder that holds something else, StorageError where the disk or the store refuses.
    """
    target = _checked_folder(store.home, folder)
    note = target / COPY_NOTE
    held = [path for path in target.iterdir() if path.name != COPY_NOTE] if target.is_dir() else []
    if held and _copied_from(note) != store.address:
        raise InputError(f"{target} holds something else than a copy of {store.address}; pass another folder")
    with storing(f"the backup in {target} cannot be written"):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(note, to_checked({"home": store.address}), point="note")
    copied = Store.open(target)
    try:
        return copy_home(store, copied, on_progress)
    finally:
        copied.close()


def _copied_from(note: Path) -> str | None:
    try:
        return str(from_checked(note.read_bytes())["home"])
    except (OSError, Damage, KeyError, TypeError):
        return None


def last_backup(home: Path) -> LastBackup | None:
    """Return when and where a home was last backed up, None where it was not or the note is altered."""
    try:
        return LastBackup.model_validate(from_checked((home / NOTE).read_bytes()))
    except (OSError, ValidationError):
        return None


def _snapshot(
    store: Store, target: Path, objects: Objects, before: Snapshot | None, on_progress: Progress | None
) -> Backup:
    problems: list[Problem] = []
    # The table before the audio: a row is only in a version whose audio was stored before.
    store.requests.table  # noqa: B018  # the lines that wait go into the table
    states: dict[str, TableState] = {}
    tracks: list[TrackAudio] = []
    for table in (store.tables[name] for name in ("requests", "judgements", "tracks")):
        state, tracks = _table(table, objects, before, problems)
        states |= {table.name: state} if state else {}
    audio, lacking = _audio(store, tracks, objects, before, problems, on_progress)
    if before and "tracks" in states and states["tracks"] is before.tables.get("tracks"):
        # Rows of the state before may name audio that no row names now.
        audio = {**before.audio, **audio}
        lacking = (*before.lacking, *lacking)
    others = _others(store.home, objects, before, problems)
    objects.flush()
    failpoint("backup.copied")
    snapshot = Snapshot(
        made_at=datetime.now(timezone.utc),
        program=package_version(),
        home=str(store.home),
        tables=states,
        audio=audio,
        others=others,
        lacking=tuple(path for path in dict.fromkeys(lacking) if path not in audio),
    )
    name = write(target, snapshot)
    return _told(name, snapshot, objects, problems)


@contextlib.contextmanager
def _alone(target: Path, *, must: bool) -> Iterator[None]:
    """Hold the lock of a backup: what one process finds there and does not copy, no other may delete meanwhile.

    Where the file system has no locks, a process that deletes nothing (not `must`) goes on without.
    """
    with contextlib.ExitStack() as lock:
        try:
            lock.enter_context(hold(target / "lock", LOCK_S, f"the backup in {target}"))
        except StorageError:
            if must:
                raise
        yield


def _pruned(done: Backup, target: Path, home: str, keep: int) -> Backup:
    if done.problems:
        reason = "something was damaged, and an earlier snapshot may have it whole"
        return done.model_copy(update={"not_pruned": reason})
    try:
        return done.model_copy(update={"pruned": prune(target, home, keep)})
    except CatalogError as error:
        return done.model_copy(update={"not_pruned": str(error)})


def _told(name: str, snapshot: Snapshot, objects: Objects, problems: Sequence[Problem]) -> Backup:
    files = snapshot.files
    return Backup(
        snapshot=name,
        tracks=snapshot.tracks,
        files=len(files),
        size_bytes=sum(stored.size_bytes for stored in files.values()),
        copied_files=len(objects.copied),
        copied_bytes=sum(stored.size_bytes for stored in objects.copied),
        altered_files=len({*objects.altered}),
        problems=tuple(problems),
    )


def _table(
    table: DurableTable, objects: Objects, before: Snapshot | None, problems: list[Problem]
) -> tuple[TableState | None, list[TrackAudio]]:
    """Copy a table; return its newest sound state and the audio that its rows name today."""
    earlier = before.tables.get(table.name) if before else None
    try:
        copied = copy_table(table, objects)
    except StorageError as error:
        if refusal(error):
            raise
        if earlier is None:
            raise
        problems.append(Problem(kind="table", subject=table.name, detail=str(error)))
        return earlier, []
    if copied is None:
        return None, []
    state, tracks, damaged = copied
    problems += damaged
    if damaged and earlier and earlier.sound:
        detail = (
            f"the backup keeps the {table.name} as they were on {earlier.taken_at:%Y-%m-%d %H:%M} UTC, since rows "
            "are damaged now; run `catalog doctor --fix`, then back up again"
        )
        problems.append(Problem(kind="table", subject=table.name, detail=detail))
        return earlier, tracks
    return state, tracks


def _audio(
    store: Store,
    tracks: Sequence[TrackAudio],
    objects: Objects,
    before: Snapshot | None,
    problems: list[Problem],
    on_progress: Progress | None,
) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """Copy the audio of tracks and what stands beside it; return these files, and the paths of those that are lost."""
    audio: dict[str, Stored] = {}
    lacking = []
    for number, track in enumerate(tracks):
        if track.path in audio:
            continue
        try:
            audio[track.path] = objects.add(inside(store.home, track.path), track.stored)
        except (Damage, FileNotFoundError) as error:
            lacking.append(track.path)
            # A track that was mended, or is being purged, is in the trash without its audio.
            if track.ready or isinstance(error, Damage):
                problems.append(_lost(track, error))
        audio |= _beside(store.home, track.path, objects, before, problems)
        if on_progress is not None:
            on_progress(number + 1, len(tracks))
    return audio, tuple(lacking)


def _lost(track: TrackAudio, error: Exception) -> Problem:
    if isinstance(error, Damage):
        return Problem(kind="altered-audio", subject=track.track_id, detail=str(error))
    detail = f"{track.path} of {track.track_id} is gone, and the backup does not have it"
    return Problem(kind="missing-audio", subject=track.track_id, detail=detail)


def _beside(
    home: Path, audio_path: str, objects: Objects, before: Snapshot | None, problems: list[Problem]
) -> dict[str, Stored]:
    """Copy sidecar, codes and fingerprint; one that cannot be read stays as it was in the snapshot before."""
    found = {}
    for relative in beside(audio_path):
        path = inside(home, relative)
        try:
            _check_beside(path)
            found[relative] = _add_changing(objects, path)
        except FileNotFoundError:
            continue
        except Damage as error:
            if before and relative in before.audio:
                found[relative] = before.audio[relative]
            problems.append(
                Problem(kind="altered-audio", subject=relative, detail=f"{relative} is damaged: {error}")
            )
    return found


def _check_beside(path: Path) -> None:
    """Raise Damage for a sidecar, codes or a fingerprint whose checksum is wrong."""
    data = path.read_bytes()
    array = next((name for ending, name in ARRAYS.items() if path.name.endswith(ending)), None)
    if array is not None:
        array_in(data, array)
    elif not is_whole(data):
        raise Damage("it no longer says what was written")


def _others(
    home: Path, objects: Objects, before: Snapshot | None, problems: list[Problem]
) -> dict[str, Stored]:
    """Copy the files beside tables and audio: configuration, certificates, lines that wait, collections.

    A collection that cannot be read stays as it was in the snapshot before, also once `doctor --fix` has moved it away.
    """
    own = (path for path in home.iterdir() if path.is_file() and path.name not in NOT_COPIED)
    found = {}
    named = sorted(path for path in own if not path.name.startswith(TEMPORARY))
    damaged = damaged_collections(home)
    for path in [*named, *queued(home), *collection_paths(home)]:
        relative = path.relative_to(home).as_posix()
        if wrong := damaged.get(relative):
            problems.append(Problem(kind="altered-collection", subject=relative, detail=wrong))
            if before and relative in before.others:
                found[relative] = before.others[relative]
                continue
        with contextlib.suppress(FileNotFoundError):  # a line that went into the table meanwhile
            found[relative] = _add_changing(objects, path)
    earlier = before.others if before else {}
    for relative in moved_aside(home) & earlier.keys():
        with contextlib.suppress(Damage, FileNotFoundError):
            collection_in(objects.path(earlier[relative]).read_bytes(), relative)
            found[relative] = earlier[relative]
    return found


def _add_changing(objects: Objects, path: Path) -> Stored:
    """Copy a file that another process may replace meanwhile; then it is copied once more."""
    try:
        return objects.add(path)
    except Damage:
        return objects.add(path)


def _checked_folder(home: Path, folder: str | Path) -> Path:
    """Return the folder of a backup. Raises InputError for an address, and for a folder in the home or around it."""
    if "://" in str(folder) or not str(folder).strip():
        raise InputError(f"the backup cannot be written to {str(folder)!r}; pass a local folder")
    if looks_mistyped(folder):
        raise InputError(
            f"the backup folder {str(folder)!r} looks like an address, and a backup is written to a local folder; "
            "pass one, a folder of that name by its absolute path"
        )
    target = Path(folder).expanduser().absolute()
    own, other = home.resolve(), target.resolve()
    if own.is_relative_to(other) or other.is_relative_to(own):
        raise InputError(
            f"the backup folder {target} and the home {home} hold one another; pass another folder"
        )
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; pass a folder for the backup")
    return target

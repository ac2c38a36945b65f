"""The files of the collections in a home: `collections/ID.json`, each written as a whole under a checksum."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from ..disk.checksummed import from_checked, to_checked
from ..disk.files import TEMPORARY, set_aside, storing, sync, write_file
from ..disk.locks import hold
from ..errors import Damage
from ..models import Collection

__all__ = ["Files", "collection_in", "damaged", "move_damaged", "moved_aside", "paths", "read"]

FOLDER = "collections"
LOCK_S = 30.0
"""How long a change waits for another one."""


def paths(home: Path) -> list[Path]:
    """Return the files of all collections, deleted ones too."""
    found = sorted((home / FOLDER).glob("*.json"))
    return [path for path in found if not path.name.startswith(TEMPORARY)]


def read(path: Path) -> Collection | None:
    """Return the collection in a file, None where the file is gone. Raises Damage, StorageError."""
    name = f"{FOLDER}/{path.name}"
    with storing(f"{name} cannot be read"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    return collection_in(data, name)


def collection_in(data: bytes, name: str) -> Collection:
    """Return the collection in the content of `collections/ID.json`, which is its name. Raises Damage."""
    try:
        collection = Collection.model_validate(from_checked(data))
    except Damage as error:
        raise Damage(f"{name} is damaged: {error}") from error
    except ValidationError as error:
        raise Damage(f"{name} holds no collection") from error
    if collection.id != PurePosixPath(name).stem:
        raise Damage(f"{name} holds the collection {collection.id}")
    return collection


class Files:
    """The collections in a home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def whole(self) -> Iterator[Collection]:
        """Yield the collections that can be read, deleted ones too."""
        for path in paths(self._home):
            with contextlib.suppress(Damage):
                if (collection := read(path)) is not None:
                    yield collection

    def write(self, collection: Collection) -> None:
        """Keep a collection, on the disk on return. Raises StorageError."""
        folder = self._home / FOLDER
        with storing(f"the collection {collection.name!r} cannot be kept"):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                sync([], [self._home])
            content = to_checked(collection.model_dump(mode="json"))
            write_file(folder / f"{collection.id}.json", content, point="collection")

    def forget(self, collection_id: str) -> None:
        """Delete the file of a collection; one that is gone already is fine."""
        with storing("a deleted collection cannot be forgotten"):
            (self._home / FOLDER / f"{collection_id}.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to change collections; other threads and processes wait. Raises Busy."""
        with hold(self._home / "locks" / "collections.lock", LOCK_S, "the collections"):
            yield


def damaged(home: Path) -> dict[str, str]:
    """Return the files that cannot be read as they were written, relative to the home, each with what is wrong."""
    found = {}
    for path in paths(home):
        try:
            read(path)
        except Damage as error:
            found[f"{FOLDER}/{path.name}"] = str(error)
    return found


def move_damaged(home: Path, relative: str) -> Path:
    """Move the file of a damaged collection to `lost/`; return its new path."""
    return set_aside(home, relative)


def moved_aside(home: Path) -> set[str]:
    """Return the files of collections that are gone from a home, relative to it, since damaged ones lie in `lost/`."""
    names = {path.name.split("-", 2)[-1] for path in (home / "lost").glob("*.json")}
    return {f"{FOLDER}/{name}" for name in names if not (home / FOLDER / name).exists()}

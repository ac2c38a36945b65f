"""The part of `MusicService` that takes in music which others made."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from typing_extensions import Unpack

from ...errors import InputError, NotFound
from ...generator import Progress
from ...intake.finding import Found, find
from ...intake.lists import beets_library, manifest, read_sidecar
from ...intake.tags import read_tags
from ...intake.words import Words, split_list
from ...models import IMPORTED, AddOptions, Batch, Track
from ...objects.address import is_address
from ...presets import Library
from ...search.filters import both, equals, literal
from ...store.rows import from_track_row
from ...validation import check_type, checked_but_keywords, nearest, validated
from ..stock import StockedCatalog
from .adding import Adding, OnFile, Said
from .flow import add_files

__all__ = ["AddingCatalog", "given_words"]


AT_ONCE = 500
LAST = "last"


class AddingCatalog(StockedCatalog):
    """The part of `MusicService` that takes in music which others made."""

    def add(
        self,
        *paths: str | Path,
        listed: str | Path | None = None,
        beets: str | Path | None = None,
        dry_run: bool = False,
        on_progress: Progress | None = None,
        on_file: OnFile | None = None,
        **options: Unpack[AddOptions],
    ) -> Batch:
        """Take in the audio files below `paths`; return what became of each, and the id of the batch.

        Titles, genres, tempo, licence and more are read from tags, from JSON beside the files, and from `listed`, a CSV
        or JSON Lines file with a column `path`; without paths, its files are added. `beets` is the database of a beets
        library, whose files are added. `options` (role, license, source, rights, ...) hold for every file, and win
        over what the files say. What is in the catalog already, as the same bytes or the same recording, is left out,
        and the poorer of two copies. A file that cannot be used is named and passed over. The same call again adds what
        is missing. With `dry_run` nothing is written. `on_file` gets each file's outcome as it comes: the better copies
        come first. Raises InputError, NotFound, StorageError.
        """
        for path in paths:
            check_type("path", str | os.PathLike, path)
        given = given_words(options, self.library)
        rows = manifest(listed, roles=self.library.roles) if listed is not None else {}
        owned = beets_library(beets) if beets is not None else {}
        found = [*find(paths), *map(Found, owned), *(() if paths else map(_listed, rows))]
        if not (paths or rows or owned):
            raise InputError("nothing is named to be added; pass files or folders")
        adding = self._adding(_said(rows, owned), given, dry_run)
        return add_files(adding, found, on_progress=on_progress, on_file=on_file)

    def states_licenses(
        self, *paths: str | Path, listed: str | Path | None = None, beets: str | Path | None = None
    ) -> bool:
        """Tell whether each of these files states its licence: in its tags, in JSON beside it, or in a list.

        Objects of a list are not fetched for that: what the list says counts.
        """
        self._require_open()
        rows = manifest(listed, roles=self.library.roles) if listed is not None else {}
        owned = beets_library(beets) if beets is not None else {}
        said = _said(rows, owned)
        found = [*find(paths), *map(Found, owned), *(() if paths else map(_listed, rows))]
        return all(bool(said(one).license or _own_license(one)) for one in found)

    @checked_but_keywords
    def add_bytes(self, data: bytes, name: str, **options: Unpack[AddOptions]) -> Batch:
        """Take in one audio file from its bytes; `name` is that of the file, whose ending says what it is."""
        plain = re.sub(r"[\x00-\x1f/\\]+", " ", name).strip(" .")[-120:] or "untitled"
        given = given_words(options, self.library)
        with tempfile.TemporaryDirectory(prefix="catalog-") as folder:
            path = Path(folder) / plain
            path.write_bytes(data)
            batch = add_files(self._adding(lambda _: Words(), given, False), [Found(path, name=plain)])
        return batch

    def undo_add(self, batch: str) -> list[Track]:
        """Move the tracks of a batch, or of the "last" one, to the trash; return those that were not there yet.

        Raises NotFound for an unknown batch.
        """
        check_type("batch", str, batch)
        ids = self._ids_of(self._last_batch() if batch == LAST else batch)
        now = datetime.now(timezone.utc)

        def trash(track: Track) -> Mapping[str, Any]:
            return {} if track.state == "trashed" else {"state": "trashed", "trashed_at": now}

        moved = []
        for start in range(0, len(ids), AT_ONCE):
            changes: dict[str, Callable[[Track], Mapping[str, Any]]]
            changes = dict.fromkeys(ids[start : start + AT_ONCE], trash)
            moved += self.store.tracks.change_all(changes)
        return [self._placed(track) for track in moved]

    def _last_batch(self) -> str:
        """Return the id of the batch that was added last and has tracks. Raises NotFound without one."""
        where = both(equals("backend", IMPORTED), equals("state", "ready"))
        rows = self.store.tracks.table.read(where, order="-created_at", limit=1)
        for row in rows:
            return str(from_track_row(row).config.get("batch", ""))
        raise NotFound("no batch was added that could be undone")

    def _ids_of(self, batch: str) -> list[str]:
        marked = f"contains(config, {literal(batch)})"
        where = both(equals("backend", IMPORTED), equals("state", "ready"), marked)
        tracks = (from_track_row(row) for row in self.store.tracks.table.read(where))
        ids = [track.id for track in tracks if track.config.get("batch") == batch]
        if not ids:
            raise NotFound(
                f"there is no batch {batch!r} with tracks outside the trash; `catalog add` prints its name"
            )
        return ids

    def _adding(self, said: Said, given: Words, dry_run: bool) -> Adding:
        return Adding(
            store=self.store,
            library=self.library,
            encoder=self.encoder,
            music=self._flow.music,
            said=said,
            given=given,
            batch=f"{datetime.now(timezone.utc):%Y%m%d-%H%M}-{secrets.token_hex(2)}",
            dry_run=dry_run,
        )


def given_words(options: Mapping[str, Any], library: Library) -> Words:
    """Return what is said of every file, as words. Raises InputError for an unknown option, role or style."""
    if unknown := sorted(options.keys() - AddOptions.__annotations__.keys()):
        raise InputError(
            f"unknown option {unknown[0]!r}; {nearest(unknown[0], [*AddOptions.__annotations__])}"
        )
    values = {name: value for name, value in options.items() if value not in (None, "", ())}
    for name, valid in (("role", library.roles), ("style", library.styles)):
        if values.get(name) is not None and values[name] not in valid:
            raise InputError(f"{name} {values[name]!r} is unknown; {nearest(str(values[name]), [*valid])}")
    if "tags" in values:
        values["tags"] = split_list(values["tags"])
    return validated(Words, values)


def _listed(place: str) -> Found:
    """Return the file, or the object, that a list names."""
    if is_address(place):
        return Found(Path(PurePosixPath(place).name), address=place)
    return Found(Path(place))


def _own_license(one: Found) -> str:
    if one.address or not one.path.is_file():  # reading a pipe would wait for a writer
        return ""
    return read_sidecar(one.path).license or read_tags(one.path).license


def _said(rows: Mapping[str, Words], owned: Mapping[Path, Words]) -> Said:
    nothing = Words()

    def said(one: Found) -> Words:
        listed = rows.get(one.address or os.path.realpath(one.path)) if rows else None
        return listed or owned.get(one.path) or nothing

    return said

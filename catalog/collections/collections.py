"""Playlists and saved searches: make, change, delete and restore them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ..errors import InputError, NotFound
from ..models import Collection
from ..objects.blobs import Blobs
from ..validation import checked, nearest, validated
from . import files
from .shared import SharedFiles

__all__ = ["KEPT_AFTER_DELETION", "Collections"]

KEPT_AFTER_DELETION = timedelta(days=7)
"""How long a deleted collection can be restored."""
CollectionList = list[Collection]
Ids = list[str]


class Collections:
    """The collections of a home. A collection is named by its id or by its name, whatever its case.

    Threads and processes may share them: each change reads the file anew under a lock.
    """

    def __init__(
        self,
        home: Path,
        resolve: Callable[[Sequence[str]], Sequence[str]],
        blobs: Blobs | None = None,
        check: Callable[[str, str], None] | None = None,
    ) -> None:
        """`resolve` returns the whole ids of tracks, and raises NotFound for one that is not in the catalog.

        `check` raises InputError for the query and the order of a search that cannot be used.
        With `blobs` they are objects of a remote home, and not files of the folder `home`.
        """
        self._kept = files.Files(home) if blobs is None else SharedFiles(blobs)
        self._resolve, self._check = resolve, check

    def list(self) -> CollectionList:
        """Return the collections by name. One whose file is damaged is left out; `catalog doctor` tells of it."""
        found = [one for one in self._all() if one.deleted_at is None]
        return sorted(found, key=lambda one: (one.name.casefold(), one.created_at))

    @checked
    def get(self, collection: str) -> Collection:
        """Return a collection. Raises NotFound with the nearest names."""
        there = [one for one in self._all() if one.deleted_at is None]
        # The id goes first: another collection may be called so.
        for one in sorted(there, key=lambda one: one.id != collection):
            if one.id == collection or _same(one.name, collection):
                return one
        names = [one.name for one in self.list()]
        hint = f"; {nearest(collection, names)}" if names else ""
        raise NotFound(f"there is no collection {collection!r}{hint}")

    @checked
    def create(self, name: str, track_ids: Iterable[str] = ()) -> Collection:
        """Make a playlist of these tracks, in this order. Raises InputError for a name that is taken."""
        return self._create(name, track_ids=self._ids(track_ids))

    @checked
    def save_search(
        self, name: str, query: str, *, by: str = "both", sort: str = "-created_at"
    ) -> Collection:
        """Keep a search under a name; it is asked anew each time.

        Raises InputError for a name that is taken, and for a query or a sort that cannot be used.
        """
        if self._check is not None:
            self._check(query, sort)
        return self._create(name, query=query, by=by, sort=sort)

    @checked
    def rename(self, collection: str, name: str) -> Collection:
        """Give a collection another name."""
        return self._change(collection, lambda _: {"name": name})

    @checked
    def change_search(
        self, collection: str, *, query: str | None = None, by: str | None = None, sort: str | None = None
    ) -> Collection:
        """Give a saved search another query, way of searching or order; what is left out stays.

        Raises InputError for a playlist, and for a query or a sort that cannot be used.
        """
        given = {"query": query, "by": by, "sort": sort}

        def change(before: Collection) -> dict[str, Any]:
            if before.query is None:
                raise InputError(f"{before.name!r} is a playlist; it has tracks and no query")
            changes = {name: value for name, value in given.items() if value is not None}
            if self._check is not None:
                self._check(changes.get("query", before.query), changes.get("sort", before.sort))
            return changes

        return self._change(collection, change)

    @checked
    def add(self, playlist: str, track_ids: Iterable[str]) -> Collection:
        """Add tracks at the end of a playlist; one that is in it stays where it is."""
        added = self._ids(track_ids)
        return self._reorder(playlist, lambda ids: [*dict.fromkeys((*ids, *added))])

    @checked
    def remove(self, playlist: str, track_ids: Iterable[str]) -> Collection:
        """Take tracks out of a playlist; those that are not in it are passed over. Raises NotFound for no track."""
        gone = self._of_playlist(playlist, track_ids)
        return self._reorder(playlist, lambda ids: [each for each in ids if each not in gone])

    @checked
    def move(self, playlist: str, track_ids: Iterable[str], before: str | None = None) -> Collection:
        """Move tracks of a playlist before one of its tracks, or to its end. Raises NotFound for no track."""
        moved = self._of_playlist(playlist, track_ids)
        if before is not None:
            (before,) = self._of_playlist(playlist, before)
        return self._reorder(playlist, lambda ids: _moved(ids, moved, before))

    @checked
    def replace(self, playlist: str, track_ids: Iterable[str]) -> Collection:
        """Replace the tracks of a playlist; those that were in it may be gone from the catalog."""
        wanted = [*dict.fromkeys(track_ids)]
        known = {*(self.get(playlist).track_ids or ())}
        self._resolve([each for each in wanted if each not in known])
        return self._reorder(playlist, lambda _: wanted)

    @checked
    def delete(self, collection: str) -> Collection:
        """Delete a collection; `restore` brings it back for a week."""
        deleted = self._change(collection, lambda _: {"deleted_at": _now()})
        for one in self._all():
            if one.deleted_at and _now() - one.deleted_at > KEPT_AFTER_DELETION:
                self._kept.forget(one.id)
        return deleted

    @checked
    def restore(self, collection: str) -> Collection:
        """Bring a deleted collection back, by its id or its name; of several of a name, the one deleted last.

        Raises NotFound with the names of what can be restored, and InputError where its name is taken now.
        """
        with self._kept.alone():
            deleted = sorted(
                (one for one in self._all() if one.deleted_at),
                key=lambda one: str(one.deleted_at),
                reverse=True,
            )
            named = [one for one in self._all() if one.id == collection]
            for one in named or [each for each in deleted if _same(each.name, collection)]:
                self._check_free(one.name, one.id)
                return self._keep(one, {"deleted_at": None})
        names = [one.name for one in deleted]
        raise NotFound(
            f"there is no deleted collection {collection!r}; "
            + (nearest(collection, names) if names else "a deleted one is kept for a week")
        )

    # Inside

    def _all(self) -> CollectionList:
        return [*self._kept.whole()]

    def _ids(self, track_ids: Iterable[str]) -> Ids:
        if isinstance(track_ids, str):
            track_ids = [track_ids]
        return [*dict.fromkeys(self._resolve([*track_ids]))]

    def _of_playlist(self, playlist: str, track_ids: Iterable[str]) -> Ids:
        """Return whole ids as `_ids` does; a track of the playlist may be gone from the catalog."""
        given = [track_ids] if isinstance(track_ids, str) else [*track_ids]
        there = {*(self.get(playlist).track_ids or ())}
        return [
            *dict.fromkeys(whole for one in given for whole in ([one] if one in there else self._ids(one)))
        ]

    def _create(self, name: str, **content: Any) -> Collection:
        values = {"id": secrets.token_hex(6), "created_at": _now(), "changed_at": _now()}
        collection = validated(Collection, {**values, "name": name, **content})
        with self._kept.alone():
            self._check_free(collection.name)
            self._kept.write(collection)
        return collection

    def _change(self, collection: str, change: Callable[[Collection], dict[str, Any]]) -> Collection:
        with self._kept.alone():
            before = self.get(collection)
            return self._keep(before, change(before))

    def _keep(self, before: Collection, changes: dict[str, Any]) -> Collection:
        after = validated(Collection, {**before.model_dump(), **changes, "changed_at": _now()})
        if not _same(before.name, after.name):
            self._check_free(after.name, after.id)
        self._kept.write(after)
        return after

    def _reorder(self, playlist: str, order: Callable[[tuple[str, ...]], Sequence[str]]) -> Collection:
        def change(before: Collection) -> dict[str, Any]:
            if before.track_ids is None:
                raise InputError(f"{before.name!r} is a saved search; its tracks come from its query")
            return {"track_ids": tuple(order(before.track_ids))}

        return self._change(playlist, change)

    def _check_free(self, name: str, own_id: str = "") -> None:
        if any(_same(one.name, name) and one.id != own_id for one in self.list()):
            raise InputError(f"there is a collection called {name!r} already; choose another name")


def _moved(ids: tuple[str, ...], moved: Sequence[str], before: str | None) -> list[str]:
    going = [each for each in dict.fromkeys(moved) if each in ids]
    rest = [each for each in ids if each not in going]
    if before is None or before in going:
        at = len(rest) if before is None else sum(each not in going for each in ids[: ids.index(before)])
    elif before in rest:
        at = rest.index(before)
    else:
        raise InputError(
            f"the track {before!r} is not in the playlist; name one that is, or none for the end"
        )
    return [*rest[:at], *going, *rest[at:]]


def _same(name: str, other: str) -> bool:
    return " ".join(name.split()).casefold() == " ".join(other.split()).casefold()


def _now() -> datetime:
    return datetime.now(timezone.utc)

"""The takes of a track: what was made for the same request with other seeds, and its variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from ..disk.reading import intact
from ..models import Filter, Track
from ..search.filters import both, equals, one_of, to_sql
from ..store.rows import from_track_row
from ..store.store import Store

__all__ = ["Folded", "folded", "list_folded", "takes_of"]


Folded = Mapping[str, Sequence[str]]
"""The id of the first take of a group -> the ids of its others, in the order in which they were made."""

_firsts: WeakKeyDictionary[Store, tuple[int, dict[str, str]]] = WeakKeyDictionary()
"""By store: the version of its tracks, and what `_first_of` returned for it."""


def takes_of(store: Store, track_id: str) -> list[Track]:
    """Return the ready tracks of one group, the first made first; a track alone is a group of one.

    A group is the tracks made for the same request, the one that they are variations of, and its other variations.
    Raises NotFound without the track.
    """
    track = store.tracks.find_id(track_id)
    first = track.variant_of or track.id
    group = [equals("id", first), equals("variant_of", first), equals("key", track.key)]
    rows = store.tracks.table.read(f"({' OR '.join(group)}) AND {equals('state', 'ready')}")
    return sorted(intact(rows, from_track_row), key=lambda one: (one.created_at, one.id))


def folded(store: Store, where: Filter) -> Folded:
    """Return the groups of the tracks that meet `where`; one whose first does not meet it is no group."""
    firsts = _first_of(store)
    if not firsts:
        return {}
    there = {
        row["id"] for row in store.tracks.table.read(to_sql(where, store.tracks.licenses), columns=("id",))
    }
    groups: dict[str, list[str]] = {}
    for take, first in firsts.items():
        if take in there and first in there:
            groups.setdefault(first, []).append(take)
    return groups


def list_folded(
    store: Store, where: Filter, groups: Folded, *, order: str, limit: int, offset: int
) -> list[Track]:
    """Return a page of the tracks that meet `where`, without those that stand under the first of their group.

    Raises InputError as `Tracks.list` does.
    """
    if not groups:
        return [*store.tracks.list(where, order=order, limit=limit, offset=offset)]
    store.tracks.list(where, order=order, limit=0, offset=offset)  # refuses what cannot be used
    hidden = [take for takes in groups.values() for take in takes]
    shown = both(to_sql(where, store.tracks.licenses), f"NOT {one_of('id', hidden)}")
    return [*intact(store.tracks.table.read(shown, order=order, limit=limit, offset=offset), from_track_row)]


def _first_of(store: Store) -> dict[str, str]:
    """Return for each ready track that is a later take of another the id of the first one, in the order made."""
    version = store.tracks.version()
    kept = _firsts.get(store)
    if kept is None or kept[0] != version:
        names = ("id", "key", "variant_of", "created_at", "state")
        rows = [row for row in store.tracks.columns(names).to_pylist() if row["state"] == "ready"]
        of_key: dict[str, str] = {}
        firsts: dict[str, str] = {}
        for row in sorted(rows, key=lambda one: (one["created_at"], one["id"])):
            first = row["variant_of"] or of_key.get(row["key"], row["id"])
            of_key.setdefault(row["key"], first)
            if first != row["id"]:
                firsts[row["id"]] = firsts.get(first, first)
        kept = _firsts[store] = version, firsts
    return kept[1]

"""The takes of a track: what was made for the same request with other seeds, and its variations."""

from __future__ import annotations

from ..disk.reading import intact
from ..models import Track
from ..search.filters import equals
from ..store.rows import from_track_row
from ..store.store import Store

__all__ = ["takes_of"]


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

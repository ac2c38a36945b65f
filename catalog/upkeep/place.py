"""How far the scrub of a home came, and what it found: a small synced file with a checksum."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from ..disk.checksummed import from_checked, to_checked
from ..disk.files import storing, write_file
from ..errors import Damage
from ..models import Value

__all__ = ["NAME", "Place", "read_place", "write_place"]


NAME = "scrub.json"
MOST_DAMAGED = 1000
"""Ids of damaged tracks that are kept."""


class Place(Value):
    """The state of a scrub. Times are in UTC."""

    began_at: datetime | None = None
    """When the pass began; None before the first."""
    after: str = ""
    """The id of the last track that was checked; "" at the beginning of a pass."""
    tracks: int = 0
    """How many were checked in this pass."""
    size_bytes: int = 0
    """How much audio was read in this pass."""
    finished_at: datetime | None = None
    """The end of the last full pass, or of the last `catalog doctor --deep`."""
    damaged: tuple[str, ...] = ()
    """Ids of tracks that were found damaged, in this pass and in the last full one."""

    def past(self, track_id: str, size_bytes: int, *, damaged: bool) -> Place:
        """Return the place behind a track of `size_bytes` of audio."""
        ids = dict.fromkeys(self.damaged)
        ids.pop(track_id, None)
        return self.model_copy(
            update={
                "after": track_id,
                "tracks": self.tracks + 1,
                "size_bytes": self.size_bytes + size_bytes,
                "damaged": tuple([*ids, track_id] if damaged else ids)[-MOST_DAMAGED:],
            }
        )

    def ended(self, now: datetime) -> Place:
        """Return the beginning of the next pass."""
        return Place(began_at=now, finished_at=now, damaged=self.damaged)


def read_place(home: Path) -> Place:
    """Return the state of the scrub of a home; that of one that never was where it is absent or altered."""
    with storing(f"the state of the scrub in {home} cannot be read"):
        try:
            return Place.model_validate(from_checked((home / NAME).read_bytes()))
        except (FileNotFoundError, Damage, ValidationError):
            return Place()


def write_place(home: Path, place: Place) -> None:
    """Keep the state of the scrub of a home, on the disk on return. Raises StorageError."""
    with storing(f"the state of the scrub in {home} cannot be kept"):
        write_file(home / NAME, to_checked(place.model_dump(mode="json")), point="scrub")

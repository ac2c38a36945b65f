"""Tracks that a catalog holds twice: of one file, or of one recording that was coded in two ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..generator.listening.copies import LEAST_FRAMES, MOST_APART, MOST_LONGER_S
from ..generator.listening.fingerprint import Prints
from ..models import IMPORTED
from ..search.filters import both, equals
from ..store.store import Store

__all__ = ["Copied", "copies_in", "copies_told"]


LEAST_EQUAL = 2
"""Equal frames at the same time from which two recordings are compared bit by bit."""
COMMON = 50
"""A frame that more recordings than this have at the same time, such as that of a pause, tells nothing."""
FRAMES_AT_ONCE = 2_000_000
"""Frames that are compared at once: they take about 60 bytes each, where a fingerprint takes 4."""
MOST_TOLD = 20


class Copied(NamedTuple):
    """A track that is there another time."""

    track_id: str
    first_id: str
    """The track that was added first."""
    same_file: bool
    """Whether both are of one file; else they are of one recording."""


def copies_in(store: Store, *, listen: bool = True) -> list[Copied]:
    """Return the imported tracks outside the trash that are copies of one that was added before.

    With `listen` fingerprints are compared too, as they are kept: a copy that begins at another moment is not found.
    """
    predicate = both(equals("backend", IMPORTED), equals("state", "ready"))
    columns = ("id", "key", "created_at", "audio_path", "duration_s")
    rows = sorted(
        store.tracks.table.read(predicate, columns=columns), key=lambda row: (row["created_at"], row["id"])
    )
    first_of: dict[str, str] = {}
    copies = []
    for row in rows:
        first = first_of.setdefault(row["key"], row["id"])
        if first != row["id"]:
            copies.append(Copied(row["id"], first, same_file=True))
    if not listen:
        return copies
    told = {copy.track_id for copy in copies}
    others = [row for row in rows if row["id"] not in told]
    prints = {
        row["id"]: kept for row in others if (kept := store.audio.print_at(row["audio_path"])) is not None
    }
    lengths = {row["id"]: float(row["duration_s"]) for row in others}
    return copies + [Copied(later, first, same_file=False) for first, later in _alike(prints, lengths)]


def copies_told(copies: Sequence[Copied]) -> str:
    """Return a sentence on copies, with the command that puts them away."""
    parts = [
        f"{one.track_id} is the same {'file' if one.same_file else 'recording'} as {one.first_id}"
        for one in copies[:MOST_TOLD]
    ]
    are, these = "1 track is a copy of another", "it"
    if len(copies) > 1:
        are, these = f"{len(copies)} tracks are copies of others", "these"
    left = len(copies) - len(parts)
    again = "catalog doctor" if all(one.same_file for one in copies) else "catalog doctor --deep"
    rest = f"; run `{again}` again then, for {left} more" if left else ""
    ids = " ".join(one.track_id for one in copies[:MOST_TOLD])
    return f"{are}: {', '.join(parts)}; `catalog rm {ids}` puts {these} into the trash{rest}"


def _alike(prints: Mapping[str, Prints], lengths_s: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the first and a later one of two recordings whose fingerprints are alike from their beginning on."""
    ids = [*prints]
    taken: set[int] = set()
    for first, later in _candidates([*prints.values()]):
        if first in taken or later in taken:
            continue
        if abs(lengths_s[ids[first]] - lengths_s[ids[later]]) > MOST_LONGER_S:
            continue
        one, other = prints[ids[first]], prints[ids[later]]
        most = min(len(one), len(other))
        there = (one[:most] != 0) & (other[:most] != 0)  # digital silence is left out
        frames = int(there.sum())
        turned = np.unpackbits((one[:most] ^ other[:most])[there].view(np.uint8)).sum()
        if frames >= LEAST_FRAMES and turned < MOST_APART * 32 * frames:
            taken.add(later)
            yield ids[first], ids[later]


def _candidates(prints: Sequence[Prints]) -> list[tuple[int, int]]:
    """Return the pairs of places in `prints` that have several equal frames at the same time, in order."""
    if not prints:
        return []
    together = max(1, FRAMES_AT_ONCE // len(prints))
    pairs = np.zeros(0, np.int64)
    counts = np.zeros(0, np.int64)
    for start in range(0, max(map(len, prints)), together):
        more = _equal_frames([one[start : start + together] for one in prints])
        pairs, places = np.unique(np.concatenate([pairs, more]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, np.ones(len(more), np.int64)]), len(pairs))
    return [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs[counts >= LEAST_EQUAL]]


def _equal_frames(prints: Sequence[Prints]) -> NDArray[np.int64]:
    """Return a pair of places in `prints`, as one number, for each frame that two have at the same time."""
    lengths = [len(one) for one in prints]
    owners = np.repeat(np.arange(len(prints), dtype=np.int64), lengths)
    times = np.concatenate([np.arange(length, dtype=np.uint64) for length in lengths])
    values = np.concatenate(prints)
    frames = (times << np.uint64(32)) | values.astype(np.uint64)
    frames, owners = frames[values != 0], owners[values != 0]
    order = np.argsort(frames, kind="stable")
    frames, owners = frames[order], owners[order]
    starts = np.flatnonzero(np.concatenate([[True], frames[1:] != frames[:-1]])) if len(frames) else order
    counts = np.diff(starts, append=len(frames))
    rare = np.repeat(counts <= COMMON, counts)
    frames, owners = frames[rare], owners[rare]
    pairs: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for apart in range(1, COMMON):
        same = np.flatnonzero(frames[apart:] == frames[:-apart])
        if not len(same):
            break
        pairs.append((owners[same] << 32) | owners[same + apart])
    return np.concatenate(pairs)

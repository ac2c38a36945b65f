"""Known recordings by their fingerprints, and which of them another recording is a copy of.

A frame of the fingerprint is a number of 32 bits. Many frames of a copy are equal to a kept one, bit by bit, all at the
same offset; of another recording only a few are, by chance, at offsets of all kinds. Bits that coding may turn are
tried both ways. What has several equal frames at one offset is then compared bit by bit. So a look-up among 100,000
recordings is a search in one sorted array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .fingerprint import HOP_S, STEP, UNSURE, Fingerprint, Prints, bits_apart

__all__ = ["Copy", "KnownRecordings"]


MOST_APART = 0.30
"""Recordings whose fingerprints differ in a smaller share of bits are copies; unlike ones differ in about half."""
LEAST_FRAMES = 8
MOST_LONGER_S = 5.0
"""A copy is at most this much longer or shorter: a part of a piece is no copy of it."""
LEAST_EQUAL = 2
"""Equal frames at one offset from which recordings are compared bit by bit."""
COMPARED = 24
"""How many pairs of a recording and an offset are compared bit by bit, those with the most equal frames first."""
COMMON = 400
"""A frame that is kept more often than this tells nothing, and that of digital silence, 0, never does."""


class Copy(NamedTuple):
    """A known recording that another one is a copy of."""

    number: int
    """The place at which it was added, from 0."""
    apart: float
    """The share of bits in which the two differ."""
    offset_s: float
    """How much later it begins than the other one."""


class KnownRecordings:
    """Fingerprints to look up in; recordings are numbered as they are added."""

    def __init__(self, kept: Sequence[Prints] = (), durations_s: Sequence[float] = ()) -> None:
        """`kept` are fingerprints as `fingerprint.sparse` returns them, with the length of each recording."""
        self._kept: list[Prints] = [*kept]
        self._durations_s: list[float] = [*durations_s]
        self._indexed = 0
        self._values: Prints = np.zeros(0, np.uint32)
        self._owners: NDArray[np.int32] = np.zeros(0, np.int32)
        self._places: NDArray[np.int32] = np.zeros(0, np.int32)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, kept: Prints, duration_s: float) -> int:
        """Add a recording and return its number."""
        self._kept.append(kept)
        self._durations_s.append(duration_s)
        return len(self._kept) - 1

    def find(self, heard: Fingerprint, duration_s: float) -> Copy | None:
        """Return the known recording that one with these prints is a copy of, the most alike; None without."""
        if len(self._kept) - self._indexed > max(256, self._indexed // 8):
            self._index()
        best: Copy | None = None
        for number, offset in self._candidates(heard):
            if abs(self._durations_s[number] - duration_s) > MOST_LONGER_S:
                continue
            kept = self._kept[number]
            for near in range(offset - 1, offset + 2):
                apart, frames = bits_apart(heard.bits, kept, near)
                if frames < max(LEAST_FRAMES, np.count_nonzero(kept) // 2) or apart >= MOST_APART:
                    continue
                if best is None or apart < best.apart:
                    best = Copy(number, apart, near * HOP_S)
        return best

    def _candidates(self, heard: Fingerprint) -> list[tuple[int, int]]:
        """Return pairs of a number and an offset at which several frames are equal, the likeliest first."""
        owners, offsets = self._equal_frames(*_variants(heard))
        if not len(owners):
            return []
        # Offsets that are off by one count together: a copy may begin between two frames.
        pairs = np.concatenate([_paired(owners, offsets // 2), _paired(owners, (offsets + 1) // 2)])
        found, counts = np.unique(pairs, return_counts=True)
        likely = np.argsort(-counts, kind="stable")[: 4 * COMPARED]
        chosen: dict[tuple[int, int], None] = {}
        for pair, count in zip(found[likely].tolist(), counts[likely].tolist(), strict=True):
            if count >= LEAST_EQUAL and len(chosen) < COMPARED:
                chosen[pair >> 32, 2 * ((pair & 0xFFFFFFFF) - (1 << 31))] = None
        return [*chosen]

    def _equal_frames(
        self, prints: Prints, frames: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of the recordings with frames equal to some of `prints`, and at which offset each is.

        `frames` are the places of `prints` in the recording that is looked up.
        """
        first = np.searchsorted(self._values, prints, "left")
        count = np.searchsorted(self._values, prints, "right") - first
        count[(count > COMMON) | (prints == 0)] = 0
        at = np.repeat(frames, count)
        within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        hits = np.repeat(first, count) + within
        owners = [self._owners[hits].astype(np.int64)]
        offsets = [at - self._places[hits].astype(np.int64) * STEP]
        # Those added since the index was made are few.
        order = np.argsort(prints, kind="stable")
        ordered = prints[order]
        for number in range(self._indexed, len(self._kept)):
            kept = self._kept[number]
            left = np.minimum(np.searchsorted(ordered, kept), len(ordered) - 1)
            same = np.flatnonzero((ordered[left] == kept) & (kept != 0))
            owners.append(np.full(len(same), number, np.int64))
            offsets.append(frames[order[left[same]]] - same * STEP)
        return np.concatenate(owners), np.concatenate(offsets)

    def _index(self) -> None:
        lengths = [len(kept) for kept in self._kept]
        values = np.concatenate(self._kept) if self._kept else np.zeros(0, np.uint32)
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        self._owners = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[order]
        places = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self._places = places.astype(np.int32)[order]
        self._indexed = len(self._kept)


def _variants(heard: Fingerprint) -> tuple[Prints, NDArray[np.int64]]:
    """Return the frames with their least sure bits as they are and turned, and the place of each."""
    variants = heard.bits[None, :]
    for place in range(UNSURE):
        bit = np.left_shift(np.uint32(1), heard.unsure[:, place].astype(np.uint32))
        variants = np.concatenate([variants, variants ^ bit])
    places = np.broadcast_to(np.arange(len(heard.bits)), variants.shape)
    return variants.reshape(-1), places.reshape(-1)


def _paired(owners: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    return (owners << 32) | (offsets + (1 << 31))

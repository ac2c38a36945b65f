"""How often what a generator made failed the check after making."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..models import Value

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "CheckShare", "checks_by_generator"]


COLUMNS = ("backend", "model", "checked")
"""Of the table of tracks."""


class CheckShare(Value):
    """What one generator made for the tracks in the table, and what of it failed the check."""

    takes: int
    """Made and checked, with those that were dropped for a better one."""
    failed: int
    """Of these, the ones with faults."""
    kept: int
    """Tracks that were kept with faults, since no take was better."""
    share: float
    """failed / takes."""


def checks_by_generator(tracks: pa.Table) -> dict[str, CheckShare]:
    """Return the shares by generator, "procedural" or the name of a model; tracks that were not checked do not count.

    `tracks` has the `COLUMNS`, or lacks `checked` where the table is of an earlier version.
    """
    counts: dict[str, tuple[int, int, int]] = {}
    if "checked" not in tracks.column_names:
        return {}
    for backend, model, text in zip(*(tracks[name].to_pylist() for name in COLUMNS), strict=True):
        if not text:
            continue
        found, name = json.loads(text), backend if backend == "procedural" else model
        takes, failed, kept = counts.get(name, (0, 0, 0))
        counts[name] = takes + found["takes"], failed + found["failed"], kept + bool(found["faults"])
    return {
        name: CheckShare(takes=takes, failed=failed, kept=kept, share=round(failed / takes, 4))
        for name, (takes, failed, kept) in sorted(counts.items())
    }

"""Numbered steps from older shapes of the `tracks` table to the present one.

Version 1 had neither ratings nor a trash; every track was ready and unrated. Each step takes a row as its version
stored it and returns the row of the next; the store writes all of them as one new version of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from catalog.schema import EPOCH, SCHEMA_VERSION, row_sha256

__all__ = ["STEPS", "upgrade"]

Row = dict[str, Any]


def m002_add_trash_and_rating(row: Mapping[str, Any]) -> Row:
    """Add the columns of the trash and the rating."""
    return {**row, "state": "ready", "trashed_at": EPOCH, "rating": 0}


STEPS: dict[int, Callable[[Mapping[str, Any]], Row]] = {2: m002_add_trash_and_rating}
"""Step by the version it leads to."""


def upgrade(row: Mapping[str, Any], version: int) -> Row:
    """Return a row of schema `version` as one of the present version, with its checksum made anew.

    A row that did not match its checksum keeps one that matches nothing, so that damage stays visible.
    """
    intact = row_sha256(row) == row["row_sha256"]
    present = dict(row)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        present = STEPS[step](present)
    present["row_sha256"] = row_sha256(present) if intact else "damaged"
    return present

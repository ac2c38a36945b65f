"""Numbered steps from older shapes of the tables to the present ones.

Each step takes a row as its version stored it and returns the row of the next; the store writes all of them as one new
version of the table. `tracks` 1 had neither ratings nor a trash; every track was ready and unrated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..disk.reading import Row
from .cells import EPOCH, NO_LEVEL
from .rows import matches, recorded, request_words, row_sha256
from .schema import VERSIONS

__all__ = ["STEPS", "upgrade"]


def m002_add_trash_and_rating(row: Mapping[str, Any]) -> Row:
    """Add the columns of the trash and the rating."""
    return {**row, "state": "ready", "trashed_at": EPOCH, "rating": 0}


def m003_add_tags_and_note(row: Mapping[str, Any]) -> Row:
    """Add a person's labels and note, how the loop joins, and the track this one is a variant of."""
    return {**row, "tags": [], "note": "", "seam": NO_LEVEL, "variant_of": ""}


def m004_add_sound(row: Mapping[str, Any]) -> Row:
    """Add how it sounds, which `catalog doctor --fix` measures for earlier tracks."""
    return {**row, "sound_kind": "", "sound_sha256": "", "sound": None}


def m005_add_record(row: Mapping[str, Any]) -> Row:
    """Add the row as one text, which is written with its checksum once the row is of the present version."""
    return {**row, "record": ""}


def m006_add_brief(row: Mapping[str, Any]) -> Row:
    """Add the brief vector, which the first search gives to earlier tracks; it is no part of the record."""
    return {**row, "brief_kind": "", "brief": None}


def m007_add_title(row: Mapping[str, Any]) -> Row:
    """Add a person's title; without one the record stays as it is."""
    return {**row, "title": ""}


def m008_add_check(row: Mapping[str, Any]) -> Row:
    """Add what the check after making found, which is not known of earlier tracks; their records stay as they are."""
    return {**row, "checked": ""}


def m009_add_ear(row: Mapping[str, Any]) -> Row:
    """Add what the ear hears, which `catalog hear` gives to earlier tracks; without it the record stays as it is."""
    return {**row, "heard": "", "ear_kind": "", "ear_sha256": "", "ear": None}


def m010_add_measured(row: Mapping[str, Any]) -> Row:
    """Add what is measured in samples, which `catalog doctor --fix` gives to earlier tracks."""
    return {**row, "measured": ""}


def m002_add_listener_and_vector(row: Mapping[str, Any]) -> Row:
    """Add listener, theme, probability, the words to search and the vector, which earlier lines are without."""
    fields = {"listener": "", "theme": "", "probability": NO_LEVEL}
    missing = {"encoder": "", "vector_sha256": "", "vector": None}
    return {**row, **fields, "words": request_words({**row, **fields}), **missing}


def m003_add_features(row: Mapping[str, Any]) -> Row:
    """Add how the context was read, which earlier lines do not have."""
    return {**row, "features": ""}


def m002_add_mood(row: Mapping[str, Any]) -> Row:
    """Add the mood of the request that was judged, which is not known of earlier ones."""
    return {**row, "mood": ""}


RECORDS_SINCE = 5
"""From this version on a row of `tracks` holds its record, and the checksum is that of the record."""
STEPS: dict[str, dict[int, Callable[[Mapping[str, Any]], Row]]] = {
    "tracks": {
        2: m002_add_trash_and_rating,
        3: m003_add_tags_and_note,
        4: m004_add_sound,
        5: m005_add_record,
        6: m006_add_brief,
        7: m007_add_title,
        8: m008_add_check,
        9: m009_add_ear,
        10: m010_add_measured,
    },
    "requests": {2: m002_add_listener_and_vector, 3: m003_add_features},
    "judgements": {2: m002_add_mood},
}
"""Steps of each table by the version they lead to."""


def upgrade(row: Mapping[str, Any], table: str, version: int) -> Row:
    """Return a row of `table` at schema `version` as one of the present version, with its checksum made anew.

    A row that did not match its checksum keeps one that matches nothing, so that damage stays visible.
    """
    intact, present = matches(row), dict(row)
    for step in range(version + 1, VERSIONS[table] + 1):
        present = STEPS[table][step](present)
    if table == "tracks" and version >= RECORDS_SINCE:
        return present  # the record and its checksum stay as they are
    if not intact:
        return {**present, "row_sha256": "damaged"}
    return recorded(present) if table == "tracks" else {**present, "row_sha256": row_sha256(present)}

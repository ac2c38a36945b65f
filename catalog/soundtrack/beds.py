"""Beds: the music of a track or a file, and how a role lets it give way to a voice."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import Damage, InputError
from ..file_tags import Credit, told
from ..generator import Audio, AudioError, audio
from ..generator.audio.ducking import Ducking
from ..intake.tags import read_tags
from ..models import Track
from ..presets import Role, RoleDucking
from ..validation import nearest
from .narration import MAX_BYTES, MAX_DURATION_S, reader

__all__ = ["FILE_ROLE", "FindTrack", "credit_of_file", "ducking_of", "pick_ducking", "read_bed", "read_track"]


FILE_ROLE = "background_bed"
"""The role of a bed that is a file."""
FindTrack = Callable[[str], tuple[Track, Path]]
"""Takes an id or the start of one; returns the track and where its file is."""


def read_bed(bed: str, find_track: FindTrack) -> tuple[Audio, Track | None]:
    """Return the audio of `bed`, a file or the id of a track, and its track. Raises InputError and Damage."""
    if Path(bed).suffix or os.sep in bed or Path(bed).is_file():
        try:
            return reader(Path(bed))(), None
        except AudioError as error:
            raise InputError(f"the bed cannot be used: {error}") from error
    track, path = find_track(bed)
    return read_track(path), track


def credit_of_file(bed: Path) -> str:
    """Return what the comment of a mix says of a bed that is a file: what its tags say, "" where they say nothing."""
    words = read_tags(bed)
    by, made = words.artist or words.made_by, words.ai_generated is True
    return told([Credit(words.title, by, made, words.license, words.source)])


def read_track(path: Path) -> Audio:
    """Return the audio of a track of the catalog. Raises Damage."""
    try:
        return audio.read(path, max_bytes=MAX_BYTES, max_duration_s=MAX_DURATION_S)
    except AudioError as error:
        raise Damage(f"{error}; run `catalog doctor --deep`") from error


def pick_ducking(
    roles: Mapping[str, Role], role: str | None, track: Track | None, overrides: Mapping[str, float]
) -> tuple[Ducking, list[str]]:
    """Return the ducking of a bed, and warnings: that of `role`, else of the track's own role, else of a file.

    `overrides` replaces single values. Raises InputError for an unknown `role` and for impossible values. A track may
    be older than the configuration, so its own role may be unknown; then the values of a role that states none hold.
    """
    if role is not None and role not in roles:
        raise InputError(f"unknown role {role!r}; {nearest(role, roles)}")
    name = role or (track.role if track else FILE_ROLE)
    values, warnings = RoleDucking(), []
    if name in roles:
        values = roles[name].ducking
    else:
        warnings.append(
            f"the configuration has no role {name}, which the track was made for; it is ducked as a role that states "
            f"nothing, by {values.depth_db:g} dB; add the role to catalog.yaml, or pass role={FILE_ROLE!r}"
        )
    try:
        return replace(ducking_of(values), **overrides), warnings
    except AudioError as error:
        raise InputError(str(error)) from error


def ducking_of(values: RoleDucking) -> Ducking:
    """Return the ducking of a role as the numbers that the generator takes."""
    return Ducking(**values.model_dump())

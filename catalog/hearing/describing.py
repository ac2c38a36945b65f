"""What is known of how a track sounds, in words: what is heard of it, by whom, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

from ..models import IMPORTED, ITS_WORDS, Track
from .mixture import StyleMood, heard_brief, hearing_of

__all__ = ["described"]


def described(track: Track, styles: Mapping[str, StyleMood]) -> str:
    """Return a line on how a track is heard, and whether it is taken for that; "not heard" where nothing tells."""
    brief = heard_brief(track, styles)
    if brief is None:
        unmeasured = "run `catalog doctor --fix`" if track.measured is None else "it is too short to tell"
        return f"not heard; {unmeasured}"
    hearing = hearing_of(track, styles)
    errors = f"valence {brief.valence:+.1f} ± {brief.errors[0]:.1f}, energy {brief.energy:+.1f} ± {brief.errors[1]:.1f}"
    if hearing is None:
        return f"{errors}, by {brief.by}; taken as {_said(track)}"
    return f"{hearing.words}; {errors}"


def _said(track: Track) -> str:
    """Return in words by what the music of a track is known: nobody asks for music that is imported."""
    if track.backend != IMPORTED:
        return "it was asked for"
    return "its words say" if track.config.get("style_by") == ITS_WORDS else "it was said to be"

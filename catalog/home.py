"""Where the catalog is when nobody says: one home for every working directory.

For the standard library alone: a call that was answered before needs nothing else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Home", "default_home", "find_home"]


VARIABLE = "CATALOG_HOME"
LOCAL = Path("data")
"""A catalog of this name in the working directory comes before that of the user."""
TRACES = ("lance/tracks.lance", "catalog.yaml")
"""One of these is in every home that somebody began; a folder of another use has neither."""
NAME = "music-catalog"


class Home(NamedTuple):
    """A home, and the rule that found it."""

    path: str
    why: str


def default_home() -> str:
    """Return the home that is used where none is named."""
    return find_home().path


def find_home() -> Home:
    """Return the home that is used where none is named, and why.

    It is what CATALOG_HOME names; else `data` in the working directory where that holds a catalog; else a folder of the
    user: $XDG_DATA_HOME/music-catalog, by default ~/Library/Application Support/music-catalog on macOS and
    ~/.local/share/music-catalog elsewhere.
    """
    if named := os.environ.get(VARIABLE):
        return Home(named, VARIABLE)
    # os.path, since Path.exists raises for a folder that may not be read.
    if any(os.path.exists(LOCAL / trace) for trace in TRACES):  # noqa: PTH110
        return Home(str(LOCAL), "the catalog in this folder")
    # The specification says that a relative path counts as absent.
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    if shared.is_absolute():
        return Home(str(shared / NAME), "XDG_DATA_HOME")
    usual = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    try:
        return Home(str(Path.home() / usual / NAME), "the user's folder")
    except RuntimeError:
        return Home(str(LOCAL), "the user has no folder")

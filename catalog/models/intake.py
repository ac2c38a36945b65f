"""Music that others made: what is said of it when it is added, and what became of each file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

# pydantic and Python 3.10 need this one; pydantic brings it.
from typing_extensions import TypedDict

from .base import Value

__all__ = ["ITS_WORDS", "AddOptions", "AddedFile", "Batch", "Outcome"]

ITS_WORDS = "its words"
"""Who says the style of a track that was guessed from what is said of it (`config.style_by`)."""
Outcome = Literal["added", "present", "copy", "failed"]
"""`present`: the same bytes are in the catalog; `copy`: the same recording is, coded in another way; in a dry run,
`added` means that it would be."""


class AddOptions(TypedDict, total=False):
    """What is said of every file that is added at once; it wins over what the files themselves say."""

    role: str | None
    """What the music is for; `background_bed` where nothing says it."""
    license: str | None
    """The licence of the music, such as CC-BY-4.0; "unknown" where nobody knows it."""
    source: str | None
    """Where the music is from: a site, a shop, a person."""
    rights: str | None
    """What may be done with it, in the words of whoever adds it."""
    style: str | None
    """A style preset; left out, it is guessed from the words."""
    loopable: bool | None
    ai_generated: bool | None
    tags: Sequence[str]


class AddedFile(Value):
    """What became of one file, or would become of it."""

    path: str
    outcome: Outcome
    track_id: str | None = None
    """The new track; of one that is in the catalog already, that track."""
    detail: str = ""
    """Why a file failed, what it is a copy of, or what to know of one that was added: that it was cut short, or
    is the longer copy of such a file."""
    title: str = ""
    genres: tuple[str, ...] = ()
    license: str = ""
    role: str = ""
    style: str = ""
    sure: float | None = None
    """How sure the style is that was guessed from the words, 0 to 1; None where it was stated."""
    duration_s: float | None = None


class Batch(Value):
    """What one call of `add` did, or with `dry_run` would do."""

    id: str
    """By this the whole batch can be undone; "" where nothing was added."""
    dry_run: bool
    files: tuple[AddedFile, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many files came out so."""
        return sum(one.outcome == outcome for one in self.files)

    @property
    def track_ids(self) -> tuple[str, ...]:
        """The ids of the tracks that were added."""
        return tuple(one.track_id for one in self.files if one.outcome == "added" and one.track_id)

    def __repr__(self) -> str:
        """Return one line: how many files came out in which way."""
        counts = {"added": "added", "present": "there already", "copy": "copies", "failed": "failed"}
        told = ", ".join(f"{self.count(name)} {word}" for name, word in counts.items())  # type: ignore[arg-type]
        return f"<Batch {self.id or 'dry run'}: {told}>"

    __str__ = __repr__

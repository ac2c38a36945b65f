"""A track, and lists of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, PrivateAttr

from ..errors import NotFound
from .base import Label, Line, Rating, Unit, Value
from .checked import Checked
from .display import PLAYED_BYTES, card, quoted
from .ear import Heard, Measured
from .request import Environment, QualityName, TimeOfDay

__all__ = ["IMPORTED", "Hit", "Page", "State", "Track"]

State = Literal["ready", "trashed"]
IMPORTED = "imported"
"""The `backend` of tracks that were not made by one."""


class Track(Value):
    """One track of the catalog: a row, and the file it points to."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    created_at: datetime
    key: str
    context: str
    """The first 32,000 characters of the context that it was made for; `context_sha256` covers the whole."""
    context_sha256: str
    query: str = ""
    summary: str
    tone: str
    prompt: str
    mood_tags: tuple[str, ...] = ()
    valence: Unit
    energy: Unit
    style: str
    role: str
    quality: QualityName
    environment: Environment | None = None
    time_of_day: TimeOfDay | None = None
    language: str = "und"
    duration_s: FiniteFloat = Field(gt=0)
    loopable: bool = False
    sample_rate: int = Field(gt=0)
    channels: int = Field(ge=1, le=2)
    tempo_bpm: FiniteFloat | None = None
    musical_key: str | None = None
    loudness_lufs: FiniteFloat | None = None
    """Integrated loudness (ITU-R BS.1770); None when the clip is silent."""
    true_peak_db: FiniteFloat | None = None
    """dBTP; None when the clip is silent."""
    backend: str
    model: str
    model_rank: int = Field(ge=0)
    weights_license: str
    ai_generated: bool = True
    seed: int
    config: dict[str, Any] = Field(default_factory=dict)
    config_sources: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    audio_path: str
    """Relative to the home folder, with forward slashes."""
    audio_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    audio_bytes: int = Field(gt=0)
    encoder: str
    """Identity of the encoder that made the row's vector."""
    generation_s: FiniteFloat = Field(default=0.0, ge=0)
    state: State = "ready"
    trashed_at: datetime | None = None
    rating: Rating | None = None
    tags: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels that a person put on it."""
    note: Annotated[Line, Field(max_length=2_000)] = ""
    """A person's note on it."""
    title: Annotated[Line, Field(max_length=200)] = ""
    """What a person calls it; "" where nobody named it. See `name`."""
    seam: FiniteFloat | None = None
    """How much the join of the loop stands out; None where it was not measured."""
    variant_of: str | None = None
    """The id of another track for the same request, of which this is a variant with another seed."""
    checked: Checked | None = None
    """What the check after making found; None where there was none."""
    heard: Heard | None = None
    """What the ear hears in it; None where no ear has heard it yet."""
    measured: Measured | None = None
    """What is measured in its samples beside tempo, key and levels; None for silence and where it was not measured."""

    _home: Path | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """What it is called in lists: the title that a person gave it, else its summary, its tone or its id."""
        return self.title or self.summary or self.tone or self.id

    @property
    def license(self) -> str:
        """The licence of the music: of an imported track what was said of it, of a made one that of the weights."""
        return self.weights_license

    @property
    def imported(self) -> bool:
        """Whether the catalog took it in from a file; then `config` says from where, by whom and with which rights."""
        return self.backend == IMPORTED

    @property
    def original(self) -> str | None:
        """Where the file is as it came, relative to the home folder; None for a track that was made."""
        path = self.config.get("original") if self.imported else None
        return path if isinstance(path, str) else None

    @property
    def path(self) -> Path:
        """The path of its audio file. Raises NotFound for a track that did not come from a service."""
        if self._home is None:
            raise NotFound(
                f"track {self.id} did not come from a service, so its path is not known; ask service.get({self.id!r})"
            )
        return self._home / self.audio_path

    def at_home(self, home: Path) -> Track:
        """Return a copy of this track that knows the folder `home` in which its file is."""
        placed = self.model_copy()
        placed._home = home
        return placed

    def __repr__(self) -> str:
        """Return one line: id, style, length, and what it was made for."""
        return f"<Track {self.id} {self.style} {self.duration_s:g} s {quoted(self.title or self.summary)}>"

    __str__ = __repr__

    def as_html(self, path: Path, why: Sequence[str] = (), room: int = PLAYED_BYTES) -> str:
        """Return the track as HTML with a waveform and a player of the file at `path`; see `display.card`."""
        tempo = "" if self.tempo_bpm is None else f"{self.tempo_bpm:.0f} bpm"
        mood = ", ".join(self.mood_tags)
        facts = (self.style, self.role, f"{self.duration_s:g} s", mood, tempo, self.id)
        return card(self.name, facts, path, self.audio_bytes, why, room)

    def _repr_html_(self) -> str | None:
        return self.as_html(self.path) if self._home else None

    def __eq__(self, other: object) -> bool:
        """Tell whether all fields are the same. Where the file is does not count: a home may be moved."""
        return isinstance(other, Track) and self.__dict__ == other.__dict__


class Hit(Value):
    """One search result."""

    track: Track
    path: Path
    score: float
    """Cosine similarity for a search by meaning. For words or both, scores compare within one search only."""

    @property
    def why(self) -> tuple[str, ...]:
        """Why the track was found, in words."""
        return (f"score {self.score:.2f}",)

    def __repr__(self) -> str:
        """Return one line: the score and the track."""
        return f"<Hit {self.score:.2f} {self.track!r}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.track.as_html(self.path, self.why)


class Page(Value):
    """A page of tracks that meet a query."""

    query: str
    """The query as it was parsed; it parses to the same query again."""
    tracks: tuple[Track, ...]
    scores: dict[str, float]
    """By track id, for a search; empty for a list. See `Hit`."""
    total: int
    """How many tracks meet the query, on all pages."""
    facets: dict[str, dict[str, int]]
    """For mood, style, role, quality, environment, tag, backend and rating: how many of these tracks have each value,
    most frequent first; "none" counts those without a value. But for mood and tag, a facet is counted as if the query
    chose no value in it, since more values of it are alternatives."""
    rows: int | None = None
    """How many rows the list has where takes are folded, that is, stand under the first of their group; else None."""
    takes: dict[str, tuple[Track, ...]] = Field(default_factory=dict)
    """By the id of a track of this page: the takes that are folded under it, the first made first."""
    missing: tuple[str, ...] = ()
    """Words of the query that no track has, where the search narrows."""
    meant: dict[str, str] = Field(default_factory=dict)
    """What may have been meant by terms of the query, where the search narrows: {"mood:clam": "mood:calm"}."""

    def __repr__(self) -> str:
        """Return one line: how many tracks are on it, of how many, and the query."""
        return f"<Page of {len(self.tracks)} of {self.total} tracks for {quoted(self.query)}>"

    __str__ = __repr__

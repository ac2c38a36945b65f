"""What is said of a piece of music, by its tags, by a file beside it, in a list, or by whoever adds it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, FiniteFloat, ValidationError

from ..models import QualityName, Value, clean_line

__all__ = ["Words", "clean", "from_name", "key_name", "merged", "split_list", "standing_of"]


MOST_CHARACTERS = 2_000


def clean(text: str) -> str:
    """Return text on one line, without what is not Unicode, no longer than `MOST_CHARACTERS`."""
    return clean_line(text.encode("utf-8", "replace").decode("utf-8").replace("\x00", " "))[:MOST_CHARACTERS]


Text = Annotated[str, AfterValidator(clean)]
Texts = Annotated[tuple[Text, ...], Field(max_length=64)]


class Words(Value):
    """Words and facts about one piece; what is not said is "", () or None."""

    title: Text = ""
    artist: Text = ""
    album: Text = ""
    genres: Texts = ()
    moods: Texts = ()
    comment: Text = ""
    description: Text = ""
    """What the music is like: a prompt, a caption, a blurb."""
    folder: Text = ""
    tempo_bpm: Annotated[FiniteFloat, Field(ge=20, le=400)] | None = None
    musical_key: Text = ""
    license: Text = ""
    source: Text = ""
    rights: Text = ""
    role: Text = ""
    style: Text = ""
    tags: Texts = ()
    made_by: Text = ""
    """The model that made it, where a model did."""
    ai_generated: bool | None = None
    loopable: bool | None = None
    quality: QualityName | None = None
    model_rank: Annotated[int, Field(ge=0, le=100)] | None = None
    """Quality and rank of a track that a catalog of this program made."""
    known_as: Text = ""
    """The id that a catalog of this program gave it."""
    said_by: dict[str, str] = Field(default_factory=dict)
    """For each field that is set: what says it."""

    @property
    def text(self) -> str:
        """What is said in sentences, for the encoder and for searches by words; "" where nothing is said."""
        title = f"{self.title} by {self.artist}" if self.title and self.artist else self.title or self.artist
        parts = [
            title,
            self.description,
            _listed("Genre", self.genres),
            _listed("Mood", self.moods),
            f"From the album {self.album}" if self.album else "",
            self.comment,
            _listed("Tags", self.tags),
            f"In the folder {self.folder}" if self.folder else "",
        ]
        return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts if part)

    @property
    def about_music(self) -> str:
        """The words that may tell how it sounds; names of people are left out."""
        parts = (self.description, ", ".join(self.genres), ", ".join(self.moods), self.title, self.album)
        return ". ".join(filter(None, (*parts, self.comment, ", ".join(self.tags), self.folder)))


def merged(readings: Iterable[tuple[str, Words]]) -> Words:
    """Return what several say together; what comes first wins, field by field. Each reading has its name."""
    values: dict[str, object] = {}
    said_by: dict[str, str] = {}
    for name, words in readings:
        for field in Words.model_fields:
            value = getattr(words, field)
            if field == "said_by" or field in values or value in ("", (), None):
                continue
            values[field], said_by[field] = value, name
    return Words(**values, said_by=said_by)  # type: ignore[arg-type]


def standing_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return quality and rank that this program states of a track in a mark, a sidecar or a list, where it does.

    Marks of earlier versions state neither; a synthesizer has rank 0 all the same.
    """
    found: dict[str, Any] = {"model_rank": 0} if made.get("backend") == "procedural" else {}
    for field in ("quality", "model_rank"):
        with contextlib.suppress(ValidationError):
            found |= Words.model_validate({field: made.get(field)}).model_dump(
                include={field}, exclude_none=True
            )
    return found


def from_name(name: str, folder: str) -> Words:
    """Return what the name of a file says: "03 - Jo Doe - Rain.mp3" is a title and an artist."""
    stem = re.sub(r"\.[^.]{1,5}$", "", name)
    stem = re.sub(r"[_\s]+", " ", stem).strip()
    stem = re.sub(r"^(?:\(?\d{1,3}\)?|[A-D]\d{1,2})\s*[-.)]\s*(?=\S)|^[0-2]\d\s+(?=\D)", "", stem) or stem
    artist, dash, title = stem.partition(" - ")
    if dash and title.strip() and not title.strip().isdigit():
        return Words(title=title, artist=artist, folder=folder)
    return Words(title=stem, folder=folder)


def split_list(text: str | Iterable[str]) -> tuple[str, ...]:
    """Return the parts of "lo-fi; hip hop/ambient", each once, in order."""
    texts = [text] if isinstance(text, str) else [str(one) for one in text]
    parts = [clean(part) for one in texts for part in re.split(r"[;,/|\x00]|\s\\\\\s", one)]
    return tuple(dict.fromkeys(part for part in parts if part))[:64]


_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "H": 11}
_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_CAMELOT_MINOR = ("G#", "D#", "A#", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_CAMELOT_MAJOR = ("B", "F#", "C#", "G#", "D#", "A#", "F", "C", "G", "D", "A", "E")
_KEY = re.compile(
    r"([A-Ha-h])\s*([#♯b♭]|-?sharp|-?flat)?\s*(m|min|minor|moll|maj|major|dur|M)?", re.IGNORECASE
)


def key_name(text: str) -> str:
    """Return a key as the catalog writes it, "A minor" or "C# major"; "" for what is no key.

    Taken are names ("Am", "F# minor", "Bb"), and the numbers of DJ programs ("8A", "8B").
    """
    text = text.strip()
    if wheel := re.fullmatch(r"(1[0-2]|0?[1-9])([ABab])", text):
        minor = wheel[2] in "Aa"
        return f"{(_CAMELOT_MINOR if minor else _CAMELOT_MAJOR)[int(wheel[1]) - 1]} {'minor' if minor else 'major'}"
    match = _KEY.fullmatch(text)
    if not match:
        return ""
    note = _NOTES[match[1].upper()]
    sign = (match[2] or "").lower().lstrip("-")
    note += 1 if sign in ("#", "♯", "sharp") else -1 if sign in ("b", "♭", "flat") else 0
    mode = match[3] or ""
    minor = mode == "m" or mode.lower() in ("min", "minor", "moll") or (not mode and match[1].islower())
    return f"{_SHARPS[note % 12]} {'minor' if minor else 'major'}"


def _listed(name: str, parts: tuple[str, ...]) -> str:
    return f"{name}: {', '.join(parts)}" if parts else ""

"""The tags of audio files that are handed out: of a track title, artist, licence and a mark, of a mix its music."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import Damage
from .generator.audio.files import MAX_TAG_BYTES
from .models import Track

__all__ = ["Credit", "FileTags", "credits_of", "has_tags", "tags_of", "told", "wav_of"]


FileTags = Mapping[str, str]
"""title, artist, license and comment; what is not known is ""."""
TITLE_BYTES, NAME_BYTES, SOURCE_BYTES = 400, 150, 120
"""The most of each text in UTF-8. libsndfile takes 1,999 bytes of tags together, with the mark in them."""
INFO = {"title": b"INAM", "artist": b"IART", "license": b"ICOP", "comment": b"ICMT"}
"""The names of tags in the INFO of a WAV, which has none for a licence but that of the copyright."""
BLOCK_BYTES = 1 << 20


def tags_of(track: Track) -> FileTags:
    """Return what the tags of a file of `track` say: title, artist, license, and as comment a mark in JSON.

    The title that a person gave stands before the summary. The mark is read by `music_catalog.intake.tags`.
    """
    stated = _stated_license(track)
    mark = {
        "id": track.id,
        "ai_generated": track.ai_generated,
        "backend": track.backend,
        "model": _quoted(_said(track, "made_by") if track.imported else track.model, NAME_BYTES),
        "model_rank": track.model_rank,
        "quality": track.quality,
        "weights_license": _quoted(stated if track.imported else track.license, NAME_BYTES),
        "style": _quoted(track.style, NAME_BYTES),
    }
    if track.imported:
        said = {name: _quoted(_said(track, name), SOURCE_BYTES) for name in ("source", "rights")}
        mark |= {name: text for name, text in said.items() if text}
    else:
        mark |= {"seed": track.seed, "key": track.key}
    return {
        "title": _cut(track.title or track.summary, TITLE_BYTES),
        "artist": _said(track, "artist"),
        "license": _cut(stated, NAME_BYTES),
        "comment": json.dumps(mark, ensure_ascii=False, sort_keys=True),
    }


def has_tags(track: Track) -> bool:
    """Tell whether the stored file of a track has its tags: it was made here, under no licence and without a title.

    A file gets a title when it is made. It gets no licence then, and no title that a person gave since.
    """
    return not (track.imported or track.title or _stated_license(track))


class Credit(NamedTuple):
    """Whose a piece of music is; what is not known is ""."""

    title: str
    by: str
    ai_generated: bool
    license: str
    source: str

    def __str__(self) -> str:
        """Return it as one line, such as: "Rain" by Jo Doe, CC-BY-4.0, https://music.example/rain."""
        name = " by ".join(part for part in (self.title and f'"{self.title}"', self.by) if part)
        made = "AI-generated" if self.ai_generated else ""
        return ", ".join(part for part in (name, made, self.license, self.source) if part)


def credits_of(tracks: Iterable[Track]) -> str:
    """Return what the comment of a mix says: the music in it."""
    return told(_credit_of(track) for track in tracks)


def told(credits: Iterable[Credit]) -> str:
    """Return credits as the comment of a mix, each once, cut to what tags hold; "" where there are none."""
    lines = [line for line in dict.fromkeys(map(str, credits)) if line]
    return _cut(f"Music: {'; '.join(lines)}", MAX_TAG_BYTES) if lines else ""


def wav_of(track: Track, source: Path) -> Iterator[bytes]:
    """Yield the stored WAV file of `track` at `source` in blocks, its samples as they are, with the tags of the track.

    Raises Damage for a file that is no whole WAV, OSError.
    """
    if has_tags(track):
        with source.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
        return
    with source.open("rb") as file:
        head, chunks = file.read(12), b""
        while len(start := file.read(8)) == 8 and start[:4] != b"data":
            body = file.read(_even(int.from_bytes(start[4:], "little")))
            if not (start[:4] == b"LIST" and body[:4] == b"INFO"):
                chunks += start + body
        if head[:4] != b"RIFF" or head[8:] != b"WAVE" or start[:4] != b"data":
            raise Damage(f"{source} is no whole WAV file; run `catalog doctor --deep`")
        left = size = int.from_bytes(start[4:], "little")
        chunks += _info(tags_of(track))
        yield struct.pack("<4sI4s", b"RIFF", 12 + len(chunks) + _even(size), b"WAVE") + chunks + start
        while left and (block := file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block
        yield bytes(size % 2)


def _info(tags: FileTags) -> bytes:
    content = b"INFO"
    for name, chunk in INFO.items():
        if text := tags.get(name, ""):
            data = text.encode("utf-8") + b"\0"
            content += struct.pack("<4sI", chunk, len(data)) + data + bytes(len(data) % 2)
    return struct.pack("<4sI", b"LIST", len(content)) + content


def _even(size: int) -> int:
    return size + size % 2


def _credit_of(track: Track) -> Credit:
    tags = tags_of(track)
    by = tags["artist"] if track.imported else track.model
    return Credit(
        tags["title"], by, track.ai_generated, tags["license"], _said(track, "source", SOURCE_BYTES)
    )


def _stated_license(track: Track) -> str:
    """Return the licence of a track; "" where it is not known or there is none."""
    return "" if track.license in ("", "unknown", "none") else track.license


def _said(track: Track, name: str, most_bytes: int = NAME_BYTES) -> str:
    """Return what was said of an imported track; "" where it was not."""
    said: Any = track.config.get(name) if track.imported else None
    return _cut(said, most_bytes) if isinstance(said, str) else ""


def _cut(text: str, most_bytes: int) -> str:
    # A tag holds neither half a character of UTF-16 nor a NUL.
    whole = text.replace("\0", " ").encode("utf-8", "replace")
    return whole[:most_bytes].decode("utf-8", "ignore")


def _quoted(text: str, most_bytes: int) -> str:
    """Return the beginning of a text that takes at most so many bytes in JSON, where some signs are two or more."""
    text = _cut(text, most_bytes)
    while len(json.dumps(text, ensure_ascii=False).encode("utf-8")) - 2 > most_bytes:
        text = text[:-1]
    return text

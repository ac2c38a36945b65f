"""What the tags in an audio file say: ID3, Vorbis comments, MP4, APE, and the INFO of a WAV."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .words import Words, clean, key_name, split_list, standing_of

__all__ = ["mended", "read_tags"]


Names = Mapping[str, tuple[str, ...]]

ID3: Names = {
    "title": ("TIT2",),
    "artist": ("TPE1", "TPE2"),
    "album": ("TALB",),
    "genres": ("TCON",),
    "moods": ("TMOO", "TXXX:mood"),
    "comment": ("COMM",),
    "description": ("TXXX:description", "TIT3"),
    "tempo": ("TBPM",),
    "musical_key": ("TKEY", "TXXX:initialkey"),
    "license": ("TXXX:license", "WCOP", "TCOP"),
    "source": ("WOAF", "WOAS", "WXXX"),
}
MP4: Names = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART", "aART"),
    "album": ("\xa9alb",),
    "genres": ("\xa9gen",),
    "moods": ("----:com.apple.itunes:mood",),
    "comment": ("\xa9cmt",),
    "description": ("desc", "ldes"),
    "tempo": ("tmpo",),
    "musical_key": ("----:com.apple.itunes:initialkey",),
    "license": ("----:com.apple.itunes:license", "cprt"),
}
PLAIN: Names = {
    "title": ("title", "inam"),
    "artist": ("artist", "albumartist", "iart"),
    "album": ("album", "iprd"),
    "genres": ("genre", "ignr"),
    "moods": ("mood",),
    "comment": ("comment", "icmt"),
    "description": ("description", "subtitle", "isbj"),
    "tempo": ("bpm", "tempo"),
    "musical_key": ("initialkey", "key"),
    "license": ("license", "licence", "copyright", "icop"),
    "source": ("website", "url", "contact", "isrc_url"),
}
"""Of Vorbis comments, APE and the INFO of a WAV, in small letters."""
LARGEST_INFO = 65_536


def read_tags(path: Path) -> Words:
    """Return what the tags of a file say; nothing where it has none or they cannot be read."""
    found: dict[str, list[str]] = {}
    for tags, names in (*_by_mutagen(path), (_info_of_wav(path), PLAIN)):
        for field, keys in names.items():
            if values := [value for key in keys for value in tags.get(key, ())]:
                found.setdefault(field, values)
    return _as_words(found)


def mended(text: str) -> str:
    """Return a tag as it was meant, where its bytes were read by the wrong alphabet.

    UTF-8 in a tag that says Latin-1 reads as "CafÃ©"; the quotes and dashes of Windows lie where Latin-1 has controls.
    """
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    if text.isascii():
        return text
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    return data.decode("cp1252", "replace") if re.search("[\x80-\x9f]", text) else text


def _by_mutagen(path: Path) -> Iterable[tuple[Mapping[str, list[str]], Names]]:
    import mutagen

    try:
        file = mutagen.File(path)
        tags = None if file is None else file.tags
    except (
        Exception
    ):  # it raises errors of many kinds for damaged files, which are told when they are decoded
        return
    if not tags:
        return
    kind = type(tags).__name__
    if hasattr(tags, "getall"):
        yield _id3(tags), ID3
    elif kind == "MP4Tags":
        yield (
            {str(key).lower() if key[:1] == "-" else str(key): _texts(value) for key, value in tags.items()},
            MP4,
        )
    else:
        plain: dict[str, list[str]] = {}
        for key, value in tags.items():
            plain.setdefault(str(key).lower(), []).extend(_texts(value))
        if any("\ufffd" in text for texts in plain.values() for text in texts):
            plain = _vorbis_again(path) or plain
        yield plain, PLAIN


def _id3(tags: Any) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, frame in tags.items():
        name = key if key.startswith(("TXXX:", "WXXX:")) else str(key)[:4]
        if name.startswith("TXXX:"):
            name = f"TXXX:{name[5:].lower()}"
        elif name.startswith("WXXX"):
            name = "WXXX"
        if name == "COMM" and str(getattr(frame, "desc", "")).startswith(("iTun", "Songs-DB")):
            continue  # numbers that a player keeps for itself
        texts = (
            frame.genres if name == "TCON" else getattr(frame, "text", None) or [getattr(frame, "url", "")]
        )
        wrong = getattr(frame, "encoding", 0) == 0
        found.setdefault(name, []).extend(mended(str(text)) if wrong else str(text) for text in texts)
    return found


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values]


def _vorbis_again(path: Path) -> dict[str, list[str]]:
    """Return Vorbis comments that are not in UTF-8, as they must be, read as Latin-1; {} where they are not found."""
    from mutagen._vorbis import VComment

    with path.open("rb") as file:
        data = file.read(1 << 20)
    found: dict[str, list[str]] = {}
    for mark in (b"\x03vorbis", b"OpusTags", b"fLaC"):
        at = data.find(mark)
        if at < 0:
            continue
        block = _flac_comments(data[at + 4 :]) if mark == b"fLaC" else data[at + len(mark) :]
        try:
            comments = VComment(block, errors="surrogateescape", framing=False)
        except Exception:  # as above
            continue
        for key, text in comments:
            raw = text.encode("utf-8", "surrogateescape")
            try:
                read = raw.decode("utf-8")
            except UnicodeDecodeError:
                read = mended(raw.decode("latin-1"))
            found.setdefault(key.lower(), []).append(read)
        break
    return found


def _flac_comments(data: bytes) -> bytes:
    at = 0
    while at + 4 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        if kind & 0x7F == 4:
            return data[at + 4 : at + 4 + size]
        if kind & 0x80:
            break
        at += 4 + size
    return b""


def _info_of_wav(path: Path) -> Mapping[str, list[str]]:
    """Return the INFO chunk of a WAV, which is in UTF-8 or, by Windows programs, in Latin-1."""
    found: dict[str, list[str]] = {}
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:] != b"WAVE":
                return found
            while len(header := file.read(8)) == 8:
                kind, size = header[:4], int.from_bytes(header[4:], "little")
                if kind == b"LIST" and size <= LARGEST_INFO:
                    _add_info(file.read(size + size % 2), found)
                else:
                    file.seek(size + size % 2, 1)
    except OSError:
        pass
    return found


def _add_info(data: bytes, found: dict[str, list[str]]) -> None:
    if data[:4] != b"INFO":
        return
    at = 4
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        raw = data[at + 8 : at + 8 + size].rstrip(b"\x00")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = mended(raw.decode("latin-1"))
        found.setdefault(name.decode("latin-1").lower(), []).append(text)
        at += 8 + size + size % 2


def _as_words(found: Mapping[str, list[str]]) -> Words:
    first = {name: clean(next((one for one in values if one.strip()), "")) for name, values in found.items()}
    comment = first.get("comment", "")
    tempo = re.match(r"\d+(?:[.,]\d+)?", first.get("tempo", ""))
    bpm = float(tempo[0].replace(",", ".")) if tempo else 0.0
    values: dict[str, Any] = {
        name: first.get(name, "") for name in ("title", "artist", "album", "description", "license", "source")
    }
    if mark := _own_mark(comment):
        comment = ""
        values |= mark
    return Words(
        **values,
        genres=split_list(found.get("genres", ())),
        moods=split_list(found.get("moods", ())),
        comment=comment,
        tempo_bpm=bpm if 20 <= bpm <= 400 else None,
        musical_key=key_name(first.get("musical_key", "")),
    )


def _own_mark(comment: str) -> dict[str, Any]:
    """Return what the comment says that this program writes into its files."""
    if not comment.startswith("{"):
        return {}
    try:
        mark = json.loads(comment)
    except ValueError:
        return {}
    if not isinstance(mark, dict) or "id" not in mark or "weights_license" not in mark:
        return {}
    return {
        "known_as": str(mark["id"]),
        "made_by": str(mark.get("model", "")),
        "ai_generated": bool(mark.get("ai_generated", True)),
        "license": str(mark["weights_license"]),
        "style": str(mark.get("style", "")),
        **{name: str(mark[name]) for name in ("source", "rights") if mark.get(name)},
        **standing_of(mark),
    }

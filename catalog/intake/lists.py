"""What is said of files in JSON beside them, in a list of files (CSV or JSON Lines), and in a beets library."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import InputError
from ..models import IMPORTED
from ..objects.address import is_address
from ..validation import nearest
from .far import checked_address
from .finding import told
from .words import Words, clean, key_name, split_list, standing_of

__all__ = ["beets_library", "manifest", "read_sidecar"]


NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "name", "track"),
    "artist": ("artist", "albumartist", "composer"),
    "album": ("album",),
    "genres": ("genres", "genre", "genre_tags", "style_genre"),
    "moods": ("moods", "mood", "mood_tags"),
    "comment": ("comment", "comments", "note"),
    "description": ("description", "caption", "prompt", "text", "summary"),
    "tempo_bpm": ("tempo_bpm", "bpm", "tempo"),
    "musical_key": ("musical_key", "keyscale", "key_scale", "initial_key", "key"),
    "license": ("license", "licence", "weights_license"),
    "source": ("source", "url", "website"),
    "rights": ("rights", "copyright"),
    "role": ("role",),
    "style": ("style", "preset"),
    "tags": ("tags", "keywords", "labels", "instrument"),
    "made_by": ("made_by", "model"),
    "ai_generated": ("ai_generated",),
    "loopable": ("loopable", "loop"),
}
"""Fields of `Words`, and the keys that may hold each: ours, audiocraft's, ACE-Step's."""
PATHS = ("path", "file", "filename", "audio", "audio_path", "file_path", "location")
"""Columns of a list that may name the file."""
LISTS = frozenset({"genres", "moods", "tags"})
FLAGS = ("ai_generated", "loopable")
OF_IMPORTED = ("artist", "album", "source", "rights", "made_by")
"""What the configuration of an imported track says of whose it is."""
YES, NO = ("1", "1.0", "true", "t", "yes", "y", "on"), ("0", "0.0", "false", "f", "no", "n", "off")
LARGEST_JSON = 4_000_000


def read_sidecar(path: Path) -> Words:
    """Return what the JSON beside an audio file says: ours, audiocraft's or ACE-Step's; nothing where there is none.

    It is `song.json`, `song.wav.json` or `song_input_params.json` beside `song.wav`.
    """
    for name in (f"{path.stem}.json", f"{path.name}.json", f"{path.stem}_input_params.json"):
        beside = path.with_name(name)
        try:
            if beside.stat().st_size > LARGEST_JSON:
                continue
            content = json.loads(beside.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            return _said(_unfolded(content), strict=False)
    return Words()


def manifest(path: str | Path, *, roles: Iterable[str] = ()) -> dict[str, Words]:
    """Return what a list says of each file, by the real path of the file, or by its address on an object store.

    The list is CSV with a row of names, or JSON Lines; one column is `path`, relative to the folder of the list, or the
    address of audio on an object store; columns of other names are passed over. `roles` are those on offer, where that
    is known. Raises InputError with the number of the row for one that cannot be used, and for two of one file that say
    different things.
    """
    roles = frozenset(roles)
    by_lower = {role.lower(): role for role in roles}
    file = Path(path)
    rows = _json_lines(file) if file.suffix.lower() in (".jsonl", ".json", ".ndjson") else _csv(file)
    found: dict[str, Words] = {}
    row_of: dict[str, int] = {}
    for number, row in rows:
        where = next((row[name] for name in PATHS if row.get(name) and not _is_empty(row[name])), None)
        if not isinstance(where, str):
            raise InputError(f"row {number} of {told(file)} names no file; give it a column `path`")
        place = checked_address(where) if is_address(where) else os.path.realpath(file.parent / where)
        _check_kinds(row, f"row {number} of {told(file)}")
        try:
            words = _said(row, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            column = _column(str(first["loc"][0]), row)
            raise InputError(
                f"{column} in row {number} of {told(file)} is {first['input']!r}: {first['msg'].lower()}"
            ) from None
        if words.role and roles and words.role not in roles:
            role = by_lower.get(words.role.strip().lower())
            if role is None:
                raise InputError(
                    f"role in row {number} of {told(file)} is {words.role!r}; {nearest(words.role, roles)}"
                )
            words = words.model_copy(update={"role": role})
        for field in FLAGS:
            column = _column(field, row)
            value = row.get(column)
            if not _is_empty(value) and str(value).strip().lower() not in (*YES, *NO):
                raise InputError(
                    f"{column} in row {number} of {told(file)} is {value!r}; write true or false"
                )
        if found.setdefault(place, words) != words:
            raise InputError(
                f"rows {row_of[place]} and {number} of {told(file)} say different things of one file, {where}; "
                "keep one of them"
            )
        row_of.setdefault(place, number)
    if not found:
        raise InputError(f"the list {told(file)} has no rows; write one for each file")
    return found


def _check_kinds(row: Mapping[str, Any], place: str) -> None:
    """Raise InputError for an object or a list of JSON where a text is wanted, or texts."""
    for field in NAMES:
        column = _column(field, row)
        value = row.get(column)
        if field in LISTS:
            parts = value if isinstance(value, list) else [value]
            valid = "a list of texts, or one text with commas"
        else:
            parts, valid = [value], "a text" if field != "tempo_bpm" else "a number"
        if not _is_empty(value) and any(isinstance(part, (dict, list)) for part in parts):
            raise InputError(f"{column} in {place} is {value!r}; write {valid}")


def _column(field: str, row: Mapping[str, Any]) -> str:
    return next((name for name in NAMES[field] if not _is_empty(row.get(name))), field)


def _is_empty(value: Any) -> bool:
    return value in (None, [], ()) or (isinstance(value, str) and not value.strip())


def beets_library(path: str | Path) -> dict[Path, Words]:
    """Return the files of a beets library and what it says of each, from its SQLite database.

    Nothing is changed in it. Raises InputError for a file that is no beets library.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(
            f"there is no beets library {told(file)}; `beet config -p` names the folder it is in"
        )
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            database.text_factory = lambda data: data.decode("utf-8", "replace")
            return {
                _place(row["path"], file): _of_beets(row) for row in database.execute("SELECT * FROM items")
            }
    except (sqlite3.Error, IndexError) as error:
        raise InputError(f"{told(file)} is no beets library: {error}") from None


def _place(stored: Any, library: Path) -> Path:
    data = stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "surrogateescape")
    # beets may keep paths relative to its music folder, which is that of the library by default.
    return library.parent / os.fsdecode(data)


def _of_beets(row: sqlite3.Row) -> Words:
    names = row.keys()

    def text(*columns: str) -> str:
        return next((clean(str(row[one])) for one in columns if one in names and row[one]), "")

    bpm = (
        float(row["bpm"] or 0) if "bpm" in names and str(row["bpm"] or 0).replace(".", "", 1).isdigit() else 0
    )
    return Words(
        title=text("title"),
        artist=text("artist", "albumartist"),
        album=text("album"),
        genres=split_list(text("genres", "genre")),
        moods=split_list(text("mood")),
        comment=text("comments"),
        tags=split_list(text("grouping", "style")),
        tempo_bpm=bpm if 20 <= bpm <= 400 else None,
        musical_key=key_name(text("initial_key")),
        license=text("license"),
    )


def _unfolded(content: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a sidecar with what audiocraft and ACE-Step keep inside or leave to be known."""
    inner = content.get("conditioning")
    if isinstance(inner, dict):  # a sample that audiocraft made, of a text
        return {
            "ai_generated": True,
            "made_by": "MusicGen",
            **content,
            "description": inner.get("description"),
        }
    if "infer_step" in content or "actual_seeds" in content or content.get("task") == "text2music":
        return {"ai_generated": True, "made_by": "ACE-Step", **content}
    if "digital_source_type" in content:  # of this program
        return {**content, "known_as": content.get("id"), "genres": (), "source": "", "text": ""}
    return content


def _of_catalog(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only a list or a sidecar of this program says: quality, rank, and whose imported music is."""
    config = row.get("config")
    try:
        said = json.loads(config) if isinstance(config, str) else config
    except ValueError:
        said = None
    found = standing_of({**row, "model_rank": _whole(row["model_rank"])})
    if isinstance(said, dict) and row.get("backend") == IMPORTED:
        found |= {name: text for name in OF_IMPORTED if isinstance(text := said.get(name), str)}
    return found


def _whole(cell: Any) -> Any:
    """Return a cell of a CSV file as a whole number where it is one."""
    return int(cell) if isinstance(cell, str) and re.fullmatch(r"[0-9]{1,3}", cell) else cell


def _said(row: Mapping[str, Any], *, strict: bool) -> Words:
    """Return a row as words. What cannot be used raises ValidationError with `strict`, and is passed over without."""
    lower = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
    values: dict[str, Any] = {"known_as": str(lower["known_as"])} if lower.get("known_as") else {}
    if {"audio_sha256", "backend", "model_rank"} <= lower.keys():  # of this program
        values |= _of_catalog(lower)
        if lower["backend"] == IMPORTED and not _is_empty(lower.get("config")):
            lower["model"] = ""  # the artist, or "unknown"
    for field, names in NAMES.items():
        value = next((lower[name] for name in names if not _is_empty(lower.get(name))), None)
        if value is None:
            continue
        if field in LISTS:
            value = split_list(
                [str(one) for one in value] if isinstance(value, (list, tuple)) else str(value)
            )
        elif field == "musical_key":
            value = key_name(str(value))
        elif field in FLAGS:
            value = str(value).strip().lower() in YES
        elif field != "tempo_bpm":
            value = str(value) if not isinstance(value, (dict, list)) else ""
        try:
            Words.model_validate({field: value})
        except ValidationError:
            if strict:
                raise
            continue
        values[field] = value
    return Words(**values)


def _csv(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = _read(file)
    try:
        # Only the delimiter: a row of names holds nothing to learn from how quotes stand in cells.
        delimiter = csv.Sniffer().sniff(text.split("\n", 1)[0], ",;\t").delimiter
    except csv.Error:
        delimiter = ","
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    for number, row in enumerate(lines, start=2):
        beyond: Any = row.pop(None, [])  # the cells that no column has
        if any(not _is_empty(cell) for cell in beyond):
            raise InputError(
                f"row {number} of {told(file)} has {len(row) + len(beyond)} cells for {len(row)} columns; put a cell "
                f"with {delimiter!r} in it in double quotes"
            )
        yield number, {str(name).strip().lower(): value for name, value in row.items() if name}


def _json_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not splitlines: a JSON string may hold U+2028.
    for number, line in enumerate(_read(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"row {number} of {told(file)} is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"row {number} of {told(file)} is no JSON object; write one for each file")
        yield number, {str(name).strip().lower(): value for name, value in row.items()}


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"the list {told(file)} cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")

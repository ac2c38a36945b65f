"""Export tracks as audio files, playlists and tables. Each file is written beside its target and then renamed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .collections.archive import zip_blocks
from .disk import files
from .errors import Damage, InputError, StorageError
from .file_tags import FileTags, tags_of, wav_of
from .generator import Audio, AudioError, audio
from .generator.audio.files import write_blocks
from .models import Track
from .store.store import Store

__all__ = [
    "AUDIO_FORMATS",
    "END_FADE_S",
    "LIST_FORMATS",
    "check_target",
    "export_tracks",
    "list_bytes",
    "name_of",
    "part_of",
    "write_at_length",
    "write_audio",
    "write_bytes",
    "write_zip",
    "zip_of",
]


AUDIO_FORMATS = ("wav", "flac", "ogg")
LIST_FORMATS = ("m3u", "csv", "jsonl", "parquet")
STDOUT = "-"
_WHOLE_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
"""Latin letters that are not made of a plain one and a mark."""


def export_tracks(
    store: Store, tracks: Sequence[Track], form: str, to: str, *, force: bool = False
) -> list[Path]:
    """Write `tracks` as audio files into the folder `to`, or as one list into the file `to`; return what was written.

    `form` is one of `AUDIO_FORMATS` or `LIST_FORMATS`; "-" as `to` prints a text list. A list of a remote home names
    the addresses of the audio. Raises InputError for a target that cannot be used, StorageError when writing fails. A
    file that is there already is replaced only with `force`.
    """
    if form in AUDIO_FORMATS:
        if to == STDOUT:
            raise InputError(f"{form} files are not printed; pass a folder to write them into")
        return _write_files(store, tracks, form, Path(to), force)
    folder = Path(to).parent.resolve()

    def place(track: Track) -> str:
        if store.blobs is not None:  # a path would be one of the caches, where the file may not be
            return f"{store.blobs.address.url}/{track.audio_path}"
        path = store.audio.path_of(track).resolve()
        return Path(os.path.relpath(path, folder)).as_posix() if form == "m3u" else str(path)

    content = list_bytes(tracks, form, place)
    if to == STDOUT:
        if form == "parquet":
            raise InputError("parquet is binary and is not printed; pass a file to write it into")
        sys.stdout.write(content.decode("utf-8"))
        return []
    target = Path(to)
    check_target(target, force=force, suffixes=None)
    write_bytes(target, content)
    return [target]


def list_bytes(tracks: Sequence[Track], form: str, place: Callable[[Track], str]) -> bytes:
    """Return `tracks` as a list, one of `LIST_FORMATS`; `place(track)` says where the audio of each is."""
    return _LISTS[form](tracks, place)


def check_target(target: Path, *, force: bool, suffixes: Sequence[str] | None = AUDIO_FORMATS) -> None:
    """Refuse a target that cannot be written, before any work is done for it. Raises InputError."""
    if suffixes is not None and target.suffix.lower().lstrip(".") not in suffixes:
        raise InputError(
            f"{target} does not end in {', '.join('.' + s for s in suffixes)}; the ending picks the format"
        )
    try:
        target = target.resolve()
        there, is_file = target.exists(), target.is_file()
        if not target.parent.is_dir():
            raise InputError(f"the folder {target.parent} does not exist; create it first")
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from error
    if there and not is_file:
        raise InputError(f"{target} is a folder or a device; name a file")
    if there and not force:
        raise InputError(f"{target} exists already; choose another name, or pass force=True to replace it")


def zip_of(store: Store, tracks: Sequence[Track]) -> Iterator[bytes]:
    """Return the blocks of a ZIP file: the audio with tags, numbered, and a playlist of it.

    Raises InputError for no track, Damage where the audio of one is gone. Whether a file is as it was stored is found
    when its turn comes.
    """
    if not tracks:
        raise InputError("there is no track to download; choose at least one")
    for track in tracks:
        if not store.audio.is_there(track):
            store.audio.verified_path(track)  # raises the error that says so
    width = max(2, len(str(len(tracks))))
    names = {track.id: f"{place:0{width}} {name_of(track)}.wav" for place, track in enumerate(tracks, 1)}
    paths = ((track, store.audio.verified_path(track)) for track in tracks)
    wavs = ((names[track.id], path, wav_of(track, path)) for track, path in paths)
    return zip_blocks(wavs, [("playlist.m3u", list_bytes(tracks, "m3u", lambda track: names[track.id]))])


def write_zip(store: Store, tracks: Sequence[Track], target: Path) -> None:
    """Write what `zip_of` returns to a file, whole or not at all. Raises as it does, and StorageError."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with files.storing(f"{target} cannot be written"):
            with beside.open("wb") as file:
                file.writelines(zip_of(store, tracks))
            beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def write_audio(track: Track, source: Path, target: Path) -> None:
    """Write the WAV of `track` at `source` to `target`, in the format its ending names and with tags."""
    from .generator import AudioError, audio

    target = target.resolve()
    if not source.is_file():
        raise Damage(f"the audio file {source} is missing; run `catalog doctor`")
    try:
        if target.suffix.lower() == ".wav":
            write_bytes(target, b"".join(wav_of(track, source)))
        else:
            audio.convert(source, target, target.suffix.lower().lstrip("."), tags_of(track))
    except AudioError as error:
        raise Damage(f"{error}; run `catalog doctor --deep`") from error
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error


def part_of(track: Track, source: Path, form: str, first: int, end: int) -> bytes:
    """Return the frames from `first` up to, not including, `end` of the audio file of `track` at `source`, with tags.

    `form` is one of `AUDIO_FORMATS`; wav and flac have exactly the samples of the file. Raises Damage.
    """
    try:
        whole = audio.read(source, max_bytes=2**28)
        part = Audio(whole.samples[first:end], whole.sample_rate)
        return audio.encode(part, form, **tags_of(track))
    except AudioError as error:
        raise Damage(f"{error}; run `catalog doctor --deep`") from error


def _write_files(store: Store, tracks: Sequence[Track], form: str, folder: Path, force: bool) -> list[Path]:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; audio is exported into a folder")
    targets = [folder / f"{name_of(track)}.{form}" for track in tracks]
    if (clash := next((target for target in targets if target.exists()), None)) and not force:
        raise InputError(f"{clash} exists already; choose another folder, or pass force=True to replace them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be created: {error.strerror}") from error
    for track, target in zip(tracks, targets, strict=True):
        write_audio(track, store.audio.verified_path(track), target)
    return targets


def name_of(track: Track) -> str:
    """Return the file name of a track without its ending: style, title or topic, and id, as `plain_letters`."""
    words = plain_letters(track.title or track.summary)[:40].rstrip("-")
    return "-".join(part for part in (track.style, words, track.id) if part)


def plain_letters(text: str) -> str:
    """Return text for a file name: letters, digits, and hyphens between.

    Letters of the Latin script lose their marks; those of other scripts stay as they are, in NFC.
    """
    # Small letters twice: NFKD makes capitals of letters that have no small one.
    signs = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_WHOLE_LETTERS)
    words = ""
    for sign in signs:
        kind = unicodedata.category(sign)[0]
        # The letters of some scripts have marks that are signs of their own.
        if kind == "M" and words[-1:].isascii():
            continue
        words += sign if kind in "LMN" else "-"
    return re.sub("-+", "-", unicodedata.normalize("NFC", words)).strip("-")


def _m3u(tracks: Sequence[Track], place: Callable[[Track], str]) -> bytes:
    lines = ["#EXTM3U"]
    for track in tracks:
        lines += [
            f"#EXTINF:{round(track.duration_s)},{track.style} - {track.title or track.summary}",
            place(track),
        ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _csv(tracks: Sequence[Track], place: Callable[[Track], str]) -> bytes:
    out = io.StringIO()
    columns = ["path", *Track.model_fields]
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    for row in _rows(tracks, place):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue().encode("utf-8")


def _jsonl(tracks: Sequence[Track], place: Callable[[Track], str]) -> bytes:
    lines = (json.dumps({"schema_version": 1, **row}, ensure_ascii=False) for row in _rows(tracks, place))
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _parquet(tracks: Sequence[Track], place: Callable[[Track], str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{name: _cell(value, lists=True) for name, value in row.items()} for row in _rows(tracks, place)]
    columns = {"path": pa.string(), **{name: _arrow_type(str(f.annotation)) for name, f in _FIELDS.items()}}
    table = pa.Table.from_pylist(rows, schema=pa.schema(columns))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


_FIELDS = Track.model_fields


def _arrow_type(annotation: str) -> Any:
    """Return the column type of a field, so that every export has the same whatever rows it holds."""
    import pyarrow as pa

    kinds = {"bool": pa.bool_(), "float": pa.float64(), "int": pa.int64(), "tuple": pa.list_(pa.string())}
    return next((kind for word, kind in kinds.items() if word in annotation), pa.string())


_LISTS = {"m3u": _m3u, "csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


def _rows(tracks: Sequence[Track], place: Callable[[Track], str]) -> list[dict[str, Any]]:
    return [{"path": place(track), **track.model_dump(mode="json")} for track in tracks]


def _cell(value: Any, *, lists: bool = False) -> Any:
    """Return mappings, and for CSV lists too, as JSON text, which fits into every table."""
    if isinstance(value, dict) or (isinstance(value, list) and not lists):
        return json.dumps(value, ensure_ascii=False)
    return value


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` beside `target`, then rename, so that a reader never sees half a file. Raises StorageError."""
    with files.storing(f"{target} cannot be written"):
        files.write_file(target, content, point="export", mode=0o644)


END_FADE_S = 0.5
"""The fade of a loop that is cut in its middle."""


def write_at_length(source: Path, target: Path, duration_s: float, *, tags: FileTags | None = None) -> None:
    """Write the loop at `source`, repeated and cut to `duration_s`, to `target`, which appears whole or not at all.

    It is written loop by loop, so memory does not grow with the length. Its tags are those of the loop where `tags` are
    None. Raises Damage and StorageError.
    """
    try:
        loop = audio.read(source, max_bytes=2**28)
    except AudioError as error:
        raise Damage(f"{error}; run `catalog doctor --deep`") from error
    frames = max(1, round(duration_s * loop.sample_rate))
    rounds, rest = divmod(frames, len(loop.samples))
    if rest == 0:
        blocks = [loop.samples] * rounds
    else:
        tail = Audio(loop.samples[:rest], loop.sample_rate)
        faded = audio.fade(tail, 0.0, min(END_FADE_S, tail.duration_s / 2)).samples
        blocks = [*[loop.samples] * rounds, faded]
    try:
        write_blocks(target, blocks, loop.sample_rate, loop.channels, **(tags or audio.read_tags(source)))
    except AudioError as error:
        raise StorageError(str(error)) from error

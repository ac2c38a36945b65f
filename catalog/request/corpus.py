"""Read a corpus: the texts of an application, from JSON Lines, a folder of files, or a LanceDB table of chunks."""

from __future__ import annotations

import json
import os
import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk.foreign import ForeignTable, table_names
from ..errors import InputError
from ..models import MAX_TEXT_BYTES
from .context import TEXT_KEYS, ContextSource, read_bytes, read_context, read_line

__all__ = ["SAMPLE", "Corpus", "CorpusText", "Sample", "read_corpus"]


Corpus = str | Path | Iterable[ContextSource]
"""A file of JSON Lines, a folder of text files, the folder of a LanceDB database, or the texts themselves."""

SAMPLE = 2_000
"""How many texts of a larger corpus are read unless the caller says otherwise."""
SUFFIXES = (".txt", ".md", ".markdown")


@dataclass(frozen=True)
class CorpusText:
    """One text of a corpus."""

    source: ContextSource
    place: str
    """Where it stands: a line, a file or a row."""


@dataclass(frozen=True)
class Sample:
    """The texts that were read of a corpus, in its order."""

    texts: Sequence[CorpusText]
    total: int
    """How many texts the corpus has."""


def read_corpus(
    corpus: Corpus,
    *,
    table: str | None = None,
    column: str | None = None,
    sample: int = SAMPLE,
    sample_seed: int = 0,
) -> Sample:
    """Return the texts of a corpus, or `sample` of them drawn without replacement by `sample_seed`.

    JSON Lines: each line is a text or a payload, as `read_context` takes it; `column` names another key with the text.
    A folder: each file that ends in .txt, .md or .markdown is a text, folders inside included, hidden ones left out.
    A LanceDB database: `table` names the table and `column` its column, by default the first one of `TEXT_KEYS`. What
    is empty is left out. Raises InputError for a corpus that cannot be read or holds no text.
    """
    if sample < 1:
        raise InputError(f"sample is {sample}; read at least 1 text")
    if isinstance(corpus, str | Path) and not _is_file_name(corpus):
        raise InputError(f"the corpus {str(corpus)!a} has a name that no file can have")
    draw = _Draw(sample, sample_seed)
    if not isinstance(corpus, str | Path):
        found = _from_texts(corpus, draw)
    elif (path := Path(corpus)).is_dir() and (table is not None or table_names(path)):
        found = _from_table(path, table, column, draw)
    elif table is not None:
        raise InputError(
            f"table={table!r} is for the folder of a LanceDB database, and {corpus} is no folder"
        )
    elif path.is_dir():
        if column is not None:
            raise InputError(
                f"column={column!r} is for JSON Lines and tables, and {corpus} is a folder of texts"
            )
        found = _from_folder(path, draw)
    else:
        found = _from_lines(path, column, draw)
    if not found.texts:
        raise InputError(f"{_name(corpus)} holds no text")
    return found


def _is_file_name(name: str | Path) -> bool:
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True)
class _Draw:
    count: int
    seed: int

    def __call__(self, total: int) -> Sequence[int]:
        """Return which of `total` texts are read, in ascending order."""
        if total <= self.count:
            return range(total)
        return sorted(random.Random(self.seed).sample(range(total), self.count))


def _from_texts(corpus: Iterable[ContextSource], draw: _Draw) -> Sample:
    numbered = enumerate(corpus, start=1)
    sources = [(number, source) for number, source in numbered if not _is_empty(source, TEXT_KEYS)]
    texts = [(f"text {number}", source) for number, source in map(sources.__getitem__, draw(len(sources)))]
    return Sample([CorpusText(_checked(source, place), place) for place, source in texts], len(sources))


def _from_lines(path: Path, column: str | None, draw: _Draw) -> Sample:
    # Only numbers and beginnings of the lines are kept, so that a corpus may be larger than the memory.
    numbers, starts = array("Q"), array("Q")
    try:
        with path.open("rb") as file:
            at = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    numbers.append(number)
                    starts.append(at)
                at += len(line)
            texts = []
            for index in draw(len(numbers)):
                file.seek(starts[index])
                number = numbers[index]
                if (source := _line(number, file.readline(), column)) is not None:
                    texts.append(CorpusText(source, f"line {number}"))
    except OSError as error:
        raise InputError(f"the corpus {path} cannot be read: {error.strerror}") from error
    return Sample(texts, len(numbers))


def _line(number: int, line: bytes, column: str | None) -> ContextSource | None:
    """Return the text of a line; None where it is empty."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"line {number} is not UTF-8 text (at byte {error.start}); convert it first"
        ) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if column is None:
            return read_line(number, text)  # which says what is wrong
        raise InputError(f"line {number} is not JSON; write each text as a JSON object") from None
    if _is_empty(value, TEXT_KEYS if column is None else (column,)):
        return None
    if isinstance(value, list):
        raise InputError(f"line {number} is a JSON array; write one text or object on each line")
    if column is None:
        return read_line(number, text)
    if not isinstance(value, dict) or not isinstance(value.get(column), str):
        keys = ", ".join(sorted(map(str, value))[:10]) if isinstance(value, dict) else "no object"
        raise InputError(f"line {number} has no text under column {column!r} ({keys or 'empty'})")
    return _checked(value[column], f"line {number}")


def _is_empty(value: Any, keys: Sequence[str]) -> bool:
    """Tell whether a line is a blank text, or has nothing but blank texts and null under `keys`."""
    if isinstance(value, dict):
        found = [value[key] for key in keys if key in value]
        texts = [one for one in found if isinstance(one, str)]
        return not any(one.strip() for one in texts) if texts else None in found
    return isinstance(value, str) and not value.strip()


def _from_folder(folder: Path, draw: _Draw) -> Sample:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.stat().st_size
    )
    if not files:
        raise InputError(
            f"{folder} holds no text: no file ends in {', '.join(SUFFIXES)}, and no Lance table is there"
        )
    texts = []
    for index in draw(len(files)):
        place = files[index].relative_to(folder).as_posix()
        try:
            with files[index].open("rb") as file:
                text = read_bytes(file.read(2 * MAX_TEXT_BYTES + 1))
        except OSError as error:
            raise InputError(f"the file {files[index]} cannot be read: {error.strerror}") from error
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
        if not isinstance(text, str) or text.strip():
            texts.append(CorpusText(_checked(text, place), place))
    return Sample(texts, len(files))


def _from_table(folder: Path, name: str | None, column: str | None, draw: _Draw) -> Sample:
    if name is None:
        names = table_names(folder)
        raise InputError(f"{folder} is a LanceDB database; pass table={names[0]!r}{_others(names)}")
    table = ForeignTable(folder, name)
    columns = table.text_columns
    chosen = column or next((key for key in TEXT_KEYS if key in columns), None)
    if chosen not in columns:
        missing = f"no text column {column!r}" if column else f"no text column {', '.join(TEXT_KEYS)}"
        other = f"pass column={columns[0]!r}{_others(columns)}" if columns else "none of its columns is text"
        raise InputError(f"the table {name} has {missing}; {other}")
    total = table.count()
    rows = draw(total)
    texts = zip(rows, table.texts(chosen, rows), strict=True)
    return Sample(
        [
            CorpusText(_checked(text, f"row {row}"), f"row {row}")
            for row, text in texts
            if text and text.strip()
        ],
        total,
    )


def _others(names: Sequence[str]) -> str:
    return f", or another of {', '.join(names[1:])}" if names[1:] else ""


def _checked(source: ContextSource, place: str) -> ContextSource:
    try:
        read_context(source)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return source


def _name(corpus: Any) -> str:
    return f"the corpus {corpus}" if isinstance(corpus, str | Path) else "the corpus"

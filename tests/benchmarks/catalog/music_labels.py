"""Texts with the styles of music that would serve them, as language models judged them; see music_fit/README.md."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("music_fit")
APPLICATION = "application"
"""The kind of the texts that applications show."""
Row = dict[str, Any]


def read_labels(eval_dir: Path | None) -> list[Row]:
    """Return one row a text: `text`, `kind`, `lang`, `fits`, `passable`, `styles` on offer, `valence`, `energy`, ...

    A row with a `part`, "calibrate" or "test", is of a text that nothing is fitted to.

    Texts of public sets are looked up in `eval_dir`, beside the 600 that are labelled there. Without it they are left
    out.
    """
    rows = _lines(FOLDER / "labels.jsonl")
    if eval_dir is not None:
        rows += list(_earlier(eval_dir))
    return [{**row, "text": text} for row in rows if (text := _text(row, eval_dir)) is not None]


def read_second() -> dict[str, Row]:
    """Return the labels of a second judge, by the id of the text."""
    return {row["id"]: row for row in _lines(FOLDER / "second.jsonl")}


def read_tracks() -> dict[str, Row]:
    """Return the tracks that pairs were graded of, by id."""
    return {row["id"]: row for row in _lines(FOLDER / "tracks.jsonl")}


def read_pairs(name: str = "pairs") -> list[Row]:
    """Return one row a graded pair: ids of `text` and `track`, `grade` (0 wrong, 1 passable, 2 fits), `reason`.

    `name` "second_pairs" gives the grades of a second judge; "language_pairs" and "second_language_pairs" those of
    texts in other languages than English; "application_pairs" and "second_application_pairs" those of texts that
    applications show.
    """
    return _lines(FOLDER / f"{name}.jsonl")


def read_applications() -> list[Row]:
    """Return one row a text that an application shows: `app`, `application` in its developer's words, `text`, labels.

    Each has a `part`: models are fitted to those of "fitted" alone.
    """
    return _lines(FOLDER / "applications.jsonl")


def read_all_labels(eval_dir: Path | None) -> list[Row]:
    """Return the rows of `read_labels`, and behind them the texts of applications that models are fitted to.

    Each of these has two rows of one `id`: without its `application`, and with it.
    """
    told = [
        {"lang": "en", **row, "kind": APPLICATION} for row in read_applications() if row["part"] == "fitted"
    ]
    for row in told:
        del row["part"]
    alone = [{name: value for name, value in row.items() if name != "application"} for row in told]
    return [*read_labels(eval_dir), *alone, *told]


def read_second_applications() -> list[Row]:
    """Return the labels of a second judge of some of these texts, by `id`."""
    return _lines(FOLDER / "second_applications.jsonl")


def read_own_styles() -> list[Row]:
    """Return styles as users write their own, one row a style, in lists of about 50 numbered by `list`."""
    return _lines(FOLDER / "own_styles.jsonl")


def read_own_labels() -> dict[tuple[int, str, bool], list[Row]]:
    """Return which styles of a list serve which texts: rows with `id` of the text, `fits` and `passable`.

    They stand by number of the list, part ("fit" or "test"), and whether they are a second judge's.
    """
    found: dict[tuple[int, str, bool], list[Row]] = {}
    for row in _lines(FOLDER / "own_labels.jsonl"):
        found.setdefault((row["list"], row.get("part", "fit"), "second" in row), []).append(row)
    return found


def _lines(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _earlier(eval_dir: Path) -> Iterator[Row]:
    for line in (eval_dir / "music_fit" / "texts.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        yield {**row, "id": f"m{row['id']}", "lang": "en", "earlier": True}


def _text(row: Mapping[str, Any], eval_dir: Path | None) -> str | None:
    if "text" in row:
        return str(row["text"])
    if eval_dir is None:
        return None
    numbers = row["row"] if isinstance(row["row"], list) else [row["row"]]
    text = "\n\n".join(_public(eval_dir, row["set"])[number] for number in numbers)
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != row["sha256"]:
        raise SystemExit(f"{row['id']}: row {row['row']} of {row['set']} is another text than was labelled")
    return text


@cache
def _public(eval_dir: Path, name: str) -> Mapping[Any, str]:
    """Return the texts of a public set by their row."""
    root = eval_dir / name
    if name == "twowiki_corpus":
        texts = [row["text"] for row in json.loads((root / "2wikimultihopqa_corpus.json").read_text("utf-8"))]
    elif name == "nq_oracle":
        texts = [json.loads(line)["text"] for line in (root / "nq_open_oracle.jsonl").open(encoding="utf-8")]
    elif name == "xquad_en":
        data = json.loads((root / "xquad.en.json").read_text("utf-8"))["data"]
        texts = [paragraph["context"] for article in data for paragraph in article["paragraphs"]]
    elif name == "hotpot_questions":
        rows = json.loads((root / "hotpot_dev_v1_simplified.json").read_text("utf-8"))
        texts = [f"{row['question']} {row['answer']}" for row in rows]
    elif name == "fairytaleqa":
        texts = [row["text"] for row in _table(root / "sections.csv")]
    elif name == "light_rooms":
        texts = [json.loads(line)["description"] for line in (root / "rooms.jsonl").open(encoding="utf-8")]
    elif name == "emobank":
        return {row["id"]: row["text"] for row in _table(root / "emobank.csv")}
    elif name == "goemotions":
        lines = (root / "train.tsv").open(encoding="utf-8")
        texts = [line.rstrip("\n").split("\t")[0] for line in lines]
    else:
        raise SystemExit(f"{name} is not a set that labels refer to")
    return dict(enumerate(texts))


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

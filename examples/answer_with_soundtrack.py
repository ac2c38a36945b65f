"""A small retrieval-augmented answerer whose answers come back with music.

Chunks of text are embedded into a LanceDB table; a question retrieves the nearest ones; the two sentences
that answer best become the answer; `attach_soundtrack` adds a "music" entry to the payload.

    python examples/answer_with_soundtrack.py "How do lighthouses warn ships in fog?"
    python examples/answer_with_soundtrack.py --text notes.md "What did we decide?"
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import lancedb

from music_catalog import CatalogError, MusicService
from music_catalog.home import default_home
from music_catalog.text.encoder import Encoder

CHUNKS = Path(__file__).with_name("chunks.md")
CHUNK_WORDS = 90


def split(text: str) -> list[str]:
    """Return the paragraphs of `text`, long ones cut at sentence ends."""
    chunks = []
    for paragraph in re.split(r"\n\s*\n", text):
        words = 0
        chunk: list[str] = []
        for sentence in sentences(paragraph):
            if chunk and words + len(sentence.split()) > CHUNK_WORDS:
                chunks.append(" ".join(chunk))
                chunk, words = [], 0
            chunk.append(sentence)
            words += len(sentence.split())
        if chunk:
            chunks.append(" ".join(chunk))
    return chunks


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, headings left out."""
    prose = " ".join(line for line in paragraph.splitlines() if not line.startswith("#"))
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", prose) if part.strip()]


def index(folder: Path, chunks: list[str], encoder: Encoder) -> Any:
    """Write the chunks with their vectors into a LanceDB table, in place of an earlier one."""
    rows = [
        {"text": text, "vector": vector.tolist()}
        for text, vector in zip(chunks, encoder.encode(chunks), strict=True)
    ]
    database = lancedb.connect(folder)
    if "chunks" in database.list_tables().tables:
        return database.create_table("chunks", rows, mode="overwrite")
    return database.create_table("chunks", rows)


def answer(question: str, table: Any, encoder: Encoder) -> dict[str, Any]:
    """Return a payload: the two retrieved sentences that together are nearest to the question, and the sources."""
    target = encoder.encode([question])[0]
    nearest = table.search(target).distance_type("cosine")
    rows = nearest.select(["text", "_distance"]).limit(3).to_list()
    spans = [
        " ".join(lines[i : i + 2])
        for row in rows
        for lines in [sentences(row["text"])]
        for i in range(max(1, len(lines) - 1))
    ]
    if not spans:
        return {"question": question, "answer": "There is nothing on that in these notes.", "sources": []}
    scores = encoder.encode(spans) @ target
    return {
        "question": question,
        "answer": spans[int(scores.argmax())],
        "sources": [row["text"] for row in rows],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question")
    parser.add_argument("--text", type=Path, default=CHUNKS, help="the text to answer from")
    parser.add_argument("--home", default=default_home(), help="the catalog's folder")
    args = parser.parse_args()
    try:
        with MusicService.open(args.home) as service:
            table = index(
                Path(args.home) / "cache" / "chunks", split(args.text.read_text("utf-8")), service.encoder
            )
            payload = answer(args.question, table, service.encoder)
            payload = service.attach_soundtrack(payload, role="background_bed", quality="preview")
    except (CatalogError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    print(json.dumps(payload, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())

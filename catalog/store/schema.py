"""The columns of the tables, their arrow schemas, and the indexes they have at a size.

No column that is compared may be null: `tempo != 1` silently drops rows with null, and Lance accepts a row of nothing
but nulls. So None is stored as a value that no track can have: "" for text, 0 for a tempo or rating, -1000 for a level
in dB or a score, 1970-01-01 for a time. Only the sound, the ear's vector and the brief vector of a track, and the
vector of a log line, may be null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from ..brief import vectors as briefs
from ..disk.maintenance import WORDS
from ..ear import vectors as ears
from ..generator.audio import timbre
from .cells import NONE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ABSENT",
    "BRIEFS_SINCE",
    "EARS_SINCE",
    "ENCODER",
    "INDEX_ROWS",
    "JUDGEMENT_COLUMNS",
    "READABLE",
    "REQUEST_COLUMNS",
    "SCHEMA_VERSION",
    "SINCE",
    "TRACK_COLUMNS",
    "TRACK_ROW",
    "VECTOR_INDEX_ROWS",
    "VERSION",
    "VERSIONS",
    "judgement_schema",
    "request_schema",
    "table_encoder",
    "table_version",
    "track_schema",
]


VERSIONS = {"tracks": 10, "requests": 3, "judgements": 2}
"""The schema version of each table; see migrations.py for the steps between versions."""
SCHEMA_VERSION = VERSIONS["tracks"]
READABLE = {"tracks": 5}
"""The first version that is read as it is, as those after it are; the first change of a row upgrades the table."""
BRIEFS_SINCE, EARS_SINCE = 6, 9
"""The versions of `tracks` that brought the brief vectors, and what the ear hears."""
SINCE = {
    "title": 7,
    "checked": 8,
    **dict.fromkeys(("heard", "ear_kind", "ear_sha256", "ear"), EARS_SINCE),
    "measured": 10,
}
"""The version of `tracks` that brought each column which a table that is read as it is may lack."""
ABSENT: Mapping[str, str] = {name: "" for name in SINCE if name != "ear"}
"""The columns among them that a record leaves out where they hold nothing, so that the records of earlier rows stay
what their checksums are of, and what they hold then."""
VERSION, ENCODER = "catalog:schema_version", "catalog:encoder"
"""Keys of the table's own metadata."""

CellValue = TypeVar("CellValue", bound=BaseModel)

TRACK_KINDS = {
    "id": "key",
    "created_at": "time",
    "key": "text",
    "context": "text",
    "context_sha256": "text",
    "query": "text",
    "summary": "text",
    "tone": "text",
    "prompt": "text",
    "mood_tags": "texts",
    "valence": "float",
    "energy": "float",
    "style": "text",
    "role": "text",
    "quality": "text",
    "environment": "text",
    "time_of_day": "text",
    "language": "text",
    "duration_s": "float",
    "loopable": "bool",
    "sample_rate": "int",
    "channels": "int",
    "tempo_bpm": "float",
    "musical_key": "text",
    "loudness_lufs": "float",
    "true_peak_db": "float",
    "backend": "text",
    "model": "text",
    "model_rank": "int",
    "weights_license": "text",
    "ai_generated": "bool",
    "seed": "long",
    "config": "json",
    "config_sources": "json",
    "versions": "json",
    "audio_path": "text",
    "audio_sha256": "text",
    "audio_bytes": "long",
    "encoder": "text",
    "generation_s": "float",
    "state": "text",
    "trashed_at": "time",
    "rating": "int",
    "tags": "texts",
    "note": "text",
    "seam": "float",
    "variant_of": "text",
    "title": "text",
    "checked": "json",
    "heard": "json",
    "measured": "json",
}
_DERIVED_KINDS = {
    "quality_rank": "int",
    "words": "text",
    "vector_sha256": "text",
    "sound_kind": "text",
    "sound_sha256": "text",
    "ear_kind": "text",
    "ear_sha256": "text",
    "record": "text",
    "row_sha256": "text",
}
_BRIEF_KIND = {"brief_kind": "text"}
"""What the brief vector may be compared with; it goes with the vector, which nothing depends on but the search."""
REQUEST_KINDS = {
    "id": "key",
    "created_at": "time",
    "command": "text",
    "key": "text",
    "context_sha256": "text",
    "query": "text",
    "summary": "text",
    "prompt": "text",
    "style": "text",
    "role": "text",
    "quality": "text",
    "action": "text",
    "rule": "text",
    "reason": "text",
    "similarity": "float",
    "score": "float",
    "threshold": "float",
    "track_id": "text",
    "backend": "text",
    "choices": "json",
    "timings_s": "json",
    "listener": "text",
    "theme": "text",
    "probability": "float",
    "features": "json",
}
JUDGEMENT_KINDS = {
    "id": "key",
    "created_at": "time",
    "verdict": "text",
    "track_id": "text",
    "request_id": "text",
    "key": "text",
    "rating": "int",
    "mood": "json",
}
_LINE_KINDS = {"encoder": "text", "vector_sha256": "text", "row_sha256": "text"}
"""What every line of a log has beside its fields; encoder and vector checksum are "" where it has no vector."""
_WORDS_KIND = {"words": "text"}
CONVERTED = [name for name, kind in TRACK_KINDS.items() if kind in ("json", "time") or name in NONE]
"""Fields of a track that are stored as something else."""
RECORDED = (*TRACK_KINDS, "vector_sha256", "sound_kind", "sound_sha256", "ear_kind", "ear_sha256")
"""The columns of a record, those of `ABSENT` where they hold something; the rest of a row follows from them."""
TRACK_COLUMNS = (*TRACK_KINDS, *_DERIVED_KINDS)
"""Every column of `tracks` but the vectors and the kind of the brief vector."""
TRACK_ROW = ("id", "record", "row_sha256")
"""The columns that a track is read from: `record` has its fields again as one text, one read in place of fifty."""
REQUEST_COLUMNS = (*REQUEST_KINDS, *_WORDS_KIND, *_LINE_KINDS)
JUDGEMENT_COLUMNS = (*JUDGEMENT_KINDS, *_LINE_KINDS)
"""Every column of the logs but the vector."""


def track_schema(dimension: int, encoder: str) -> pa.Schema:
    """Return the arrow schema of `tracks` for vectors of `dimension` float32 made by `encoder`."""
    import pyarrow as pa

    fields = [_field(name, kind) for name, kind in {**TRACK_KINDS, **_DERIVED_KINDS, **_BRIEF_KIND}.items()]
    item = pa.field("item", pa.float32(), nullable=False)
    fields.append(pa.field("vector", pa.list_(item, dimension), nullable=False))
    fields.append(pa.field("sound", pa.list_(pa.float32(), timbre.DIMENSION), nullable=True))
    fields.append(pa.field("brief", pa.list_(pa.float32(), briefs.DIMENSION), nullable=True))
    fields.append(pa.field("ear", pa.list_(pa.float32(), ears.DIMENSION), nullable=True))
    return pa.schema(fields, metadata={VERSION: str(SCHEMA_VERSION), ENCODER: encoder})


def request_schema(dimension: int) -> pa.Schema:
    """Return the arrow schema of `requests`, whose vectors of `dimension` float32 may be missing."""
    return _log_schema("requests", {**REQUEST_KINDS, **_WORDS_KIND}, dimension)


def judgement_schema(dimension: int) -> pa.Schema:
    """Return the arrow schema of `judgements`, whose vectors of `dimension` float32 may be missing."""
    return _log_schema("judgements", JUDGEMENT_KINDS, dimension)


def table_version(schema: pa.Schema) -> int:
    """Return the schema version a table was made with; 1 when it states none."""
    return int((schema.metadata or {}).get(VERSION.encode(), b"1"))


def table_encoder(schema: pa.Schema) -> str:
    """Return the identity of the encoder that made a table's vectors.

    Vectors that were made anew state it themselves: what a table states cannot be changed without writing it anew.
    """
    own = schema.field("vector").metadata if "vector" in schema.names else None
    return str(({**(schema.metadata or {}), **(own or {})}).get(ENCODER.encode(), b"").decode())


def _log_schema(table: str, kinds: Mapping[str, str], dimension: int) -> pa.Schema:
    import pyarrow as pa

    fields = [_field(name, kind) for name, kind in {**kinds, **_LINE_KINDS}.items()]
    fields.append(pa.field("vector", pa.list_(pa.float32(), dimension)))
    return pa.schema(fields, metadata={VERSION: str(VERSIONS[table])})


def _field(name: str, kind: str) -> pa.Field:
    import pyarrow as pa

    types = {
        "key": pa.string(),
        "text": pa.string(),
        "json": pa.string(),
        "texts": pa.list_(pa.field("item", pa.string(), nullable=False)),
        "float": pa.float64(),
        "int": pa.int32(),
        "long": pa.int64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    # Lance retries instead of duplicating when two writers merge the same id, but only with this mark.
    metadata = {"lance-schema:unenforced-primary-key": "true"} if kind == "key" else None
    return pa.field(name, types[kind], nullable=False, metadata=metadata)


INDEX_ROWS, VECTOR_INDEX_ROWS = 5_000, 20_000
"""From how many rows filters, and the vector, get an index: below, reading everything is as fast, and exact."""
ID_INDEX_ROWS = 500_000
"""From how many rows the ids get one. An insert reads all ids without it: 0.2 s a million rows."""


def index_for(table: str, rows: int) -> dict[str, str]:
    """Return the kind of index (see `lance.index_config`) that each column of `table` should have at `rows` rows."""
    if table == "judgements":
        return {}
    indexes = {WORDS: "words"}
    if table == "requests":
        return indexes | ({"key": "order", "listener": "order"} if rows >= INDEX_ROWS else {})
    if rows >= INDEX_ROWS:
        ranks, flags = ("quality_rank", "model_rank"), ("state", "loopable")
        facts = ("style", "role", "brief_kind", "environment", "time_of_day", "backend", "weights_license")
        indexes |= dict.fromkeys((*facts, *ranks, *flags), "few_values")
        indexes |= {"mood_tags": "tags", "key": "order", "duration_s": "order"}
    if rows >= ID_INDEX_ROWS:
        # Merges on the id scan all the same: with this index they would let duplicates through.
        indexes |= {"id": "order"}
    if rows >= VECTOR_INDEX_ROWS:
        indexes |= {"vector": "vector", "brief": "whole_vector", "ear": "whole_vector"}
    return indexes


FAR_ROWS = 256
"""From how many rows a table on an object store has all its indexes: what is read there takes requests."""


def far_index_for(table: str, rows: int) -> dict[str, str]:
    """Return what `index_for` does, for a table on an object store."""
    indexes = index_for(table, max(rows, VECTOR_INDEX_ROWS) if rows >= FAR_ROWS else 0)
    return indexes | ({"key": "order"} if rows >= FAR_ROWS else {})

"""The columns of the tables, and values <-> rows: validated on the way in, checked by checksum on the way out.

No column that is compared is nullable: `tempo != 1` silently drops rows with null, and Lance itself accepts a row of
nothing but nulls. None is therefore stored as a value no track can have: "" for text, 0 for a tempo or rating, -1000
for a level in dB or a score, 1970-01-01 for a time. Only a line of a log may be without its vector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ValidationError

from catalog.cells import NONE, canonical, checked_text, from_cell, sha256, to_cell
from catalog.errors import Damage, InputError
from catalog.filters import QUALITY_RANK
from catalog.models import Judgement, RequestRecord, Track
from generator import timbre

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ENCODER",
    "JUDGEMENT_COLUMNS",
    "REQUEST_COLUMNS",
    "SCHEMA_VERSION",
    "TRACK_COLUMNS",
    "TRACK_ROW",
    "VERSION",
    "VERSIONS",
    "from_judgement_row",
    "from_record",
    "from_request_row",
    "from_track_row",
    "from_whole_track_row",
    "judgement_schema",
    "kept_sound",
    "matches",
    "recorded",
    "request_schema",
    "request_words",
    "row_sha256",
    "same_vector",
    "table_encoder",
    "table_version",
    "to_judgement_row",
    "to_request_row",
    "to_track_row",
    "track_schema",
    "unit_vector",
    "vector_sha256",
]

VERSIONS = {"tracks": 5, "requests": 3, "judgements": 2}
"""The schema version of each table; see migrations.py for the steps between versions."""
SCHEMA_VERSION = VERSIONS["tracks"]
VERSION, ENCODER = "catalog:schema_version", "catalog:encoder"
"""Keys of the table's own metadata."""

_Value = TypeVar("_Value", bound=BaseModel)

_TRACK_KINDS = {
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
}
_DERIVED_KINDS = {
    "quality_rank": "int",
    "words": "text",
    "vector_sha256": "text",
    "sound_kind": "text",
    "sound_sha256": "text",
    "record": "text",
    "row_sha256": "text",
}
_REQUEST_KINDS = {
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
_JUDGEMENT_KINDS = {
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
"""What every line of a log has beside its fields; encoder and checksum are "" where it is without a vector."""
_WORDS_KIND = {"words": "text"}
_TURNED = [name for name, kind in _TRACK_KINDS.items() if kind in ("json", "time") or name in NONE]
"""Fields of a track that are stored as something else."""
_RECORDED = (*_TRACK_KINDS, "vector_sha256", "sound_kind", "sound_sha256")
"""What of a row cannot be worked out from the rest."""
TRACK_COLUMNS = (*_TRACK_KINDS, *_DERIVED_KINDS)
"""Every column of `tracks` but the vector and the sound."""
TRACK_ROW = ("id", "record", "row_sha256")
"""The columns that a track is read from: its fields again, as one text, which takes one read in place of fifty."""
REQUEST_COLUMNS = (*_REQUEST_KINDS, *_WORDS_KIND, *_LINE_KINDS)
JUDGEMENT_COLUMNS = (*_JUDGEMENT_KINDS, *_LINE_KINDS)
"""Every column of the logs but the vector."""


def track_schema(dimension: int, encoder: str) -> pa.Schema:
    """Return the arrow schema of `tracks` for vectors of `dimension` float32 made by `encoder`."""
    import pyarrow as pa

    fields = [_field(name, kind) for name, kind in {**_TRACK_KINDS, **_DERIVED_KINDS}.items()]
    item = pa.field("item", pa.float32(), nullable=False)
    fields.append(pa.field("vector", pa.list_(item, dimension), nullable=False))
    fields.append(pa.field("sound", pa.list_(pa.float32(), timbre.DIMENSION), nullable=True))
    return pa.schema(fields, metadata={VERSION: str(SCHEMA_VERSION), ENCODER: encoder})


def request_schema(dimension: int) -> pa.Schema:
    """Return the arrow schema of `requests`, whose vectors of `dimension` float32 may be missing."""
    return _log_schema("requests", {**_REQUEST_KINDS, **_WORDS_KIND}, dimension)


def judgement_schema(dimension: int) -> pa.Schema:
    """Return the arrow schema of `judgements`, whose vectors of `dimension` float32 may be missing."""
    return _log_schema("judgements", _JUDGEMENT_KINDS, dimension)


def table_version(schema: pa.Schema) -> int:
    """Return the schema version a table was made with; 1 when it states none."""
    return int((schema.metadata or {}).get(VERSION.encode(), b"1"))


def table_encoder(schema: pa.Schema) -> str:
    """Return the identity of the encoder that made a table's vectors."""
    return str((schema.metadata or {}).get(ENCODER.encode(), b"").decode())


def to_track_row(track: Track, vector: ArrayLike, sound: ArrayLike | None = None) -> dict[str, Any]:
    """Return the row of `track` with its unit vector (float32), how it sounds where that is known, and the checksums.

    Raises InputError for values the model forbids (a copy may have skipped its checks), text that is no Unicode,
    numbers out of the column's range and vectors that are no direction.
    """
    row = _encode(Track, track, _TRACK_KINDS)
    unit = unit_vector(vector)
    row["quality_rank"] = QUALITY_RANK[track.quality]
    row["words"] = _track_words(track)
    row["vector_sha256"] = vector_sha256(unit)
    heard = None if sound is None else unit_vector(sound)
    row["sound_kind"] = "" if heard is None else timbre.KIND
    row["sound_sha256"] = "" if heard is None else vector_sha256(heard)
    row["vector"], row["sound"] = unit, heard
    return recorded(row)


def recorded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a track with its `record`, and the checksum of it, made anew from the columns."""
    record = canonical({name: row[name] for name in _RECORDED})
    return {**row, "record": record, "row_sha256": sha256(record)}


def from_record(row: Mapping[str, Any]) -> Track:
    """Return the track of a row's `record`; only the columns of `TRACK_ROW` are looked at.

    Raises Damage when the record does not match its checksum, its id or the model.
    """
    try:
        stored = json.loads(row["record"])
        if sha256(row["record"]) == row["row_sha256"] and stored["id"] == row["id"]:
            values = {name: stored[name] for name in _TRACK_KINDS}
            values |= {name: _from_record(name, stored[name]) for name in _TURNED}
            return Track.model_validate(values)
    except (KeyError, TypeError, ValueError):
        pass
    raise _altered(row)


def from_track_row(row: Mapping[str, Any]) -> Track:
    """Return what `from_record` does; raises Damage also for a vector or a sound, where read, that is another one."""
    track = from_record(row)
    for name in ("vector", "sound"):
        if row.get(name) is not None and not same_vector(row, name):
            raise Damage(f"the {name} of the row {row['id']!r} does not match its checksum")
    return track


def from_whole_track_row(row: Mapping[str, Any]) -> Track:
    """Return the track of a row of `TRACK_COLUMNS`; raises Damage also when a column differs from the record."""
    track, stored = from_track_row(row), json.loads(row["record"])
    told = {**_encode(Track, track, _TRACK_KINDS), "quality_rank": QUALITY_RANK[track.quality]}
    told |= {"words": _track_words(track), "record": row["record"], "row_sha256": row["row_sha256"]}
    told |= {name: stored[name] for name in ("vector_sha256", "sound_kind", "sound_sha256")}
    silent = "sound" in row and (row["sound"] is None) != (stored["sound_sha256"] == "")
    if silent or any(row[name] != told[name] for name in TRACK_COLUMNS):
        raise _altered(row)
    return track


def same_vector(row: Mapping[str, Any], name: str) -> bool:
    """Tell whether the "vector" or the "sound" of a row of a track is the one its record tells of."""
    return bool(vector_sha256(row[name]) == json.loads(row["record"])[f"{name}_sha256"])


def kept_sound(row: Mapping[str, Any]) -> ArrayLike | None:
    """Return how a row sounds where that is intact and compares to what is computed today."""
    sound: ArrayLike | None = row["sound"]
    today = sound is not None and json.loads(row["record"])["sound_kind"] == timbre.KIND
    return sound if today and same_vector(row, "sound") else None


def matches(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of a log, or of a track before schema version 5, matches its checksum."""
    try:
        return bool(row_sha256(row) == row["row_sha256"])
    except (TypeError, ValueError):  # no number that JSON knows
        return False


def _track_words(track: Track) -> str:
    """Return the text that a search for words reads."""
    own = (" ".join(track.tags), track.note)
    told = (track.summary, " ".join(track.mood_tags), track.style, track.prompt, track.context)
    return "\n".join((*told, *filter(None, own)))


def to_request_row(
    record: RequestRecord, vector: ArrayLike | None = None, encoder: str = ""
) -> dict[str, Any]:
    """Return the row of a log record with the vector of its context, made by `encoder`, where there is one.

    Raises InputError like `to_track_row`.
    """
    row = _encode(RequestRecord, record, _REQUEST_KINDS)
    row["words"] = request_words(row)
    return _line(row, vector, encoder)


def request_words(row: Mapping[str, Any]) -> str:
    """Return the text that a search for words in the log of requests reads."""
    return "\n".join(filter(None, (row["query"], row["summary"], row["prompt"], row["theme"])))


def from_request_row(row: Mapping[str, Any]) -> RequestRecord:
    """Return the log record of a row; raises Damage when the row does not match its checksum or the model."""
    return _decode(RequestRecord, row, _REQUEST_KINDS)


def to_judgement_row(
    judgement: Judgement, vector: ArrayLike | None = None, encoder: str = ""
) -> dict[str, Any]:
    """Return the row of a judgement with the vector of the request it answers, where there is one."""
    return _line(_encode(Judgement, judgement, _JUDGEMENT_KINDS), vector, encoder)


def from_judgement_row(row: Mapping[str, Any]) -> Judgement:
    """Return the judgement of a row; raises Damage when the row does not match its checksum or the model."""
    return _decode(Judgement, row, _JUDGEMENT_KINDS)


def row_sha256(row: Mapping[str, Any]) -> str:
    """Return the checksum of a row of a log: sha256 of its columns as canonical JSON.

    Vectors count through their own checksums, so that rows can be checked without reading them. Columns that start with
    an underscore are the query's own and count as nothing. Rows of tracks had this checksum before schema version 5.
    """
    content = {
        name: value
        for name, value in row.items()
        if name not in ("row_sha256", "vector", "sound") and not name.startswith("_")
    }
    return sha256(canonical(content))


def vector_sha256(vector: ArrayLike) -> str:
    """Return the sha256 of the vector's float32 little-endian bytes."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").tobytes()).hexdigest()


def unit_vector(vector: ArrayLike) -> NDArray[np.float32]:
    """Return `vector` scaled to length 1 as float32 of shape (dimension,).

    Raises InputError when it has another number of axes, is not finite, or is zero and so has no direction.
    """
    wide = np.asarray(vector, dtype=np.float64)
    if wide.ndim != 1:
        raise InputError(f"the vector has shape {wide.shape}; pass one of shape (dimension,)")
    length = float(np.linalg.norm(wide))
    if not np.isfinite(length) or length == 0.0:
        raise InputError(f"the vector has length {length}; pass finite numbers that are not all zero")
    # A vector that was stored before stays as it is, bit for bit.
    return (wide if abs(length - 1.0) < 1e-6 else wide / length).astype(np.float32)


def _log_schema(table: str, kinds: Mapping[str, str], dimension: int) -> pa.Schema:
    import pyarrow as pa

    fields = [_field(name, kind) for name, kind in {**kinds, **_LINE_KINDS}.items()]
    fields.append(pa.field("vector", pa.list_(pa.float32(), dimension)))
    return pa.schema(fields, metadata={VERSION: str(VERSIONS[table])})


def _line(row: dict[str, Any], vector: ArrayLike | None, encoder: str) -> dict[str, Any]:
    unit = None if vector is None else unit_vector(vector)
    row["encoder"] = "" if unit is None else checked_text("encoder", encoder)
    row["vector_sha256"] = "" if unit is None else vector_sha256(unit)
    row["row_sha256"] = row_sha256(row)
    row["vector"] = unit
    return row


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


def _encode(model: type[_Value], value: _Value, kinds: Mapping[str, str]) -> dict[str, Any]:
    try:
        fields = dict(model.model_validate(value.model_dump()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{model.__name__} {where} is {first['input']!r}: {first['msg']}") from None
    return {name: to_cell(name, kinds[name], item) for name, item in fields.items()}


def _decode(model: type[_Value], row: Mapping[str, Any], kinds: Mapping[str, str]) -> _Value:
    try:
        if matches(row):
            return model.model_validate(
                {name: from_cell(name, kinds[name], row[name]) for name in model.model_fields}
            )
    except (KeyError, TypeError, ValueError):
        pass
    raise _altered(row)


def _altered(row: Mapping[str, Any]) -> Damage:
    return Damage(f"the row {row.get('id')!r} does not match its checksum; run `catalog doctor --fix`")


def _from_record(name: str, value: Any) -> Any:
    kind = _TRACK_KINDS[name]
    return from_cell(name, kind, datetime.fromisoformat(value) if kind == "time" else value)

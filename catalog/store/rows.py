"""Values as rows of the tables, and rows as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from ..errors import Damage, InputError
from ..generator.audio import timbre
from ..models import IMPORTED, Judgement, RequestRecord, Track
from ..search.filters import QUALITY_RANK
from ..validation import sentence, spoken
from .cells import canonical, checked_text, from_cell, sha256, to_cell
from .schema import (
    ABSENT,
    CONVERTED,
    JUDGEMENT_KINDS,
    RECORDED,
    REQUEST_KINDS,
    TRACK_COLUMNS,
    TRACK_KINDS,
    CellValue,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "BriefVector",
    "EarVector",
    "NewTrack",
    "checked_id",
    "from_judgement_row",
    "from_record",
    "from_request_row",
    "from_track_row",
    "from_whole_track_row",
    "intact_ids",
    "kept_brief",
    "kept_ear",
    "kept_sound",
    "matches",
    "original_of",
    "recorded",
    "request_words",
    "row_sha256",
    "same_vector",
    "to_judgement_row",
    "to_request_row",
    "to_track_row",
    "unit_vector",
    "vector_sha256",
]


_VECTORS = ("vector", "sound", "brief", "ear")


class BriefVector(NamedTuple):
    """What finds a track by its music: see `music_catalog.brief.vectors`."""

    kind: str
    """Only vectors of one kind can be compared."""
    vector: ArrayLike


class EarVector(NamedTuple):
    """What the ear hears of a track: see `music_catalog.ear.vectors`."""

    kind: str
    """The identity of the ear; only vectors of one ear can be compared."""
    vector: ArrayLike


class NewTrack(NamedTuple):
    """A track on its way into the table."""

    track: Track
    vector: ArrayLike
    """That of its context, shape (dimension,)."""
    sound: ArrayLike | None = None
    """What `generator.audio.timbre.sound_vector` gives for its audio, where that is known."""
    brief: BriefVector | None = None
    ear: EarVector | None = None


def to_track_row(
    track: Track,
    vector: ArrayLike,
    sound: ArrayLike | None = None,
    brief: BriefVector | None = None,
    ear: EarVector | None = None,
) -> dict[str, Any]:
    """Return the row of `track` with its unit vector (float32), how it sounds where that is known, and the checksums.

    The brief vector has no checksum: it follows from the record, and can hide a track but never serve one.

    Raises InputError for values the model forbids (a copy may have skipped its checks), text that is not valid Unicode,
    numbers out of the column's range and vectors without a direction.
    """
    row = _encode(Track, track, TRACK_KINDS)
    unit = unit_vector(vector)
    row["quality_rank"] = QUALITY_RANK[track.quality]
    row["words"] = _track_words(track)
    row["vector_sha256"] = vector_sha256(unit)
    unit_sound = None if sound is None else unit_vector(sound)
    row["sound_kind"] = "" if unit_sound is None else timbre.KIND
    row["sound_sha256"] = "" if unit_sound is None else vector_sha256(unit_sound)
    unit_ear = None if ear is None else unit_vector(ear.vector)
    row["ear_kind"] = "" if ear is None else checked_text("ear_kind", ear.kind)
    row["ear_sha256"] = "" if unit_ear is None else vector_sha256(unit_ear)
    row["vector"], row["sound"], row["ear"] = unit, unit_sound, unit_ear
    row["brief_kind"], row["brief"] = ("", None) if brief is None else (brief.kind, unit_vector(brief.vector))
    return recorded(row)


def recorded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a track with its `record`, and the checksum of it, made anew from the columns."""
    absent = [name for name in ABSENT if not row.get(name)]
    record = canonical({name: row[name] for name in RECORDED if name not in absent})
    return {**row, "record": record, "row_sha256": sha256(record)}


def from_record(row: Mapping[str, Any]) -> Track:
    """Return the track of a row's `record`; only the columns of `TRACK_ROW` are looked at.

    Raises Damage when the record does not match its checksum, its id or the model.
    """
    try:
        stored = json.loads(row["record"])
        if sha256(row["record"]) == row["row_sha256"] and stored["id"] == row["id"]:
            stored = {**ABSENT, **stored}
            values = {name: stored[name] for name in TRACK_KINDS}
            values |= {name: _from_record(name, stored[name]) for name in CONVERTED}
            return Track.model_validate(values)
    except (KeyError, TypeError, ValueError):
        pass
    raise _altered(row)


def checked_id(row: Mapping[str, Any]) -> str | None:
    """Return the id that the record of a row states; None where the record fails its checksum or the model."""
    try:
        return from_record({**row, "id": json.loads(row["record"])["id"]}).id
    except (Damage, KeyError, TypeError, ValueError):
        return None


def from_track_row(row: Mapping[str, Any]) -> Track:
    """Return what `from_record` does; raises Damage also where a vector in the row fails its checksum."""
    track = from_record(row)
    for name in ("vector", "sound", "ear"):
        if row.get(name) is not None and not same_vector(row, name):
            raise Damage(
                f"the {name} of the row {row['id']!r} does not match its checksum; run `catalog doctor --deep --fix`"
            )
    return track


def from_whole_track_row(row: Mapping[str, Any]) -> Track:
    """Return the track of a row of `TRACK_COLUMNS`; raises Damage also when a column differs from the record."""
    track, stored = from_track_row(row), {**ABSENT, **json.loads(row["record"])}
    expected = {**_encode(Track, track, TRACK_KINDS), "quality_rank": QUALITY_RANK[track.quality]}
    expected |= {"words": _track_words(track), "record": row["record"], "row_sha256": row["row_sha256"]}
    expected |= {name: stored[name] for name in RECORDED if name not in TRACK_KINDS}
    lost = any(
        name in row and (row[name] is None) != (stored[f"{name}_sha256"] == "") for name in ("sound", "ear")
    )
    found = {**ABSENT, **row}  # rows of an earlier version are without them
    if lost or any(found[name] != expected[name] for name in TRACK_COLUMNS):
        raise _altered(row)
    return track


def same_vector(row: Mapping[str, Any], name: str) -> bool:
    """Tell whether the "vector", the "sound" or the "ear" of a track's row matches the checksum in its record."""
    return bool(vector_sha256(row[name]) == json.loads(row["record"]).get(f"{name}_sha256"))


def kept_sound(row: Mapping[str, Any]) -> ArrayLike | None:
    """Return the sound of a row where it is intact and of the kind that is measured today."""
    sound: ArrayLike | None = row["sound"]
    current = sound is not None and json.loads(row["record"])["sound_kind"] == timbre.KIND
    return sound if current and same_vector(row, "sound") else None


def kept_ear(row: Mapping[str, Any]) -> EarVector | None:
    """Return what the ear heard of a row, where it is intact."""
    if row.get("ear") is None or not same_vector(row, "ear"):
        return None
    return EarVector(json.loads(row["record"])["ear_kind"], row["ear"])


def matches(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of a log, or of a track before schema version 5, matches its checksum."""
    try:
        return bool(row_sha256(row) == row["row_sha256"])
    except (TypeError, ValueError):  # no number that JSON knows
        return False


def intact_ids(batch: pa.RecordBatch) -> list[str | None]:
    """Return the id of each row of a table, of any schema version and read with all columns.

    None stands for a row whose columns or vectors do not match its checksums.
    """
    try:
        batch.validate(full=True)  # a damaged column must not bring down what reads it
        vectors = {name: _vectors(batch[name]) for name in _VECTORS if name in batch.schema.names}
        rows = batch.drop_columns([*vectors]).to_pylist()
    except ValueError:
        return (
            [each for place in range(len(batch)) for each in intact_ids(batch.slice(place, 1))]
            if len(batch) > 1
            else [None]
        )
    return [
        row["id"] if _is_intact(row, {name: values[place] for name, values in vectors.items()}) else None
        for place, row in enumerate(rows)
    ]


def _vectors(column: pa.FixedSizeListArray) -> list[NDArray[np.float32] | None]:
    # As Python numbers, the vectors would take most of the time.
    values = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    intact = iter(values)
    return [next(intact) if valid else None for valid in column.is_valid().to_pylist()]


def _is_intact(row: Mapping[str, Any], vectors: Mapping[str, NDArray[np.float32] | None]) -> bool:
    try:
        for name, vector in vectors.items():
            if name == "brief":  # it has no checksum
                if vector is not None and abs(float(np.linalg.norm(vector)) - 1.0) > 1e-3:
                    return False
            elif row[f"{name}_sha256"] != ("" if vector is None else vector_sha256(vector)):
                return False
        if "record" not in row:
            return matches(row)
        same = sha256(row["record"]) == row["row_sha256"] and recorded(row)["record"] == row["record"]
        follows = row["words"], row["quality_rank"]
        return same and follows == (
            _track_words(SimpleNamespace(**{**ABSENT, **row})),
            QUALITY_RANK[row["quality"]],
        )
    except (KeyError, TypeError, ValueError):
        return False


def original_of(row: Mapping[str, Any]) -> str | None:
    """Return the path of the file that an imported track came from, by its row's record; None for another track."""
    try:
        if '"original' not in row["record"].replace("\\", ""):
            return None
        stored = json.loads(row["record"])
        config = json.loads(stored["config"]) if stored["backend"] == IMPORTED else {}
        original = config.get("original")
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return original if isinstance(original, str) else None


def kept_brief(row: Mapping[str, Any]) -> BriefVector | None:
    """Return the brief vector of a row, None where it has none."""
    return None if row.get("brief") is None else BriefVector(row["brief_kind"], row["brief"])


def _track_words(track: Track | SimpleNamespace) -> str:
    """Return the text that a search for words reads, of a track or of the columns of its row."""
    own = (" ".join(track.tags), track.note, track.title)
    made = (track.summary, " ".join(track.mood_tags), track.style, track.prompt, track.context)
    return "\n".join((*made, *filter(None, own)))


def to_request_row(
    record: RequestRecord, vector: ArrayLike | None = None, encoder: str = ""
) -> dict[str, Any]:
    """Return the row of a log record with the vector of its context, made by `encoder`, where there is one.

    Raises InputError like `to_track_row`.
    """
    row = _encode(RequestRecord, record, REQUEST_KINDS)
    row["words"] = request_words(row)
    return _line(row, vector, encoder)


def request_words(row: Mapping[str, Any]) -> str:
    """Return the text that a search for words in the log of requests reads."""
    return "\n".join(filter(None, (row["query"], row["summary"], row["prompt"], row["theme"])))


def from_request_row(row: Mapping[str, Any]) -> RequestRecord:
    """Return the log record of a row; raises Damage when the row does not match its checksum or the model."""
    return _decode(RequestRecord, row, REQUEST_KINDS)


def to_judgement_row(
    judgement: Judgement, vector: ArrayLike | None = None, encoder: str = ""
) -> dict[str, Any]:
    """Return the row of a judgement with the vector of the request it answers, where there is one."""
    return _line(_encode(Judgement, judgement, JUDGEMENT_KINDS), vector, encoder)


def from_judgement_row(row: Mapping[str, Any]) -> Judgement:
    """Return the judgement of a row; raises Damage when the row does not match its checksum or the model."""
    return _decode(Judgement, row, JUDGEMENT_KINDS)


def row_sha256(row: Mapping[str, Any]) -> str:
    """Return the checksum of a row of a log: sha256 of its columns as canonical JSON.

    Vectors count through their own checksums, so that rows can be checked without reading them, and those of another
    length that are to come as nothing. Columns that start with an underscore are the query's own and count as nothing
    too. Rows of tracks had this checksum before schema version 5.
    """
    content = {
        name: value
        for name, value in row.items()
        if name not in ("row_sha256", "vector", "vector_next", "vector_former", "sound")
        and not name.startswith("_")
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


def _line(row: dict[str, Any], vector: ArrayLike | None, encoder: str) -> dict[str, Any]:
    unit = None if vector is None else unit_vector(vector)
    row["encoder"] = "" if unit is None else checked_text("encoder", encoder)
    row["vector_sha256"] = "" if unit is None else vector_sha256(unit)
    row["row_sha256"] = row_sha256(row)
    row["vector"] = unit
    return row


def _encode(model: type[CellValue], value: CellValue, kinds: Mapping[str, str]) -> dict[str, Any]:
    try:
        fields = dict(model.model_validate(value.model_dump()))
    except ValidationError as error:
        raise InputError(f"{spoken(model)}: {sentence(error, model)}") from None
    return {name: to_cell(name, kinds[name], item) for name, item in fields.items()}


def _decode(model: type[CellValue], row: Mapping[str, Any], kinds: Mapping[str, str]) -> CellValue:
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
    kind = TRACK_KINDS[name]
    return from_cell(name, kind, datetime.fromisoformat(value) if kind == "time" else value)

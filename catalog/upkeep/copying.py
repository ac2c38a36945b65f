"""A home copied into another one: rows, audio, and what stands beside them.

So a catalog on an object store is backed up as a folder that opens as a home, and such a folder is brought into an
empty place on an object store. What is there already is not copied again, and what went from the source goes from its
copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from ..collections.files import FOLDER, collection_in
from ..collections.files import paths as collection_paths
from ..disk.files import inside, sha256_of, storing, sync, write_file
from ..disk.lance import lance_errors
from ..disk.remote.files import bring
from ..disk.remote.holds import hold_versions
from ..disk.remote.table import ObjectTable
from ..disk.table import Table
from ..errors import Damage, StorageError
from ..generator import Progress
from ..models import Value
from ..search.filters import one_of
from ..store.audio import beside
from ..store.audit import Problem
from ..store.homes.remote import SHARED_FILES
from ..store.rows import original_of
from ..store.schema import table_encoder
from ..store.store import Store
from ..store.vectors.reembedding import SWITCHED
from .tables import checked_row

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Copied", "copy_home"]


ROWS_AT_ONCE, FILES_AT_ONCE = 1_024, 8
GONE = "is gone"


class Copied(Value):
    """What a copy did."""

    tracks: int
    """In the copy."""
    rows: int
    files: int
    size_bytes: int
    """Of the files that the copy did not have yet; `rows` are those of all tables that it did not have yet."""
    problems: tuple[Problem, ...] = ()
    """What was damaged: such rows and files are not copied, and what the copy had in their place stays."""


class _Audio(NamedTuple):
    """Audio that a row names: of which track, whether that is ready, and its size, None where no column tells it."""

    track_id: str
    is_ready: bool
    size_bytes: int | None


class _Copy:
    def __init__(self, source: Store, target: Store, *, prune: bool) -> None:
        self._source, self._target, self._prune = source, target, prune
        self.problems: list[Problem] = []
        self.rows = self.files = self.size_bytes = 0

    # Rows

    def check_shape(self, source: Table, target: Table) -> None:
        """Raise StorageError where the copy has a table of another shape that cannot be written anew."""
        if not source.exists() or not target.exists() or (self._prune and not target.shared):
            return
        if not _same_shape(target.schema, _shape(source.schema)):
            raise StorageError(f"the {source.name} of the copy have another shape; copy into an empty place")

    def copy_table(self, source: Table, target: Table, on_progress: Progress | None) -> None:
        if not source.exists():
            return
        with lance_errors(f"the {source.name} cannot be read"):
            # What is read twice must be of one version, and others move the table that they share with this one.
            opened = source.opened() if isinstance(source, ObjectTable) else source.table
            schema, total = _shape(opened.schema), opened.count_rows()
            if not target.exists():
                target.create(schema)
            anew = not _same_shape(target.schema, schema)
            known = {} if anew else self._known(target)
            seen: set[str] = set()
            before = len(self.problems)
            for batch in _batches(opened, schema):
                sound = self._checked(target.name, batch, seen)
                if not anew:
                    self._copy_rows(target, batch, sound, known)
                if on_progress is not None:
                    on_progress(len(seen), total)
        # The id of a damaged row may be altered: the row that it was would pass for gone, and its copy is the last.
        damaged = any(problem.kind == "altered-row" for problem in self.problems[before:])
        if anew and damaged:
            detail = (
                f"the {target.name} of the copy stay as they were: their vectors are of another encoder, and rows are "
                "damaged now; run `catalog doctor --fix`, then copy again, or copy into an empty place"
            )
            self.problems.append(Problem(kind="table", subject=target.name, detail=detail))
        elif anew:
            self._write_anew(opened, target, schema)
        elif self._prune and not damaged and (gone := sorted(known.keys() - seen)):
            for start in range(0, len(gone), ROWS_AT_ONCE):
                self._delete(target, gone[start : start + ROWS_AT_ONCE])

    def _known(self, target: Table) -> dict[str, str]:
        query = target.table.search().select(["id", "row_sha256"]).limit(None)
        return {row["id"]: row["row_sha256"] for row in query.to_arrow().to_pylist()}

    def _checked(self, table: str, batch: pa.RecordBatch, seen: set[str]) -> dict[int, Mapping[str, Any]]:
        """Return the sound rows of a batch by place, copy their audio, and add all ids to those that were `seen`."""
        sound: dict[int, Mapping[str, Any]] = {}
        for place, row in enumerate(batch.to_pylist()):
            if row["id"] in seen:
                detail = f"the id {row['id']} names several rows, of which one is copied"
                self.problems.append(Problem(kind="table", subject=table, detail=detail))
                continue
            seen.add(row["id"])
            try:
                checked_row(table, row)
            except Damage as error:
                self.problems.append(Problem(kind="altered-row", subject=str(row["id"]), detail=str(error)))
                continue
            sound[place] = row
        if table == "tracks":
            self._copy_audio([*sound.values()])
        return sound

    def _copy_rows(
        self,
        target: Table,
        batch: pa.RecordBatch,
        sound: Mapping[int, Mapping[str, Any]],
        known: Mapping[str, str],
    ) -> None:
        new = [
            place
            for place, row in sound.items()
            if known.get(row["id"]) != row["row_sha256"] and (self._prune or row["id"] not in known)
        ]
        if new:
            data = _taken(batch, new, target.schema)
            self._commit(
                target, lambda table: _merged(table, data, any(each in known for each in _ids(data)))
            )
            self.rows += len(new)

    def _write_anew(self, opened: Any, target: Table, schema: pa.Schema) -> None:
        """Write a table of the copy in another shape in one commit; its rows are sound, and their audio is there."""
        import pyarrow as pa

        seen: set[str] = set()

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in _batches(opened, schema):
                first = {name: place for place, name in reversed([*enumerate(_ids(batch))])}
                new = sorted(place for name, place in first.items() if name not in seen)
                seen.update(first)
                yield from _taken(batch, new, schema).to_batches()

        data = pa.RecordBatchReader.from_batches(schema, batches())
        options = {"mode": "overwrite", "on_bad_vectors": "null"}
        with target.locked():
            target.replace(
                f"the {target.name} of the copy cannot be written anew",
                lambda connection: connection.create_table(target.name, data=data, **options),
            )
        self.rows += len(seen)

    def _delete(self, target: Table, ids: Sequence[str]) -> None:
        gone = one_of("id", [*ids])
        self._commit(target, lambda table: table.delete(gone))

    def _commit(self, target: Table, write: Callable[[Any], Any]) -> None:
        target.commit(f"the {target.name} cannot be copied", write, point="copy")

    # Files

    def _copy_audio(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Copy the audio that rows name, of those in the trash too, as far as it is there."""
        named: dict[str, _Audio] = {}
        for row in sorted(rows, key=lambda row: bool(row["state"] == "ready")):  # what is ready counts
            is_ready = row["state"] == "ready"
            named[row["audio_path"]] = _Audio(row["id"], is_ready, row["audio_bytes"])
            if original := original_of(row):
                named[original] = _Audio(row["id"], is_ready, None)
        with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
            for (path, audio), wrong in zip(
                named.items(), threads.map(self._copy_checked, named, named.values()), strict=True
            ):
                if wrong and (
                    audio.is_ready or wrong != GONE
                ):  # of a track that was mended or purged, it may be gone
                    detail = f"{path} of {audio.track_id} {wrong}"
                    problem = Problem(kind="altered-audio", subject=audio.track_id, detail=detail)
                    self.problems.append(problem)

    def _copy_checked(self, path: str, audio: _Audio) -> str | None:
        """Copy an audio file and what stands beside it, unless it is there; return what is wrong with it."""
        if self._has(path, audio.size_bytes):
            return None
        for other in beside(path):
            if (content := self._read(other)) is not None:
                self._write(other, content)
        try:
            size = self._copy_file(path)  # last: with it, all of them are there
        except Damage:
            return "no longer holds what was stored"
        if size is None:
            return GONE
        self.files += 1
        self.size_bytes += size
        return None

    def _copy_file(self, path: str) -> int | None:
        """Copy a large file that is named by its sha256, in parts; return its size, None without it. Raises Damage."""
        sha256 = PurePosixPath(path).name[:64]  # a suffix may follow
        if self._source.blobs:
            place = inside(self._target.home, path)
            there = bring(self._source.blobs, path, place, sha256=sha256, durable=True)
            return place.stat().st_size if there else None
        file = inside(self._source.home, path)
        assert self._target.blobs
        with storing(f"{path} cannot be read"):
            if not file.is_file():
                return None
            if sha256_of(file) != sha256:
                raise Damage(f"{path} no longer holds what was stored")
            self._target.blobs.put(path, file)
            return file.stat().st_size

    def copy_others(self) -> None:
        """Copy settings, certificates and collections, as they are now; those that went go from what is pruned."""
        there = set()
        for path in [*SHARED_FILES, *self._collections(self._source)]:
            if (data := self._read(path)) is None:
                continue
            there.add(path)
            try:
                if path not in SHARED_FILES:
                    collection_in(data, path)
            except Damage as error:
                self.problems.append(Problem(kind="altered-collection", subject=path, detail=str(error)))
                continue
            if data != self._read(path, self._target):
                self._write(path, data)
        if self._prune:
            for path in {*SHARED_FILES, *self._collections(self._target)} - there:
                self._remove(path)

    def _collections(self, store: Store) -> list[str]:
        if store.blobs:
            return [blob.path for blob in store.blobs.list(FOLDER)]
        return [path.relative_to(store.home).as_posix() for path in collection_paths(store.home)]

    def _has(self, path: str, size_bytes: int | None) -> bool:
        """Tell whether the copy has a file, with that size where it is known."""
        if self._target.blobs:
            found = self._target.blobs.size(path)
        else:
            place = inside(self._target.home, path)
            found = place.stat().st_size if place.is_file() else None
        return found is not None and size_bytes in (None, found)

    def _read(self, path: str, store: Store | None = None) -> bytes | None:
        store = store or self._source
        if store.blobs:
            return store.blobs.get(path)
        with storing(f"{path} cannot be read"):
            try:
                return inside(store.home, path).read_bytes()
            except FileNotFoundError:
                return None

    def _write(self, path: str, data: bytes) -> None:
        if self._target.blobs:
            self._target.blobs.put(path, data)
        else:
            with storing(f"{path} cannot be written"):
                place = inside(self._target.home, path)
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_file(place, data)
        self.files += 1
        self.size_bytes += len(data)

    def _remove(self, path: str) -> None:
        if self._target.blobs:
            self._target.blobs.delete(path)
            return
        with storing(f"{path} cannot be deleted"):
            place = inside(self._target.home, path)
            place.unlink(missing_ok=True)
            sync([], [place.parent] if place.parent.is_dir() else [])


def copy_home(
    source: Store, target: Store, on_progress: Progress | None = None, *, prune: bool = True
) -> Copied:
    """Make `target` a copy of `source`, one of them on an object store; return what was copied. Writers may go on.

    Rows are compared with their checksums and audio with its sha256. The rows of a table are those of one moment, and
    no row is in the copy before its audio. Rows that went from the source go from the copy, unless a row of their table
    is damaged, and so do settings and collections. Without `prune` all that is in `target` alone stays. A table in a
    folder that has vectors of another encoder is written anew. Raises StorageError where either refuses, and, before
    anything is written, for another copy of another shape.
    """
    copy = _Copy(source, target, prune=prune)
    pairs = [
        (source.requests.table.durable, target.requests.table.durable),
        (source.judgements.table.durable, target.judgements.table.durable),
        (source.tracks.table.durable, target.tracks.table.durable),
    ]
    with hold_versions(source.blobs) if source.blobs else nullcontext():
        for from_, to in pairs:
            copy.check_shape(from_, to)
        for from_, to in pairs:
            copy.copy_table(from_, to, on_progress if to.name == "tracks" else None)
        copy.copy_others()
    target.care.compact()
    return Copied(
        tracks=target.tracks.table.count(None),
        rows=copy.rows,
        files=copy.files,
        size_bytes=copy.size_bytes,
        problems=tuple(copy.problems),
    )


def _merged(table: Any, data: pa.Table, replaces: bool) -> Any:
    """Add rows to a table, in one commit in place of those with the same ids where it `replaces` some."""
    if not replaces:
        return table.add(data, on_bad_vectors="null")
    merge = table.merge_insert("id").use_index(False)
    merge = merge.when_matched_update_all().when_not_matched_insert_all()
    return merge.execute(data, on_bad_vectors="null")


def _ids(data: pa.Table | pa.RecordBatch) -> list[str]:
    ids: list[str] = data["id"].to_pylist()
    return ids


def _shape(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a copy: without the columns that stand there while a table is embedded anew."""
    import pyarrow as pa

    fields = [field for field in schema if not field.name.endswith(("_next", "_former"))]
    # Until the end of such a run the new columns, and then the old ones, may be null, and none is.
    strict = SWITCHED if "sound" in schema.names else ()
    fields = [field.with_nullable(False) if field.name in strict else field for field in fields]
    return pa.schema(fields, metadata=schema.metadata)


def _same_shape(one: pa.Schema, other: pa.Schema) -> bool:
    """Compare columns in any order, and whose vectors they are."""
    types = [{field.name: field.type for field in schema} for schema in (one, other)]
    return types[0] == types[1] and table_encoder(one) == table_encoder(other)


def _batches(opened: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    yield from opened.search().select(schema.names).limit(None).to_batches(ROWS_AT_ONCE)


def _taken(batch: pa.RecordBatch, places: Sequence[int], schema: pa.Schema) -> pa.Table:
    """Return the rows at some places of a batch as a table of `schema`."""
    import pyarrow as pa

    return pa.Table.from_batches([batch]).take(places).select(schema.names).cast(schema)

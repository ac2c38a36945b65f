"""The care of a catalog: what is checked, mended, deleted, written anew and counted across its tables and files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..disk.files import check_writable
from ..disk.maintenance import WORDS, Upkeep
from ..disk.reading import Row
from ..disk.table import DurableTable, Table
from ..errors import Damage, InputError, NotFound, StorageError
from ..models import Filter, Track
from ..search.filters import both, equals, one_of
from ..validation import checked
from . import audit
from .audio import AudioFiles
from .audit import Problem
from .judgements import Judgements
from .requests import Requests
from .rewrite import Encode, migrate
from .schema import (
    JUDGEMENT_COLUMNS,
    READABLE,
    REQUEST_COLUMNS,
    SCHEMA_VERSION,
    VERSIONS,
    judgement_schema,
    request_schema,
    table_encoder,
    table_version,
    track_schema,
)
from .tracks import Tracks
from .vectors.lines import reembed_lines, vectors_by, vectors_for
from .vectors.reembedding import finish, reembed_live

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_SECONDS", "Care"]


MOST_SECONDS = 36_500 * 86_400.0
"""The longest time in the trash that `Care.purge` takes: a hundred years."""


class Care:
    """What keeps the tables and the files of one home folder sound and of one shape."""

    def __init__(
        self,
        home: Path,
        tracks: Tracks,
        requests: Requests,
        judgements: Judgements,
        audio: AudioFiles,
        maintenance: Upkeep,
    ) -> None:
        self._home = home
        self._tracks = tracks
        self._requests = requests
        self._judgements = judgements
        self._audio = audio
        self._maintenance = maintenance

    # Damage

    def check(self, *, deep: bool = False) -> Sequence[Problem]:
        """Return what is wrong with tables, rows and files; `deep` also reads every audio file.

        Deep reading happens in a child process, since a damaged file can bring down the one that reads it.
        """
        tables = [table for table in self._maintenance.tables if isinstance(table, DurableTable)]
        return audit.check(self._home, tables, self._tracks.table, deep=deep)

    def fix(self, problem: Problem, encode: Encode | None = None) -> bool:
        """Mend what can be mended without losing anything; return whether it was.

        A damaged index is made anew. A row without its audio goes to the trash, a file no row names to `lost/`. A row
        whose columns, id or sound differ from its record is written anew from that. An altered vector is made anew by
        `encode`, which must be of the table's encoder; without it the row stays as it is. Only a row whose record is
        damaged is copied to `lost/` and deleted.
        """
        check_writable(self._home, "nothing can be mended")
        if problem.kind in ("table", "altered-line", "altered-sidecar", "altered-array", "lost-original"):
            return False  # `music_catalog.upkeep` mends lines and what stands beside audio
        if problem.kind == "index":
            name, column = problem.subject.split(".")
            (table,) = [table for table in self._maintenance.tables if table.name == name]
            self._maintenance.remake_index(table, column)
            return True
        if problem.kind == "leftover":
            return audit.clear(self._home, self._tracks.table, problem.subject)
        vector_of = None if encode is None else lambda track: encode([track.context])[0]
        if problem.kind == "altered-row":
            return audit.mend(self._home, self._tracks.table, problem.subject, vector_of)
        with contextlib.suppress(NotFound):  # the row went meanwhile
            try:
                track = self._tracks.trash(problem.subject)
            except Damage:  # its vector is altered too
                if not audit.mend(self._home, self._tracks.table, problem.subject, vector_of):
                    return False
                track = self._tracks.trash(problem.subject)
            if problem.kind == "altered-audio":
                audit.set_aside(self._home, track.audio_path)
        return True

    # Space

    @checked
    def purge(self, *, older_than_s: float = 0.0) -> int:
        """Take tracks that lie in the trash for `older_than_s` seconds out of the table; return how many went.

        Their rows and the audio that no other row names are kept in `lost/purged-*`. The first purge after
        `audit.KEPT_AFTER_PURGE` deletes them for good. Raises Damage, and changes nothing, when a column differs from
        the checked record of its row; InputError for an age that is no number of seconds up to `MOST_SECONDS`.
        """
        what = "the trash cannot be emptied"
        check_writable(self._home, what)
        if not 0.0 <= older_than_s <= MOST_SECONDS:
            raise InputError(f"older_than_s is {older_than_s}; pass 0 to {MOST_SECONDS:,.0f} seconds")
        latest = datetime.now(timezone.utc) - timedelta(seconds=older_than_s)
        table = self._tracks.table
        # Rows go before files: a crash in between leaves files that no row names, never a row without its file.
        # The lock is held throughout, so that no other process inserts a row that names one of the files meanwhile.
        with table.durable.locked():
            try:
                going, paths = audit.to_purge(table, latest)
            except Damage as error:
                raise Damage(f"{what}: {error}") from None
            if going:
                predicate = both(one_of("id", [row["id"] for row in going]), equals("state", "trashed"))
                folder = audit.keep_purged(self._home, going)
                table.durable.commit_locked(what, lambda lance: lance.delete(predicate), point="purge")
                audit.move_audio(self._home, paths, folder)
            audit.forget_purged(self._home)
        return len(going)

    def forget_files(self, left_out: Sequence[Track]) -> None:
        """Delete the audio and the originals of tracks that were not inserted, where no row names them."""
        audit.forget_files(self._home, self._tracks.table, left_out)

    def forget_purged(self) -> int:
        """Delete what purges of a remote home left for long enough; return how many audio files went.

        In a home folder a purge does this, and nothing goes here.
        """
        return 0

    def compact(self) -> None:
        """Merge fragments, bring the indexes up to date and drop old versions, one process at a time."""
        check_writable(self._home, "the tables cannot be compacted")
        self._maintenance.compact()

    def compact_due(self) -> list[str]:
        """Compact and index the tables to which enough was committed since the last time; return their names."""
        check_writable(self._home, "the tables cannot be compacted")
        due = [table for table in self._maintenance.tables if self._maintenance.is_due(table)]
        for table in due:
            self._maintenance.compact_table(table)
        return [table.name for table in due]

    def drop_altered_indexes(self) -> None:
        """Drop the indexes of which a file does not hold what was written, so that reads scan until they are made anew.

        A process reads each index file once for as long as it stays the same. Raises Damage where the home cannot be
        written.
        """
        self._maintenance.drop_altered_indexes()

    def stats(self) -> dict[str, Any]:
        """Return counts and sizes: rows, trashed, requests, audio files and bytes, versions, encoder, dimension."""
        audio = [*self._audio.sizes()]
        requests = self._requests.table  # lines that wait are moved into it before they are counted
        table = self._tracks.table.durable
        schema = table.schema if table.exists() else None
        return {
            "rows": self._tracks.count(Filter(state=None)),
            "trashed": self._tracks.count(Filter(state="trashed")),
            "requests": requests.count(),
            "judgements": self._judgements.table.count(),
            "audio_files": len(audio),
            "audio_bytes": sum(audio),
            "table_bytes": sum(each.size_bytes() for each in self._maintenance.tables),
            "version": table.head() or 0,
            "schema_version": table_version(schema) if schema else SCHEMA_VERSION,
            "encoder": table_encoder(schema) if schema else self._tracks.table.encoder,
            "dimension": self._dimension(),
        }

    # Other vectors and newer shapes

    def reembed(
        self,
        encode: Encode,
        encoder: str,
        texts_of: Callable[[Track], str] = lambda track: track.context,
    ) -> int:
        """Give every row a vector from `encode` and switch the table to `encoder` in one step; return the row count.

        Texts are encoded before the lock is taken; only rows that came meanwhile are encoded under it. No read changes
        when `encode` raises, and what was encoded by then is there when it is called again; see
        `vectors.reembedding`.
        """
        check_writable(self._home, "the table cannot be embedded anew")
        return self._reembed(encode, encoder, texts_of, lambda: None)

    def _reembed(
        self, encode: Encode, encoder: str, texts_of: Callable[[Track], str], check: Callable[[], None]
    ) -> int:
        """Do what `reembed` does; `check` is called before columns go and lines change, and raises where another run
        may be at work.
        """
        rows, table = self._tracks.table, self._tracks.table.durable
        if table.exists():
            due = self._maintenance.run_when_due
            rows.dimension = reembed_live(table, encode, encoder, texts_of, check, due)
            self._maintenance.ensure_index(table, WORDS)
        rows.encoder = encoder
        self._reembed_logs(encode, encoder, check)
        return finish(table, encode, encoder, texts_of, check) if table.exists() else 0

    def upgrade(self) -> None:
        """Bring every table of an older schema version to the present one; StorageError for a newer version."""

        def tracks(old: pa.Schema) -> pa.Schema:
            return track_schema(old.field("vector").type.list_size, table_encoder(old))

        schemas: dict[str, Callable[[pa.Schema], pa.Schema]] = {
            "tracks": tracks,
            "requests": lambda _: request_schema(self._dimension()),
            "judgements": lambda _: judgement_schema(self._dimension()),
        }
        for table in self._maintenance.tables:
            self._upgrade(table, schemas[table.name])

    def _upgrade(self, table: Table, schema_from: Callable[[pa.Schema], pa.Schema]) -> None:
        known = VERSIONS[table.name]
        noted = table.schema_version
        if noted is not None and READABLE.get(table.name, known) <= noted <= known:
            return  # noted with its last commit, so that opening a catalog does not load Lance
        version = table_version(table.schema) if table.exists() else known
        if version > known:
            raise StorageError(
                f"the table of {table.name} in {self._home} has schema version {version}, and this program knows "
                f"up to {known}; upgrade the program"
            )
        if version < READABLE.get(table.name, known):
            check_writable(
                self._home, f"the {table.name} have schema version {version} and must be upgraded to {known}"
            )
            migrate(table, schema_from)
            if table is self._tracks.table.durable:
                self._maintenance.ensure_index(table, WORDS)

    def _dimension(self) -> int:
        """Return the length of the vectors of the tracks, which those of the logs are compared with."""
        table = self._tracks.table.durable
        if table.exists():
            return int(table.schema.field("vector").type.list_size)
        return self._tracks.table.dimension

    def _reembed_logs(self, encode: Encode, encoder: str, check: Callable[[], None]) -> None:
        """Give the logs new vectors: those of tracks made for the same context, else of the request's summary."""
        dimension, tracks = self._tracks.table.dimension, self._tracks.table.durable
        requests, judgements = self._requests.table.durable, self._judgements.table.durable

        def of_requests(rows: Sequence[Row]) -> Sequence[NDArray[np.float32]]:
            known = vectors_by(tracks, "context_sha256", rows)
            return vectors_for(rows, "context_sha256", known, encode)

        def of_judgements(rows: Sequence[Row]) -> Sequence[NDArray[np.float32] | None]:
            known = vectors_by(requests, "key", rows, equals("encoder", encoder))
            return [known.get(row["key"]) for row in rows]

        if requests.exists():
            reembed_lines(requests, REQUEST_COLUMNS, encoder, dimension, of_requests, check)
        if judgements.exists():
            reembed_lines(judgements, JUDGEMENT_COLUMNS, encoder, dimension, of_judgements, check)

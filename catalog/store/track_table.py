"""The rows of the `tracks` table: reading, searching, and the few ways a row changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..disk.lance import lance_errors
from ..disk.maintenance import WORDS, Upkeep
from ..disk.reading import MOST_RESULTS, Row, exactly, intact, read, to_rows, where, where_async
from ..disk.remote.table import ObjectTable
from ..disk.table import Table
from ..errors import InputError, NotFound
from ..models import Track
from ..search.facets import FACETS, Facets, count_facets
from ..search.filters import both, equals, one_of
from .rewrite import (
    Change,
    VectorOf,
    changed_row,
    insert_missing,
    migrate,
    refuse_others,
    replace_rows,
    until_written,
)
from .rows import (
    BriefVector,
    EarVector,
    NewTrack,
    from_record,
    from_track_row,
    same_vector,
    to_track_row,
    unit_vector,
)
from .schema import (
    BRIEFS_SINCE,
    EARS_SINCE,
    SCHEMA_VERSION,
    SINCE,
    TRACK_ROW,
    table_encoder,
    table_version,
    track_schema,
)
from .vectors.far import nearest_rows
from .vectors.identity import expect_encoder

__all__ = ["Change", "TrackTable", "VectorOf"]


Parts = Callable[[Track, Row], tuple["ArrayLike | None", "BriefVector | None", "EarVector | None"]]
"""Return how a track sounds, its brief vector and what the ear hears, as its row is to have them."""

_SORTED_ALONE = 1000
"""Up to how many rows a page is sorted by ids alone and read in a second query."""
_COUNTS_KEPT = 64
"""For how many queries the facets are remembered."""
_ID = re.compile(r"[a-z0-9-]{1,64}")
_WITH_VECTORS = (*TRACK_ROW, "vector", "sound_kind", "sound", "brief_kind", "brief", "ear")


class TrackTable:
    """The table of tracks as one encoder sees it; knows rows and vectors, no files."""

    def __init__(self, table: Table, maintenance: Upkeep, encoder: str | None, dimension: int) -> None:
        self.durable = table
        self.encoder = encoder
        self.dimension = dimension
        self._maintenance = maintenance
        self._is_far = table.shared and not table.of_service
        self.agreed = False  # whether the vectors of the table were of this encoder once
        # Each pair: what the table stated when the value was read, and the value.
        self._trashed: tuple[int | None, int] = (None, 0)
        """The stamp, and how many rows were in the trash; rows that are added are ready, and leave the stamp."""
        self._stated: tuple[int | None, tuple[str, int]] = (None, ("", 0))  # encoder and schema version
        self._rows: tuple[int | None, int] = (None, 0)  # the version, and how many rows there were
        self._counted: dict[tuple[int, str | None, str], tuple[int, Facets]] = {}
        self.answered: Callable[[Sequence[str]], bool] = lambda _: False  # see `Requests.answered`

    def insert(
        self, new: Sequence[NewTrack], check: Callable[[], None], *, unmade: bool = False
    ) -> list[Track]:
        """Add the rows of tracks, in one commit, unless their ids are there; return the tracks as they are stored.

        `check` may refuse by raising. With `unmade` those are left out whose request has another track by now, in what
        is returned too. In a shared table another replica may have stored one for the same request.
        """
        rows = [to_track_row(one.track, one.vector, one.sound, one.brief, one.ear) for one in new]
        for one, row in zip(new, rows, strict=True):
            self._expect(one.track.encoder, len(row["vector"]))
        self._upgrade()
        schema = track_schema(self.dimension, new[0].track.encoder)
        what = f"track {new[0].track.id}" if len(new) == 1 else f"{len(new)} tracks"

        def write(table: Any) -> bool:
            self._expect_stored(table_encoder(table.schema), self.dimension)
            check()
            inserted = insert_missing(table, rows, schema, alone=not self.durable.shared)
            if self._is_far and (stored := table_encoder(table.schema)) != self.encoder:
                # Frozen within the merge since before the columns of the other encoder came.
                table.delete(one_of("row_sha256", [row["row_sha256"] for row in rows]))
                self._expect_stored(stored, self.dimension)
            if inserted < len(rows):
                refuse_others(self.durable, rows)
            return inserted == len(rows)

        if not self.durable.exists():
            self.durable.create(schema)
            self._maintenance.ensure_index(self.durable, WORDS)
        with self.durable.locked():
            if unmade:
                ready = both(one_of("key", [one.track.key for one in new]), equals("state", "ready"))
                made = {row["key"]: row["id"] for row in self.read(ready, columns=("id", "key"))}
                new = [one for one in new if made.get(one.track.key, one.track.id) == one.track.id]
                rows[:] = (row for row in rows if made.get(row["key"], row["id"]) == row["id"])
                if not new:
                    return []
            # A second answer for a request changes what its repeats are served, so the stamp must change.
            keys = [one.track.key for one in new]
            first = not self.durable.shared and not self.count(one_of("key", keys))
            adds, what = first and (lambda: not self.answered(keys)), f"{what} cannot be inserted"
            whole = self.durable.commit_locked(what, write, adds_only=adds)
        self._maintenance.run_when_due(self.durable)
        return [one.track if whole else self.get(one.track.id) or one.track for one in new]

    def change(self, track_id: str, change: Change, vector_of: VectorOf | None = None) -> Track:
        """Write a row anew with the fields that `change` returns for its track; see `changed_row`."""
        (changed,) = self.change_all({track_id: change}, vector_of)
        return changed

    def change_all(self, changes: Mapping[str, Change], vector_of: VectorOf | None = None) -> list[Track]:
        """Write rows anew in one commit, all or none; `changes` has the function of each by id. See `changed_row`.

        In a shared table some may be written before Busy or NotFound is raised for others.
        """
        ids = [*changes]
        what = f"track {ids[0]}" if len(ids) == 1 else f"{len(ids)} tracks"
        if not self.durable.exists():
            raise NotFound(f"there is no track {ids[0]!r}")
        self._upgrade()
        changed: dict[str, Track] = {}

        def write(table: Any) -> bool:
            wanted = [each for each in ids if each not in changed]
            found: dict[str, list[Row]] = {each: [] for each in wanted}
            for row in self.read(one_of("id", [_valid_id(each) for each in wanted]), columns=_WITH_VECTORS):
                found[row["id"]].append(row)
            rows = [changed_row(each, found[each], changes[each], vector_of) for each in wanted]
            read = [found[each][0]["row_sha256"] for each in wanted]
            written = replace_rows(self.durable, table, rows, read)
            changed.update((row["id"], from_record(row)) for row in rows if row["id"] in written)
            return len(changed) == len(ids)

        until_written(self.durable, f"{what} cannot be changed", write)
        self._maintenance.run_when_due(self.durable)
        return [changed[each] for each in ids]

    def rename(self, row: Row, own_id: str) -> bool:
        """Give a row the id that its record states; return False where another row has that id."""
        same = both(equals("id", row["id"]), equals("row_sha256", row["row_sha256"]))
        with self.durable.locked():
            if self.count(equals("id", own_id)):
                return False
            what = f"the row {row['id']!r} cannot be given its id {own_id}"
            self.durable.commit_locked(what, lambda table: table.update(where=same, values={"id": own_id}))
        return True

    def put_vectors(
        self, what: str, ids: Sequence[str], parts: Parts, change: Callable[[Track], Track] | None = None
    ) -> None:
        """Write the other vectors of the tracks of these ids anew, in one commit; rows that have gone are passed over.

        `change` returns a track with what changes of its fields beside the vectors.
        """
        self._upgrade()

        def write(table: Any) -> None:
            stored = self.read(one_of("id", [*ids]), columns=_WITH_VECTORS)
            # A merge would write one row of an id over the other.
            times = Counter(row["id"] for row in stored)
            rows = [
                to_track_row(change(track) if change else track, row["vector"], *parts(track, row))
                for row in stored
                if times[row["id"]] == 1
                for track in intact([row], from_record)
                if same_vector(row, "vector")
            ]
            if rows:
                replace_rows(self.durable, table, rows, [row["row_sha256"] for row in stored])

        # Where no field of a track changes, kept answers stay valid and the stamp stays.
        self.durable.commit(f"the {what} cannot be written", write, point="sound", adds_only=change is None)
        self._maintenance.run_when_due(self.durable)

    def nearest_of(
        self, column: str, kind: str, vector: ArrayLike, predicate: str | None, count: int
    ) -> list[Row]:
        """Return the `count` rows nearest to `vector` in the column "sound" or "ear", with their `_similarity`.

        Only vectors of `kind` are compared. The similarity is a cosine, -1 to 1.
        """
        if not self.durable.exists() or (column == "ear" and not self.has_ears()):
            return []
        predicate = both(equals(f"{column}_kind", kind), predicate)
        with lance_errors("the table cannot be searched by sound"):
            query = self.durable.table.search(unit_vector(vector), vector_column_name=column)
            query = exactly(where(query.distance_type("cosine"), predicate), count)
            rows = to_rows(query.select([*TRACK_ROW, column, "_distance"]).to_arrow())
        for row in rows:
            row["_similarity"] = float(np.clip(1.0 - row["_distance"], -1.0, 1.0))
        return rows

    def get(self, track_id: str) -> Track | None:
        """Return the track of that id, None without. Raises Damage when its row does not match its checksum."""
        rows = self.read(equals("id", _valid_id(track_id)), limit=1)
        return from_track_row(rows[0]) if rows else None

    def read(
        self,
        predicate: str | None,
        *,
        columns: Sequence[str] = TRACK_ROW,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        """Return rows; see the function `read`, and `known` for the columns."""
        columns = self.known(columns)
        if order is None or limit is None or limit > _SORTED_ALONE:
            return read(self.durable, predicate, columns, order=order, limit=limit, offset=offset)
        # Sorting carries every column of every row along, so a short page is sorted by its ids alone.
        keys = dict.fromkeys((order.removeprefix("-"), "id"))
        page = read(self.durable, predicate, tuple(keys), order=order, limit=limit, offset=offset)
        places = {row["id"]: place for place, row in enumerate(page)}
        rows = read(self.durable, both(one_of("id", [*places]), predicate), columns) if places else []
        return sorted(rows, key=lambda row: places[row["id"]])

    def nearest(self, vector: ArrayLike, predicate: str | None, count: int) -> list[Row]:
        """Return the `count` rows nearest to `vector` by cosine, best first, with their `_similarity` in [-1, 1]."""
        unit = unit_vector(vector)
        if not self.durable.exists():
            return []
        rows = self._near("vector", unit, len(unit), predicate, count)
        for row in rows:
            row["_similarity"] = float(np.clip(1.0 - row["_distance"], -1.0, 1.0))
        return rows

    def nearest_brief(
        self, brief: BriefVector, vector: ArrayLike, predicate: str | None, count: int
    ) -> list[Row]:
        """Return the `count` rows whose brief vectors are nearest to `brief`, best first.

        Their `_similarity` is the cosine of their contexts to `vector`, as in `nearest`.
        """
        unit, wanted = unit_vector(vector), unit_vector(brief.vector)
        if not self.has_briefs():
            return []
        predicate = both(equals("brief_kind", brief.kind), predicate)
        rows = self._near("brief", wanted, len(unit), predicate, count)
        for row in rows:
            row["_similarity"] = float(np.clip(np.asarray(row["vector"]) @ unit, -1.0, 1.0))
        return rows

    def _near(
        self, column: str, unit: NDArray[np.float32], dimension: int, predicate: str | None, count: int
    ) -> list[Row]:
        def near(table: Any) -> Any:
            query = table.query().nearest_to(unit).column(column).distance_type("cosine")
            return exactly(where_async(query, predicate), count).select([*TRACK_ROW, "vector", "_distance"])

        with lance_errors("the table cannot be searched"):
            self._expect_stored(self._facts()[0], dimension)
            if isinstance(self.durable, ObjectTable) and self._is_far:
                rows = nearest_rows(self.durable, column, unit, predicate, count, self.encoder or "")
                self._expect_stored(self._facts()[0], dimension)  # it may have been switched between
                return rows
            return to_rows(self.durable.query(near))

    def has_briefs(self) -> bool:
        """Return whether the table has brief vectors; one of version 5 gets them when a row changes."""
        return self.durable.exists() and self._facts()[1] >= BRIEFS_SINCE

    def has_ears(self) -> bool:
        """Return whether the table has columns for what the ear hears; an earlier one gets them when a row changes."""
        return self.durable.exists() and self._facts()[1] >= EARS_SINCE

    def known(self, columns: Sequence[str]) -> Sequence[str]:
        """Return those of `columns` that the table has: one of an earlier version lacks some."""
        if SINCE.keys().isdisjoint(columns) or not self.durable.exists():
            return columns
        version = self._facts()[1]
        return [name for name in columns if SINCE.get(name, 0) <= version]

    def _upgrade(self) -> None:
        """Bring a table of an earlier version, which is read as it is, to the present one."""
        if not self.durable.exists() or table_version(self.durable.schema) == SCHEMA_VERSION:
            return
        migrate(
            self.durable, lambda old: track_schema(old.field("vector").type.list_size, table_encoder(old))
        )
        # A table that is written anew has no index any more.
        self._maintenance.compact_table(self.durable)

    def search_words(self, text: str, predicate: str | None, count: int) -> list[Row]:
        """Return the `count` rows that have words of `text`, best BM25 `_score` first."""
        if not self.durable.exists():
            return []
        self._maintenance.ensure_index(self.durable, WORDS)
        with lance_errors("the table cannot be searched for words"):
            query = self.durable.table.search(text, query_type="fts", fts_columns=WORDS)
            query = where(query, predicate).select([*TRACK_ROW, "_score"]).limit(count)
            return to_rows(query.to_arrow())

    def facets(self, predicate: str | None, text: str) -> tuple[int, Facets]:
        """Return the number of rows, and of each value of the facets; see `Tracks.facets`."""
        if not self.durable.exists():
            return 0, {name: {} for name in FACETS}
        query_key = (self.durable.head() or 0, predicate, text)
        # Another thread may clear this meanwhile: what is returned is never read back.
        if (counted := self._counted.get(query_key)) is None:
            with lance_errors("tracks cannot be counted"):
                table = self.durable.table
                if text:
                    self._maintenance.ensure_index(self.durable, WORDS)
                    query = table.search(text, query_type="fts", fts_columns=WORDS).limit(MOST_RESULTS)
                else:
                    query = table.search().limit(None)
                columns = [*FACETS.values(), *(["_score"] if text else [])]
                values = where(query, predicate).select(columns).to_arrow()
                counted = values.num_rows, count_facets(values)
            if len(self._counted) >= _COUNTS_KEPT:
                self._counted.clear()
            self._counted[query_key] = counted
        return counted

    def vectors(self, predicate: str | None) -> dict[str, NDArray[np.float32]]:
        """Return the unit vectors of rows by id."""
        if not self.durable.exists():
            return {}
        with lance_errors("vectors cannot be read"):
            query = where(self.durable.table.search(), predicate).select(["id", "vector"]).limit(None)
            return {row["id"]: row["vector"] for row in to_rows(query.to_arrow())}

    def vectors_of(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the unit vectors of the rows with these ids."""
        return self.vectors(one_of("id", list(ids))) if ids else {}

    def count_ready(self) -> int:
        """Return how many rows are ready; rows are scanned only after a change that may have trashed one."""
        stamp, head = self.durable.stamp, self.durable.head()
        if stamp is None or stamp != self._trashed[0]:
            self._trashed = stamp, self.count(equals("state", "trashed"))
        if head != self._rows[0]:
            self._rows = head, self.count(None)
        return self._rows[1] - self._trashed[1]

    def count(self, predicate: str | None) -> int:
        """Return how many rows meet `predicate`."""
        if not self.durable.exists():
            return 0
        with lance_errors("tracks cannot be counted"):
            return int(self.durable.table.count_rows(predicate))

    @property
    def stored_encoder(self) -> str:
        """The identity of the encoder that made the vectors of the table."""
        return table_encoder(self.durable.schema)

    def _facts(self) -> tuple[str, int]:
        """Return the encoder of the table's vectors and its version; reading its schema costs as much as a search."""
        stamp = self.durable.stamp
        if stamp is None or stamp != self._stated[0]:
            schema = self.durable.schema
            self._stated = stamp, (table_encoder(schema), table_version(schema))
        return self._stated[1]

    def _expect_stored(self, encoder: str, dimension: int) -> None:
        """Raise as `_expect` does for the encoder that the table states."""
        self._expect(encoder, dimension, agreed=self.agreed)
        self.agreed = True

    def _expect(self, encoder: str, dimension: int, *, agreed: bool = False) -> None:
        self.encoder = encoder if self.encoder is None else self.encoder
        expect_encoder(encoder, self.encoder, agreed=agreed)
        if dimension != self.dimension:
            raise InputError(f"the vector has {dimension} numbers; the encoder gives {self.dimension}")


def _valid_id(text: str) -> str:
    """Return `text`; raises NotFound when no id can look like it."""
    if not _ID.fullmatch(text):
        raise NotFound(f"{text!r} is no id; ids are 1 to 64 small letters, digits and hyphens")
    return text

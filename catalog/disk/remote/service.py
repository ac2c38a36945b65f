"""Tables that a LanceDB service answers for: `db://`. It commits, compacts and keeps indexes up to date by itself."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

from ...errors import StorageError
from ...objects.database import Database
from ..lance import Connection, lance_errors
from .maintenance import ObjectMaintenance
from .table import ObjectTable

__all__ = ["ServiceMaintenance", "ServiceTable", "check_database", "check_merges", "connect_service"]


INDEX_WAIT_S, LOOK_S = 30.0, 0.2
"""How long a search for words waits for its index, which the service makes in the background, and between looks."""


def connect_service(database: Database) -> Connection:
    """Return a connection to a database whose every read asks for what was committed before it.

    Nothing is asked yet. Raises InputError without an API key.
    """
    return Connection(database.url, looks_every=timedelta(0), service=database.arguments())


def check_database(connection: Connection, database: Database) -> None:
    """Raise StorageError for a database that is not there, which a table that is not there does not tell.

    It takes a second: LanceDB imports a client that it needs for nothing else here; see `stand_ins`.
    """
    with lance_errors(f"{database.url} cannot be opened"):
        connection.connect().list_tables(limit=1)


def check_merges(connection: Connection, database: Database) -> None:
    """Raise StorageError for a service that loses what keeps writers apart: conditions, or what a schema states."""
    import pyarrow as pa

    key = pa.field("id", pa.string(), False, {b"lance-schema:unenforced-primary-key": b"true"})
    schema = pa.schema([key, pa.field("content", pa.string())], {b"catalog:probe": b"1"})
    name, seen = f"catalog_probe_{secrets.token_hex(8)}", []

    def merged(content: str, where: str | None = None) -> None:
        merge = table.merge_insert("id").use_index(False)
        merge = merge.when_matched_update_all(where=where) if where else merge.when_not_matched_insert_all()
        merge.execute(pa.table([["x"], [content]], schema=schema))
        seen.append([row["content"] for row in table.search().limit(10).to_list()])

    with lance_errors(f"{database.url} cannot be tried"):
        lance = connection.connect()
        table: Any = lance.create_table(name, schema=schema)
        try:
            for content in ("first", "again"):
                merged(content)
            for content, where in (("lost", "other"), ("second", "first")):
                merged(content, f"target.content = '{where}'")
            stated = table.schema
            kept = stated.metadata == schema.metadata and stated.field("id").metadata == key.metadata
        finally:
            lance.drop_table(name)
    if not kept or seen != [["first"], ["first"], ["first"], ["second"]]:
        raise StorageError(
            f"{database.url} ignores the conditions of merges or loses what a schema states, so that two writers would "
            "overwrite each other's rows; keep the tables on an object store, as s3://bucket/prefix"
        )


class ServiceTable(ObjectTable):
    """A table of the home at `address`, in the database of a service."""

    of_service = True


class ServiceMaintenance(ObjectMaintenance):
    """Makes the indexes that tables should have; the service does the rest."""

    def is_due(self, table: ObjectTable) -> bool:
        """Return whether a table lacks an index that its rows should have."""
        if not table.exists():
            return False
        with lance_errors(f"the {table.name} table cannot be looked at"):
            return self._lacks(table, table.count_rows())

    def compact_table(self, table: ObjectTable) -> None:
        """Make the indexes of one table."""
        for column, kind in self._index_for(table.name, table.count_rows()).items():
            self._index(table, column, kind)

    def ensure_index(self, table: ObjectTable, column: str) -> None:
        """Make the index of `column` unless it is there; where there are rows, wait until the service has it."""
        known = (table.name, column) in self._indexed
        super().ensure_index(table, column)
        deadline = time.monotonic() + (0.0 if known or not table.count_rows() else INDEX_WAIT_S)
        while time.monotonic() < deadline and column not in self._columns(table):
            time.sleep(LOOK_S)

    def warm(self, table: ObjectTable) -> None:
        """Do nothing: the service keeps its indexes in memory."""

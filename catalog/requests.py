"""The log of requests: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.durable import DurableTable
from catalog.errors import InputError
from catalog.filters import both, equals
from catalog.maintenance import Maintenance
from catalog.models import RequestRecord
from catalog.schema import REQUEST_COLUMNS, from_request_row, request_schema, to_request_row
from catalog.tracks import intact, read, to_arrow

__all__ = ["FACTS", "RequestLog"]

FACTS = (
    "id",
    "command",
    "key",
    "context_sha256",
    "style",
    "role",
    "quality",
    "action",
    "rule",
    "track_id",
    "backend",
)
"""Columns the log can be narrowed by."""


class RequestLog:
    """The `requests` table: appended to, never changed."""

    def __init__(self, table: DurableTable, care: Maintenance) -> None:
        self.durable = table
        self._care = care

    def append(self, record: RequestRecord) -> None:
        """Add one record; it is on the disk on return."""
        row, schema = to_request_row(record), request_schema()
        if not self.durable.exists():
            self.durable.create(schema)
        self.durable.commit(
            "the request cannot be logged", lambda table: table.add(to_arrow([row], schema)), point="log"
        )
        self._care.run_when_due(self.durable)

    def read(self, limit: int | None, facts: Mapping[str, str]) -> list[RequestRecord]:
        """Return the records whose columns equal `facts`, newest first."""
        if unknown := sorted(set(facts) - set(FACTS)):
            raise InputError(f"requests cannot be narrowed by {unknown[0]!r}; pass one of {', '.join(FACTS)}")
        predicate = both(*(equals(column, value) for column, value in facts.items()))
        rows = read(self.durable, predicate, REQUEST_COLUMNS, order="-created_at", limit=limit)
        return list(intact(rows, from_request_row))

    def count(self) -> int:
        """Return the number of records."""
        return int(self.durable.table.count_rows()) if self.durable.exists() else 0

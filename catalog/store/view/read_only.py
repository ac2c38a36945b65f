"""The tracks table as an object of LanceDB that reads and does not write."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from ...disk.lance import Connection, import_lancedb
from ...disk.maintenance import WORDS
from ...errors import InputError
from .nulls import nullable, reader_with_nulls, with_nulls

if TYPE_CHECKING:
    from ...disk.lance import LanceTable

__all__ = ["READS", "open_read_only"]


READS = frozenset(
    {
        *(
            "blob_columns",
            "embedding_functions",
            "fetch_blob_files",
            "fetch_blob_ranges",
            "fetch_blobs",
            "id",
        ),
        *("checkout", "checkout_latest", "current_branch", "list_versions", "name", "namespace", "version"),
        *("count_rows", "head", "open", "schema", "search", "tokenize"),
        *("index_stats", "infer_tokenizer_configs", "list_indices", "prewarm_data", "prewarm_index", "stats"),
        *("initial_storage_options", "latest_storage_options", "uri", "uses_v2_manifest_paths"),
        *("to_arrow", "to_pandas", "to_polars", "wait_for_index"),
    }
)
"""What of LanceDB's table only reads, by its columns. All else refuses, so that what a later version adds cannot write
either; `to_lance` gives a dataset that writes, and `take_offsets` reads past the nulls."""
PROBES, REFINE = 40, 4
"""Where a vector column has an index, how many of its lists are searched, and how many times the limit is compared
exactly: the distances of the index alone are approximate."""


def open_read_only(connection: Connection, name: str, check_words: Callable[[], None]) -> LanceTable:
    """Open a table of tracks anew, for reading; it sees every later commit.

    `check_words` is called before each search for words, and raises Damage where their index cannot be believed.
    """
    table = _read_only_class().open(connection.connect(), name)
    table._check_words = check_words
    return table


class _Refusal:
    """What stands in place of a method that is not offered, or of an object with such methods, as `tags` is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, part: str) -> _Refusal:
        if part.startswith("_"):  # Python and notebooks look for special names on every object
            raise AttributeError(part)
        return _Refusal(f"{self._name}.{part}")

    def __call__(self, *_: Any, **__: Any) -> None:
        raise InputError(
            f"{self._name} is not offered by tracks_table(), which only reads; change tracks with the methods of "
            "MusicService or the commands of `catalog`"
        )


@cache
def _read_only_class() -> Any:
    """Return the subclass of LanceDB's table; LanceDB is imported when it is first needed."""

    class TracksTable(import_lancedb().table.LanceTable):  # type: ignore[misc]
        """LanceDB's own table of the tracks: methods that write refuse, and what is missing reads as null."""

        _check_words: Callable[[], None]

        @property
        def schema(self) -> Any:
            """The arrow schema of what is read."""
            return nullable(super().schema)

        def search(
            self,
            query: Any = None,
            vector_column_name: str | None = None,
            query_type: str = "auto",
            ordering_field_name: str | None = None,
            fts_columns: Any = None,
        ) -> Any:
            """Search as LanceDB does: a text in `words`, a vector in `vector` by cosine, unless columns are named."""
            full_text = import_lancedb().query.FullTextQuery
            if query_type == "auto" and isinstance(query, (str, full_text)):
                query_type = "fts"
            if query_type in ("fts", "hybrid"):
                fts_columns = fts_columns or WORDS
                self._check_words()
            near = query_type != "fts" and (query is not None or query_type == "hybrid")
            if near and vector_column_name is None:
                vector_column_name = "vector"
            built = super().search(query, vector_column_name, query_type, ordering_field_name, fts_columns)
            return built.distance_type("cosine").nprobes(PROBES).refine_factor(REFINE) if near else built

        def to_arrow(self) -> Any:
            """Return all columns of all rows as an arrow table."""
            return with_nulls(super().to_arrow())

        def head(self, n: int = 5) -> Any:
            """Return the first `n` rows as an arrow table."""
            return with_nulls(super().head(n))

        def _execute_query(self, query: Any, **options: Any) -> Any:
            return reader_with_nulls(super()._execute_query(query, **options))

        def _output_schema(self, query: Any) -> Any:
            return nullable(super()._output_schema(query))

    for name in dir(TracksTable):
        if not name.startswith("_") and name not in READS:
            setattr(TracksTable, name, _Refusal(name))
    return TracksTable

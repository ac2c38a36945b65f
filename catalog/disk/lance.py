"""The only door to lancedb: import it, connect to the tables of a place, run its asynchronous queries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CatalogError, Damage, StorageError
from ..objects.reasons import reason_in
from .files import refusal
from .stand_ins import forget, without_rest_client

if TYPE_CHECKING:
    # For annotations elsewhere: this module alone may name lancedb.
    from lancedb.table import LanceTable as LanceTable

__all__ = [
    "Connection",
    "import_lancedb",
    "index_cache_bytes",
    "index_config",
    "lance_errors",
    "ordering",
    "run",
]


_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

METADATA_BYTES = 32 * 1024**2
"""How much Lance keeps of what it read about tables, as it counts it; the memory it takes is two to three times that.
Every commit adds some 20 kB, and Lance's own limit is 1 GB."""
LEAST_INDEX_BYTES, MOST_INDEX_BYTES = 8 * 1024**2, 512 * 1024**2
"""How much Lance keeps of indexes. Every compaction adds those it makes, each with an open file for some 40 kB, and
Lance's own limit is 6 GB."""
ALWAYS = timedelta(0)
"""How old the known state of a table may be: every read looks for commits of other processes."""


REMOTE_BYTES = 512 * 1024**2
"""How much Lance keeps of indexes, and as much of what it read about tables, where each look takes a request."""


CONNECT_S = 5
"""How long a connection to a service may take; LanceDB's client waits two minutes by itself."""


class Connection:
    """LanceDB on the tables of one folder, or of one address with its `options`, connected on first use."""

    def __init__(
        self,
        place: Path | str,
        options: Mapping[str, str] | None = None,
        *,
        looks_every: timedelta | None = ALWAYS,
        service: Mapping[str, str] | None = None,
    ) -> None:
        """`looks_every`: how old the known state of a table may be; None for one that is brought up to date by hand.

        `service`: what LanceDB's client needs for the tables of a service, whose address is `db://name`.
        """
        self._place = place
        self._storage = options
        self._looks_every = looks_every
        self._service = service
        self._connection: Any = None
        self._session: Any = None

    @property
    def opened(self) -> bool:
        """Whether Lance is loaded and connected."""
        return self._connection is not None

    def connect(self) -> Any:
        """Return the connection of the synchronous interface."""
        if self._connection is None:
            lancedb = import_lancedb()
            local = isinstance(self._place, Path)
            self._session = lancedb.Session(
                index_cache_size_bytes=index_cache_bytes(Path(self._place)) if local else REMOTE_BYTES,
                metadata_cache_size_bytes=METADATA_BYTES if local else REMOTE_BYTES,
            )
            self._connection = lancedb.connect(**self._options())
        return self._connection

    def open_for_queries(self, name: str) -> Any:
        """Return a table of the asynchronous interface; the synchronous one reads the schema three times a query."""
        self.connect()

        async def opened() -> Any:
            return await (await import_lancedb().connect_async(**self._options())).open_table(name)

        return run(opened())

    def for_queries(self, table: Any) -> Any:
        """Return the asynchronous interface of an open table, which is at the same version; see `open_for_queries`."""
        within = getattr(table, "_table", None)  # LanceDB's synchronous table is a shell around it
        return within if hasattr(within, "take_row_ids") else self.open_for_queries(table.name)

    def close(self) -> None:
        """Disconnect; the next use connects anew."""
        self._connection = None

    def _options(self) -> dict[str, Any]:
        # Connections of one session share their caches of schemas and indexes.
        options = {"uri": str(self._place), "session": self._session}
        if self._storage is not None:
            options["storage_options"] = dict(self._storage)
        if self._service is not None:
            options |= {**self._service, "client_config": {"timeout_config": {"connect_timeout": CONNECT_S}}}
        return {**options, "read_consistency_interval": self._looks_every}


def index_cache_bytes(folder: Path) -> int:
    """Return how much Lance may keep of the indexes of the tables in `folder`: twice their files, within the bounds.

    What is over that is of indexes that were replaced, and a service would grow by them for as long as it runs.
    """
    size = 0
    for path in folder.glob("*.lance/_indices/*/**/*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return min(MOST_INDEX_BYTES, max(LEAST_INDEX_BYTES, 2 * size))


def import_lancedb() -> Any:
    """Import lancedb, without its REST client where that works; see `stand_ins`."""
    if "lancedb" not in sys.modules:
        try:
            with without_rest_client():
                import lancedb
        except Exception as error:  # a stand-in may fail in any way at all
            _log.debug("lancedb is imported with its REST client: %s", error)
            forget("lancedb")
            forget("lance_namespace")
    import lancedb

    return lancedb


def index_config(kind: str) -> Any:
    """Return LanceDB's configuration for a kind of index: words, order, few_values, tags, vector or whole_vector."""
    from lancedb.index import FTS, Bitmap, BTree, IvfFlat, IvfRq, LabelList

    if kind == "words":
        # ICU finds words in languages that put no spaces between them.
        return FTS(base_tokenizer="icu")
    if kind == "vector":
        # One bit a number orders candidates so roughly that ten times the limit still misses some of the best.
        return IvfRq(distance_type="cosine", num_bits=4)
    if kind == "whole_vector":
        # Where thousands of vectors are nearly alike, rounded ones do not tell the best.
        return IvfFlat(distance_type="cosine")
    return {"order": BTree, "few_values": Bitmap, "tags": LabelList}[kind]()


def ordering(ascending: Mapping[str, bool]) -> list[Any]:
    """Return LanceDB's form of an order: columns, and whether each ascends."""
    from lancedb.query import ColumnOrdering

    return [ColumnOrdering(column_name=name, ascending=up) for name, up in ascending.items()]


_starting = threading.Lock()
_running: asyncio.AbstractEventLoop | None = None


def run(query: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Return the result of a coroutine, which runs on a thread of this module.

    Any thread may call it but one that runs an event loop of its own.
    """
    future = asyncio.run_coroutine_threadsafe(query, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _loop() -> asyncio.AbstractEventLoop:
    global _running
    with _starting:
        if _running is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="catalog-queries", daemon=True).start()
            _running = loop
        return _running


def _begin_anew() -> None:
    # The child of a fork has no copy of the thread, and nobody in it lets go of a lock that was held.
    global _starting, _running
    _starting, _running = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@contextlib.contextmanager
def lance_errors(what: str) -> Iterator[None]:
    """Turn whatever Lance raises into a StorageError that begins with `what`; what only damage explains is Damage.

    Panics of Rust are: `PanicException` of the synchronous interface, `RustPanic` of the other. An ImportError, which
    tells of a missing package, passes.
    """
    try:
        yield
    except (CatalogError, ImportError):
        raise
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        # What a service or a store answers may repeat a request, and a traceback would show it.
        cause = None if reason_in(str(error)) else error
        raise StorageError(f"{what}: {_in_short(error)}") from cause
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if refusal(error):
            raise StorageError(f"{what}: {_in_short(error)}") from error
        raise Damage(
            f"{what}: {type(error).__name__}: {_in_short(error)}; run `catalog doctor --deep`"
        ) from error


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if reason := reason_in(text):
        return reason
    if "No space left" in text or "os error 28" in text:
        return "the disk is full; free some space and try again"
    if "Read-only file system" in text or "os error 30" in text:
        return "the file system is mounted read-only"
    return text if len(text) <= 300 else text[:299] + "…"

"""Whether a load balancer should send requests: the encoder is loaded, the tables answer, and no stop has begun."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from pydantic import BaseModel

from ..errors import EncoderMismatch
from ..store.store import Store
from ..store.vectors.identity import expect_encoder

__all__ = ["Readiness", "ReadyJson", "read_tables"]


ASKED_S = 2.0
"""For how long an answer of the tables counts, so that many balancers do not read the home at every turn."""
PATIENCE_S = 3.0
"""How long the tables may take to answer."""

_log = logging.getLogger(__name__)


class ReadyJson(BaseModel):
    """Whether the service is ready for requests; `encoder` and `tables` say "ok", or in words why they are not."""

    ready: bool
    encoder: str
    tables: str
    stopping: bool


def read_tables(store: Store) -> None:
    """Read what tells that the tables answer; EncoderMismatch where their vectors are of another encoder."""
    store.tracks.count_ready()
    table = store.tracks.table
    if table.encoder is not None and table.durable.exists():
        expect_encoder(table.stored_encoder, table.encoder, agreed=table.agreed)


class Readiness:
    """What a load balancer is told. `read` touches the tables of the home, and raises where they do not answer."""

    def __init__(self, read: Callable[[], object]) -> None:
        self.stopping = False
        self._encoder = self._tables = "ok"
        self._read = read
        self._asked_at = -ASKED_S
        self._answered = threading.Event()
        self._answered.set()

    def loading(self) -> None:
        """Note that the encoder is not loaded yet."""
        self._encoder = "the text encoder is being loaded"

    def loaded(self, *, failed: bool = False) -> None:
        """Note that the encoder is loaded, or that it cannot be."""
        self._encoder = "the text encoder cannot be loaded; the log says why" if failed else "ok"

    async def look(self) -> ReadyJson:
        """Return what holds now; the tables are asked when their last answer is older than `ASKED_S`."""
        if self._answered.is_set() and time.monotonic() - self._asked_at >= ASKED_S:
            self._answered.clear()
            # A thread of its own: those of requests may all be busy, and a table may never answer.
            threading.Thread(target=self._ask, name="catalog-ready", daemon=True).start()
        answered = self._answered.is_set() or await asyncio.to_thread(self._answered.wait, PATIENCE_S)
        tables = self._tables if answered else f"the tables did not answer within {PATIENCE_S:g} s"
        ready = not self.stopping and self._encoder == tables == "ok"
        return ReadyJson(ready=ready, encoder=self._encoder, tables=tables, stopping=self.stopping)

    def _ask(self) -> None:
        try:
            self._read()
            self._tables = "ok"
        except EncoderMismatch as error:
            _log.warning("the service is not ready: %s", error)
            self._tables = "the vectors are of another encoder; the log says what to do"
        except (
            Exception
        ) as error:  # whatever keeps the tables from answering keeps requests from being answered
            _log.warning("the service is not ready: %s", error)
            self._tables = "the tables cannot be read; the log says why"
        self._asked_at = time.monotonic()
        self._answered.set()

"""The log of judgements: what people said of tracks that were served for a request."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from ..disk.files import check_writable
from ..disk.maintenance import Upkeep
from ..disk.reading import Row
from ..disk.table import Table
from ..errors import Damage
from ..models import Judgement
from ..search.filters import one_of
from .log import LineFormat, LogTable
from .rows import from_judgement_row, to_judgement_row
from .schema import JUDGEMENT_COLUMNS, judgement_schema
from .track_table import TrackTable

__all__ = ["FORMAT", "Judgements", "as_rejection"]


_log = logging.getLogger(__name__)

FORMAT: LineFormat[Judgement] = LineFormat(
    columns=JUDGEMENT_COLUMNS,
    facts=("id", "verdict", "track_id", "request_id", "key"),
    schema=judgement_schema,
    to_row=to_judgement_row,
    from_row=from_judgement_row,
)


class Judgements:
    """Ratings, rejections and rejections taken back, in the order they were made."""

    def __init__(self, home: Path, table: Table, maintenance: Upkeep, tracks: TrackTable) -> None:
        self.table = LogTable(table, maintenance, FORMAT, tracks.dimension)
        self._home = home
        self._tracks = tracks

    def append(self, judgement: Judgement, vector: ArrayLike | None = None) -> None:
        """Append one judgement, with the vector of the request it answers; it is on the disk on return."""
        check_writable(self._home, "the judgement cannot be kept")
        self.table.append(judgement, vector, self._tracks.encoder or "")

    def list(self, *, limit: int | None = None, cautious: bool = False, **facts: str) -> Sequence[Judgement]:
        """Return the judgements, newest first; keywords such as `track_id=...` or `verdict="rejected"` narrow them.

        An altered one is left out, with a warning; `cautious` takes it for what `as_rejection` says. Raises InputError
        for a column that cannot be narrowed by.
        """
        return self.table.read(limit, facts, decode=_cautious if cautious else None)

    def of_keys(self, keys: Sequence[str]) -> Sequence[Judgement]:
        """Return the judgements of requests with one of `keys`, newest first."""
        return self.table.read(None, {}, one_of("key", sorted({*keys}))) if keys else []

    def near(self, vector: ArrayLike, cosine: float, limit: int) -> Sequence[Judgement]:
        """Return those of the `limit` nearest judgements whose requests have at least that `cosine` to `vector`.

        An altered one counts as `as_rejection` says.
        """
        rows = self.table.rows_near(vector, self._tracks.encoder or "", limit, ("id",), None)
        near = [row["id"] for row in rows if row["_similarity"] >= cosine]
        return self.table.read(None, {}, one_of("id", near), _cautious) if near else []


def as_rejection(row: Row) -> Judgement | None:
    """Return the rejection that an altered row may have been; None for one that reads as another verdict.

    It is better to pass a good track over than to serve one that somebody rejected.
    """
    if row["verdict"] in ("rated", "allowed"):
        return None
    kept = {name: row[name] for name in ("id", "created_at", "track_id", "request_id", "key")}
    return Judgement(verdict="rejected", **kept)


def _cautious(row: Row) -> Judgement:
    """Return the judgement of a row; that of an altered one with a warning. Raises Damage for no rejection."""
    try:
        return from_judgement_row(row)
    except Damage as error:
        rejection = as_rejection(row)
        if rejection is None:
            raise
        _log.warning("%s; until then it counts as a rejection of track %s", error, rejection.track_id)
        return rejection

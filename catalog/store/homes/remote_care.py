"""The care of a remote home: its trash, and what is not done there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ...errors import Damage, InputError, StorageError
from ...models import Track
from ...objects.blobs import Blobs
from ...search.filters import both, equals, one_of
from ...validation import checked
from ..audit import Problem, trashed_until
from ..care import MOST_SECONDS, Care
from ..rewrite import Encode
from .purged import RECORDS, Purged

__all__ = ["RemoteCare"]


class RemoteCare(Care):
    """What keeps the tables and the objects of one remote home sound."""

    def __init__(self, blobs: Blobs, *parts: Any) -> None:
        super().__init__(*parts)
        self._blobs = blobs

    def check(self, *, deep: bool = False) -> Sequence[Problem]:
        """Refuse: the checks of a home folder read its files."""
        del deep
        raise self._refusal("the check")

    def fix(self, problem: Problem, encode: Encode | None = None) -> bool:
        """Refuse: what `check` finds is mended in files."""
        del problem, encode
        raise self._refusal("mending")

    def reembed(
        self,
        encode: Encode,
        encoder: str,
        texts_of: Callable[[Track], str] = lambda track: track.context,
    ) -> int:
        """Refuse: a table that replicas write to is not written anew."""
        del encode, encoder, texts_of
        raise self._refusal("embedding anew")

    @checked
    def purge(self, *, older_than_s: float = 0.0) -> int:
        """Take tracks that lie in the trash for `older_than_s` seconds out of the table; return how many went.

        Their rows are kept in an object below `lost/`. They and the audio go for good later, by `forget_purged`. See
        `Care.purge`.
        """
        if not 0.0 <= older_than_s <= MOST_SECONDS:
            raise InputError(f"older_than_s is {older_than_s}; pass 0 to {MOST_SECONDS:,.0f} seconds")
        now, table, what = datetime.now(timezone.utc), self._tracks.table, "the trash cannot be emptied"
        try:
            # No file goes, so that it does not matter which other rows name it.
            going = [row for row, _ in trashed_until(table, now - timedelta(seconds=older_than_s))]
        except Damage as error:
            raise Damage(f"{what}: {error}") from None
        if going:
            rows = "".join(f"{json.dumps(row, default=str)}\n" for row in going)
            self._blobs.put(f"{RECORDS}{now:%Y%m%dT%H%M%S%f}.jsonl", rows.encode())
            # A row that somebody took back meanwhile has another checksum.
            same = one_of("row_sha256", [row["row_sha256"] for row in going])
            gone = both(one_of("id", [row["id"] for row in going]), equals("state", "trashed"), same)
            table.durable.commit(what, lambda lance: lance.delete(gone), point="purge")
        return len(going)

    def forget_purged(self) -> int:
        """Delete audio of purged tracks that no row names, in steps; return how many files went.

        It is condemned a week after the purge, and goes a day later. See `purged`.
        """
        return Purged(self._blobs, self._tracks.table).forget()

    def _refusal(self, what: str) -> StorageError:
        return StorageError(
            f"{what} of {self._blobs.address} is not done from here: it needs a home in a local folder; "
            "the object store keeps copies and checks its bytes by itself"
        )

"""The care of a remote home: what is checked, mended and purged beside other replicas."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from numpy.typing import ArrayLike

from ...errors import Busy, Damage, InputError, NotFound, StorageError
from ...models import Track
from ...objects.blobs import Blobs
from ...objects.lease import lease
from ...search.filters import both, equals, one_of
from ...validation import checked
from ..audit import Problem, trashed_until
from ..care import MOST_SECONDS, Care
from ..rewrite import Encode
from .purged import RECORDS, Purged, condemn
from .remote_audio import RemoteAudio
from .remote_audit import find_problems

__all__ = ["RemoteCare"]


WAIT_S = 15.0
"""How long a run that embeds anew waits for another: longer than the lease of one that died."""


class RemoteCare(Care):
    """What keeps the tables and the objects of one remote home sound."""

    def __init__(self, blobs: Blobs, *parts: Any) -> None:
        super().__init__(*parts)
        self._blobs = blobs
        assert isinstance(self._audio, RemoteAudio)
        self._audio: RemoteAudio

    def check(self, *, deep: bool = False) -> Sequence[Problem]:
        """Return what is wrong with rows and audio; `deep` also compares the bytes of every audio with its sha256."""
        if self._tracks.table.durable.of_service:
            raise InputError(
                f"a check of the tables of {self._blobs.address} is not offered for db://; "
                "its rows are checked when they are read"
            )
        try:
            return [*find_problems(self._blobs, self._tracks.table, deep=deep)]
        except StorageError as error:
            return [Problem(kind="table", subject="tracks", detail=str(error))]

    def fix(self, problem: Problem, encode: Encode | None = None) -> bool:
        """Mend what can be mended beside other replicas; return whether it was.

        Audio that is whole by now stays, and what this machine has in its cache goes back; else its track goes to the
        trash, and altered audio is copied to `lost/altered/` and deleted, so that it can be made again. A row
        whose record is whole is written anew from it. What no row names stays:
        another replica may be about to insert a row that names it.
        """
        vector_of = None if encode is None else lambda track: encode([track.context])[0]
        if problem.kind == "altered-row":
            with contextlib.suppress(Damage, NotFound, InputError):
                self._tracks.table.change(problem.subject, lambda _: {}, vector_of)
                return True
            return False
        if problem.kind not in ("missing-audio", "altered-audio"):
            return False
        try:
            track = self._tracks.get(problem.subject)
            # A finding may be hours old, and the audio back since.
            if track is None or self._is_whole(track) or self._audio.put_back(track):
                return True
            self._tracks.trash(track.id)
        except NotFound:  # the row went meanwhile
            return True
        except Damage:  # a later look tells of the row itself
            return False
        if (altered := self._blobs.get(track.audio_path)) is not None:
            self._blobs.put(f"lost/altered/{track.audio_path}", altered)
            condemn(
                self._blobs, track.audio_path
            )  # before it goes, so that no writer relies on it from now on
            self._blobs.delete(track.audio_path)
        return True

    def _is_whole(self, track: Track) -> bool:
        data = self._blobs.get(track.audio_path)
        return data is not None and hashlib.sha256(data).hexdigest() == track.audio_sha256

    def reembed(
        self,
        encode: Encode,
        encoder: str,
        texts_of: Callable[[Track], str] = lambda track: track.context,
    ) -> int:
        """Do what `Care.reembed` does while replicas read and write, one run at a time.

        Raises Busy where another run goes on, or may have taken over from this one while it was frozen; InputError
        where the tables are in a service.
        """
        if self._tracks.table.durable.of_service:
            raise InputError(
                f"embedding anew of {self._blobs.address} is not offered for db://, where a table cannot be switched "
                "between two writes of others; keep the former encoder, or begin another catalog with the new one"
            )
        what = f"the embedding of {self._blobs.address}"
        with lease(self._blobs, "reembed", WAIT_S, what) as claim:

            def check() -> None:
                if not claim.confirm():
                    raise Busy(
                        f"another process may have taken over {what}, since this one did not move for too long; run "
                        "it again, and it goes on from here"
                    )

            def encode_held(texts: Sequence[str]) -> Sequence[ArrayLike]:
                made = encode(texts)
                check()
                return made

            return self._reembed(encode_held, encoder, texts_of, check)

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

    def forget_files(self, left_out: Sequence[Track]) -> None:
        """Leave the files of tracks that were not inserted: another replica may be about to name them."""

    def forget_purged(self) -> int:
        """Delete audio of purged tracks that no row names, in steps; return how many files went.

        It is condemned a week after the purge, and goes a day later. See `purged`.
        """
        return Purged(self._blobs, self._tracks.table).forget()

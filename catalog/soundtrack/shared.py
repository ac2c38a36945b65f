"""Soundtracks of a remote home, which its replicas share: objects, and copies of them in the folder of the caches.

What was sent for one is in the store before its job is queued, so that any replica can make it. What a replica makes of
a story is named by `story.json`, which is written once: the files of two that made it are never mixed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..disk.files import storing
from ..disk.remote.files import bring
from ..errors import CatalogError, NotFound
from ..objects.blobs import Blobs
from ..store.store import Store
from . import kept
from .kept import ID, SOURCE, SUMMARY, VOICE, Soundtracks, not_there, unreadable

__all__ = ["SharedSoundtracks", "soundtracks_of"]


FOLDER = "soundtracks"
MADE = "made"
"""The entry of `story.json` that names the folder of its files."""
_READ_AT_ONCE = 8

_log = logging.getLogger(__name__)


class SharedSoundtracks(Soundtracks):
    """Stories, mixes and recordings in `soundtracks/` of a remote home; `home` is the local folder of its caches."""

    def __init__(self, home: Path, blobs: Blobs) -> None:
        super().__init__(home)
        self._blobs = blobs

    def share(self, kind: str, name: str) -> None:
        """Give the files in the folder of one to every replica. Raises StorageError."""
        for path in super().folder(kind, name).iterdir():
            self._blobs.put(_at(kind, name, path.name), path)

    def folder(self, kind: str, name: str) -> Path:
        """Return the local folder of one, with what was sent for it, and a mix. Raises NotFound."""
        folder = self._home / kind / name
        found = [*self._blobs.list(_at(kind, name))] if ID.fullmatch(name) else []
        if not found:
            raise not_there(kind, name)
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for path in (blob.path.split("/")[3:] for blob in found):
            if len(path) == 1 and path[0] != SUMMARY:
                self._bring(kind, name, path[0])
        return folder

    def file(self, kind: str, name: str, file: str) -> Path:
        """Return a local copy of a file of one that is whole. Raises NotFound."""
        if not ID.fullmatch(name):
            raise not_there(kind, name)
        inner = f"{self._summary(name)[MADE]}/{file}" if kind == "story" else file
        if not self._bring(kind, name, inner):
            raise NotFound(f"the {kind} {name} has no {file}")
        return self._home / kind / name / inner

    def delete(self, kind: str, name: str) -> None:
        """Delete one, for every replica. Raises NotFound."""
        if not ID.fullmatch(name) or not self._delete_objects(kind, name):
            raise not_there(kind, name)
        super().drop(kind, name)

    def drop(self, kind: str, name: str) -> None:
        """Delete what there is of one that could not be made, as far as the store lets it."""
        with _told(f"what is left of the {kind} {name} stays for a while"):
            self._delete_objects(kind, name)
        super().drop(kind, name)

    def write_story(self, name: str, facts: dict[str, Any]) -> None:
        """Keep what was made of a story, unless another replica did before. Raises StorageError, NotFound."""
        folder = self._home / "story" / name
        if self._blobs.size(_at("story", name, SOURCE)) is None:
            raise not_there("story", name)
        made = secrets.token_hex(4)
        with storing("the story cannot be kept"):
            (folder / made).mkdir(mode=0o700)
            for path in folder.glob("mix.*"):
                self._blobs.put(_at("story", name, made, path.name), path)
                path.replace(folder / made / path.name)
        summary, at = json.dumps({**facts, MADE: made}, ensure_ascii=False), _at("story", name, SUMMARY)
        if self._blobs.settled(self._blobs.create(at, summary.encode()), at, summary.encode()) is None:
            for blob in self._blobs.list(_at("story", name, made)):
                self._blobs.delete(blob.path)

    def write_mix(self, name: str, file: str) -> None:
        """Keep the mix in `file` of its folder, for every replica, and delete the recording that it was made of."""
        self._blobs.put(_at("mix", name, file), self._home / "mix" / name / file)
        self._blobs.delete(_at("mix", name, VOICE))
        (self._home / "mix" / name / VOICE).unlink()

    def story(self, name: str) -> dict[str, Any]:
        """Return what was made of a story. Raises NotFound."""
        if not ID.fullmatch(name):
            raise not_there("story", name)
        return {key: value for key, value in self._summary(name).items() if key != MADE}

    def stories(self) -> Iterator[dict[str, Any]]:
        """Yield what was made of each story that is whole, the newest first."""
        names = [one.name for one in _whole_stories(self._all())]
        with ThreadPoolExecutor(_READ_AT_ONCE) as threads:
            yield from filter(None, threads.map(self._story_or_none, names))

    # Inside

    def _forget(self) -> None:
        with _told("soundtracks that are old stay"):
            every = self._all()
            # By the clock of the store: what it got last tells what time it is there at the earliest.
            now = max((one.changed_at for one in every), default=None)
            old = [*_whole_stories(every)[kept.MOST_STORIES :]]
            old += [one for one in every if now and (now - one.changed_at).total_seconds() > one.kept_s]
            for one in old:
                self._delete_objects(one.kind, one.name)
            there = {(one.kind, one.name) for one in every} - {(one.kind, one.name) for one in old}
            self._forget_copies(there)

    def _forget_copies(self, there: set[tuple[str, str]]) -> None:
        """Delete local copies of what the store has no more, but not what was only just begun."""
        for folder in self._home.glob("*/*"):
            is_there = (folder.parent.name, folder.name) in there
            with contextlib.suppress(OSError):
                if not is_there and folder.stat().st_mtime < time.time() - kept.MIX_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _all(self) -> list[_Kept]:
        """Return what the store has, waiting stories too."""
        paths = ((blob, blob.path.split("/")) for blob in self._blobs.list(FOLDER))
        inside = [(blob, path[1], path[2], path[3]) for blob, path in paths if len(path) > 3]
        found = []
        for (kind, name), group in groupby(inside, key=lambda each: each[1:3]):
            changed = {file: blob.changed_at for blob, _, _, file in group}
            found.append(_Kept(kind, name, max(changed.values()), changed.get(SUMMARY)))
        return found

    def _summary(self, name: str) -> dict[str, Any]:
        data = self._blobs.get(_at("story", name, SUMMARY))
        if data is None:
            raise not_there("story", name)
        try:
            facts: dict[str, Any] = json.loads(data)
            str(facts[MADE])
        except (ValueError, KeyError, TypeError):
            raise unreadable(name) from None
        return facts

    def _story_or_none(self, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(NotFound):  # another replica deleted it since it was listed
            return self.story(name)
        return None

    def _bring(self, kind: str, name: str, inner: str) -> bool:
        """Bring one file from the store into the folder of the caches, and tell whether it is there."""
        path, at = self._home / kind / name / inner, _at(kind, name, inner)
        size = self._blobs.size(at)
        if size is not None and path.is_file() and path.stat().st_size == size:
            return True
        return bring(self._blobs, at, path)

    def _delete_objects(self, kind: str, name: str) -> bool:
        """Delete the objects of one, that which names the others first; tell whether there were any."""
        paths = [blob.path for blob in self._blobs.list(_at(kind, name))]
        for path in sorted(paths, key=lambda path: not path.endswith(f"/{SUMMARY}")):
            self._blobs.delete(path)
        return bool(paths)


class _Kept(NamedTuple):
    """A story, mix or recording in the store: when it last changed, and when it became a whole story."""

    kind: str
    name: str
    changed_at: datetime
    whole_at: datetime | None

    @property
    def kept_s(self) -> float:
        """For how many seconds it is kept after its last change; the newest whole stories stay."""
        if self.whole_at:
            return math.inf
        return kept.MIX_S if self.kind == "mix" else kept.VOICE_S


def soundtracks_of(store: Store) -> Soundtracks:
    """Return the soundtracks of a home: in the folder of its caches, or in its objects where it is remote."""
    return Soundtracks(store.home) if store.blobs is None else SharedSoundtracks(store.home, store.blobs)


def _whole_stories(every: Iterable[_Kept]) -> list[_Kept]:
    """Return the stories that are whole, the newest first."""
    whole = [(one.whole_at, one) for one in every if one.whole_at]
    return [one for _, one in sorted(whole, reverse=True)]


def _at(*parts: str) -> str:
    return "/".join((FOLDER, *parts))


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell in the log, after `what`, why the store refused."""
    try:
        yield
    except CatalogError as error:
        _log.warning("%s: %s", what, error)

"""The model hub: what its cache on this machine holds, and files fetched from it.

The client deletes a partial file when its process ends. So files of gigabytes are streamed here, with the client's
session, endpoint and login, into files that the next run continues.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..protocol import Progress
from .files import git_sha1_of, sha256_of
from .pickled import require_torch

__all__ = ["MUSICGEN", "Source", "Wanted", "cached_snapshot", "download", "hub_cache", "snapshot_mark"]


_ATTEMPTS = 3
# In order of preference; the first kind that a repository has is fetched.
_WEIGHTS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-"),
    ("state_dict.bin", "compression_state_dict.bin"),
)
_CONFIGURED = ("model", "pytorch_model")
"""How the names of weights begin that config.json tells the shape of."""


@dataclass(frozen=True)
class Source:
    """Where weights come from: repository or folder, commit, licence."""

    repo: str
    revision: str | None
    license: str


@dataclass(frozen=True)
class Wanted:
    """What is fetched of a repository beside the weights."""

    kind: str
    """Of which model, in words."""
    texts: tuple[str, ...]
    """Configuration, tokenizer and the like, as far as they are there."""


MUSICGEN = Wanted(
    "MusicGen",
    ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "README.md"),
)


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    sha256: str | None = None
    """Of a large file."""
    git_sha1: str | None = None
    """Of any other: the name that git has for its content."""


def cached_snapshot(repo: str, revision: str | None = None) -> Path | None:
    """Return the hub cache's folder of a repository, whole or not, without asking the hub."""
    mark = snapshot_mark(repo)
    try:
        commit = revision or mark.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = mark.parent.parent / "snapshots" / commit
    return snapshot if commit and snapshot.is_dir() else None


def hub_cache() -> Path:
    """Return the folder of the hub's cache, there or not."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def snapshot_mark(repo: str) -> Path:
    """Return the file in the hub's cache that names a repository's commit, there or not."""
    return hub_cache() / f"models--{repo.replace('/', '--')}" / "refs" / "main"


def download(
    repo: str,
    folder: Path,
    *,
    revision: str | None = None,
    wanted: Wanted = MUSICGEN,
    check: Callable[[Path], None] | None = None,
    on_progress: Progress | None = None,
) -> Source:
    """Bring a repository's configuration, tokenizer and weights into `folder`; return what was fetched.

    The revision is resolved to a commit first and every file comes from it. Files in the hub's cache are linked,
    partial files continued, weights compared with the hub's sha256. Without a connection a whole snapshot in the
    cache serves. `check` gets the folder when the configuration is there and before any weights; it may raise.
    Raises WeightsError.
    """
    try:
        source, files = _listing(repo, revision, wanted)
    except _Unreachable as error:
        return _from_cache(repo, folder, revision, error)
    if any(file.name.endswith(".bin") for file in files):
        require_torch(repo)
    _start_folder(folder, source.revision)
    _require_space(folder, files)
    total, done = sum(file.size for file in files), 0
    for file in files:
        if check is not None and file.name.startswith(_CONFIGURED):
            check(folder)
            check = None
        for count in _bring(source, file, folder):
            done += count
            if on_progress is not None:
                on_progress(done, total)
    return source


class _Unreachable(Exception):
    """The hub did not answer, or the user switched it off."""


def _listing(repo: str, revision: str | None, wanted: Wanted) -> tuple[Source, list[_File]]:
    """Ask the hub for a repository's commit and files."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=30)
    except (HfHubHTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None and status >= 500:
            raise _Unreachable(f"the hub answered {status}") from error
        raise WeightsError(f"the hub has no model {repo!r} that may be read ({status or error}).") from error
    except OfflineModeIsEnabled as error:
        raise _Unreachable("HF_HUB_OFFLINE is set") from error
    except Exception as error:  # the client's transport, and so its errors, differ between its versions
        raise _Unreachable(type(error).__name__) from error
    files = {
        entry.rfilename: _File(
            entry.rfilename, entry.size or 0, _lfs_sha256(entry.lfs), getattr(entry, "blob_id", None) or None
        )
        for entry in info.siblings or ()
    }
    card = getattr(info, "card_data", None)
    license_name = str(getattr(card, "license", None) or "unknown").upper()
    return Source(repo, info.sha, license_name), _wanted(repo, files, wanted)


def _lfs_sha256(lfs: Any) -> str | None:
    """The hub's record of a large file is an object or a mapping, by version of the client."""
    return lfs.get("sha256") if isinstance(lfs, dict) else getattr(lfs, "sha256", None)


def _wanted(repo: str, files: dict[str, _File], wanted: Wanted) -> list[_File]:
    for first, *shards in _WEIGHTS:
        if first in files:
            prefixed = [name for name in files for shard in shards if name.startswith(shard)]
            names = [*(name for name in wanted.texts if name in files), first, *sorted(prefixed)]
            return [files[name] for name in names]
    raise WeightsError(f"{repo} holds no {wanted.kind} weights in a known layout.")


def _bring(source: Source, file: _File, folder: Path) -> Iterator[int]:
    """Put one file into the folder, from the cache or the hub; yield byte counts as they are there.

    A file that an earlier run left, or that the cache has, serves only where it is what the hub recorded: a power cut
    may have left zeros in it.
    """
    from huggingface_hub import hf_hub_url

    goal = folder / file.name
    if _is_recorded(goal, file):
        yield file.size
        return
    snapshot = cached_snapshot(source.repo, source.revision)
    goal.unlink(missing_ok=True)
    if snapshot is not None and _is_recorded(snapshot / file.name, file):
        goal.symlink_to((snapshot / file.name).resolve())
        yield file.size
        return
    part = folder / f"{file.name}.part"
    yield from _fetch(hf_hub_url(source.repo, file.name, revision=source.revision), file, part)
    if not _is_recorded(part, file):
        part.unlink()
        raise WeightsError(f"{file.name} of {source.repo} arrived damaged; run the same command again.")
    part.replace(goal)


def _is_recorded(path: Path, file: _File) -> bool:
    """Tell whether a file is there with the size and the checksum that the hub, or its cache, recorded."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return sha256_of(path) == file.sha256
    if file.git_sha1 is not None:
        return git_sha1_of(path) == file.git_sha1
    return True


def _fetch(url: str, file: _File, part: Path) -> Iterator[int]:
    """Append to `part` until it is whole; yield what was there before, then every block's length."""
    part.touch()
    have = part.stat().st_size
    if have > file.size:
        os.truncate(part, 0)
        have = 0
    yield have
    failures = 0
    while have < file.size:
        before, problem = have, "the connection closed"
        try:
            with part.open("r+b") as stream:
                for block, start in _blocks(url, have):
                    stream.truncate(start)
                    stream.seek(start)
                    stream.write(block)
                    yield start + len(block) - have
                    have = start + len(block)
        except _Unreachable as error:
            problem = str(error)
        failures = 0 if have > before else failures + 1
        if failures == _ATTEMPTS:
            raise WeightsError(
                f"the download of {file.name} stopped at {have} of {file.size} bytes ({problem}); "
                "run the same command again to go on from there."
            )
        time.sleep(0.5 * failures)
    if have != file.size:
        part.unlink()
        raise WeightsError(
            f"{file.name} has {have} bytes where {file.size} belong; run the same command again."
        )


def _blocks(url: str, start: int) -> Iterator[tuple[bytes, int]]:
    """Yield the blocks of a file from byte `start` on, or from 0 when the server gives no parts, with offsets."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with get_session().stream("GET", url, headers=headers, follow_redirects=True) as response:
            hf_raise_for_status(response)
            at = start if response.status_code == 206 else 0
            for block in response.iter_bytes():
                yield block, at
                at += len(block)
    except Exception as error:  # see _listing
        raise _Unreachable(type(error).__name__) from error


def _from_cache(repo: str, folder: Path, revision: str | None, error: Exception) -> Source:
    """Link the cached snapshot into the folder; its name is the commit."""
    snapshot = cached_snapshot(repo, revision)
    if snapshot is None:
        raise WeightsError(
            f"the hub cannot be reached ({error}) and its cache here has no {repo}; connect once, or give the "
            "path of a folder with the weights."
        ) from error
    _start_folder(folder, snapshot.name)
    for file in snapshot.iterdir():
        if not _is_recorded(file, _cached(file.resolve())):
            raise WeightsError(
                f"{file.resolve()} in the hub's cache is not what was fetched, and the hub cannot be reached "
                f"({error}); delete it and connect once."
            ) from error
        (folder / file.name).unlink(missing_ok=True)
        (folder / file.name).symlink_to(file.resolve())
    return Source(repo, snapshot.name, "unknown")


def _cached(blob: Path) -> _File:
    """Return what the hub's cache recorded of a file: it is named by its sha256, or by git's sha1."""
    name, size = blob.name, blob.stat().st_size
    known = name if re.fullmatch(r"[0-9a-f]{40,64}", name) else ""
    return _File(name, size, known if len(known) == 64 else None, known if len(known) == 40 else None)


def _start_folder(folder: Path, revision: str | None) -> None:
    """Keep what an earlier run fetched of the same commit, and nothing of another."""
    note = folder / ".revision"
    if folder.is_dir() and (not note.is_file() or note.read_text() != str(revision)):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(str(revision))


def _require_space(folder: Path, files: list[_File]) -> None:
    """The download and the converted copy stand side by side for a while; pickled weights are copied in between."""
    copies = 3 if any(file.name.endswith(".bin") for file in files) else 2
    needed = copies * sum(file.size for file in files) - sum(file.stat().st_size for file in folder.iterdir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(
            f"{needed / 1e9:.1f} GB are needed at {folder.parent.parent} and {free / 1e9:.1f} GB "
            "are free; make room or set CATALOG_MODELS to another disk."
        )

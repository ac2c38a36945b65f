"""Where MusicGen's weights are: found on this machine, or fetched from the hub and converted once.

A pulled model is a folder of our own under the models home: `text_encoder.safetensors`, `codec.safetensors`,
`decoder.safetensors`, `config.json`, `tokenizer.json` and `manifest.json` with source, revision, licence and
the sha256 of every file. `find` and `available` look at files alone and import nothing heavy.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from generator.audiocraft import is_audiocraft, missing_companions
from generator.checkpoint import DTYPES, MANIFEST, read_manifest, safetensors_files
from generator.conversion import convert
from generator.errors import WeightsError
from generator.hub import Source, cached_snapshot, download, snapshot_mark
from generator.protocol import Progress

__all__ = [
    "MODELS",
    "ModelInfo",
    "available",
    "convert",
    "find",
    "license_of",
    "models_home",
    "pull",
    "resolve",
    "traces",
]

META_LICENSE = "CC-BY-NC-4.0"
"""Of all weights that Meta published; it forbids commercial use."""

MODELS: Mapping[str, float] = {
    "small": 2.36e9,
    "medium": 8.03e9,
    "large": 13.7e9,
    "melody": 6.21e9,
    "melody-large": 10.5e9,
    "stereo-small": 2.43e9,
    "stereo-medium": 8.13e9,
    "stereo-large": 13.9e9,
    "stereo-melody": 6.31e9,
    "stereo-melody-large": 10.7e9,
}
"""Names of Meta's checkpoints and their size in bytes in float32, computed from their configurations."""


@dataclass(frozen=True)
class ModelInfo:
    """One checkpoint that can be used or pulled; `path` is None when it is not on this machine."""

    name: str
    repo: str
    size_bytes: int
    path: Path | None
    license: str
    revision: str | None


def models_home() -> Path:
    """Return the folder of pulled models: `CATALOG_MODELS`, or `models` in the user's data folder."""
    if home := os.environ.get("CATALOG_MODELS"):
        return Path(home).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "music-catalog" / "models"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "music-catalog" / "models"


def available() -> list[ModelInfo]:
    """Return Meta's checkpoints and whatever else was pulled, with where they are on this machine."""
    known = {_folder(_repo_of(name)) for name in MODELS}
    pulled = sorted(file.parent for file in models_home().glob(f"[!.]*/{MANIFEST}"))
    return [_info(name) for name in (*MODELS, *(folder.name for folder in pulled if folder not in known))]


def find(name: str) -> Path | None:
    """Return the folder of a model by name, size or repository, or None when it is not on this machine.

    A pulled folder comes before a snapshot in the hub's cache, which is used as it is when it is complete and
    in safetensors.
    """
    repo = _repo_of(name)
    if _is_ours(_folder(repo)):
        return _folder(repo)
    snapshot = cached_snapshot(repo)
    return snapshot if snapshot and _is_complete(snapshot) else None


def traces() -> list[Path]:
    """Return the files and folders that `find` looks at: when none has changed, it finds what it found before."""
    paths = []
    for name in MODELS:
        snapshot = cached_snapshot(_repo_of(name))
        paths += [_folder(_repo_of(name)) / MANIFEST, *([snapshot] if snapshot else [])]
        paths += [snapshot_mark(_repo_of(name))]
    return paths


def resolve(folder_or_repo: str | Path) -> Path:
    """Return the folder of a model given by folder, name, size or repository; raise WeightsError without it."""
    folder, name = Path(folder_or_repo).expanduser(), str(folder_or_repo)
    if folder.is_dir() and folder_or_repo not in MODELS:
        return folder
    if isinstance(folder_or_repo, Path) or name.startswith((".", "~", os.sep)):
        raise WeightsError(f"there is no folder {name}; give a folder with weights or a model's name.")
    found = find(name)
    if found is None:
        raise WeightsError(f"MusicGen {name} is not on this machine; run: catalog models pull {name}")
    return found


def pull(
    name: str,
    *,
    dtype: str | None = None,
    bits: int | None = None,
    revision: str | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Fetch a model, convert it once and return its folder under the models home.

    `name`: one of `MODELS`, a repository `owner/name` or a local folder. `dtype` (default: as published) and
    `bits` (8 or 4) apply to the decoder. A model that is there already in the same form is not fetched again;
    an interrupted download goes on where it stopped. `on_progress` counts bytes per repository; audiocraft's own
    layout needs the text encoder's and the codec's, too. Raises WeightsError.
    """
    from filelock import FileLock

    if dtype is not None and dtype not in DTYPES:
        raise WeightsError(f"dtype {dtype!r} is not known; valid: {', '.join(DTYPES)}.")
    local = Path(name).expanduser()
    is_local = name not in MODELS and local.is_dir()
    repo = str(local.resolve()) if is_local else _repo_of(name)
    if not is_local and "/" not in repo:
        raise WeightsError(f"no model is named {name!r}; valid: {', '.join(MODELS)}, owner/name or a folder.")
    target = models_home() / Path(repo).name if is_local else _folder(repo)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        if _is_same(target, repo, revision, dtype, bits):
            return target
        staging = target.parent / ".downloads" / target.name
        if is_local:
            folder, source = local, Source(repo, None, license_of(local))
        else:
            folder, source = staging, download(repo, staging, revision=revision, on_progress=on_progress)
        if target in {_folder(_repo_of(one)) for one in MODELS}:
            source = replace(source, license=META_LICENSE)
        folder = _with_companions(folder, staging, on_progress)
        convert(folder, target, source, dtype=dtype, bits=bits)
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _with_companions(folder: Path, staging: Path, on_progress: Progress | None) -> Path:
    """Fetch what audiocraft's layout leaves to other repositories; return the folder that has everything."""
    if not is_audiocraft(folder) or not (missing := missing_companions(folder)):
        return folder
    staging.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if not (staging / file.name).exists():
            (staging / file.name).symlink_to(file.resolve())
    for name, repo in missing.items():
        download(repo, staging / name, on_progress=on_progress)
    return staging


def license_of(folder: Path) -> str:
    """Return the licence of a folder's weights: from its manifest, its model card, or "unknown"."""
    if manifest := read_manifest(folder):
        return str(manifest.get("license") or "unknown")
    if "models--facebook--musicgen-" in str(folder):
        return META_LICENSE
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace")[:4000] if card.is_file() else ""
    found = re.search(r"^license:\s*(\S+)", text, re.MULTILINE)
    return found[1].upper() if found else "unknown"


def _repo_of(name: str) -> str:
    return f"facebook/musicgen-{name}" if name in MODELS else name


def _folder(repo: str) -> Path:
    return models_home() / repo.removeprefix("facebook/").replace("/", "--")


def _info(name: str) -> ModelInfo:
    path = find(name)
    try:
        manifest = (read_manifest(path) if path else None) or {}
    except WeightsError:  # a damaged manifest must not hide the other models
        manifest = {}
    repo = str(manifest.get("source") or _repo_of(name))
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file()) if path else MODELS[name]
    # A snapshot in the hub's cache is named by its commit.
    revision = manifest.get("revision") if manifest else path.name if path else None
    license_name = license_of(path) if path and manifest else META_LICENSE if name in MODELS else "unknown"
    return ModelInfo(name, repo, int(size), path, license_name, revision)


def _is_ours(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _is_complete(folder: Path) -> bool:
    try:
        files = safetensors_files(folder)
    except WeightsError:
        return False
    return all(file.is_file() for file in (*files, folder / "config.json", folder / "tokenizer.json"))


def _is_same(target: Path, source: str, revision: str | None, dtype: str | None, bits: int | None) -> bool:
    """Return whether the folder already holds what is asked for, every file in its length."""
    try:
        manifest = read_manifest(target)
    except WeightsError:
        return False
    if manifest is None:
        return False
    whole = all(
        (target / name).is_file() and (target / name).stat().st_size == entry["size"]
        for name, entry in manifest["files"].items()
    )
    return (
        whole
        and manifest.get("source") == source
        and manifest.get("bits") == bits
        and revision in (None, manifest.get("revision"))
        and dtype in (None, manifest.get("dtype"))
    )

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
from dataclasses import dataclass, replace
from pathlib import Path

from ..device import device, require_mlx
from ..errors import WeightsError
from ..protocol import Progress
from .checkpoint import DTYPES, check_config
from .companions import missing_companions
from .conversion import convert
from .files import MANIFEST, note_verified, read_manifest, safetensors_files, verify
from .hub import Source, cached_snapshot, download, hub_cache, snapshot_mark
from .placing import restore, standing
from .sizes import MODELS

__all__ = [
    "ModelInfo",
    "available",
    "convert",
    "find",
    "license_of",
    "models_home",
    "present",
    "pull",
    "resolve",
    "traces",
    "verify",
]


META_LICENSE = "CC-BY-NC-4.0"
"""Of all weights that Meta published; it forbids commercial use."""


@dataclass(frozen=True)
class ModelInfo:
    """One checkpoint that can be used or pulled; `path` is None when it is not on this machine."""

    name: str
    repo: str
    size_bytes: int
    path: Path | None
    license: str
    revision: str | None
    dtype: str | None
    """Of the decoder; None where that is not known before it is loaded."""
    bits: int | None


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
    pulled = sorted(file.parent for file in models_home().glob(f"[!.]*/{MANIFEST}") if _makes_music(file))
    return [_info(name) for name in (*MODELS, *(folder.name for folder in pulled if folder not in known))]


def find(name: str) -> Path | None:
    """Return the folder of a model by name, size or repository, or None when it is not on this machine.

    A pulled folder comes before a snapshot in the hub's cache, which is used as it is when it is complete and
    in safetensors.
    """
    repo = _repo_of(name)
    if _is_ours(folder := standing(_folder(repo))):
        return folder
    snapshot = cached_snapshot(repo)
    return snapshot if snapshot and _is_complete(snapshot) else None


def present() -> list[str]:
    """Return the sizes that `find` finds.

    Two folders are listed first: where nothing in them is a MusicGen, none is looked for.
    """
    names = [*_names_in(models_home()), *_names_in(hub_cache())]
    return [size for size in MODELS if find(size)] if any("musicgen-" in name for name in names) else []


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def traces() -> list[Path]:
    """Return the files and folders that `find` reads: while none changes, it returns the same."""
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
    if isinstance(folder_or_repo, Path) or _names_folder(name):
        raise WeightsError(f"there is no folder {name}; give a folder with weights or a model's name.")
    pulled = find(name)
    if pulled is None:
        raise WeightsError(f"MusicGen {name} is not on this machine; run: catalog models pull {name}")
    return pulled


def pull(
    name: str,
    *,
    dtype: str | None = None,
    bits: int | None = None,
    revision: str | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Fetch a model, convert it once and return its folder under the models home.

    `name`: one of `MODELS`, a repository `owner/name` or a local folder. `dtype` and `bits` (8 or 4) apply to the
    decoder; by default it is stored as it would be loaded here: in float16 for a GPU, in 8 bits too for M1 and M2, as
    published for a processor. A model that is here already in the same form is read through and not fetched
    again, a quantized one is made from an unquantized one that is here, and an interrupted download goes on.
    `on_progress` counts bytes per repository; checkpoints without text encoder or codec need further ones. Raises
    WeightsError.
    """
    from filelock import FileLock

    if dtype is not None and dtype not in DTYPES:
        raise WeightsError(f"dtype {dtype!r} is not known; valid: {', '.join(DTYPES)}.")
    local = Path(name).expanduser()
    is_local = name not in MODELS and local.is_dir()
    if not is_local and _names_folder(name):
        raise WeightsError(f"there is no folder {name}; valid: {', '.join(MODELS)}, owner/name or a folder.")
    repo = str(local.resolve()) if is_local else _repo_of(name)
    if not is_local and "/" not in repo:
        raise WeightsError(f"no model is named {name!r}; valid: {', '.join(MODELS)}, owner/name or a folder.")
    require_mlx()  # conversion runs in it: said before the download
    dtype, bits = _stored_form(dtype, bits)
    target = models_home() / Path(repo).name if is_local else _folder(repo)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        restore(target)
        for left in target.parent.glob(f".converting-{target.name}-*"):
            shutil.rmtree(left, ignore_errors=True)  # of a pull that was killed
        if _is_same(target, repo, revision, dtype, bits) and _is_verified(target):
            return target
        staging = target.parent / ".downloads" / target.name
        if is_local:
            folder, source = local, _local_source(local)
        elif (held := _source_held(target, repo, revision, dtype)) is not None:
            folder, source = target, held
        else:
            folder = staging
            source = download(repo, staging, revision=revision, check=check_config, on_progress=on_progress)
        if source.license == "unknown":
            source = replace(source, license=license_of(folder))
        if target in {_folder(_repo_of(one)) for one in MODELS}:
            source = replace(source, license=META_LICENSE)
        folder = _with_companions(folder, staging, on_progress)
        convert(folder, target, source, dtype=dtype, bits=bits)
        note_verified(target, read_manifest(target) or {"files": {}})
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _stored_form(dtype: str | None, bits: int | None) -> tuple[str | None, int | None]:
    """Return type and bits to store a decoder in; None for those that are published.

    A GPU would cast float32 at each load: 13 GB of `large` are read in place of 6.5.
    """
    here = device()
    if dtype is not None or not here.gpu:
        return dtype, bits
    return here.dtype, bits or here.bits


def _names_folder(name: str) -> bool:
    """Tell whether a name can only be a folder's: no size and no repository looks like it."""
    return name.startswith((".", "~", os.sep)) or name.endswith(os.sep) or name.count("/") > 1


def _local_source(folder: Path) -> Source:
    """Return where a folder says it comes from; one without a manifest is its own source."""
    if manifest := read_manifest(folder):
        return Source(str(manifest.get("source")), manifest.get("revision"), license_of(folder))
    return Source(str(folder.resolve()), None, license_of(folder))


def _source_held(target: Path, repo: str, revision: str | None, dtype: str | None) -> Source | None:
    """Return the source of the folder that is here already, where it can be converted in place of a download."""
    try:
        manifest = read_manifest(target)
    except WeightsError:
        return None
    if manifest is None or not _is_same(target, repo, revision, None, None):
        return None
    exact = dtype in (None, manifest.get("dtype")) or manifest.get("dtype") == "float32"
    return _local_source(target) if exact and _is_verified(target) else None


def _is_verified(folder: Path) -> bool:
    """Read a folder of our own through, and tell whether every file is as it was written."""
    try:
        verify(folder)
    except WeightsError:
        return False
    return True


def _with_companions(folder: Path, staging: Path, on_progress: Progress | None) -> Path:
    """Fetch the networks that a checkpoint leaves to other repositories; return the folder that has everything."""
    if read_manifest(folder) or not (missing := missing_companions(folder)):
        return folder
    staging.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if not (staging / file.name).exists():
            (staging / file.name).symlink_to(file.resolve())
    for name, repos in missing.items():
        _download_first(repos, staging / name, on_progress)
    return staging


def _download_first(repos: tuple[str, ...], folder: Path, on_progress: Progress | None) -> None:
    """Fetch the first of the repositories that can be had; raise the first one's WeightsError where none can."""
    problems = []
    for repo in repos:
        try:
            download(repo, folder, on_progress=on_progress)
        except WeightsError as error:
            problems.append(error)
        else:
            return
    raise problems[0]


def license_of(folder: Path) -> str:
    """Return the licence of a folder's weights: from its manifest, its model card, or "unknown"."""
    if manifest := read_manifest(folder):
        return str(manifest.get("license") or "unknown")
    if "models--facebook--musicgen-" in str(folder):
        return META_LICENSE
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace")[:4000] if card.is_file() else ""
    stated = re.search(r"^license:\s*(\S+)", text, re.MULTILINE)
    return stated[1].upper() if stated else "unknown"


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
    dtype, bits = manifest.get("dtype"), manifest.get("bits")
    return ModelInfo(name, repo, int(size), path, license_name, revision, dtype, bits)


def _makes_music(manifest: Path) -> bool:
    """Tell whether a manifest is not that of an ear; see `ears`."""
    try:
        return bool((read_manifest(manifest.parent) or {}).get("kind") != "ear")
    except WeightsError:  # a damaged one is named where it is used
        return True


def _is_ours(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _is_complete(folder: Path) -> bool:
    try:
        files = safetensors_files(folder)
    except WeightsError:
        return False
    return all(file.is_file() for file in (*files, folder / "config.json", folder / "tokenizer.json"))


def _is_same(target: Path, source: str, revision: str | None, dtype: str | None, bits: int | None) -> bool:
    """Return whether the folder already holds the requested form, every file in its length."""
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

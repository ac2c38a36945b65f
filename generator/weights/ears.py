"""Checkpoints of the ear: CLAP models, which hear music and read texts; found on this machine, or fetched from the hub.

A pulled checkpoint is a folder of our own beside those of MusicGen, in the layout that transformers reads:
`model.safetensors`, the configurations, the tokenizer and `manifest.json`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import WeightsError
from ..protocol import Progress, versions
from .files import MANIFEST, check_safetensors, note_verified, read_json, read_manifest, sha256_of, verify
from .hub import Source, Wanted, cached_snapshot, download
from .models import ModelInfo, license_of, models_home
from .pickled import load_pickle
from .placing import place, restore, standing

__all__ = ["DIMENSION", "EARS", "available_ears", "find_ear", "is_ear", "pull_ear"]


EARS: Mapping[str, str] = {
    "clap": "laion/larger_clap_music",
    "clap-general": "laion/larger_clap_general",
    "clap-music-and-speech": "laion/larger_clap_music_and_speech",
}
"""Names of checkpoints, and their repositories."""
SIZE_BYTES = 776_000_000
LICENSE = "APACHE-2.0"
DIMENSION = 512
"""Numbers in a vector of every checkpoint that LAION published."""

WEIGHTS = "model.safetensors"
_CONFIGS = ("config.json", "preprocessor_config.json", "tokenizer.json")
_TEXTS = (
    *_CONFIGS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "README.md",
)
_CLAP = Wanted("CLAP", _TEXTS)


def is_ear(name: str) -> bool:
    """Tell whether a name, a repository or a folder names a checkpoint of an ear and not of MusicGen."""
    return "clap" in Path(name).name.lower()


def find_ear(name: str) -> Path | None:
    """Return the folder of an ear by name, repository or folder, or None when it is not on this machine.

    A pulled folder comes before a snapshot in the hub's cache, which is used as it is when it is complete and in
    safetensors. Nothing is asked of the hub.
    """
    folder = Path(name).expanduser()
    if name not in EARS and folder.is_dir():
        return folder if _is_complete(folder) else None
    repo = EARS.get(name, name)
    if (pulled := standing(_folder(repo))) and (pulled / MANIFEST).is_file():
        return pulled
    snapshot = cached_snapshot(repo)
    return snapshot if snapshot and _is_complete(snapshot) else None


def available_ears() -> list[ModelInfo]:
    """Return the named ears and whatever else was pulled, with where they are on this machine."""
    known = {_folder(repo) for repo in EARS.values()}
    others = [
        file.parent for file in sorted(models_home().glob(f"[!.]*/{MANIFEST}")) if is_ear(file.parent.name)
    ]
    names = [*EARS, *(folder.name.replace("--", "/") for folder in others if folder not in known)]
    return [_info(name) for name in names]


def pull_ear(name: str, *, revision: str | None = None, on_progress: Progress | None = None) -> Path:
    """Fetch an ear and return its folder under the models home; pickled weights are written as safetensors.

    `name`: one of `EARS` or a repository `owner/name`. What is here already is read through and not fetched again; an
    interrupted download goes on. Raises WeightsError.
    """
    from filelock import FileLock

    repo = EARS.get(name, name)
    if "/" not in repo or repo.count("/") > 1:
        raise WeightsError(f"no ear is named {name!r}; valid: {', '.join(EARS)} or owner/name.")
    target = _folder(repo)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        restore(target)
        if _is_whole(target, revision):
            return target
        staging = target.parent / ".downloads" / target.name
        source = download(
            repo, staging, revision=revision, wanted=_CLAP, check=check_config, on_progress=on_progress
        )
        if source.license == "unknown":
            source = replace(source, license=LICENSE if repo in EARS.values() else license_of(staging))
        _write(staging, target, source)
        shutil.rmtree(staging, ignore_errors=True)
    return target


def check_config(folder: Path) -> None:
    """Raise WeightsError unless the configuration in a folder is that of a CLAP model whose vectors can be kept."""
    config = read_json(folder / "config.json")
    sound = config.get("audio_config") or {}
    if config.get("model_type") != "clap":
        raise WeightsError(
            f"{folder} holds no CLAP model; valid: {', '.join(EARS)} or another CLAP checkpoint."
        )
    if sound.get("enable_fusion"):
        raise WeightsError(
            f"{folder} holds a CLAP model with fusion, which hears a random part of a long track; "
            f"valid: {', '.join(EARS)} or another one without fusion."
        )
    if config.get("projection_dim", DIMENSION) != DIMENSION:
        raise WeightsError(
            f"{folder} holds a CLAP model with vectors of {config['projection_dim']} numbers; "
            f"those of the catalog have {DIMENSION}."
        )


def _write(staging: Path, target: Path, source: Source) -> None:
    """Write a fetched checkpoint as a folder of our own; it appears whole and on the disk, or not at all."""
    with tempfile.TemporaryDirectory(prefix=f".converting-{target.name}-", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        made.mkdir()
        for name in _TEXTS:
            if (staging / name).is_file():
                shutil.copyfile(staging / name, made / name)
        if missing := [name for name in _CONFIGS if not (made / name).is_file()]:
            raise WeightsError(f"{source.repo} lacks {', '.join(missing)}; pull another ear.")
        if (staging / WEIGHTS).is_file():
            shutil.copyfile(staging / WEIGHTS, made / WEIGHTS)
        else:
            _convert(staging / "pytorch_model.bin", made / WEIGHTS)
        check_safetensors(made / WEIGHTS)
        manifest = {
            "format": 1,
            "kind": "ear",
            "source": source.repo,
            "revision": source.revision,
            "license": source.license,
            "converted_by": versions("music-catalog"),
            "files": {
                file.name: {"size": file.stat().st_size, "sha256": sha256_of(file)}
                for file in sorted(made.iterdir())
            },
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        place(made, target)
    note_verified(target, read_manifest(target) or {"files": {}})


def _convert(pickled: Path, target: Path) -> None:
    """Write pickled weights, read as data, as safetensors."""
    tensors = load_pickle(pickled)
    import torch
    from safetensors.torch import save_file

    # Cloned: safetensors refuses tensors that share their memory.
    plain = {name: one.clone().contiguous() for name, one in tensors.items() if isinstance(one, torch.Tensor)}
    save_file(plain, str(target), metadata={"format": "pt"})


def _is_whole(folder: Path, revision: str | None) -> bool:
    """Read a pulled folder through; tell whether every file is as it was written, and of that revision."""
    try:
        manifest = read_manifest(folder)
        if manifest is None or revision not in (None, manifest.get("revision")):
            return False
        verify(folder)
    except WeightsError:
        return False
    return True


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (*_CONFIGS, WEIGHTS))


def _folder(repo: str) -> Path:
    return models_home() / repo.replace("/", "--")


def _info(name: str) -> ModelInfo:
    path, repo = find_ear(name), EARS.get(name, name)
    try:
        manifest = (read_manifest(path) if path else None) or {}
    except WeightsError:  # a damaged manifest must not hide the other models
        manifest = {}
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file()) if path else SIZE_BYTES
    revision = manifest.get("revision") if manifest else path.name if path else None
    license_name = str(manifest.get("license") or (LICENSE if name in EARS else "unknown"))
    return ModelInfo(name, repo, int(size), path, license_name, revision, None, None)

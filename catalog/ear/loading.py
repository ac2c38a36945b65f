"""Find the ear of this machine, without importing it: what it is called, or why nothing is heard."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from ..generator import Audio, WeightsError
from ..generator.weights import EARS, find_ear
from ..generator.weights.ears import WEIGHTS
from ..generator.weights.files import read_manifest, verify_changed
from ..text.encoder_files import verified_sha256
from .clap import INSTALL, Clap
from .vectors import DIMENSION, RULE

__all__ = ["DEFAULT", "OFF", "Ear", "NotHeard", "load"]

DEFAULT = "clap"
OFF = "off"
"""In place of a name: nothing is heard."""
NEEDS = ("torch", "transformers")


class Ear(Protocol):
    """Anything that turns sounds and texts into unit vectors of one space."""

    @property
    def identity(self) -> str:
        """Name weights and rule; only vectors of equal identity compare."""
        ...

    @property
    def scale(self) -> float:
        """Return what cosines are multiplied by before a softmax turns them into shares."""
        ...

    def hear(self, sound: Audio) -> NDArray[np.float32] | None:
        """Return the unit vector of a sound, shape (DIMENSION,); None for one without samples."""
        ...

    def read(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors of texts, shape (len(texts), DIMENSION); raises Unavailable where it reads none."""
        ...


class NotHeard(Unavailable):
    """There is no ear on this machine; the message says what to do next."""


def load(name: str = DEFAULT) -> Ear:
    """Return the ear `name`: one of `EARS`, a repository or a folder. `CATALOG_EAR` replaces the default name.

    This is quick: the network is loaded when it is first used. Weights of a size, a time or an inode that were not seen
    before are hashed once. Raises NotHeard without transformers, without weights and for "off", Unavailable for
    damaged weights.
    """
    if name == DEFAULT:
        name = os.environ.get("CATALOG_EAR") or DEFAULT
    if name == OFF:
        raise NotHeard("not heard: the ear is off; name one as `ear: {model: clap}` in catalog.yaml")
    if missing := [one for one in NEEDS if not _is_installed(one)]:
        raise NotHeard(
            f"not heard: the ear needs {' and '.join(missing)}; {INSTALL}, then `catalog models pull clap`"
        )
    folder = find_ear(name)
    if folder is None:
        known = name in EARS or (name.count("/") == 1 and not name.startswith((".", "~", os.sep)))
        told = (
            f"is not on this machine; run `catalog models pull {name}`"
            if known
            else "is no ear and no folder here; name a repository or a folder, or leave it out and run "
            f"`catalog models pull {DEFAULT}`"
        )
        raise NotHeard(f"not heard: the ear {name} {told}")
    short = _short(name)
    return Clap(f"{short}@{_sha256(folder)[:12]}/{DIMENSION}/{RULE}", short, lambda: _whole(folder))


def _sha256(folder: Path) -> str:
    try:
        manifest = read_manifest(folder)
    except WeightsError as error:
        raise Unavailable(str(error)) from error
    if manifest is not None and WEIGHTS in manifest["files"]:
        return str(manifest["files"][WEIGHTS]["sha256"])
    return verified_sha256(folder / WEIGHTS)


def _whole(folder: Path) -> Path:
    """Return the folder, verified where a manifest says what its files were."""
    try:
        if manifest := read_manifest(folder):
            verify_changed(folder, manifest)
    except WeightsError as error:
        raise Unavailable(str(error)) from error
    return folder


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:  # an import hook that refuses it
        return False


def _short(name: str) -> str:
    """Return the name of the checkpoint without owner or folders."""
    return Path(EARS.get(name, name)).name

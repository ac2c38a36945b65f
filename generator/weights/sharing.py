"""Text encoders and codecs in memory, which models that were converted from the same files share.

All sizes of MusicGen come with the same text encoder and codec, 0.7 GB in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ..networks.bundle import Networks
from .files import read_manifest

__all__ = ["offer", "with_shared"]


_SHARED = ("text_encoder", "codec")
_in_memory: WeakValueDictionary[tuple[str, str, str], Any] = WeakValueDictionary()
"""By part, sha256 of its file and type. Here as long as a model that uses it is."""


def offer(networks: Networks, folder: Path) -> None:
    """Let models that are loaded later share the text encoder and the codec of networks that are ready."""
    for part, key in _keys(networks, folder):
        _in_memory[key] = getattr(networks, part)


def with_shared(networks: Networks, folder: Path) -> Networks:
    """Return networks of `folder`, their weights not read yet, with the parts that are in memory already."""
    known = {part: _in_memory.get(key) for part, key in _keys(networks, folder)}
    return replace(networks, **{part: value for part, value in known.items() if value is not None})


def _keys(networks: Networks, folder: Path) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield each part that can be shared, and what tells whether two are the same; none for another layout."""
    manifest = read_manifest(folder)
    # The text encoder is float32, or bfloat16 with such a decoder.
    kind = "bfloat16" if networks.dtype == "bfloat16" else "float32"
    files = manifest["files"] if manifest else {}
    for part in _SHARED:
        if entry := files.get(f"{part}.safetensors"):
            yield part, (part, str(entry["sha256"]), kind)

"""Which of several copies of one recording is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .finding import Found, told
from .lists import read_sidecar
from .tags import read_tags
from .words import Words, from_name, merged

__all__ = ["rank"]


LOSSLESS = frozenset(
    (
        ".wav",
        ".wave",
        ".flac",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
        ".alac",
        ".ape",
        ".wv",
        ".tta",
    )
)
LOSSLESS_CODECS = ("flac", "alac")


class _Coding(NamedTuple):
    is_lossless: bool
    bits_per_s: int


def rank(one: Found, said: Words) -> tuple[bool, int, int]:
    """Return what sorts the better of two copies first.

    Lossless is before lossy, then a higher rate of bits (of lossless files that of the samples), then what more is said
    of by `said`, JSON beside it, its tags and its name. An object is known by its name and `said`.
    """
    ending = Path(one.address or one.path).suffix.lower()
    words = [("", said)]
    coding = _Coding(ending in LOSSLESS, 0)
    if not one.address and _is_file(one.path):  # reading a pipe would wait for a writer
        coding = _coding_of(one.path, ending)
        words += [("", read_sidecar(one.path)), ("", read_tags(one.path))]
    known = merged([*words, ("", from_name(one.name or told(one.path.name), one.folder))])
    return not coding.is_lossless, -coding.bits_per_s, -len(known.said_by)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that may not be searched: told when its turn comes
        return False


def _coding_of(path: Path, ending: str) -> _Coding:
    import mutagen

    try:
        file = mutagen.File(path)
    except Exception:  # of many kinds, for damaged files, which are told when they are decoded
        file = None
    info: Any = None if file is None else file.info
    codec = str(getattr(info, "codec", "")).lower()
    is_lossless = ending in LOSSLESS or codec.startswith(LOSSLESS_CODECS)
    sample_bits = int(getattr(info, "bits_per_sample", 0) or 0)
    if is_lossless and sample_bits:
        rate = sample_bits * int(getattr(info, "sample_rate", 0)) * int(getattr(info, "channels", 0))
    else:
        rate = int(getattr(info, "bitrate", 0) or 0)
    return _Coding(is_lossless, rate)

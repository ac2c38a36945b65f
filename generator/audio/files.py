"""Audio files: WAV and FLAC of 16 bits, and OGG Vorbis, written with tags and read within limits."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..protocol import Audio
from .checks import checked

__all__ = ["FORMATS", "MAX_TAG_BYTES", "convert", "encode", "read", "read_tags", "write_blocks"]


FORMATS: Mapping[str, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
}
"""File name ending -> libsndfile's names of container and coding."""

MAX_TAG_BYTES = 1_999
"""Of all tags together: libsndfile silently drops longer ones from a WAV."""
WRITTEN = ("title", "comment", "artist", "license")
"""The tags that a file is written with."""
MAX_BYTES = 25 * 1024**2
MAX_OWN_BYTES = 256 * 1024**2
MAX_DURATION_S = 600.0
MAX_SAMPLE_BYTES = 256 * 1024**2
MIN_RATE, MAX_RATE = 8_000, 96_000
BLOCK_FRAMES = 65_536
FULL_SCALE = 32_768.0
STREAMED = 0xFFFFFFFF
"""The data size in the header of a WAV whose writer could not go back to fill it in."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")
"""The rest of the identity of a PCM or float subformat, after the two bytes of its coding."""


def encode(
    audio: Audio,
    format: str = "wav",
    *,
    title: str = "",
    comment: str = "",
    artist: str = "",
    license: str = "",
) -> bytes:
    """Return `audio` as the bytes of a file with 16-bit samples (Vorbis for ogg) and its tags.

    Samples beyond full scale are clipped. Samples on the 16-bit grid are kept bit by bit. Others get triangular dither
    from a fixed seed, so the same audio gives the same bytes (except ogg, whose stream number is random), and digital
    silence stays silent. Raises AudioError for samples that are not finite, an unknown format, or tags of 2,000 bytes
    and more.
    """
    tags = {"title": title, "comment": comment, "artist": artist, "license": license}
    return _write(_quantized(checked(audio).samples), audio.sample_rate, format, tags)


def read(
    source: str | os.PathLike[str] | bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_duration_s: float = MAX_DURATION_S,
) -> Audio:
    """Return the audio of a WAV, FLAC or OGG file; `source` is its path or its bytes.

    The file may come from anyone: its header is checked before libsndfile sees it, and size, duration, rate
    (8 to 96 kHz), channels (1 or 2) and decoded size (256 MiB) are bounded. Raises AudioError.
    """
    data, name = _bytes_of(source, max_bytes)
    with _opened(data, name) as file:
        _check_header(file, name, max_duration_s)
        samples = _decoded(file, name)
        rate = int(file.samplerate)
    try:
        return checked(Audio(samples=samples, sample_rate=rate))
    except AudioError as error:
        raise AudioError(f"cannot use {name}: {error}") from None


def read_tags(source: str | os.PathLike[str] | bytes) -> dict[str, str]:
    """Return the tags of an audio file that are written too: title, comment, artist, license. Raises AudioError."""
    data, name = _bytes_of(source, MAX_OWN_BYTES)
    with _opened(data, name) as file:
        found = {key: str(value) for key, value in file.copy_metadata().items() if value}
        # A WAV has no tag for a licence but that of the copyright.
        if file.format == "WAV" and "copyright" in found:
            found["license"] = found["copyright"]
        return {name: found[name] for name in WRITTEN if name in found}


def convert(
    src_path: str | os.PathLike[str],
    dst_path: str | os.PathLike[str],
    format: str,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write the audio file at `src_path` to `dst_path` as wav, flac or ogg.

    `tags` are title, comment, artist and license, those of the file where they are None. The new file appears whole or
    not at all. Raises AudioError.
    """
    audio = read(src_path, max_bytes=MAX_OWN_BYTES)
    known = read_tags(src_path) if tags is None else tags
    data = encode(audio, format, **{name: known.get(name, "") for name in WRITTEN})
    with _replacing(Path(dst_path)) as beside:
        beside.write(data)


def write_blocks(
    target: str | os.PathLike[str],
    blocks: Iterable[NDArray[np.float32]],
    sample_rate: int,
    channels: int,
    *,
    title: str = "",
    comment: str = "",
    artist: str = "",
    license: str = "",
) -> int:
    """Write consecutive blocks of samples, (frames, channels) each, to a file whose ending names its format.

    It is coded as by `encode`, but never all in memory. The file appears whole or not at all. Returns the number of
    frames. Raises AudioError.
    """
    import soundfile

    path = Path(target)
    form = path.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise AudioError(f"unknown audio format {path.suffix or path.name!r}; valid are {', '.join(FORMATS)}")
    tags = {"title": title, "comment": comment, "artist": artist, "license": license}
    _check_tags(tags)
    container, coding = FORMATS[form]
    frames = 0
    with _replacing(path) as beside:
        try:
            with soundfile.SoundFile(beside, "w", sample_rate, channels, coding, format=container) as file:
                _tag(file, tags, form)
                for block in blocks:
                    for start in range(0, len(block), BLOCK_FRAMES):
                        part = checked(Audio(block[start : start + BLOCK_FRAMES], sample_rate)).samples
                        file.write(_quantized(part, seed=frames + start))
                    frames += len(block)
        except (soundfile.SoundFileError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            raise AudioError(f"cannot write {path}: {_reason(error)}") from None
    return frames


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Any]:
    """Yield a file beside `target` to write into; it replaces `target` when it is whole and on the disk.

    `music_catalog.disk.files` has the same for the catalog's own files; this room imports nothing of the catalog.
    """
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as beside:
            try:
                yield beside
                beside.flush()
                os.fsync(beside.fileno())
                Path(beside.name).chmod(0o644)
                Path(beside.name).replace(target)
            except BaseException:
                Path(beside.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise AudioError(f"cannot write {target}: {error.strerror or error}") from None


def _quantized(samples: NDArray[np.float32], seed: int = 0) -> NDArray[np.int16]:
    scaled = samples.astype(np.float64) * FULL_SCALE
    grid = np.rint(scaled)
    if not np.array_equal(grid, scaled):
        noise = np.random.default_rng(seed)
        triangle = noise.random(scaled.shape) - noise.random(scaled.shape)
        grid = np.where(scaled == 0.0, 0.0, np.rint(scaled + triangle))
    clipped: NDArray[np.int16] = np.clip(grid, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return clipped


def _write(samples: NDArray[np.int16], rate: int, format: str, tags: Mapping[str, str]) -> bytes:
    import soundfile

    if format not in FORMATS:
        raise AudioError(f"unknown audio format {format!r}; valid are {', '.join(FORMATS)}")
    _check_tags(tags)
    container, coding = FORMATS[format]
    sink = io.BytesIO()
    try:
        with soundfile.SoundFile(sink, "w", rate, samples.shape[1], coding, format=container) as file:
            _tag(file, tags, format)
            # In blocks: the Vorbis encoder keeps a whole write on its stack.
            for start in range(0, len(samples), BLOCK_FRAMES):
                file.write(samples[start : start + BLOCK_FRAMES])
    except (soundfile.SoundFileError, ValueError) as error:
        raise AudioError(f"cannot write {format} at {rate} Hz: {_reason(error)}") from None
    return sink.getvalue()


def _tag(file: Any, tags: Mapping[str, str], format: str) -> None:
    for name, text in tags.items():
        if text:
            setattr(file, "copyright" if (name, format) == ("license", "wav") else name, text)


def _check_tags(tags: Mapping[str, str]) -> None:
    together = "".join(tags.values())
    try:
        size = len(together.encode())
    except UnicodeEncodeError:
        raise AudioError("a tag of the audio file holds a lone surrogate") from None
    if size > MAX_TAG_BYTES:
        raise AudioError(
            f"the tags {', '.join(tags)} take {size:,} bytes; those of a file hold {MAX_TAG_BYTES:,}"
        )
    if "\0" in together:
        raise AudioError("a tag of the audio file holds a NUL character")


def _bytes_of(source: str | os.PathLike[str] | bytes, max_bytes: int) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data, name = source, "the audio given"
    else:
        name = os.fspath(source)
        try:
            # Nobody may ever write to a named pipe; O_NONBLOCK opens it without waiting for that.
            with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise AudioError(
                        f"cannot read {name}: it is no regular file; pass a WAV, FLAC or OGG file"
                    )
                data = file.read(max_bytes + 1)
        except AudioError:
            raise
        except (OSError, ValueError) as error:
            raise AudioError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > max_bytes:
        raise AudioError(f"{name} is larger than {max_bytes / 1024**2:g} MiB, the most that is accepted")
    return data, name


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Any]:
    import soundfile

    _check_kind(data, name)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            yield file
    except (soundfile.SoundFileError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"cannot decode {name}: {_reason(error)}") from None


def _check_kind(data: bytes, name: str) -> None:
    """Refuse all but plain WAV, FLAC and OGG; libsndfile's decoders of rarer WAV codings have had memory faults."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        _check_wav(data, name)
    elif data[:4] not in (b"fLaC", b"OggS"):
        raise AudioError(f"{name} is no WAV, FLAC or OGG file; convert it to one of these first")


def _check_wav(data: bytes, name: str) -> None:
    codings = []
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"fmt ":
            codings.append(_coding(data[at + 8 : at + 8 + size]))
        if kind == b"data":
            if size != STREAMED and at + 8 + size > len(data):
                raise AudioError(f"{name} is cut short: its header promises {size:,} bytes of samples")
            break
        at += 8 + size + size % 2
    else:
        raise AudioError(f"{name} is a WAV file without samples, or cut short")
    if codings not in ([_PCM], [_FLOAT]):
        raise AudioError(f"{name} is a WAV file of another coding than PCM or float; convert it first")


def _coding(chunk: bytes) -> int | None:
    if len(chunk) < 16:
        return None
    tag = int.from_bytes(chunk[:2], "little")
    if tag == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _SUBFORMAT:
        return int.from_bytes(chunk[24:26], "little")
    return tag


def _check_header(file: Any, name: str, max_duration_s: float) -> None:
    rate, channels, frames = int(file.samplerate), int(file.channels), int(file.frames)
    if channels not in (1, 2):
        raise AudioError(f"{name} has {channels} channels, but must have 1 or 2")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"{name} has a rate of {rate} Hz, but must have {MIN_RATE} to {MAX_RATE}")
    if frames > max_duration_s * rate:
        raise AudioError(f"{name} is {frames / rate:.0f} s long; at most {max_duration_s:g} s are accepted")
    if frames * channels * 4 > MAX_SAMPLE_BYTES:
        raise AudioError(f"{name} decodes to more than {MAX_SAMPLE_BYTES // 1024**2} MiB")
    if frames < 1:
        raise AudioError(f"{name} holds no samples")


def _decoded(file: Any, name: str) -> NDArray[np.float32]:
    """Return the samples, float32 of shape (frames, channels); read no more than `_check_header` allowed."""
    samples = np.empty((int(file.frames), int(file.channels)), dtype=np.float32)
    for start in range(0, len(samples), BLOCK_FRAMES):
        block = samples[start : start + BLOCK_FRAMES]
        if len(file.read(len(block), out=block)) < len(block):
            raise AudioError(
                f"{name} is cut short: it ends before the {len(samples):,} frames that its header promises"
            )
    return samples


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())

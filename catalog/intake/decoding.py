"""Any audio file as samples at the catalog's rate: by libsndfile, else by ffmpeg where it is installed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .finding import BY_FFMPEG, told

__all__ = ["MOST_S", "RATE", "Decoded", "decoded"]


Samples = NDArray[np.float32]

RATE = 32_000
"""The rate of made tracks, in Hz."""
MIN_S, MOST_S = 0.5, 4 * 3600.0
SILENT_DBFS = -70.0
SILENT = 10.0 ** (SILENT_DBFS / 20.0)
IN_MEMORY_S = 660.0
"""Longer audio is kept in a temporary file while it is measured."""
BLOCK_FRAMES = 4 * RATE
LEAST_SHARE = 0.98
"""A file that ends before this share of what its header promises is cut short."""
TABLE_WITHIN = 64
"""The header with the number of frames stands in the first bytes of the first frame of an MP3."""
STREAMED = 0x7FFF_0000
"""A program that did not know the length wrote such a size, or a larger one."""
FFMPEG_S = 900.0
_OTHER_SIZE = re.compile(r"^ *(?:data|SSND|riff|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""How libsndfile tells that a WAV, AIFF, W64 or AU file has fewer bytes than it states."""
_NO_END = "Last page lacks an end-of-stream bit"
"""How it tells that the end of an Ogg file is missing."""
UNKNOWN_S = 0.0
"""In place of a length that a file does not state."""


class Decoded:
    """Samples, float32 of shape (frames, 1 or 2), in memory or in a file, and what the file was.

    `stated_s` is how long the file says that it is, where it is known to be shorter; UNKNOWN_S where it does not say.
    """

    def __init__(self, samples: Samples, described: str, stated_s: float | None = None) -> None:
        self.samples = samples
        self.described = described
        self.stated_s = stated_s

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE

    def blocks(self) -> Iterator[Samples]:
        """Yield consecutive blocks."""
        for start in range(0, len(self.samples), BLOCK_FRAMES):
            yield self.samples[start : start + BLOCK_FRAMES]


@contextlib.contextmanager
def decoded(path: Path, folder: Path) -> Iterator[Decoded]:
    """Yield the audio of a file at `RATE`; of more than two channels, the mean of all. Long audio lies in `folder`.

    Raises InputError with one sentence for what cannot be decoded.
    """
    with contextlib.ExitStack() as closing:
        spool = _Spool(folder)
        closing.callback(spool.close)
        described, stated_s = _by_soundfile(path, spool) or (_by_ffmpeg(path, spool), None)
        samples = spool.samples()
        if len(samples) < MIN_S * RATE:
            raise InputError(f"it is {len(samples) / RATE:.2f} s long; at least {MIN_S:g} s are taken")
        sound = Decoded(samples, described, stated_s)
        if all(np.abs(block).max() < SILENT for block in sound.blocks()):
            raise InputError(f"it is silent: nothing in it is louder than {SILENT_DBFS:g} dBFS")
        yield sound


class _Spool:
    """Takes blocks in, and gives them back as one array: from memory, or from a file where there are many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blocks: list[Samples] = []
        self._frames = 0
        self._file: tempfile._TemporaryFileWrapper[bytes] | None = None
        self._channels = 1

    def add(self, block: Samples) -> None:
        if not len(block):
            return
        if not np.isfinite(block).all():
            raise InputError("it holds samples that are not finite numbers")
        self._channels = block.shape[1]
        self._frames += len(block)
        if self._frames > MOST_S * RATE:
            raise InputError(f"it is longer than {MOST_S / 3600:g} hours, the most that is taken")
        self._blocks.append(np.ascontiguousarray(block, np.float32))
        if self._file is not None or self._frames > IN_MEMORY_S * RATE:
            self._file = self._file or tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part")  # noqa: SIM115
            for one in self._blocks:
                self._file.write(one.tobytes())
            self._blocks.clear()

    def samples(self) -> Samples:
        if self._file is None:
            return np.concatenate(self._blocks) if self._blocks else np.zeros((0, 1), np.float32)
        self._file.flush()
        shape = self._frames, self._channels
        return np.memmap(self._file.name, np.float32, "r", shape=shape)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _by_soundfile(path: Path, spool: _Spool) -> tuple[str, float | None] | None:
    """Decode by libsndfile; return what the file is, and how long it says to be where it is shorter.

    None for a file that libsndfile does not know.
    """
    import soundfile
    import soxr

    try:
        # As bytes: a name may be no UTF-8.
        file = soundfile.SoundFile(os.fsencode(path))
    except (soundfile.SoundFileError, OSError, TypeError):
        if not path.exists():
            raise InputError("it is a link that leads nowhere") from None
        if path.stat().st_size == 0:
            raise InputError("it is empty") from None
        if path.suffix.lower() in BY_FFMPEG or shutil.which("ffmpeg"):
            return None
        raise InputError("it is damaged, or no audio of a kind that can be read") from None
    with file:
        rate, channels, promised = int(file.samplerate), int(file.channels), int(file.frames)
        kept = channels if channels <= 2 else 1
        stream = soxr.ResampleStream(rate, RATE, kept, dtype="float32")
        got = 0
        try:
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                got += len(block)
                spool.add(_resampled(stream, _narrowed(block), rate, last=False))
        except soundfile.SoundFileError as error:
            raise InputError(
                f"it is damaged: it breaks off after {got / rate:.0f} s ({_reason(error)})"
            ) from None
        spool.add(_resampled(stream, np.zeros((0, kept), np.float32), rate, last=True))
        kind = str(file.format).lower()
        opened = str(file.extra_info)
    if kind in ("mp3", "mpeg"):
        # The number of frames is a guess where the file has no table of them.
        stated: float = promised if _has_table(path) else got
    elif got < LEAST_SHARE * promised and promised < 1 << 50:
        raise InputError(f"it is cut short: it ends after {got / rate:.0f} s of {promised / rate:.0f} s")
    else:
        stated = _stated(opened, got)
    if kind == "ogg" and _NO_END in opened:
        return f"{kind}, {rate} Hz, {_named(channels)}", UNKNOWN_S
    is_short = got < LEAST_SHARE * stated
    return f"{kind}, {rate} Hz, {_named(channels)}", stated / rate if is_short else None


def _has_table(path: Path) -> bool:
    """Tell whether the first frame of an MP3 states how many there are (Xing's and LAME's header)."""
    with path.open("rb") as file:
        head = file.read(10)
        tag = 0
        if head[:3] == b"ID3" and len(head) == 10:
            tag = 10 + sum(
                (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
            )
        file.seek(tag)
        first = file.read(TABLE_WITHIN)
    return b"Xing" in first or b"Info" in first


def _stated(opened: str, got: int) -> float:
    """Return how many frames a file without compression states, by what libsndfile tells; `got` without that.

    libsndfile reads as many as are there, and takes their number for that of the file.
    """
    sizes = _OTHER_SIZE.search(opened)
    if sizes is None or not int(sizes[2]) or int(sizes[1]) >= STREAMED:
        return got
    return got * int(sizes[1]) / int(sizes[2])


def _resampled(stream: object, block: Samples, rate: int, *, last: bool) -> Samples:
    if rate == RATE:
        return block
    made: Samples = stream.resample_chunk(block, last=last)  # type: ignore[attr-defined]
    return made


def _narrowed(block: Samples) -> Samples:
    if block.shape[1] <= 2:
        return block
    return np.asarray(block.mean(axis=1, keepdims=True), np.float32)


def _by_ffmpeg(path: Path, spool: _Spool) -> str:
    program = shutil.which("ffmpeg")
    ending = path.suffix.lower().lstrip(".") or "this"
    if program is None:
        raise InputError(
            f"{ending} files need ffmpeg, which is not installed: install it (apt install ffmpeg, brew install "
            "ffmpeg), or convert the file to FLAC"
        )
    # Named by file:, so that no name passes for another protocol.
    command = [program, "-v", "error", "-nostdin", "-i", f"file:{path}", "-map", "0:a:0"]
    command += ["-f", "f32le", "-ac", "2", "-ar", str(RATE), "-"]
    with tempfile.TemporaryFile() as told_errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told_errors) as run:
            assert run.stdout is not None
            rest = b""
            try:
                while data := run.stdout.read(BLOCK_FRAMES * 8):
                    data = rest + data
                    whole = len(data) // 8 * 8
                    rest = data[whole:]
                    spool.add(np.frombuffer(data[:whole], "<f4").reshape(-1, 2).copy())
                code = run.wait(FFMPEG_S)
            except BaseException:
                run.kill()
                raise
        told_errors.seek(0)
        message = told_errors.read(2_000).decode("utf-8", "replace").strip()
    if code != 0:
        last = message.splitlines()[-1] if message else f"it ended with {code}"
        raise InputError(f"ffmpeg cannot decode it: {_plain(last, path)}")
    return f"{ending}, by ffmpeg"


def _named(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")


def _plain(message: str, path: Path) -> str:
    return message.replace(f"file:{path}", told(path.name)).replace(str(path), told(path.name))[:300]


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    text = text.rpartition(": ")[2] if "Error opening" in text else text.removeprefix("Error : ")
    return text.rstrip(".")

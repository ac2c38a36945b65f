"""Sound as the bytes of a file that grows while it is made: WAV without a stated length, or Ogg Opus."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ...generator import Audio
from ...generator.audio.files import STREAMED

__all__ = ["MEDIA_TYPES", "GrowingFile", "StreamFormat"]


StreamFormat = Literal["wav", "opus"]
MEDIA_TYPES: Mapping[str, str] = {"wav": "audio/wav", "opus": "audio/ogg; codecs=opus"}
OPUS_RATE = 48_000
FULL_SCALE = 32_767.0


class GrowingFile:
    """Parts in, bytes out; together the bytes are a file. A WAV gives each part at once, Opus a page a second."""

    def __init__(self, form: StreamFormat = "wav") -> None:
        self._form = form
        self._opus: _Opus | None = None
        self._begun = False

    def add(self, part: Audio) -> bytes:
        """Return the bytes of the next part, after those of the header where it is the first."""
        if self._form == "opus":
            self._opus = self._opus or _Opus(part.sample_rate, part.channels)
            return self._opus.add(part)
        header = b"" if self._begun else _header(part.sample_rate, part.channels)
        self._begun = True
        samples = np.clip(np.rint(part.samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE)
        data: bytes = samples.astype("<i2").tobytes()
        return header + data

    def end(self) -> bytes:
        """Return what is left."""
        return self._opus.end() if self._opus is not None else b""


def _header(rate: int, channels: int) -> bytes:
    size = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * size, size, 16)
    return b"RIFF" + struct.pack("<I", STREAMED) + b"WAVE" + form + b"data" + struct.pack("<I", STREAMED)


class _Sink(io.RawIOBase):
    """A file that libsndfile writes to from front to back; what was written can be taken out at any time."""

    def __init__(self) -> None:
        self.waiting, self._size = bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.waiting += bytes(data)
        self._size += len(data)
        return len(data)

    def seek(self, *_: int) -> int:
        return self._size

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        data, self.waiting = bytes(self.waiting), bytearray()
        return data


class _Opus:
    def __init__(self, rate: int, channels: int) -> None:
        import soundfile
        import soxr

        self._sink = _Sink()
        self._resampler = soxr.ResampleStream(rate, OPUS_RATE, channels, dtype="float32")
        self._file = soundfile.SoundFile(self._sink, "w", OPUS_RATE, channels, "OPUS", format="OGG")
        self._channels = channels

    def add(self, part: Audio) -> bytes:
        self._file.write(self._resampler.resample_chunk(part.samples))
        return self._sink.taken()

    def end(self) -> bytes:
        nothing = np.zeros((0, self._channels), np.float32)
        self._file.write(self._resampler.resample_chunk(nothing, last=True))
        self._file.close()
        return self._sink.taken()

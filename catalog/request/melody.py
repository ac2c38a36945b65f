"""Read a recording whose melody the music is to follow."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import InputError, in_one_line
from ..generator import Audio, AudioError, audio
from ..generator.musicgen.chroma import check_melody

__all__ = ["read_melody"]


def read_melody(path: str | Path) -> tuple[Audio, str]:
    """Return the audio of a WAV, FLAC or OGG file, and the sha256 of its samples.

    At most 25 MiB, 10 minutes and 2 channels. Raises InputError for a file that is missing, damaged, too long or
    silent.
    """
    try:
        recording = audio.read(path)
        check_melody(recording)
    except AudioError as error:
        raise InputError(in_one_line(f"the melody cannot be followed: {error}")) from error
    samples = hashlib.sha256(f"{recording.sample_rate}".encode())
    samples.update(recording.samples.tobytes())
    return recording, samples.hexdigest()

"""One file on its way into the catalog: read, decoded, measured, and written as a playable copy."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..disk.files import TEMPORARY, reason
from ..errors import CatalogError, InputError, in_one_line
from .decoding import RATE, Decoded, decoded
from .levels import LevelMeter
from .lists import read_sidecar
from .tags import read_tags
from .words import from_name, merged

__all__ = ["LARGEST", "answer", "prepare", "serve"]


LARGEST = 4 * 1024**3
TRUE_PEAK_DB = -1.0
"""The playable copy of music that is made louder stays under this."""
MIDDLE_S = 46.0
"""Tempo, key and timbre are measured on the middle of a piece."""


def prepare(task: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of one file, as JSON values, and write a playable copy of it into a folder.

    `task` holds `path`, `name` (that of the file, which may say what it is), `folder` (where the copy and large
    temporary files go), `lufs` (the loudness of the copy for each role), `role` (that of files that state none), and
    `measure` (false: only what a dry run needs). Raises InputError for what cannot be used.
    """
    path, folder = Path(os.fsdecode(bytes.fromhex(task["path"]))), Path(task["folder"])
    words = merged(
        [
            ("the file beside it", read_sidecar(path)),
            ("its tags", read_tags(path)),
            ("its name", from_name(task["name"], task["said_folder"])),
        ]
    )
    known: dict[str, Any] = {"words": words.model_dump(mode="json")}
    with decoded(path, folder) as sound:
        known |= {
            "duration_s": round(sound.duration_s, 6),
            "described": sound.described,
            "stated_s": sound.stated_s,
            "channels": sound.samples.shape[1],
            **_prints(sound),
        }
        if task["measure"]:
            role = task["role"] or words.role
            target = task["lufs"].get(role, task["lufs"].get(""))
            known |= _measured(sound) | _copied(sound, folder, target)
            if known["measured"]:
                # That of the whole piece, where the others are of its middle.
                known["measured"]["loudness_range_lu"] = known["loudness_range_lu"]
    return known


def answer(task: dict[str, Any]) -> dict[str, Any]:
    """Return what `prepare` does, or {"failed": the reason} for a file that cannot be used.

    {"refused": the reason} where the disk takes no copy: the next file would fare no better.
    """
    from ..generator import AudioError

    try:
        return prepare(task)
    except (CatalogError, AudioError) as error:
        return {"failed": in_one_line(str(error))}
    except MemoryError:
        return {"failed": "there is not enough memory to decode it"}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return {"refused": reason(error)}
        return {"failed": f"it cannot be read: {error.strerror or error}"}
    except Exception as error:  # of a library that met a damaged file; the next file is another matter
        return {"failed": in_one_line(f"it cannot be used: {type(error).__name__}: {error}")}


def serve() -> None:
    """Prepare the files that are named on standard input, one JSON object a line, and answer on standard output."""
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def _prints(sound: Decoded) -> dict[str, Any]:
    from ..generator import Audio
    from ..generator.listening import fingerprint

    head = np.asarray(sound.samples[: round((fingerprint.MAX_S + 1.0) * RATE)])
    heard = fingerprint.fingerprint(Audio(head, RATE))
    if heard is None:
        return {"bits": None, "unsure": None}
    return {"bits": heard.bits.astype("<u4").tobytes().hex(), "unsure": heard.unsure.tobytes().hex()}


def _measured(sound: Decoded) -> dict[str, Any]:
    from ..generator import Audio, AudioError
    from ..hearing.measuring import analysed

    excess = max(0, len(sound.samples) - round(MIDDLE_S * RATE))
    middle = np.asarray(sound.samples[excess // 2 : len(sound.samples) - (excess - excess // 2)])
    try:
        found = analysed(Audio(middle, RATE))
    except AudioError as error:
        raise InputError(str(error)) from None
    if found is None:
        return {"tempo_bpm": None, "musical_key": None, "sound": None, "measured": None}
    return {
        "tempo_bpm": found.tempo_bpm,
        "musical_key": found.musical_key,
        "sound": None if found.sound is None else found.sound.astype("<f4").tobytes().hex(),
        "measured": None if found.facts is None else found.facts.model_dump(mode="json"),
    }


def _copied(sound: Decoded, folder: Path, target: float | None) -> dict[str, Any]:
    """Write the playable copy, as loud as its role is, and return its name, sha256, size and levels.

    Music that would pass the ceiling stays quieter: nothing is limited.
    """
    meter = LevelMeter(RATE, sound.samples.shape[1])
    for block in sound.blocks():
        meter.add(block)
    loudness, peak = meter.loudness_lufs(), meter.true_peak_db()
    gain_db = 0.0
    if target is not None and loudness is not None and peak is not None:
        gain_db = min(target - loudness, max(TRUE_PEAK_DB - peak, 0.0))
    name = f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}.wav"
    sha256, size = _write_wav(folder / name, sound, np.float32(10.0 ** (gain_db / 20.0)))
    return {
        "copy": name,
        "copy_sha256": sha256,
        "copy_bytes": size,
        "gain_db": round(gain_db, 2),
        "loudness_range_lu": meter.loudness_range_lu(),
        "loudness_lufs": None if loudness is None else round(loudness + gain_db, 2),
        "true_peak_db": None if peak is None else round(peak + gain_db, 2),
    }


def _write_wav(path: Path, sound: Decoded, gain: np.float32) -> tuple[str, int]:
    """Write 16-bit PCM; return the sha256 and the size of the file."""
    channels = sound.samples.shape[1]
    size = len(sound.samples) * channels * 2
    if size + 36 >= 1 << 32:
        raise InputError("it is too long for a WAV file of 4 GiB")
    sha256 = hashlib.sha256()
    with path.open("xb") as file:
        for part in itertools.chain([_wav_header(size, channels)], _as_pcm(sound, gain)):
            file.write(part)
            sha256.update(part)
        file.flush()
        os.fsync(file.fileno())
    return sha256.hexdigest(), size + 44


def _as_pcm(sound: Decoded, gain: np.float32) -> Iterator[bytes]:
    scale = np.float32(32_768.0) * gain
    for block in sound.blocks():
        scaled = np.rint(block * scale)
        yield np.clip(scaled, -32_768, 32_767, out=scaled).astype("<i2").tobytes()


def _wav_header(size: int, channels: int) -> bytes:
    def number(value: int, count: int) -> bytes:
        return value.to_bytes(count, "little")

    kind = number(16, 4) + number(1, 2) + number(channels, 2) + number(RATE, 4)
    kind += number(RATE * channels * 2, 4) + number(channels * 2, 2) + number(16, 2)
    return b"RIFF" + number(size + 36, 4) + b"WAVEfmt " + kind + b"data" + number(size, 4)

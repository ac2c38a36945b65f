"""What stands beside an audio file: its sidecar, which tells readers without a catalog how it was made, codes and
fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..disk.arrays import array_in
from ..errors import Damage
from ..generator import Audio, AudioError
from ..generator.listening.fingerprint import MAX_S, Fingerprint, fingerprint, sparse
from ..models import Track
from ..store.audio import ARRAYS, PRINT, SIDECAR
from ..store.audit import Problem, set_aside
from ..store.cells import canonical, sha256
from ..store.rows import from_record
from ..store.schema import TRACK_ROW
from ..store.store import Store

__all__ = [
    "check_arrays",
    "check_companions",
    "check_sidecar",
    "is_whole",
    "mend_arrays",
    "mend_sidecar",
    "sidecar",
]


SOURCE_TYPES = {
    "mlx": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    "procedural": "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",
}
"""IPTC's terms for media made by a trained model, and by an algorithm without one."""
_CHANGING = {"state", "trashed_at", "rating", "tags", "note", "title", "heard", "measured"}
"""What of a track may change after it was made; a sidecar is written once."""
CHECKSUM = "content_sha256"
"""The checksum of everything else in a sidecar; those of earlier versions have none."""


def sidecar(track: Track) -> dict[str, Any]:
    """Return the JSON that is written beside the audio file: the row, IPTC's mark of machine-made media, a checksum."""
    row = track.model_dump(mode="json", exclude=_CHANGING)
    # Nobody knows how music that was imported came about, but for what a model made.
    imported = SOURCE_TYPES["mlx"] if track.ai_generated else None
    made = SOURCE_TYPES["procedural" if track.weights_license == "none" else "mlx"]
    kind = imported if track.imported else SOURCE_TYPES.get(track.backend, made)
    content = {"schema_version": 1, **({"digital_source_type": kind} if kind else {}), **row}
    return {**content, CHECKSUM: sha256(canonical(content))}


def check_companions(store: Store) -> Iterator[Problem]:
    """Yield the sidecars, codes and fingerprints that were altered; rows that fail their checksums are passed over."""
    for row in store.tracks.table.read(None, columns=TRACK_ROW):
        try:
            track = from_record(row)
            sidecar_problem = check_sidecar(store, track)
            yield from check_arrays(store, track)
        except Damage:
            continue
        if sidecar_problem is not None:
            yield sidecar_problem


def check_sidecar(store: Store, track: Track) -> Problem | None:
    """Return what is wrong with the sidecar of a track; None also where it has none.

    A sidecar may be that of another track with the same audio. Its `encoder` may differ from the row, whose vector may
    have been made anew by another encoder.
    """
    path = store.audio.path_of(track).with_suffix(SIDECAR)
    detail = f"the sidecar of {track.id} ({path.name}) no longer says what was written"
    problem = Problem(kind="altered-sidecar", subject=track.id, detail=detail)
    try:
        found = json.loads(path.read_bytes())
        stated = found.pop(CHECKSUM, None)
        whole = stated in (None, sha256(canonical(found)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError):
        return problem
    expected = sidecar(track)
    if not whole or not found.keys() <= expected.keys():
        return problem
    differing = {name for name, value in found.items() if value != expected[name]}
    same = differing <= {"encoder"} or (stated is not None and "id" in differing)
    return None if same else problem


def is_whole(data: bytes) -> bool:
    """Tell whether a sidecar is as it was written; of one without a checksum, whether it is JSON."""
    try:
        content = json.loads(data)
        return content.pop(CHECKSUM, None) in (None, sha256(canonical(content)))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def mend_sidecar(store: Store, track_id: str) -> bool:
    """Write the sidecar of a track anew from its row; the altered one goes to `lost/`."""
    track = store.tracks.get(track_id)
    if track is None:
        return False
    path = store.audio.path_of(track).with_suffix(SIDECAR)
    set_aside(store.home, path.relative_to(store.home).as_posix())
    store.audio.put_sidecar(track.audio_path, sidecar(track))
    return True


def check_arrays(store: Store, track: Track) -> Iterator[Problem]:
    """Yield which of the codes and the fingerprint of a track were altered or cannot be read; nothing for those that
    it does not have.
    """
    for path, name in _arrays(store, track):
        try:
            array_in(path.read_bytes(), name)
        except FileNotFoundError:
            continue
        except Damage:
            what = "no longer says what was written"
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
        else:
            continue
        detail = f"{path.name} beside the audio of {track.id} {what}"
        yield Problem(kind="altered-array", subject=track.id, detail=detail)


def mend_arrays(store: Store, track_id: str) -> bool:
    """Move altered codes and an altered fingerprint to `lost/`, and take the fingerprint from the audio anew.

    A track without its codes is gone on from by its sound. A file that cannot be read now may be whole and stays where
    it is; return False then. Raises Damage for an altered row, StorageError where the disk refuses.
    """
    track = store.tracks.get(track_id)
    if track is None:
        return False
    mended = True
    for path, name in _arrays(store, track):
        try:
            array_in(path.read_bytes(), name)
        except FileNotFoundError:
            continue
        except Damage:
            set_aside(store.home, path.relative_to(store.home).as_posix())
            if path.name.endswith(PRINT) and (heard := _heard(store.audio.path_of(track))):
                store.audio.put_print(track.audio_path, sparse(heard))
        except OSError:
            mended = False
    return mended


def _arrays(store: Store, track: Track) -> Iterator[tuple[Path, str]]:
    """Yield where the codes and the fingerprint of a track would lie, each with the name of its array."""
    for ending, name in ARRAYS.items():
        yield store.audio.path_of(track).with_suffix(ending), name


def _heard(path: Path) -> Fingerprint | None:
    """Return the fingerprint of the beginning of an audio file; None for one that cannot be read."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            samples = file.read(round(MAX_S * rate), dtype="float32", always_2d=True)
        return fingerprint(Audio(samples, rate))
    except (soundfile.SoundFileError, OSError, AudioError):
        return None

"""The files of a mix: the mix itself, and its stems, voice and music alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from ..errors import InputError, StorageError
from ..generator import AudioError, Progress
from ..generator.audio.files import write_blocks
from ..generator.audio.timeline import Timeline

__all__ = ["check_stems", "stem_paths", "write_mix"]


STEMS = ("voice", "music")


def stem_paths(stems: str | Path | None, target: Path) -> dict[str, Path]:
    """Return the files of the stems of the mix `target` in the folder `stems`, by name; none without a folder."""
    if stems is None:
        return {}
    return {name: Path(stems) / f"{target.stem}.{name}{target.suffix}" for name in STEMS}


def check_stems(stems: str | Path | None, target: Path, *, force: bool) -> None:
    """Refuse a folder for stems that is a file, or that holds these stems already. Raises InputError."""
    if stems is None:
        return
    folder = Path(stems)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; stems are written into a folder")
    for path in stem_paths(stems, target).values():
        if path.exists() and not force:
            raise InputError(
                f"{path} exists already; choose another folder, or pass force=True to replace it"
            )


def write_mix(
    timeline: Timeline,
    target: Path,
    stems: str | Path | None = None,
    *,
    comment: str = "",
    on_progress: Progress | None = None,
) -> float:
    """Write the mix, and its stems into the folder `stems`; return the gain that was applied to all of them.

    `comment`, a tag of the mix and of its music alone, says what music it is. The blocks are rendered twice or more,
    the first time for the true peak; `on_progress` counts them, and may raise Cancelled. Every file appears whole or
    not at all. Raises StorageError.
    """
    # The mix comes last, so that its stems are there when it is.
    files = {**stem_paths(stems, target), "mix": target}
    if on_progress is not None:
        timeline.on_block = _counter(on_progress, timeline.block_count * (1 + len(files)))
    gain = timeline.safety_gain()
    for name, path in files.items():
        blocks = (part[name] for part in timeline.render(gain))
        try:
            if path is not target:
                path.parent.mkdir(parents=True, exist_ok=True)
            write_blocks(
                path.resolve(),
                blocks,
                timeline.sample_rate,
                2,
                comment="" if name == "voice" else comment,
            )
        except AudioError as error:
            raise StorageError(str(error)) from error
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    return gain


def _counter(on_progress: Progress, total: int) -> Callable[[], None]:
    """Return a function that reports one more of `total` whenever it is called."""
    done = count(1)
    return lambda: on_progress(next(done), total)

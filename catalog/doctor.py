"""The health of an installation: versions, encoder, models, disk, and the rows and files of the catalog."""

from __future__ import annotations

import platform
import shlex
import shutil
import time
from pathlib import Path
from typing import Any, Literal

from .brief.language_model import LanguageModel, Unread
from .collections import files as collections
from .ear import loading as ears
from .errors import CatalogError, InputError
from .generator import Progress, WeightsError, device, weights
from .generator.memory import left_bytes
from .generator.weights.sizes import needed_bytes
from .home import find_home
from .models import Value
from .objects.address import is_address, local_folder
from .presets import Library, Reader
from .request.builder import load_library
from .store.audit import Problem
from .store.rewrite import Encode
from .store.sounds import measure_sounds
from .store.store import Store
from .store.vectors.facts import measure_facts
from .text import encoder as encoders
from .text.encoder import Encoder, embed_document
from .upkeep.backup import back_up, last_backup
from .upkeep.companions import check_companions, mend_arrays, mend_sidecar
from .upkeep.copies import copies_in, copies_told
from .upkeep.lines import check_lines, mend_line
from .upkeep.mending import bring_back_audio, bring_back_collection
from .upkeep.place import read_place
from .upkeep.remote import examine_remote
from .upkeep.scrub import count_deep_check, still_damaged
from .version import package_version

__all__ = ["Check", "examine"]


PACKAGES = ("lancedb", "numpy", "pydantic", "soundfile", "tokenizers")
OPTIONAL = ("mlx", "sentence-transformers", "torch")
LOW_DISK_BYTES = 1_000_000_000
SENTENCE = "Soft rain taps on the library windows while students read in calm silence."
"""What the user's language model is asked about, to see whether it answers."""


class Check(Value):
    """One finding. A `note` needs no action, a `warning` may, `damage` does."""

    name: str
    status: Literal["ok", "note", "warning", "damage", "fixed"]
    detail: str


def examine(
    home: str,
    *,
    config: str | None = None,
    deep: bool = False,
    fix: bool = False,
    reembed: bool = False,
    backup: str | None = None,
    keep: int | None = None,
    encode: Encode | None = None,
    on_progress: Progress | None = None,
) -> list[Check]:
    """Return findings. `deep` reads every audio file and finds copies of one recording, `fix` repairs without loss.

    `reembed` embeds all rows anew.

    `encode` embeds their texts in place of this process, by the same encoder; see `music_catalog.bulk.embedding`.

    `backup` is a folder that gets a copy of what is sound then. With `deep`, what it has already is read too; with
    `fix`, audio and collections that were altered come back from it; with `keep`, all but that many snapshots go.
    """
    checks = [
        _versions(),
        _home(home),
        *_configuration(config, home),
        _encoder(),
        _models(deep=deep),
        _memory(),
        _ear(config, home),
        _disk(home),
    ]
    if is_address(home):
        if keep is not None:
            raise InputError(f"--keep is of backups of a folder; a backup of {home} is one copy")
        asked = {"deep": deep, "fix": fix, "reembed": reembed, "backup": backup, "encode": encode}
        return [*checks, *_remote(home, **asked, on_progress=on_progress)]
    if not (Path(home) / "lance").is_dir():
        return [*checks, Check(name="catalog", status="note", detail=f"{home} holds no catalog yet")]
    checks += [_last_backup(Path(home))] if backup is None else []
    try:
        reader = encoders.load()
        store = Store.open(home, encoder=reader.identity, dimension=reader.dimension, create=False)
    except CatalogError as error:
        return [*checks, Check(name="catalog", status="damage", detail=str(error))]
    try:
        checks += _catalog(store, reader, deep=deep, fix=fix, reembed=reembed, backup=backup, encode=encode)
        checks.append(_scrub(store, config))
        return checks if backup is None else [*checks, *_backup(store, backup, deep, keep, on_progress)]
    finally:
        store.close()


def _versions() -> Check:
    packages = [f"{name} {package_version(name, absent='absent')}" for name in ("music-catalog", *PACKAGES)]
    found = [(name, package_version(name, absent="")) for name in OPTIONAL]
    packages += [f"{name} {version}" for name, version in found if version]
    system = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    detail = f"{system}; {', '.join(packages)}"
    return Check(name="versions", status="warning" if " absent" in detail else "ok", detail=detail)


def _home(home: str) -> Check:
    """Return where the catalog is, and which rule says so."""
    found = find_home()
    why = found.why if home == found.path else "named by the caller"
    where = (
        f"{home}, cached in {local_folder(home)}" if is_address(home) else Path(home).expanduser().absolute()
    )
    return Check(name="home", status="ok", detail=f"{where} ({why})")


def _configuration(config: str | None, home: str) -> list[Check]:
    try:
        library = load_library(config, home)
    except CatalogError as error:
        return [Check(name="configuration", status="warning", detail=str(error))]
    detail = f"{len(library.styles)} styles, {len(library.roles)} roles, {len(library.quality)} quality tiers"
    reader = [_reader(library, library.reader, home)] if library.reader else []
    return [Check(name="configuration", status="ok", detail=detail), *reader]


def _reader(library: Library, endpoint: Reader, home: str) -> Check:
    """Ask the user's language model for the brief of a sentence."""
    model = f"the language model {endpoint.model} at {endpoint.base_url}"
    began = time.monotonic()
    try:
        brief = LanguageModel(endpoint, library.styles, local_folder(home) / "cache" / "briefs").ask(
            "", SENTENCE
        )
    except Unread as failure:
        return Check(name="reader", status="warning", detail=f"{model} {failure}")
    took = f"answered in {time.monotonic() - began:.1f} s: {', '.join(brief.fits)} for {SENTENCE!r}"
    return Check(name="reader", status="ok", detail=f"{model} {took}")


def _encoder() -> Check:
    try:
        reader = encoders.load()
        reader.encode(["ready"])
    except CatalogError as error:
        return Check(name="encoder", status="warning", detail=str(error))
    return Check(name="encoder", status="ok", detail=reader.identity)


def _models(*, deep: bool) -> Check:
    """Return which checkpoints are here; with `deep` whether the files of those that were pulled are as they were."""
    present = [info for info in weights.available() if info.path]
    for info in present if deep else ():
        try:
            if info.path and (info.path / weights.MANIFEST).is_file():
                weights.verify(info.path)
        except (WeightsError, OSError) as error:
            return Check(name="models", status="damage", detail=f"MusicGen {info.name}: {error}")
    if present:
        return Check(
            name="models", status="ok", detail=f"MusicGen {', '.join(info.name for info in present)}"
        )
    detail = "no MusicGen weights here, so the procedural synthesizer renders; see `catalog models list`"
    return Check(name="models", status="note", detail=detail)


def _memory() -> Check:
    """Return what MLX computes on, what each size of MusicGen needs, and what fits; reckoned for 30 s of music."""
    try:
        device.require_mlx()
    except WeightsError as absent:
        return Check(name="memory", status="note", detail=str(absent))
    backends = [name for name in device.BACKENDS if package_version(name, absent="")]
    if len(backends) > 1:
        detail = (
            f"MLX has {len(backends)} backends here, which own one library file: {', '.join(backends)}; uninstall "
            "them and mlx, then install one extra, music-catalog[cpu] or music-catalog[cuda]"
        )
        return Check(name="memory", status="warning", detail=detail)
    here = device.device()
    left = here.memory_bytes if here.gpu else left_bytes()
    form = f"{here.bits} bits" if here.bits else here.dtype
    needed = {size: needed_bytes(size, bits=here.bits, gpu=here.gpu) for size in ("small", "medium", "large")}
    listed = ", ".join(f"{size} {count / 1e9:.1f} GB" for size, count in needed.items())
    has = f"{left / 1e9:.1f} GB for models" if left is not None else "memory unknown"
    too_large = [size for size, count in needed.items() if left is not None and count > left]
    detail = f"{here.kind} {here.name}, {has}; 30 s of music take {listed} in {form}"
    if too_large:
        lacks = "does not fit" if len(too_large) == 1 else "do not fit"
        detail += f"; {' and '.join(too_large)} {lacks}: take fewer bits, or a smaller one"
    return Check(name="memory", status="note" if too_large else "ok", detail=detail)


def _ear(config: str | None, home: str) -> Check:
    """Return which ear hears the music here, or what to do to have one."""
    try:
        ear = ears.load(load_library(config, home).ear.model)
    except ears.NotHeard as absent:
        return Check(name="ear", status="note", detail=str(absent))
    except CatalogError as error:
        return Check(name="ear", status="warning", detail=str(error))
    return Check(name="ear", status="ok", detail=ear.identity)


def _remote(home: str, **options: Any) -> list[Check]:
    """Return what is wrong with a catalog on an object store, where that is asked for, and what it has."""
    try:
        found = [*examine_remote(home, **options)]
    except InputError:
        raise
    except CatalogError as error:
        found = [("catalog", "damage", str(error))]
    return [
        Check.model_validate({"name": name, "status": status, "detail": detail})
        for name, status, detail in found
    ]


def _disk(home: str) -> Check:
    path = local_folder(home).resolve()
    folder = next(one for one in (path, *path.parents) if one.exists())
    free = shutil.disk_usage(folder).free
    status: Literal["ok", "warning"] = "ok" if free >= LOW_DISK_BYTES else "warning"
    return Check(name="disk", status=status, detail=f"{free / 1e9:.1f} GB free at {folder}")


def _catalog(
    store: Store,
    reader: Encoder,
    *,
    deep: bool,
    fix: bool,
    reembed: bool,
    backup: str | None,
    encode: Encode | None,
) -> list[Check]:
    checks = []
    if reembed:
        here: Encode = lambda texts: [embed_document(reader, text) for text in texts]  # noqa: E731
        count = store.care.reembed(encode or here, reader.identity)
        checks.append(
            Check(name="vectors", status="fixed", detail=f"{count} rows embedded with {reader.identity}")
        )
    for problem in _problems(store, deep=deep):
        mended = fix and _fix(store, reader, problem, backup)
        checks.append(Check(name=problem.kind, status="fixed" if mended else "damage", detail=problem.detail))
    checks += _collections(store.home, fix=fix, backup=backup)
    if copies := copies_in(store, listen=deep):
        checks.append(Check(name="copies", status="warning", detail=copies_told(copies)))
    checks += _sounds(store, fix=fix)
    checks += _facts(store, fix=fix)
    detail = ", ".join(f"{name} {value}" for name, value in store.care.stats().items())
    status: Literal["ok", "note"] = "note" if any(check.status == "damage" for check in checks) else "ok"
    return [*checks, Check(name="catalog", status=status, detail=detail)]


def _problems(store: Store, *, deep: bool) -> list[Problem]:
    """Return what a check finds, and what the scrub found that is still so."""
    problems, lines = [*store.care.check(deep=deep)], check_lines(store, deep=deep)
    if deep:
        problems += check_companions(store)
        count_deep_check(store, problems)
        return [*problems, *lines]
    told = {(problem.kind, problem.subject) for problem in problems}
    try:
        found = still_damaged(store)
    except (CatalogError, OSError) as error:
        found = [
            Problem(kind="table", subject="scrub", detail=f"what the scrub found cannot be read: {error}")
        ]
    # A file of another size is told as one that is altered, by both.
    return [*problems, *lines, *(each for each in found if (each.kind, each.subject) not in told)]


def _scrub(store: Store, config: str | None) -> Check:
    """Return how far the slow check of everything stored came, when it last ended, and its pace."""
    place = read_place(store.home)
    try:
        days = load_library(config, store.home).scrub.days
    except CatalogError:
        days = None
    pace = "is off" if days is None else f"reads everything in {days:g} days while `catalog serve` runs"
    last = "no full pass yet; `catalog doctor --deep` is one"
    if place.finished_at is not None:
        last = f"last full pass ended on {place.finished_at:%Y-%m-%d %H:%M} UTC"
    found = f"{len(place.damaged)} tracks found damaged" if place.damaged else "nothing found"
    total = store.tracks.table.count(None)
    detail = f"{pace}; {last}; this pass: {place.tracks} of {total} tracks, {place.size_bytes / 1e6:.1f} MB; {found}"
    return Check(name="scrub", status="ok" if place.finished_at else "note", detail=detail)


def _fix(store: Store, reader: Encoder, problem: Problem, backup: str | None) -> bool:
    if problem.kind == "altered-line":
        return mend_line(store, problem)
    if problem.kind == "altered-sidecar":
        return mend_sidecar(store, problem.subject)
    if problem.kind == "altered-array":
        return mend_arrays(store, problem.subject)
    lost = problem.kind in ("missing-audio", "altered-audio")
    if lost and backup is not None and bring_back_audio(store, backup, problem.subject):
        return True
    # A vector is made anew alone only by the encoder that made the others; `--reembed` replaces all of them.
    # There is no table yet where the first make was killed after it had stored its audio.
    table = store.tracks.table
    same = problem.kind != "table" and table.durable.exists() and table.stored_encoder == reader.identity
    encode = (lambda texts: [embed_document(reader, text) for text in texts]) if same else None
    return store.care.fix(problem, encode)


def _last_backup(home: Path) -> Check:
    last = last_backup(home)
    if last is None:
        detail = "there is no backup of this catalog; `catalog doctor --backup DIR` makes one"
        return Check(name="backup", status="note", detail=detail)
    detail = (
        f"{last.tracks} tracks in {last.folder} on {last.made_at:%Y-%m-%d %H:%M} UTC; "
        f"`catalog restore --from {shlex.quote(last.folder)} --force` would bring them back"
    )
    return Check(name="backup", status="ok", detail=detail)


def _backup(
    store: Store, folder: str, deep: bool, keep: int | None, on_progress: Progress | None
) -> list[Check]:
    """Back the catalog up; return what was damaged, and what the backup has now."""
    done = back_up(store, folder, deep=deep, keep=keep, on_progress=on_progress)
    checks = [Check(name="backup", status="damage", detail=problem.detail) for problem in done.problems]
    detail = (
        f"snapshot {done.snapshot} in {folder}: {done.tracks} tracks, {done.files} files of "
        f"{done.size_bytes / 1e6:.1f} MB; {done.copied_files} of {done.copied_bytes / 1e6:.1f} MB were new"
    )
    if done.altered_files:
        detail += f"; {done.altered_files} files of the backup were altered, and copied anew where the home has them"
    if done.pruned and (done.pruned.snapshots or done.pruned.files):
        detail += (
            f"; {done.pruned.snapshots} earlier snapshots were deleted, and {done.pruned.files} files of "
            f"{done.pruned.size_bytes / 1e6:.1f} MB that no snapshot names"
        )
    if done.not_pruned:
        detail += f"; earlier snapshots were not deleted: {done.not_pruned}"
    told = done.altered_files or done.not_pruned
    status: Literal["ok", "warning"] = "warning" if told else "ok"
    return [*checks, Check(name="backup", status=status, detail=detail)]


def _collections(home: Path, *, fix: bool, backup: str | None) -> list[Check]:
    """Return the collections that cannot be read.

    With `fix` their files move to `lost/`, and a backup that has one whole brings it back: of the next snapshots it
    would be no part.
    """
    checks = []
    for relative, detail in collections.damaged(home).items():
        if fix and backup is not None and (snapshot := bring_back_collection(home, backup, relative)):
            detail = f"{detail}; it is in lost/ now, and snapshot {snapshot} brought it back"
        elif fix:
            moved = collections.move_damaged(home, relative)
            detail = f"{detail}; it is {moved.relative_to(home)} now"
        checks.append(Check(name="altered-collection", status="fixed" if fix else "damage", detail=detail))
    return checks


def _sounds(store: Store, *, fix: bool) -> list[Check]:
    """Return how many tracks cannot be compared by sound; with `fix` analyse them, and return how many now can."""
    waiting = store.tracks.without_sound()
    if not waiting:
        return []
    if fix:
        done = measure_sounds(store, waiting)
        return [Check(name="sounds", status="fixed", detail=f"{done} of {len(waiting)} tracks listened to")]
    detail = f"{len(waiting)} tracks cannot be compared by sound yet; run `catalog doctor --fix`"
    return [Check(name="sounds", status="note", detail=detail)]


def _facts(store: Store, *, fix: bool) -> list[Check]:
    """Return how many tracks lack what is measured in samples; with `fix` measure them, and return how many have it."""
    waiting = store.tracks.unmeasured()
    if not waiting:
        return []
    if fix:
        done = measure_facts(store, waiting)
        return [Check(name="facts", status="fixed", detail=f"{done} of {len(waiting)} tracks measured")]
    detail = (
        f"brightness, density and the like of {len(waiting)} tracks are not known; run `catalog doctor --fix`"
    )
    return [Check(name="facts", status="note", detail=detail)]

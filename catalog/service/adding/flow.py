"""The way of files into a catalog: found, prepared side by side, compared with what is there, written in groups."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...disk.files import check_writable, sha256_of
from ...errors import CatalogError, Damage, InputError, NotFound, StorageError
from ...generator import Progress
from ...generator.listening.fingerprint import UNSURE, Fingerprint, sparse
from ...intake.far import FarAudio, sha256_in
from ...intake.finding import Found, no_file, told
from ...intake.impressions import UNSORTED, impression
from ...intake.preference import rank
from ...intake.preparing import LARGEST
from ...intake.rows import ROLE, UNKNOWN, summary_of, track_of
from ...intake.words import Words, merged
from ...intake.workers import Workers, count_for
from ...models import IMPORTED, AddedFile, Batch, Context, clean_text
from ...presets import Library
from ...store.rows import NewTrack
from ...text.features import features_of
from ...text.parsed import parse
from ...upkeep.companions import sidecar
from .adding import Adding, OnFile, Taken
from .copies_folder import copies_folder

__all__ = ["add_files"]


REFUSED = 5
"""How many objects in a row a store refuses before no other is asked for. One may be refused because it is gone."""


class _Brought(NamedTuple):
    """A file that is looked at: where its bytes are, their sha256, and whether that is a copy of an object."""

    path: Path
    sha256: str
    fetched: bool = False

    def forget(self) -> None:
        """Delete the copy of an object."""
        if self.fetched:
            self.path.unlink(missing_ok=True)


def add_files(
    adding: Adding,
    found: Sequence[Found],
    *,
    on_progress: Progress | None = None,
    on_file: OnFile | None = None,
) -> Batch:
    """Add the files and return what became of each, in their order.

    The one of two copies that is taken first is kept, so better ones are (see `preference.rank`), and `on_file` gets
    them first. Tracks are written in groups while the others are prepared, so that an end at any moment leaves whole
    tracks, and the same call again adds the rest.
    """
    if not adding.dry_run:
        check_writable(adding.store.home, "no music can be added")
    order = sorted(range(len(found)), key=lambda place: rank(found[place], adding.said(found[place])))
    found = [found[place] for place in order]
    files: list[AddedFile] = []

    def done(one: AddedFile) -> None:
        files.append(one)
        if on_file is not None:
            on_file(one)
        if on_progress is not None:
            on_progress(len(files), len(found))

    brought: list[_Brought] = []
    with copies_folder(adding.store.home) as folder, Workers(count_for(len(found))) as workers:
        # A copy of each object that is begun is on the disk: one for each process.
        ahead = 1 if any(one.address for one in found) else None
        answers = workers.prepare(_tasks(adding, found, brought, folder), ahead)
        try:
            for place, (one, answer) in enumerate(zip(found, answers, strict=False)):
                try:
                    adding.waiting.append(_taken(adding, one, answer, brought[place], folder))
                except InputError as error:
                    failed = AddedFile(path=one.said, outcome="failed", detail=str(error))
                    adding.waiting.append(Taken(failed))
                finally:
                    if "copy" in answer:
                        (folder / answer["copy"]).unlink(missing_ok=True)
                    brought[place].forget()
                if adding.is_due():
                    adding.flush(done)
        finally:
            for file in brought:
                file.forget()
            # What was prepared stays, also where somebody interrupts.
            adding.flush(done)
    if adding.stopped is not None:
        raise adding.stopped
    in_order = [one for _, one in sorted(zip(order, files, strict=True), key=itemgetter(0))]
    return Batch(id="" if adding.dry_run else adding.batch, dry_run=adding.dry_run, files=tuple(in_order))


def _tasks(
    adding: Adding, found: Iterable[Found], brought: list[_Brought], folder: Path
) -> Iterator[dict[str, Any]]:
    """Yield the task for each file; one whose bytes are known is answered here.

    An object is fetched when its task is asked for, so that as many copies are on the disk as files are in work. The
    tasks end, and `adding` has the reason, where the disk refuses a copy or the store REFUSED objects in a row.
    """
    lufs: dict[str, float | None]
    lufs = {name: role.loudness_lufs for name, role in adding.library.roles.items()}
    lufs[""] = lufs.get(ROLE)
    far, refused = FarAudio(LARGEST), 0
    for one in found:
        try:
            sha256 = sha256_in(one.address) if one.address else _checked_sha256(one.path)
            track_id = adding.known.of_bytes(sha256)
            if track_id is not None or sha256 in adding.first:
                brought.append(_Brought(one.path, sha256))
                yield {"answer": {"present": track_id}}
                continue
            file = _Brought(
                far.bring(one.address, folder) if one.address else one.path, sha256, bool(one.address)
            )
        except (OSError, InputError, NotFound) as error:
            if isinstance(error, StorageError) and not isinstance(error, Damage):
                refused += 1
                if error.__cause__ is not None or refused == REFUSED:  # a cause is of the disk
                    adding.stopped = error
                    return
            brought.append(_Brought(one.path, ""))
            yield {"answer": {"failed": _why(one, error)}}
            continue
        refused = 0 if one.address else refused
        brought.append(file)
        adding.first[sha256] = one.said
        stated = merged([("", adding.said(one)), ("", adding.given)])
        yield {
            "path": os.fsencode(file.path).hex(),
            "name": told(one.path.name),
            "said_folder": one.folder,
            "folder": str(folder),
            "role": stated.role,
            "lufs": lufs,
            "measure": not adding.dry_run,
        }


def _checked_sha256(path: Path) -> str:
    """Return the sha256 of a file. Raises InputError for what is no file and for one that is too large, OSError."""
    status = path.stat()
    if kind := no_file(status.st_mode):
        raise InputError(f"it is {kind}, and only files can be added")
    if status.st_size > LARGEST:
        raise InputError(f"it is larger than {LARGEST >> 30} GiB, the most that is taken")
    return sha256_of(path)


def _why(one: Found, error: Exception) -> str:
    """Return why a file cannot be looked at."""
    if isinstance(error, CatalogError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "it is a link that leads nowhere" if one.path.is_symlink() else "there is no such file"
    return f"it cannot be read: {getattr(error, 'strerror', None)}"


def _taken(adding: Adding, one: Found, answer: Mapping[str, Any], file: _Brought, folder: Path) -> Taken:
    """Return what became of a file, and the track that is to be written for it, if any."""
    name, sha256 = one.said, file.sha256
    if "refused" in answer:
        raise StorageError(f"no copy of {name} can be written to {folder}: {answer['refused']}")
    if "failed" in answer:
        adding.failed[sha256] = answer["failed"]
    if sha256 in adding.failed:
        return Taken(AddedFile(path=name, outcome="failed", detail=adding.failed[sha256]))
    # Another call may have added the same bytes since the task was given out.
    track_id = answer.get("present") or adding.known.of_bytes(sha256)
    if track_id or "present" in answer:
        detail = f"the same file as {adding.called(track_id) if track_id else adding.first[sha256]}"
        return Taken(AddedFile(path=name, outcome="present", track_id=track_id, detail=detail))
    words = merged(
        [
            ("the list", adding.said(one)),
            ("whoever added it", adding.given),
            *_by_source(Words.model_validate(answer["words"])),
        ]
    )
    words = _with_role(words, adding.library)
    heard = _heard(answer)
    length = float(answer["duration_s"])
    facts: dict[str, Any] = {
        "path": name,
        "title": words.title,
        "genres": words.genres,
        "license": words.license or UNKNOWN,
        "role": words.role or ROLE,
        "duration_s": round(length, 3),
    }
    made = adding.known.of_id(words.known_as) if words.known_as else None
    near = made or adding.known.of_sound(heard, length)
    if copy := adding.as_long(near, length):
        detail = f"the same recording as {adding.called(copy)}, coded in another way"
        return Taken(AddedFile(**facts, outcome="copy", track_id=copy, detail=detail))
    is_cut = answer["stated_s"] is not None
    if is_cut:
        stated = (
            f"of the {answer['stated_s']:.0f} s that it states" if answer["stated_s"] else "without its end"
        )
        facts["detail"] = f"cut short: it ends after {length:.0f} s {stated}"
    elif near:
        facts["detail"] = f"a longer copy of {adding.called(near)}, which is cut short"
    if adding.dry_run:
        return Taken(_would_add(adding, facts, words, heard, length, is_cut=is_cut))
    taken = _prepared(adding, one, words, answer, file, folder, heard, facts)
    adding.note_length(str(taken.result.track_id), near, length, is_cut=is_cut)
    return taken


def _prepared(
    adding: Adding,
    one: Found,
    words: Words,
    answer: Mapping[str, Any],
    file: _Brought,
    folder: Path,
    heard: Fingerprint | None,
    facts: dict[str, Any],
) -> Taken:
    """Store the files of a track; return it with what is told of it."""
    store = adding.store
    original = store.audio.put_original(file.path, file.sha256)
    audio_path = store.audio.take(folder / answer["copy"], answer["copy_sha256"])
    text, features, vector = _read(adding, words)
    found = impression(
        words,
        features=features,
        styles=adding.library.styles,
        encoder=adding.encoder,
    )
    track = track_of(
        words,
        dict(answer),
        found,
        features,
        text=text,
        encoder=adding.encoder.identity,
        batch=adding.batch,
        track_id=store.new_id(f"{IMPORTED}/{file.sha256}", 0),
        # Not the whole path: who may see the catalog need not see the folders of this machine.
        name=one.name or "/".join(filter(None, (one.folder, told(one.path.name)))),
        original=(original, file.sha256, file.path.stat().st_size),
        audio_path=audio_path,
    )
    if heard is not None:
        store.audio.put_print(audio_path, sparse(heard))
    store.audio.put_sidecar(audio_path, sidecar(track))
    sound = _array(answer["sound"], "<f4")
    added = AddedFile(**facts, outcome="added", track_id=track.id, style=track.style, sure=found.guessed)
    adding.known.add(track.id, file.sha256, heard, track.duration_s)
    adding.files[track.id] = one.said
    return Taken(added, NewTrack(track, vector, sound, adding.music.of_track(track)), heard)


def _would_add(
    adding: Adding,
    facts: dict[str, Any],
    words: Words,
    heard: Fingerprint | None,
    length: float,
    *,
    is_cut: bool,
) -> AddedFile:
    copy = None if heard is None else adding.would_know.find(heard, length)
    near = None if copy is None else adding.would_add[copy.number].path
    if other := adding.as_long(near, length):
        detail = f"the same recording as {other}, coded in another way"
        return AddedFile(**{**facts, "outcome": "copy", "detail": detail})
    if near and not is_cut:
        facts["detail"] = f"a longer copy of {near}, which is cut short"
    _, features, _ = _read(adding, words)
    found = impression(words, features=features, styles=adding.library.styles, encoder=adding.encoder)
    would = AddedFile(**facts, outcome="added", style=found.style, sure=found.guessed)
    if heard is not None:
        adding.would_know.add(sparse(heard), length)
        adding.would_add.append(would)
    adding.note_length(would.path, near, length, is_cut=is_cut)
    return would


def _read(adding: Adding, words: Words) -> tuple[str, Any, NDArray[np.float32]]:
    """Return what the words say as a text, its features and its vector."""
    text = clean_text(words.text or summary_of(words) or "untitled")
    context = Context(text=text)
    parsed = parse(context, adding.encoder, adding.store.home / "cache")
    assert parsed.vector is not None
    return text, features_of(context, parsed), parsed.vector


def _by_source(words: Words) -> list[tuple[str, Words]]:
    """Return words as one reading for each that says some of them, so that what said what is kept."""
    return [
        (by, Words(**{name: getattr(words, name) for name, who in words.said_by.items() if who == by}))
        for by in dict.fromkeys(words.said_by.values())
    ]


def _with_role(words: Words, library: Library) -> Words:
    """Return words without a role that is not on offer; a style that is none here says what a genre says."""
    changes: dict[str, object] = {}
    if words.role and words.role not in library.roles:
        changes["role"] = ""
    if words.style and words.style not in (*library.styles, UNSORTED):
        plain = words.style.replace("_", " ")
        said = {genre.casefold() for genre in words.genres}
        changes |= {
            "style": "",
            "genres": words.genres if plain.casefold() in said else (*words.genres, plain),
        }
    return words.model_copy(update=changes)


def _heard(answer: Mapping[str, Any]) -> Fingerprint | None:
    if answer["bits"] is None:
        return None
    return Fingerprint(_array(answer["bits"], "<u4"), _array(answer["unsure"], "|u1").reshape(-1, UNSURE))


def _array(content: str | None, kind: str) -> Any:
    return None if content is None else np.frombuffer(bytes.fromhex(content), kind).astype(kind[1:])

"""The doctor's round in a catalog on an object store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..disk.remote.holds import hold_versions
from ..errors import CatalogError, InputError, NotFound
from ..generator import Progress
from ..store.audit import Problem
from ..store.rewrite import Encode
from ..store.store import Store
from ..text import encoder as encoders
from ..text.encoder import Encoder, embed_document
from .backup import copy_to_folder
from .copies import copies_in, copies_told
from .lines import check_lines

__all__ = ["examine_remote"]


def examine_remote(
    home: str,
    *,
    deep: bool,
    fix: bool,
    reembed: bool,
    backup: str | None,
    encode: Encode | None,
    on_progress: Progress | None,
) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the status and the detail of each finding; see `doctor.examine`. Raises InputError."""
    try:
        reader = encoders.load() if reembed else None
        using: dict[str, Any] = {"encoder": reader.identity, "dimension": reader.dimension} if reader else {}
        store = Store.open(home, create=False, **using)
    except NotFound as absent:
        yield "catalog", "note", str(absent)
        return
    except CatalogError as error:
        yield "catalog", "damage", str(error)
        return
    sound = True
    try:
        if store.tracks.table.durable.of_service and (deep or fix or backup):
            raise InputError(
                f"the tables of {home} are in a service, where --deep, --fix and --backup are not done; "
                "run `catalog doctor` alone"
            )
        if reader is not None:
            count = store.care.reembed(encode or _encode_here(reader), reader.identity)
            yield "vectors", "fixed", f"{count} rows embedded with {reader.identity}"
        for problem in _problems(store, deep=deep) if deep or fix else ():
            mended = fix and _fix(store, problem)
            sound &= mended
            yield problem.kind, "fixed" if mended else "damage", problem.detail
        if backup is not None:
            done = copy_to_folder(store, backup, on_progress)
            for problem in done.problems:
                yield "backup", "damage", problem.detail
            new = f"{done.rows} rows and {done.files} files of {done.size_bytes / 1e6:.1f} MB were new"
            yield "backup", "ok", f"{backup} is a home with {done.tracks} tracks; {new}"
        if copies := copies_in(store, listen=deep):
            yield "copies", "warning", copies_told(copies)
        stats = ", ".join(f"{name} {value}" for name, value in store.care.stats().items())
        yield "catalog", "ok" if sound else "note", stats
    finally:
        store.close()


def _problems(store: Store, *, deep: bool) -> list[Problem]:
    problems = [*store.care.check(deep=deep)]
    if deep:
        assert store.blobs
        with hold_versions(store.blobs):
            problems += check_lines(store, deep=True)
    return problems


def _fix(store: Store, problem: Problem) -> bool:
    table = store.tracks.table
    if problem.kind != "altered-row" or not table.durable.exists():
        return store.care.fix(problem)
    reader = encoders.load()
    same = table.stored_encoder == reader.identity
    return store.care.fix(problem, _encode_here(reader) if same else None)


def _encode_here(reader: Encoder) -> Encode:
    return lambda texts: [embed_document(reader, text) for text in texts]

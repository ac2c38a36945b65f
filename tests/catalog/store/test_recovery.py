"""Versions that Lance cannot read, notes that were altered, and a system that refuses: no traceback, nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest
from homes import add, finish, open_store, start

from music_catalog.disk.files import refusal
from music_catalog.disk.lance import lance_errors
from music_catalog.disk.maintenance import EVERY_COMMITS
from music_catalog.disk.versions import Marks, TableFiles
from music_catalog.errors import Damage, StorageError
from music_catalog.store.store import Store

ROWS = 12
PAGE_BYTES, SECTOR_BYTES = 4096, 512


def tables_below(home: Path) -> dict[str, bytes]:
    """Return the content of every file of the tables, Lance's own hints left out."""
    paths = [path for path in (home / "lance").rglob("*") if path.is_file() and "hint" not in path.name]
    return {str(path.relative_to(home)): path.read_bytes() for path in paths}


def ids(store: Store) -> set[str]:
    return {track.id for track in store.tracks.list()}


# What Lance raises


class PanicException(BaseException):
    """As pyo3 raises it."""


class RustPanic(Exception):
    """As pyo3_async_runtimes raises it."""


@pytest.mark.parametrize("error", [PanicException, RustPanic, KeyError, AttributeError])
def test_what_only_damage_explains(error):
    with pytest.raises(Damage, match=f"it fails: {error.__name__}: .*unknown.*; run `catalog doctor --deep`"):  # noqa: SIM117
        with lance_errors("it fails"):
            raise error("unknown")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ModuleNotFoundError])
def test_what_lance_does_not_raise_passes(error):
    with pytest.raises(error), lance_errors("it fails"):
        raise error


@pytest.mark.parametrize("number", [5, 12, 13, 23, 24])
def test_a_system_that_refuses_is_no_damage(number):
    for error in (
        OSError(number, "refused"),
        RuntimeError(f"lance error: IO: refused (os error {number})"),
        RustPanic(f"refused (os error {number})"),
    ):
        with pytest.raises(StorageError) as raised, lance_errors("it fails"):
            raise error
        assert not isinstance(raised.value, Damage)
        assert refusal(raised.value) == number
    assert refusal(OSError(2, "gone")) == refusal(RuntimeError("not found (os error 2)")) == 0
    assert refusal(MemoryError()) == 12


# A compaction that nobody noted


def compact_and_die(home: str) -> None:
    os.fsync = os.fdatasync = lambda descriptor: None
    store = open_store(home)
    for number in range(ROWS):
        add(store, f"t{number}", number)
    os.environ["CATALOG_FAILPOINT"] = "compact.merged:1"
    store.care.compact()


def test_any_page_of_a_compaction_is_zero(tmp_path, monkeypatch):
    home = tmp_path / "home"
    assert finish(start(compact_and_die, str(home))) == [-9]
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    table = home / "lance" / "tracks.lance"
    manifest = min((table / "_versions").glob("*.manifest"))
    data = max((table / "data").glob("*.lance"), key=lambda path: path.stat().st_mtime_ns)
    places = [(data, place, PAGE_BYTES) for place in range(0, data.stat().st_size, PAGE_BYTES)]
    places += [(manifest, place, SECTOR_BYTES) for place in range(0, manifest.stat().st_size, SECTOR_BYTES)]
    assert len(places) > 10
    set_aside = 0
    for number, (path, place, size) in enumerate(places):
        copy = tmp_path / str(number)
        shutil.copytree(home, copy)
        torn = copy / path.relative_to(home)
        content = bytearray(torn.read_bytes())
        content[place : place + size] = bytes(len(content[place : place + size]))
        torn.write_bytes(content)
        store = open_store(copy)
        assert len(ids(store)) == ROWS, (path.suffix, place)
        set_aside += (copy / "lance" / "damaged").is_dir()
        add(store, "later")
        assert len(ids(open_store(copy))) == ROWS + 1
        shutil.rmtree(copy)
    assert set_aside > 3


# No version can be read


@pytest.mark.parametrize("torn", ["oldest data", "every data file", "manifests", "manifests that were noted"])
def test_a_catalog_never_begins_anew(tmp_path, torn):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    if "noted" not in torn:
        (home / "lance" / "tracks.acked").unlink()
    table = home / "lance" / "tracks.lance"
    cut = sorted((table / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    if "data" in torn:
        cut = cut[:1] if torn == "oldest data" else cut
    else:
        cut = sorted((table / "_versions").glob("*.manifest"))[:2]
    for path in cut:
        path.write_bytes(path.read_bytes()[:-100])
    before = tables_below(home)
    for _ in range(2):
        with pytest.raises(
            Damage, match=f"no version of the tracks table in {home} that has rows can be read; bring the"
        ):
            open_store(home)
        assert tables_below(home) == before


def test_one_cut_file_costs_what_came_after_it(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    (home / "lance" / "tracks.acked").unlink()
    data = max((home / "lance" / "tracks.lance" / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    data.write_bytes(data.read_bytes()[:-100])
    assert ids(open_store(home)) == {"a"}


def test_a_table_that_is_gone_is_not_made_anew(tmp_path):
    home = tmp_path / "home"
    add(open_store(home), "a")
    shutil.rmtree(home / "lance" / "tracks.lance")
    for _ in range(2):
        with pytest.raises(Damage, match=f"the tracks table in {home} is gone, .* from a copy"):
            add(open_store(home), "b")
        assert not (home / "lance" / "tracks.lance").exists()


# The system refuses


def open_with_few_descriptors(home: str, journal: str) -> None:
    ids(open_store(home))  # what is imported on first use is imported
    (Path(home) / "lance" / "tracks.acked").unlink()
    before = tables_below(Path(home))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len([*Path("/proc/self/fd").iterdir()])
    seen = []
    for limit in range(used - 1, used + 6):
        store = open_store(Path(home).with_name("other"))
        store.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            seen.append(f"opened {len(ids(open_store(home)))}")
        except StorageError as error:
            seen.append(f"{type(error).__name__} {refusal(error)}")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        after = tables_below(Path(home))
        after.pop("lance/tracks.acked", None)
        assert after == before, (limit, seen)
        (Path(home) / "lance" / "tracks.acked").unlink(missing_ok=True)
    Path(journal).write_text("\n".join(seen))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to count open files")
def test_too_few_descriptors_change_nothing(tmp_path):
    home, journal = tmp_path / "home", tmp_path / "journal"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    assert finish(start(open_with_few_descriptors, str(home), str(journal))) == [0]
    seen = journal.read_text().splitlines()
    assert "StorageError 24" in seen
    assert set(seen) <= {"StorageError 24", "opened 2"}


def test_a_version_that_cannot_be_looked_at_is_put_back(tmp_path, monkeypatch):
    home = tmp_path / "home"
    store = open_store(home)
    for name in ("a", "b"):
        add(store, name)
    (home / "lance" / "tracks.acked").unlink()
    newest = min((home / "lance" / "tracks.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    before = tables_below(home)

    def refused(*arguments: object) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("music_catalog.disk.recovery._read_through", refused)
    with pytest.raises(StorageError, match="Input/output error"):
        open_store(home)
    assert tables_below(home) == before
    monkeypatch.undo()
    assert ids(open_store(home)) == {"a"}


# The note


def test_an_altered_note_does_not_count(tmp_path):
    files = TableFiles(tmp_path, "tracks")
    (tmp_path / "lance").mkdir()
    marks = Marks(acknowledged=7, compacted=3, stamp=2**63 - 1, schema=6)
    files.write_marks(marks)
    note = tmp_path / "lance" / "tracks.acked"
    content = note.read_bytes()
    assert files.marks == marks
    for place in range(len(content) - 1):
        for digit in b"0189":
            altered = bytearray(content)
            altered[place] = digit
            note.write_bytes(altered)
            assert files.marks == (marks if altered == content else Marks()), place
    note.write_bytes(content.partition(b"\n")[0] + b"\n")  # as it was written before there was a checksum
    assert files.marks == marks


def test_a_digit_of_the_note_cannot_stop_compaction(tmp_path):
    home = tmp_path / "home"
    store = open_store(home)
    add(store, "a")
    store.care.compact()
    note = home / "lance" / "tracks.acked"
    content = bytearray(note.read_bytes())
    content[21] = ord("9")  # the first digit of the version that was compacted last
    note.write_bytes(content)
    store = open_store(home)
    assert ids(store) == {"a"}
    durable = store.tracks.table.durable
    assert durable.marks.acknowledged == durable.head()
    for number in range(EVERY_COMMITS + 1):
        store.tracks.update("a", rating=1 + number % 5)
    assert 0 < durable.head() - durable.marks.compacted < EVERY_COMMITS

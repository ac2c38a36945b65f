"""Files that can be made again: made once, removed when there are too many, read safely in many threads."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from music_catalog.errors import InputError
from music_catalog.web import cache as cache_module
from music_catalog.web.cache import FileCache


def content(cache, name, made):
    """Return what a file holds; `made` is what it is made of where it is not there."""
    with cache.open("a", name, lambda: made) as file:
        return file.read()


def test_the_cache_makes_once_forgets_what_was_used_longest_ago_and_refuses_other_names(tmp_path):
    seen = []
    cache = FileCache(tmp_path / "cache", max_bytes=100, looked_up=lambda kind, hit: seen.append((kind, hit)))
    for number in range(3):
        assert content(cache, f"name-{number}", b"x" * 40) == b"x" * 40
    cache.open("a", "name-2", lambda: pytest.fail("made twice")).close()
    assert seen == [("a", False)] * 3 + [("a", True)]
    content(cache, "name-3", b"x" * 40)
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept <= 140
    for name in ("../x", "a/b", "", ".x", "X"):
        with pytest.raises(InputError):
            cache.open("a", name, bytes)


def test_a_cache_that_cannot_be_written_is_kept_elsewhere(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FileCache(tmp_path / "file" / "cache")
    assert content(cache, "name", b"x") == b"x"
    with cache.open("a", "name", bytes) as file:
        path = Path(file.name)
    assert path.read_bytes() == b"x"
    cache.close()
    assert not path.exists()


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"x" * 100,
        b"\0" * 3_000_000,
        b"x" * 2_999_999 + b"y",
        b"x" * 3_000_001,
    ],
    ids=["empty", "cut", "zeros", "flip", "longer"],
)
def test_a_torn_file_is_made_again_and_never_handed_out(tmp_path, torn):
    whole = b"x" * 3_000_000
    content(FileCache(tmp_path), "name", whole)
    (path,) = tmp_path.rglob("name*")
    path.write_bytes(torn)
    seen = []
    cache = FileCache(tmp_path, looked_up=lambda kind, hit: seen.append(hit))
    assert content(cache, "name", whole) == whole
    assert content(cache, "name", b"made twice") == whole
    assert content(FileCache(tmp_path), "name", b"made twice") == whole
    assert seen == [False, True]
    assert len([*tmp_path.rglob("name*")]) == 1


def test_a_file_of_an_older_version_without_a_checksum_is_not_handed_out(tmp_path):
    folder = tmp_path / "a" / "na"
    folder.mkdir(parents=True)
    (folder / "name").write_bytes(b"torn")
    assert content(FileCache(tmp_path), "name", b"whole") == b"whole"


def test_a_name_that_begins_another_is_not_taken_for_it(tmp_path):
    cache = FileCache(tmp_path)
    for name in ("abc", "abc.png", "abc-1", "ab"):
        assert content(cache, name, name.encode()) == name.encode()
    for name in ("abc", "abc.png", "abc-1", "ab"):
        assert content(FileCache(tmp_path), name, b"made twice") == name.encode()


def test_a_file_is_read_for_its_checksum_once(tmp_path, monkeypatch):
    content(FileCache(tmp_path), "name", b"x")
    cache, read = FileCache(tmp_path), []
    monkeypatch.setattr(
        cache_module, "_sha256", lambda file: read.append(file.name) or hashlib.sha256(b"x").hexdigest()
    )
    for _ in range(3):
        assert content(cache, "name", b"made twice") == b"x"
    assert len(read) == 1


def test_a_file_is_read_to_its_end_although_another_thread_pushes_it_out(tmp_path):
    cache = FileCache(tmp_path / "cache", max_bytes=100)
    with cache.open("a", "first", lambda: b"x" * 90) as new, cache.open("a", "first", bytes) as kept:
        content(cache, "second", b"y" * 90)
        content(cache, "third", b"z" * 90)
        assert not [*(tmp_path / "cache").rglob("first*")]
        assert new.read() == kept.read() == b"x" * 90

    def use(thread):
        for turn in range(100):
            name = f"name-{(7 * thread + turn) % 20}"
            assert content(cache, name, name.encode() * 4) == name.encode() * 4

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))

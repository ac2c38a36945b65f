"""An object that is fetched to a file of this machine, and the errors of either side."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest
from homes import open_store

from music_catalog.disk.remote.files import bring
from music_catalog.errors import Damage, InputError, StorageError
from music_catalog.objects import blobs as objects
from music_catalog.store.homes import remote_audio

DATA = bytes(range(256)) * 10


@pytest.fixture
def parted(blobs, monkeypatch):
    """The store with an object that is read in parts."""
    monkeypatch.setattr(objects, "PART_BYTES", 1_000)
    blobs.put("a/whole", DATA)
    return blobs


def test_a_large_object_comes_in_parts_and_is_looked_up_once(parted, server, tmp_path):
    server.requests.clear()
    assert bring(parted, "a/whole", tmp_path / "b" / "file", sha256=hashlib.sha256(DATA).hexdigest())
    assert (tmp_path / "b" / "file").read_bytes() == DATA
    assert server.requests == {"GET": 3}


def test_an_object_without_bytes_is_a_file_without_bytes(parted, tmp_path):
    parted.put("a/empty", b"")
    assert bring(parted, "a/empty", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b""


def test_what_cannot_be_had_leaves_what_was_there(parted, tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_bytes(b"before")
    assert not bring(parted, "a/none", place)
    with pytest.raises(Damage, match="a/whole no longer holds what was stored"):
        bring(parted, "a/whole", place, sha256="0" * 64)
    part = objects.Blobs._part

    def first_alone(self, path, start):
        return None if start else part(self, path, start)

    monkeypatch.setattr(objects.Blobs, "_part", first_alone)
    with pytest.raises(StorageError, match="went while it was read"):
        bring(parted, "a/whole", place)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"before"]


def test_a_full_disk_is_not_told_as_an_error_of_the_store(parted, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, before[1]))
    try:
        with pytest.raises(StorageError, match=r"file cannot be written to .*File too large"):
            bring(parted, "a/whole", tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]


def test_large_files_are_stored_from_the_disk(home, server, tmp_path, monkeypatch):
    """What is added may have gigabytes: it is sent in parts, and never read as a whole."""
    monkeypatch.setattr(remote_audio, "PART_BYTES", 1_000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read as a whole"))
    store, large = open_store(home), bytes(6 << 20)
    source, copy = tmp_path / "a.mp3", store.home / "copy.wav"
    for path in (source, copy):
        path.write_bytes(large)
    sha256 = hashlib.sha256(large).hexdigest()
    with pytest.raises(InputError, match="it changed while it was read"):
        store.audio.put_original(source, "0" * 64)
    paths = store.audio.put_original(source, sha256), store.audio.take(copy, sha256)
    assert [path.rpartition(".")[2] for path in paths] == ["mp3", "wav"]
    assert all(server.objects[f"home/{path}"] == large for path in paths)
    assert all((store.home / path).stat().st_size == len(large) for path in paths)
    assert source.exists()
    assert not copy.exists()
    assert not [*(store.home / "audio" / "00").iterdir()]
    store.close()

"""Codes and fingerprints beside audio that a drive altered: they are told and mended, so that backups go on."""

from __future__ import annotations

import numpy as np
import pytest

from music_catalog import doctor
from music_catalog.generator.audio.files import read
from music_catalog.generator.listening.fingerprint import fingerprint, sparse
from music_catalog.upkeep import scrub
from music_catalog.upkeep.backup import back_up
from music_catalog.upkeep.companions import mend_arrays

LONG = {"duration_s": 6.0, "quality": "preview", "backend": "procedural"}


@pytest.fixture
def made(service):
    track = service.find_or_make("Calm rain falls.", **LONG).track
    service.store.audio.put_codes(track.audio_path, np.ones((4, 9), np.int16))
    service.store.audio.put_print(track.audio_path, np.arange(40, dtype=np.uint32))
    return track


def flip(path):
    data = bytearray(path.read_bytes())
    data[70] ^= 255
    path.write_bytes(data)


def test_the_doctor_mends_codes_and_a_fingerprint_so_that_old_snapshots_are_pruned(service, made, tmp_path):
    store, home = service.store, str(service.store.home)
    kinds = {check.name: check.status for check in doctor.examine(home, deep=True)}
    assert "altered-array" not in kinds
    audio = store.audio.path_of(made)
    for ending in (".codes.npz", ".print.npz"):
        flip(audio.with_suffix(ending))
    assert {problem.kind for problem in scrub.check_track(store, made.id)[0]} == {"altered-array"}
    assert back_up(store, tmp_path / "backup", keep=1).not_pruned is not None
    for status in ("damage", "fixed"):
        checks = doctor.examine(home, deep=True, fix=status == "fixed")
        assert [check.status for check in checks if check.name == "altered-array"] == [status] * 2
    assert scrub.check_track(store, made.id)[0] == []
    assert back_up(store, tmp_path / "backup", keep=1).not_pruned is None
    assert store.audio.codes_of(made) is None
    heard = fingerprint(read(audio))
    assert heard is not None
    assert np.array_equal(store.audio.print_at(made.audio_path), sparse(heard))
    assert len([*(store.home / "lost").iterdir()]) == 2


def test_a_fingerprint_of_audio_that_is_gone_is_put_aside_alone(service, made):
    audio = service.store.audio.path_of(made)
    flip(audio.with_suffix(".print.npz"))
    audio.unlink()
    assert mend_arrays(service.store, made.id)
    assert service.store.audio.print_at(made.audio_path) is None
    assert not mend_arrays(service.store, "nothing")


def test_codes_that_cannot_be_read_now_are_told_and_stay_where_they_are(service, made):
    codes = service.store.audio.path_of(made).with_suffix(".codes.npz")
    codes.unlink()
    codes.mkdir()  # reading it is refused, also to an administrator
    home = str(service.store.home)
    (told,) = [one for one in doctor.examine(home, deep=True, fix=True) if one.name == "altered-array"]
    assert (told.status, "cannot be read" in told.detail) == ("damage", True)
    assert codes.is_dir()

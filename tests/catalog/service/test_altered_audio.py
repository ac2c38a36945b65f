"""Audio that is not as it was stored is served to nobody: another track is chosen, or one is made."""

from __future__ import annotations

import os

import pytest
from sample_texts import CALM, CALM_AGAIN, SHORT

from music_catalog.disk import digests
from music_catalog.errors import Damage
from music_catalog.export import export_tracks


def alter(path):
    """Flip one bit in the middle of a file, as a bad disk does: its size and its time stay."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("text", [CALM, CALM_AGAIN], ids=["exact", "similar"])
def test_a_track_whose_audio_was_altered_is_not_reused(service, text, caplog):
    first = service.find_or_make(CALM, **SHORT)
    alter(first.path)
    assert service.find(text, **SHORT) is None
    assert caplog.text.count("no longer holds what was stored") == 1
    second = service.find_or_make(text, **SHORT)
    assert (second.action, second.track.id != first.track.id) == ("generated", True)
    assert service.find_or_make(text, **SHORT).track.id == second.track.id


def test_another_take_stands_in_for_altered_audio(service):
    takes = [service.generate(CALM, **SHORT) for _ in range(3)]
    assert service.find(CALM, **SHORT).track.id == takes[2].track.id
    for take in takes[1:]:
        alter(take.path)
    found = service.find_or_make(CALM, **SHORT)
    assert (found.action, found.track.id) == ("reused", takes[0].track.id)


def test_audio_that_was_served_before_is_noticed_too(service):
    first = service.find_or_make(CALM, **SHORT)
    assert service.find_or_make(CALM, **SHORT).track.id == first.track.id
    alter(first.path)
    assert service.find_or_make(CALM, **SHORT).track.id != first.track.id


def test_audio_that_was_put_back_is_served_again(service):
    first = service.find_or_make(CALM, **SHORT)
    whole = first.path.read_bytes()
    alter(first.path)
    assert service.find(CALM, **SHORT) is None
    first.path.write_bytes(whole)
    assert service.find(CALM, **SHORT).track.id == first.track.id


def test_audio_is_read_once_in_a_process(service, monkeypatch):
    service.find_or_make(CALM, **SHORT)
    read = []
    real = digests.sha256_of
    monkeypatch.setattr(digests, "sha256_of", lambda path: read.append(path) or real(path))
    paths = {service.find_or_make(text, **SHORT).path for text in (CALM, CALM_AGAIN, CALM)}
    assert read == [*paths]


def test_altered_audio_is_not_exported_or_continued(service, tmp_path):
    first = service.find_or_make(CALM, **SHORT)
    alter(first.path)
    with pytest.raises(Damage, match="no longer holds what was stored"):
        export_tracks(service.store, [first.track], "wav", str(tmp_path / "out"))
    with pytest.raises(Damage, match="no longer holds what was stored"):
        service.find_or_make(CALM, continue_from=first.track.id, **{**SHORT, "duration_s": 4.0})

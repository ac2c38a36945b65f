"""A catalog that holds a piece twice is told of it, with the command that puts one away."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import soundfile as sf

from music_catalog import doctor
from music_catalog.upkeep import copies
from music_catalog.upkeep.copies import COMMON, Copied, _candidates, copies_in, copies_told

RATE = 22_050


def tune(seed, seconds=8.0):
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    hz = 220.0 * 2.0 ** (random.integers(0, 24, 4 * round(seconds) + 4)[(time * 4).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return (0.2 * sum(np.sin(k * phase) / k for k in (1, 2, 3)) * np.exp(-3 * (time * 4 % 1))).astype(
        np.float32
    )


def twice(service, first, later):
    """Add two files of one piece so that both are there: the first lies in the trash meanwhile."""
    (one,) = service.add(first).files
    service.undo_add("last")
    (other,) = service.add(later).files
    service.store.tracks.restore(one.track_id)
    return one.track_id, other.track_id


@pytest.fixture
def service(prepared_here, open_service):
    return open_service()


def told(service, **asked):
    return [each for each in doctor.examine(str(service.store.home), **asked) if each.name == "copies"]


def test_a_file_that_is_there_twice_is_told_until_one_is_put_away(service, tmp_path):
    sf.write(tmp_path / "a.wav", tune(1), RATE)
    sf.write(tmp_path / "b.wav", tune(2), RATE)
    first, later = twice(service, tmp_path / "a.wav", tmp_path / "a.wav")
    service.add(tmp_path / "b.wav")
    (check,) = told(service)
    assert (check.status, check.detail) == (
        "warning",
        f"1 track is a copy of another: {later} is the same file as {first}; "
        f"`catalog rm {later}` puts it into the trash",
    )
    service.store.tracks.trash(later)
    assert told(service) == []


@pytest.mark.parametrize("form", ["mp3", "ogg"])
def test_a_recording_that_is_there_in_two_codings_is_told(service, tmp_path, form):
    for seed in (1, 2, 3):
        sf.write(tmp_path / f"{seed}.flac", tune(seed), RATE)
    sf.write(tmp_path / f"other.{form}", tune(1), RATE)
    first, later = twice(service, tmp_path / "1.flac", tmp_path / f"other.{form}")
    service.add(tmp_path / "2.flac", tmp_path / "3.flac")
    (copy,) = copies_in(service.store)
    assert copy == (later, first, False)
    assert copies_in(service.store, listen=False) == []
    assert told(service) == []
    assert [check.detail for check in told(service, deep=True)] == [copies_told([copy])]
    assert f"{later} is the same recording as {first}" in copies_told([copy])


def test_many_copies_are_told_in_steps():
    text = copies_told([Copied(f"id{number}", "first", same_file=True) for number in range(25)])
    assert text.startswith("25 tracks are copies of others: id0 is the same file as first, ")
    assert text.endswith("id19` puts these into the trash; run `catalog doctor` again then, for 5 more")
    mixed = [Copied(f"id{number}", "first", same_file=number < 5) for number in range(25)]
    assert copies_told(mixed).endswith("run `catalog doctor --deep` again then, for 5 more")


def test_frames_that_very_many_recordings_share_tell_nothing():
    random = np.random.default_rng(0)
    unlike = random.integers(1, 2**32, (COMMON + 1, 40), dtype=np.uint32)
    unlike[:, 3:8] = 7
    assert _candidates([*unlike]) == []
    assert len(_candidates([*unlike[1:]])) == COMMON * (COMMON - 1) // 2


def test_fingerprints_are_compared_a_part_of_their_time_after_another(monkeypatch):
    random = np.random.default_rng(0)
    prints = [*random.integers(1, 2**32, (500, 240), dtype=np.uint32), np.zeros(0, np.uint32)]
    # Two equal frames in one part, two in different parts, and one, which is too few.
    for first, later, equal in ((3, 400, (10, 11)), (7, 8, (0, 239)), (20, 30, (5,))):
        prints[later][[*equal]] = prints[first][[*equal]]
    at_once = _candidates(prints)
    monkeypatch.setattr(copies, "FRAMES_AT_ONCE", 5_000)
    tracemalloc.start()
    try:
        assert _candidates(prints) == at_once == [(3, 400), (7, 8)]
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # the fingerprints are 480,000 bytes
    finally:
        tracemalloc.stop()

"""Music that others made: added, known again, searched, reused, undone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import mutagen.flac
import numpy as np
import pytest
import soundfile as sf

from music_catalog.errors import InputError, NotFound, StorageError
from music_catalog.generator import audio
from music_catalog.generator.listening.fingerprint import UNSURE, Fingerprint
from music_catalog.intake import decoding, known, preparing, workers
from music_catalog.service.adding import adding, flow
from music_catalog.store import audit
from music_catalog.store.audio import beside
from music_catalog.upkeep.backup import back_up
from music_catalog.upkeep.restore import restore

RATE = 44_100
OPUS = {"format": "OGG", "subtype": "OPUS"}


def tune(seed, seconds=8.0, rate=RATE):
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    hz = 220.0 * 2.0 ** (random.integers(0, 24, 4 * round(seconds) + 4)[(time * 4).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    sound = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * np.exp(-3 * (time * 4 % 1))
    return (np.stack([sound, 0.7 * sound], axis=1) * 0.2).astype(np.float32)


@pytest.fixture
def service(prepared_here, open_service):
    """A service that prepares files in this process; tests of the processes open one that does not."""
    return open_service()


@pytest.fixture
def folder(tmp_path):
    """A folder with two pieces, a copy of each kind, and what cannot be read."""
    music = tmp_path / "beds"
    (music / "jazz").mkdir(parents=True)
    sf.write(music / "rain.flac", tune(1), RATE)
    tags = mutagen.flac.FLAC(music / "rain.flac")
    tags["title"], tags["genre"], tags["license"] = "Rainy Window", "lo-fi hip hop", "CC-BY-4.0"
    tags.save()
    sf.write(music / "rain again.mp3", tune(1), RATE)
    sf.write(music / "jazz/01 - Jo Doe - Smoky Bar.wav", tune(2), RATE)
    shutil.copy(music / "jazz/01 - Jo Doe - Smoky Bar.wav", music / "jazz/same.wav")
    (music / "broken.mp3").write_bytes(b"nonsense" * 200)
    (music / "empty.ogg").write_bytes(b"")
    (music / "notes.txt").write_text("x")
    (music / ".hidden.wav").write_bytes(b"x")
    return music


def outcomes(batch):
    return {os.path.basename(one.path): one.outcome for one in batch.files}  # noqa: PTH119


EXPECTED = {
    "broken.mp3": "failed",
    "empty.ogg": "failed",
    "rain again.mp3": "copy",
    "rain.flac": "added",
    "01 - Jo Doe - Smoky Bar.wav": "added",
    "same.wav": "present",
}


def test_a_folder_is_added_and_what_cannot_be_read_is_named(open_service, folder):
    service, told = open_service(), []
    batch = service.add(folder, license="CC0-1.0", rights="bought", tags=["beds"], on_file=told.append)
    assert outcomes(batch) == EXPECTED
    assert sorted(told, key=lambda one: one.path) == sorted(batch.files, key=lambda one: one.path)
    assert told[0].path.endswith("rain.flac")  # the better copy before the others
    reasons = {one.path.rpartition("/")[2]: one.detail for one in batch.files if one.outcome == "failed"}
    assert reasons == {
        "broken.mp3": "it is damaged, or no audio of a kind that can be read",
        "empty.ogg": "it is empty",
    }
    smoky = service.get(batch.track_ids[1])
    assert (smoky.title, smoky.model, smoky.license) == ("Smoky Bar", "Jo Doe", "CC0-1.0")
    assert (smoky.backend, smoky.ai_generated, smoky.role) == ("imported", False, "background_bed")
    assert (smoky.sample_rate, smoky.channels, smoky.quality) == (32_000, 2, "final")
    assert smoky.config["rights"] == "bought"
    assert smoky.config["folder"] == "beds/jazz"
    assert smoky.config_sources["license"] == "whoever added it"
    assert smoky.tags == ("beds",)
    assert service.store.care.check(deep=True) == []


@pytest.mark.parametrize("form", ["wav", "aiff", "mp3", "au", "w64", "ogg", "opus"])
def test_a_file_that_is_shorter_than_it_says_is_told(service, tmp_path, form):
    path = tmp_path / f"cut.{form}"
    sf.write(path, tune(3), 48_000 if form == "opus" else RATE, **OPUS if form == "opus" else {})
    (whole,) = service.add(path, dry_run=True).files
    assert (whole.outcome, whole.detail) == ("added", "")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (cut,) = service.add(path).files
    assert cut.outcome == "added"
    stated = "without its end" if form in ("ogg", "opus") else "of the 8 s that it states"
    assert cut.detail == f"cut short: it ends after {cut.duration_s:.0f} s {stated}"


def test_a_disk_that_takes_no_copy_ends_the_adding(service, tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", tune(3, 1.0), RATE)

    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(preparing, "_write_wav", write)
    with pytest.raises(
        StorageError, match=r"no copy of .*a\.wav can be written to .*: the disk is full; free some"
    ):
        service.add(tmp_path / "a.wav")


def test_samples_that_are_too_loud_are_told_without_the_name_of_a_class(service, tmp_path):
    sf.write(tmp_path / "a.wav", np.full((RATE, 1), 3e38, np.float32), RATE, subtype="FLOAT")
    (one,) = service.add(tmp_path / "a.wav").files
    assert one.outcome == "failed"
    assert "Error" not in one.detail


def test_original_bytes_are_kept_and_the_copy_has_the_loudness_of_its_role(service, folder):
    batch = service.add(folder / "jazz", license="CC0-1.0")
    track = service.get(batch.track_ids[0])
    data = (folder / "jazz/01 - Jo Doe - Smoky Bar.wav").read_bytes()
    original = service.store.home / track.original
    assert original.read_bytes() == data
    assert original.stem == hashlib.sha256(data).hexdigest() == track.config["original_sha256"]
    copy = audio.read(track.path)
    assert hashlib.sha256(track.path.read_bytes()).hexdigest() == track.audio_sha256
    assert (copy.sample_rate, copy.duration_s) == (32_000, pytest.approx(track.duration_s))
    assert audio.loudness_lufs(copy) == pytest.approx(-20.0, abs=0.1)
    assert audio.loudness_lufs(copy) == pytest.approx(track.loudness_lufs, abs=0.05)
    assert audio.true_peak_db(copy) == pytest.approx(track.true_peak_db, abs=0.05)


def test_words_of_tags_lists_and_the_caller_win_in_turn(service, folder):
    listed = folder / "list.csv"
    listed.write_text("path,title,licence,role,bpm\nrain.flac,Of the list,CC-BY-SA-4.0,narration_bed,90\n")
    (added,) = service.add(listed=listed, license="CC0-1.0").files
    track = service.get(added.track_id)
    assert (track.title, track.license, track.role) == ("Of the list", "CC-BY-SA-4.0", "narration_bed")
    assert track.config["genres"] == ["lo-fi hip hop"]
    assert track.config_sources["title"] == "the list"
    assert track.config_sources["genres"] == "its tags"
    (tagged,) = service.add(folder / "rain again.mp3").files
    assert tagged.outcome == "copy"
    assert service.undo_add("last")[0].id == track.id
    (tagged,) = service.add(folder / "rain.flac").files
    assert service.get(tagged.track_id).license == "CC-BY-4.0"


def test_the_same_call_again_adds_what_is_missing(open_service, folder, monkeypatch, request):
    service = open_service()
    inserted = service.store.tracks.insert_all

    def stop_after_one(rows, **options):
        inserted(rows, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(adding, "GROUP", 1)
    monkeypatch.setattr(service.store.tracks, "insert_all", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        service.add(folder, license="CC0-1.0")
    monkeypatch.undo()
    request.getfixturevalue("prepared_here")
    assert service.store.tracks.count() == 1
    again = service.add(folder, license="CC0-1.0")
    assert (again.count("added"), again.count("present")) == (1, 2)
    assert service.add(folder).count("added") == 0
    assert service.store.tracks.count() == 2
    assert [path.name for path in (service.store.home / "cache/adding").iterdir()] == []


def test_a_dry_run_tells_the_same_and_writes_nothing(service, folder):
    batch = service.add(folder, dry_run=True)
    assert outcomes(batch) == EXPECTED
    assert (batch.id, batch.track_ids) == ("", ())
    assert service.store.tracks.count() == 0
    assert [*service.store.audio.files()] == []
    titles = {one.title for one in batch.files if one.outcome == "added"}
    assert titles == {"Rainy Window", "Smoky Bar"}


def test_a_batch_goes_to_the_trash_as_a_whole_and_may_be_added_anew(service, folder):
    batch = service.add(folder, license="CC0-1.0")
    assert [track.id for track in service.undo_add(batch.id)] == [*batch.track_ids]
    assert service.store.tracks.count() == 0
    with pytest.raises(NotFound, match="no batch"):
        service.undo_add(batch.id)
    again = service.add(folder, license="CC-BY-4.0", role="narration_bed")
    assert again.count("added") == 2
    assert service.store.care.purge() == 2
    assert service.store.care.check(deep=True) == []
    for track_id in again.track_ids:
        assert service.get(track_id).path.is_file()
        assert (service.store.home / service.get(track_id).original).is_file()


def test_purging_moves_the_original_too(service, folder):
    batch = service.add(folder / "rain.flac", license="CC0-1.0")
    track = service.get(batch.track_ids[0])
    service.undo_add("last")
    service.store.care.purge()
    assert not (service.store.home / track.original).exists()
    assert len([*service.store.audio.files()]) == 0


def test_a_backup_has_the_originals_and_a_lost_one_is_told(service, folder, tmp_path):
    batch = service.add(folder, license="CC0-1.0")
    back_up(service.store, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    for track_id in batch.track_ids:
        original = service.get(track_id).original
        assert (tmp_path / "again" / original).read_bytes() == (service.store.home / original).read_bytes()
    (service.store.home / original).unlink()
    (problem,) = service.store.care.check()
    assert (problem.kind, problem.subject) == ("lost-original", track_id)
    assert not service.store.care.fix(problem)


def test_an_imported_track_is_found_listed_and_reused(prepared_here, open_service, folder):
    service = open_service(min_similarity=0.2)
    batch = service.add(folder, license="CC-BY-4.0")
    (hit, *_) = service.search("smoky bar", by="words")
    assert hit.track.title == "Smoky Bar"
    assert {track.id for track in service.browse("by:imported license:cc-by").tracks} == {*batch.track_ids}
    assert service.browse("license:nc").total == 0

    served = service.find_or_make(
        "Smoky Bar by Jo Doe", role="background_bed", duration_s=8.0, reuse="always"
    )
    assert served.track.id in batch.track_ids
    assert served.action == "reused"
    with pytest.raises(InputError, match="added from a file"):
        service.again(batch.track_ids[0])


def test_a_whole_piece_serves_where_nobody_asked_for_a_length(prepared_here, open_service, tmp_path):
    service = open_service(min_similarity=0.2)
    sf.write(tmp_path / "Harbour at dusk.wav", tune(3, 70.0), RATE)
    (added,) = service.add(tmp_path / "Harbour at dusk.wav", license="CC0-1.0").files
    text = "Harbour at dusk"
    assert service.find(text).track.id == added.track_id
    assert service.find(text, duration_s=20.0) is None
    assert service.find(text, role="intro_sting") is None


def test_what_a_model_made_is_marked_so(service, tmp_path):
    sf.write(tmp_path / "a.wav", tune(4), RATE)
    (tmp_path / "a_input_params.json").write_text(json.dumps({"task": "text2music", "prompt": "funk groove"}))
    (added,) = service.add(tmp_path / "a.wav", license="Apache-2.0").files
    track = service.get(added.track_id)
    assert (track.ai_generated, track.model, track.backend) == (True, "ACE-Step", "imported")
    assert "trainedAlgorithmicMedia" in track.path.with_suffix(".json").read_text()
    assert track.style == "funk_groove"


def test_an_exported_track_is_known_again(service, tmp_path):
    made = service.find_or_make("A calm evening.", duration_s=3.0, quality="preview").track
    shutil.copy(made.path, tmp_path / "out.wav")
    audio.convert(made.path, tmp_path / "out.flac", "flac")
    batch = service.add(tmp_path / "out.wav", tmp_path / "out.flac")
    assert [(one.outcome, one.track_id) for one in batch.files] == [("present", made.id), ("copy", made.id)]


def test_a_name_that_is_no_utf_8_is_read_as_latin_1(service, tmp_path):
    (tmp_path / "m").mkdir()
    sf.write(tmp_path / "a.wav", tune(8), RATE)
    os.rename(tmp_path / "a.wav", os.fsencode(tmp_path) + b"/m/caf\xe9 noir.wav")  # noqa: PTH104
    for name in ("bad.mp3", "same.mp3"):
        (tmp_path / "m" / name).write_bytes(b"nonsense" * 50)
    batch = service.add(tmp_path / "m", license="CC0-1.0")
    assert [one.outcome for one in batch.files] == ["failed", "added", "failed"]
    (track_id,) = batch.track_ids
    assert service.get(track_id).title == "café noir"


def test_a_piece_without_words_is_left_unsorted(service, tmp_path):
    sf.write(tmp_path / "Track 01.wav", tune(5), RATE)
    (added,) = service.add(tmp_path / "Track 01.wav", license="CC0-1.0").files
    track = service.get(added.track_id)
    assert (track.style, track.mood_tags, track.valence, track.energy) == ("unsorted", (), 0.0, 0.0)
    assert (track.config["style_sure"], track.config["style_by"]) == (0.0, "nothing is known of it")


def test_a_style_that_is_none_here_says_what_a_genre_says(service, tmp_path):
    sf.write(tmp_path / "a.wav", tune(6), RATE)
    (tmp_path / "list.csv").write_text("path,style,genre,license\na.wav,smooth_jazz,Smooth Jazz,CC0-1.0\n")
    (added,) = service.add(listed=tmp_path / "list.csv").files
    assert (added.style, added.genres) == ("jazz_lounge", ("Smooth Jazz",))
    (tmp_path / "list.csv").write_text("path,role\na.wav,bogus\n")
    with pytest.raises(InputError, match=r"^role in row 2 of .* is 'bogus'; .*background_bed"):
        service.add(listed=tmp_path / "list.csv")


def test_bytes_are_added_under_their_name(service, folder):
    data = (folder / "rain.flac").read_bytes()
    batch = service.add_bytes(data, "../evil/\x00rain.flac", license="CC0-1.0")
    track = service.get(batch.track_ids[0])
    assert track.title == "Rainy Window"
    assert track.config["original_name"] == "evil rain.flac"
    assert service.add_bytes(data, "x.flac").files[0].outcome == "present"


def test_a_file_that_brings_down_its_decoder_costs_that_file_alone(folder, monkeypatch):
    # The process reads its task and dies, as a decoder would in native code; the next file gets a new one.
    dies = (
        "import sys, os; line = sys.stdin.readline(); "
        "os._exit(9) if 'broken'.encode().hex() in line else None; "
        "import io; sys.stdin = io.StringIO(line + sys.stdin.read()); "
        "from music_catalog.intake.preparing import serve; serve()"
    )
    monkeypatch.setattr(workers, "_START", dies)
    monkeypatch.setattr(flow, "count_for", lambda files: 1)
    answers = {}
    with workers.Workers(1) as pool:
        tasks = [{"path": os.fsencode(folder / name).hex()} for name in ("broken.mp3",)]
        (answers["broken"],) = pool.prepare(tasks)
    assert answers["broken"] == {"failed": "its decoder died of it (exit 9); it is damaged, or far too large"}


def test_files_that_need_ffmpeg_say_so_and_are_decoded_by_it(service, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "song.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    (failed,) = service.add(tmp_path / "song.m4a").files
    assert failed.detail.startswith("m4a files need ffmpeg, which is not installed: install it")
    samples = tune(6, 6.0, 32_000)
    (tmp_path / "pcm").write_bytes(samples.tobytes())
    program = tmp_path / "bin/ffmpeg"
    program.write_text(f"#!/bin/sh\n/bin/cat '{tmp_path / 'pcm'}'\n")
    program.chmod(0o755)
    (added,) = service.add(tmp_path / "song.m4a").files
    assert (added.outcome, added.duration_s) == ("added", 6.0)
    program.write_text("#!/bin/sh\necho 'moov atom not found' >&2; exit 1\n")
    (tmp_path / "other.m4a").write_bytes(b"x" * 100)
    (failed,) = service.add(tmp_path / "other.m4a").files
    assert failed.detail == "ffmpeg cannot decode it: moov atom not found"


def test_long_audio_is_measured_from_a_file(service, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "IN_MEMORY_S", 60.0)
    with sf.SoundFile(tmp_path / "long.flac", "w", 16_000, 1, "PCM_16") as file:
        for seed in range(7):
            file.write(tune(seed, 10.0, 16_000)[:, 0])
    (added,) = service.add(tmp_path / "long.flac", license="CC0-1.0").files
    track = service.get(added.track_id)
    assert track.duration_s == pytest.approx(70.0)
    assert track.loudness_lufs == pytest.approx(-20.0, abs=0.1)
    assert service.similar(track.id, by="sound") == []


def test_two_threads_may_add_at_the_same_time(service, folder, tmp_path):
    sf.write(tmp_path / "other.wav", tune(9), RATE)
    batches = []
    threads = [
        threading.Thread(target=lambda path=path: batches.append(service.add(path, license="CC0-1.0")))
        for path in (folder / "jazz", tmp_path / "other.wav")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(batch.count("added") for batch in batches) == 2
    assert service.store.tracks.count() == 2


def added_at_once(services, batches_of, monkeypatch):
    """Return the batches of services that each look into the same catalog before any of them writes."""
    all_looked = threading.Barrier(len(services), timeout=60)

    class Known(adding.Known):
        def __init__(self, store):
            super().__init__(store)
            all_looked.wait()

    monkeypatch.setattr(adding, "Known", Known)
    with ThreadPoolExecutor(len(services)) as threads:
        return [*threads.map(batches_of, services)]


def test_a_file_that_two_calls_add_at_once_is_stored_once(service, open_service, folder, monkeypatch):
    # Two stores of one home know no more of each other than two processes do.
    services = [service, open_service()]
    paths = [folder / "rain again.mp3", folder / "rain.flac"]
    batches = added_at_once(services, lambda one: one.add(*paths, license="CC0-1.0"), monkeypatch)
    store = services[0].store
    assert store.tracks.count() == 1
    stored = {track.id: track for track in store.tracks.list()}
    assert sorted(id for batch in batches for id in batch.track_ids) == sorted(stored)
    assert [sum(batch.count(kind) for batch in batches) for kind in ("added", "present", "copy")] == [1, 1, 2]
    for one in (one for batch in batches for one in batch.files if one.outcome in ("present", "copy")):
        assert one.track_id in stored
        assert one.track_id in one.detail
    for track in stored.values():
        beside = json.loads((store.home / track.audio_path).with_suffix(".json").read_text())
        assert beside["id"] == track.id
    assert store.care.check(deep=True) == []


def test_a_recording_that_two_calls_add_at_once_in_two_codings_is_stored_once(
    service, open_service, folder, monkeypatch
):
    paths = iter((folder / "rain again.mp3", folder / "rain.flac"))
    batches = added_at_once([service, open_service()], lambda one: one.add(next(paths)), monkeypatch)
    store = service.store
    (track,) = store.tracks.list()
    files = [one for batch in batches for one in batch.files]
    assert {(one.outcome, one.track_id) for one in files} == {("added", track.id), ("copy", track.id)}
    (copy,) = (one for one in files if one.outcome == "copy")
    assert copy.detail == f"the same recording as track {track.id}, coded in another way"
    assert (copy.license in ("unknown", "CC-BY-4.0"), copy.role) == (True, "background_bed")
    assert copy.duration_s == pytest.approx(8.0, abs=0.1)
    assert (copy.style, copy.sure) == ("", None)
    # Nothing of the other is left, and both calls know the track from then on.
    names = {path.relative_to(store.home).as_posix() for path in store.audio.files()}
    assert names == {track.audio_path, track.original, *beside(track.audio_path)} & names
    assert store.care.check(deep=True) == []


def test_the_better_of_two_copies_is_kept_and_the_other_names_it(service, tmp_path):
    (tmp_path / "Jazz").mkdir()
    sf.write(tmp_path / "a copy.ogg", tune(1), RATE)
    sf.write(tmp_path / "Jazz/lounge.flac", tune(1), RATE)
    sf.write(tmp_path / "a.wav", tune(2), RATE)
    shutil.copy(tmp_path / "a.wav", tmp_path / "Jazz/03 - Jo Doe - Rainy Bar.wav")
    for dry_run in (True, False):
        by_name = {one.path.rpartition("/")[2]: one for one in service.add(tmp_path, dry_run=dry_run).files}
        outcomes = {name: one.outcome for name, one in by_name.items()}
        assert outcomes == {
            "a copy.ogg": "copy",
            "lounge.flac": "added",
            "a.wav": "present",
            "03 - Jo Doe - Rainy Bar.wav": "added",
        }
        assert f"the same recording as {tmp_path}/Jazz/lounge.flac" in by_name["a copy.ogg"].detail
        assert f"the same file as {tmp_path}/Jazz/03 - Jo Doe - Rainy Bar.wav" in by_name["a.wav"].detail
    assert by_name["a copy.ogg"].track_id == by_name["lounge.flac"].track_id
    assert by_name["a.wav"].detail.endswith(f"track {by_name['a.wav'].track_id}")


def test_bytes_that_two_threads_add_at_once_for_other_roles_are_stored_once(service, folder, monkeypatch):
    data, roles = (folder / "rain.flac").read_bytes(), iter(("background_bed", "narration_bed"))
    batches = added_at_once(
        [service] * 2, lambda one: one.add_bytes(data, "x.flac", role=next(roles)), monkeypatch
    )
    (track,) = service.store.tracks.list()
    (present,) = (one for batch in batches for one in batch.files if one.outcome == "present")
    assert (present.track_id, present.detail) == (track.id, f"the same file as track {track.id}")
    assert (service.store.home / track.original).read_bytes() == data
    assert service.store.care.check(deep=True) == []


def test_what_another_call_added_meanwhile_is_told_by_its_bytes_with_the_cache_kept(
    service, open_service, tmp_path, monkeypatch
):
    for number in range(3):
        sf.write(tmp_path / f"{number}.wav", tune(number), RATE)
    service.add(tmp_path / "0.wav")
    service.add(tmp_path / "1.wav")  # reads the fingerprints
    cache = service.store.home / "cache" / known.CACHE
    known._write_cache(service.store, known_prints(service))
    before, others = cache.read_bytes(), open_service()
    take = flow._taken

    def taken_late(adding, *arguments):
        monkeypatch.setattr(flow, "_taken", take)
        others.add(tmp_path / "2.wav")
        cache.write_bytes(before)
        newer = adding.known.newer([])
        monkeypatch.setattr(known, "_read_cache", None)
        assert (
            newer.of_sound(Fingerprint(np.ones(40, np.uint32), np.zeros((40, UNSURE), np.uint8)), 8.0) is None
        )
        adding.known.take(newer)
        return take(adding, *arguments)

    monkeypatch.setattr(flow, "_taken", taken_late)
    (present,) = service.add(tmp_path / "2.wav").files
    assert present.outcome == "present"
    assert present.detail == f"the same file as track {present.track_id}"
    assert cache.read_bytes() == before


def test_forgetting_files_reads_the_rows_that_name_them_alone(service, folder, monkeypatch):
    batch = service.add(folder / "rain.flac", folder / "jazz", license="CC0-1.0")
    store = service.store
    kept, other = (service.get(track_id) for track_id in batch.track_ids)
    path, *_ = store.audio.put(b"of nobody")
    store.audio.put_sidecar(path, {})
    read = []
    monkeypatch.setattr(
        audit, "_named", lambda rows, named=audit._named: read.append(len(rows)) or named(rows)
    )
    # The original of one is named by a record alone.
    store.care.forget_files([kept.model_copy(update={"audio_path": path})])
    store.care.forget_files([])
    assert read == [1]
    assert not [name for name in (path, *beside(path)) if (store.home / name).exists()]
    assert all((store.home / name).exists() for name in (kept.audio_path, kept.original, other.original))
    assert store.care.check(deep=False) == []


def known_prints(service):
    tracks = service.store.tracks.list()
    return {track.id: service.store.audio.print_at(track.audio_path) for track in tracks}


def test_a_longer_copy_of_what_is_cut_short_is_added_too(service, tmp_path):
    sf.write(tmp_path / "a.wav", tune(3, 12.0), RATE)
    for name in ("b.mp3", "c.ogg"):
        sf.write(tmp_path / name, tune(3, 12.0), RATE)
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: len(data) * 3 // 4])
    for dry_run in (True, False):
        batch = service.add(tmp_path, dry_run=dry_run)
        by_name = {one.path.rpartition("/")[2]: one for one in batch.files}
        assert by_name["a.wav"].detail == "cut short: it ends after 9 s of the 12 s that it states"
        kept, dropped = ("b.mp3", "c.ogg") if by_name["b.mp3"].outcome == "added" else ("c.ogg", "b.mp3")
        assert outcomes(batch) == {"a.wav": "added", kept: "added", dropped: "copy"}
        assert by_name[kept].detail.startswith(f"a longer copy of {tmp_path}/a.wav")
        assert by_name[kept].detail.endswith(", which is cut short")
        assert f"the same recording as {tmp_path}/{kept}" in by_name[dropped].detail
    assert by_name[dropped].track_id == by_name[kept].track_id


@pytest.mark.parametrize(("kind", "said"), [("fifo", "a pipe"), ("device", "a device"), ("dir", "a folder")])
def test_what_is_no_file_is_refused_and_never_read(service, folder, tmp_path, kind, said):
    place = tmp_path / "f.wav"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        place.mkdir()
    if kind != "dir":
        with pytest.raises(InputError, match=f"f.wav is {said}; name a file or a folder"):
            service.add(place)
    (tmp_path / "list.csv").write_text(f"path,title\nf.wav,T\n{folder / 'rain.flac'},R\n")
    assert not service.states_licenses(listed=tmp_path / "list.csv")
    refused, added = service.add(listed=tmp_path / "list.csv").files
    assert (refused.outcome, added.outcome) == ("failed", "added")
    assert refused.detail == f"it is {said}, and only files can be added"


def test_half_a_flac_is_told_in_plain_words(service, tmp_path):
    sf.write(tmp_path / "a.flac", tune(5), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    (failed,) = service.add(tmp_path / "a.flac").files
    assert failed.detail.startswith("it is damaged: it breaks off after ")
    assert "Error" not in failed.detail


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "s3://nobucket/x",
            "^s3://nobucket/x is an address, and audio of another catalog is added by a list",
        ),
        (
            "https://example.org/a.mp3",
            "^https://example.org/a.mp3 is an address on the web; download it first",
        ),
    ],
)
def test_an_address_in_place_of_a_file_is_shown_as_it_was_given(service, address, said):
    with pytest.raises(InputError, match=said):
        service.add(address)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"role": "bed"}, "role 'bed' is unknown; did you mean"),
        ({"style": "jazz"}, "style 'jazz' is unknown"),
        ({"licence": "x"}, "unknown option 'licence'; did you mean license"),
    ],
)
def test_options_that_cannot_be_used_are_refused(service, folder, options, said):
    with pytest.raises(InputError, match=said):
        service.add(folder, **options)


def test_what_does_not_exist_is_refused(service, tmp_path):
    with pytest.raises(NotFound, match="no file or folder"):
        service.add(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nothing is named"):
        service.add()


def test_silence_is_no_music(service, tmp_path):
    sf.write(tmp_path / "Calm piano.wav", np.zeros((2 * RATE, 2)), RATE)
    sf.write(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-1e-4, 1e-4, 2 * RATE), RATE)
    late = np.zeros((8 * RATE, 2), np.float32)
    late[-RATE:] = tune(3, 1.0)
    sf.write(tmp_path / "Late.wav", late, RATE)
    batch = service.add(tmp_path)
    assert outcomes(batch) == {"Late.wav": "added", "Calm piano.wav": "failed", "noise.wav": "failed"}
    assert {one.detail for one in batch.files if one.outcome == "failed"} == {
        "it is silent: nothing in it is louder than -70 dBFS"
    }


def test_rows_are_read_again_only_where_others_have_changed_the_table(
    service, open_service, tmp_path, monkeypatch
):
    for number in range(5):
        sf.write(tmp_path / f"{number}.wav", tune(number), RATE)
    service.add(tmp_path / "4.wav")
    monkeypatch.setattr(adding, "GROUP", 1)
    tracks, others = service.store.tracks, open_service()
    reads, columns, take = [], tracks.columns, flow._taken

    def counted(names):
        reads.append(names)
        return columns(names)

    def taken_late(adding, one, *arguments):
        if one.path.name == "2.wav":
            others.rate(others.store.tracks.list()[0].id, 4)
        return take(adding, one, *arguments)

    monkeypatch.setattr(tracks, "columns", counted)
    assert service.add(*(tmp_path / f"{number}.wav" for number in range(2))).count("added") == 2
    assert len(reads) == 1  # at the beginning
    monkeypatch.setattr(flow, "_taken", taken_late)
    assert service.add(*(tmp_path / f"{number}.wav" for number in range(2, 4))).count("added") == 2
    assert len(reads) == 3  # at the beginning, and since the rating

"""A catalog on an object store: everything that is done with one in a folder, and what only replicas do."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time

import pytest
import soundfile
from fake_s3 import BUCKET, object_server
from fakes import WordHashEncoder
from homes import a_record, open_store

from music_catalog import MusicService
from music_catalog.disk.remote import table
from music_catalog.disk.remote.maintenance import ObjectMaintenance
from music_catalog.errors import Damage, EncoderMismatch, InputError, NotFound, StorageError
from music_catalog.models import Filter
from music_catalog.store.homes import remote_audio, remote_log
from music_catalog.store.store import Store

HOME = f"s3://{BUCKET}/home"
RAIN = "Rain falls on the quiet harbour at night"
BATTLE = "A battle rages among burning castles, swords clash"
SHORT = {"backend": "procedural", "duration_s": 1}


def test_a_track_is_made_found_and_served_by_another_replica(replica):
    first, second = replica(), replica()
    made = first.find_or_make(RAIN, **SHORT)
    assert made.action == "generated"
    assert first.find_or_make(RAIN, **SHORT).track.id == made.track.id
    second.store.tracks.table.durable.refresh()
    again = second.find_or_make(RAIN, **SHORT)
    assert (again.action, again.track.id) == ("reused", made.track.id)
    assert again.path != made.path
    assert again.path.read_bytes() == made.path.read_bytes()
    assert len(soundfile.read(io.BytesIO(again.path.read_bytes()))[0]) > 0
    close = second.find_or_make(f"{RAIN}, slowly", **SHORT)
    assert (close.action, close.track.id) == ("reused", made.track.id)


def test_what_is_done_with_a_catalog_is_done_with_a_remote_one(replica):
    service = replica()
    made = service.find_or_make(RAIN, **SHORT)
    other = service.find_or_make(BATTLE, **SHORT)
    assert {hit.track.id for hit in service.search("harbour", by="words")} == {made.track.id}
    assert service.search("rain")[0].track.id == made.track.id
    assert service.browse("").total == 2
    assert service.rate(made.track.id, 4, request_id=made.request_id).rating == 4
    service.reject(other.track.id)
    assert service.find_or_make(BATTLE, **SHORT).track.id != other.track.id
    service.store.tracks.trash(other.track.id)
    with pytest.raises(NotFound):
        service.get("none")
    service.store.tracks.restore(other.track.id)
    service.store.tracks.trash(other.track.id)
    assert service.store.care.purge() == 1
    assert service.browse("").total == 2
    assert [line.action for line in service.store.requests.list()].count("generated") == 3
    assert service.statistics().made == 3
    assert service.tracks_table().count_rows() == 2
    service.store.care.compact()
    stats = service.store.care.stats()
    assert (stats["rows"], stats["requests"], stats["audio_files"]) == (2, 3, 3)
    assert any(blob.path.startswith("lost/purged-") for blob in service.store.blobs.list())


def test_a_purge_reads_no_row_that_stays(replica, monkeypatch):
    service = replica()
    going, _ = (service.find_or_make(text, **SHORT).track for text in (RAIN, BATTLE))
    service.store.tracks.trash(going.id)
    table, read = service.store.tracks.table, []
    rows_of = table.read

    def noting(*args, **options):
        rows = rows_of(*args, **options)
        read.extend(row["id"] for row in rows)
        return rows

    monkeypatch.setattr(table, "read", noting)
    assert service.store.care.purge() == 1
    assert read == [going.id]


def test_a_home_is_found_again_and_only_made_where_that_is_asked(replica):
    with pytest.raises(NotFound, match=f"there is no catalog in {HOME}"):
        replica(create=False)
    made = replica().find_or_make(RAIN, **SHORT)
    assert replica(create=False).get(made.track.id).id == made.track.id


def test_a_store_that_ignores_conditions_is_refused_at_the_first_opening(monkeypatch, tmp_path):
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path))
    with object_server(monkeypatch, ignores_conditions=True) as careless:
        with pytest.raises(StorageError, match="ignores the conditions"):
            Store.open(HOME)
        assert not careless.objects


def test_the_home_of_another_encoder_is_told(replica):
    replica().find_or_make(RAIN, **SHORT)
    other = WordHashEncoder()
    other.identity = "another/32"
    with pytest.raises(EncoderMismatch, match="another/32"):
        replica(encoder=other).find_or_make("something else", **SHORT)


def test_rows_that_two_replicas_change_at_once_keep_both_changes(replica):
    services = [replica(), replica()]
    track = services[0].find_or_make(RAIN, **SHORT).track
    services[1].store.tracks.table.durable.refresh()

    def add_tags(service, names):
        for name in names:
            service.store.tracks.change(track.id, lambda known, name=name: {"tags": (*known.tags, name)})

    threads = [
        threading.Thread(target=add_tags, args=(service, [f"{place}-{number}" for number in range(4)]))
        for place, service in enumerate(services)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services[0].store.tracks.table.durable.refresh()
    assert len(services[0].get(track.id).tags) == 8


def test_simultaneous_callers_on_several_machines_get_one_generation(replica):
    services, answers = [replica() for _ in range(3)], []

    def ask(service):
        answers.append(service.find_or_make(RAIN, **SHORT))

    threads = [threading.Thread(target=ask, args=(service,)) for service in services for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.action for answer in answers) == ["generated"] + ["reused"] * 5
    assert len({answer.track.id for answer in answers}) == 1
    assert all(answer.path.is_file() for answer in answers)


def test_a_maker_that_was_frozen_serves_the_track_of_the_next_one(replica, monkeypatch):
    monkeypatch.setattr("music_catalog.objects.lease.LEASE_S", 0.3)
    monkeypatch.setattr("music_catalog.objects.lease._Lease.keep_renewed", lambda lease: None)
    frozen, awake, made = replica(), replica(), []
    put = frozen.store.audio.put

    def put_late(data, **options):
        made.append(awake.find_or_make(RAIN, **SHORT))
        return put(data, **options)

    monkeypatch.setattr(frozen.store.audio, "put", put_late)
    late = frozen.find_or_make(RAIN, **SHORT)
    assert made[0].action == "generated"
    assert (late.action, late.track.id) == ("reused", made[0].track.id)
    assert late.track == frozen.get(late.track.id)
    assert frozen.store.tracks.count() == 1


def test_a_second_take_is_another_track(replica):
    service = replica()
    tracks = {service.generate(RAIN, **SHORT).track.id for _ in range(2)}
    tracks |= {service.generate(RAIN, seed=7, **SHORT).track.id for _ in range(2)}
    assert len(tracks) == 4


def test_readers_see_the_commits_of_others_in_time(replica, monkeypatch):
    writer, reader = replica(), replica()
    writer.find_or_make(RAIN, **SHORT)
    monkeypatch.setattr(table, "STALE_S", 0.0)
    assert reader.browse("").total == 1
    monkeypatch.setattr(table, "STALE_S", 1e9)
    reader.browse("")
    writer.find_or_make(BATTLE, **SHORT)
    assert reader.browse("").total == 1
    assert reader.find_or_make(BATTLE, **SHORT).action == "reused"  # the claim looks it up


def test_lines_of_the_log_go_in_together(replica, monkeypatch, server):
    monkeypatch.setattr(remote_log, "GROUPED_S", 3600.0)
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    service.store.requests.list()
    versions = service.store.requests.table.durable.head()
    for _ in range(5):
        service.find_or_make(RAIN, **SHORT)
    assert service.store.requests.version == versions
    assert service.store.requests._table.durable.head() == versions
    assert len(service.history()) == 6
    assert service.store.requests._table.durable.head() == versions + 1


@pytest.mark.cluster
def test_lines_of_the_log_outlive_a_store_that_is_away(replica, monkeypatch, server, caplog):
    monkeypatch.setattr(remote_log, "GROUPED_S", 3600.0)
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    server.refusal = 403, "AccessDenied"
    monkeypatch.setattr(table, "STALE_S", 0.0)
    with pytest.raises(StorageError, match="no permission"):
        service.history()
    assert "lines of the log wait" in caplog.text
    server.refusal = None
    assert len(service.history()) == 1


@pytest.mark.parametrize("error", [StorageError("it is away"), KeyError("odd")])
def test_the_log_pauses_after_a_failure_and_loses_no_line(replica, monkeypatch, error):
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    requests = service.store.requests
    (line,) = service.store.requests.list()
    monkeypatch.setattr(remote_log, "GROUPED_LINES", 1)
    tries = []

    def failing(*_, **__):
        tries.append(1)
        raise error

    with monkeypatch.context() as away:
        away.setattr(requests._table, "append_all", failing)
        requests.append(line.model_copy(update={"id": "b" * 16}))
        time.sleep(0.5)
        assert len(tries) == 1
        assert requests._thread.is_alive()
    assert len(service.history()) == 2


def test_lines_of_the_log_are_written_at_the_end_of_a_program_that_closes_nothing(replica):
    service = replica()
    made = service.generate(RAIN, **SHORT).track
    service.reject(made.id)
    lines = len(service.store.requests.list())
    program = f"""
from fakes import WordHashEncoder
from music_catalog import MusicService
service = MusicService.open({HOME!r}, encoder=WordHashEncoder(), min_similarity=0.55)
requests = service.store.requests
(line,) = requests.list(limit=1)
requests.append(line.model_copy(update={{"id": "last"}}))
for table in service.store.tracks.table.durable.beside:
    table._looked_at = float("-inf")  # as after a generation, which takes longer than they count
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    service.store.requests._table.durable.refresh()
    assert len(service.store.requests.list()) == lines + 1


def test_lines_of_the_log_that_are_dropped_are_told(replica, monkeypatch, caplog):
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    requests = service.store.requests
    (line,) = service.store.requests.list()
    monkeypatch.setattr(remote_log, "GROUPED_S", 3600.0)
    monkeypatch.setattr(remote_log, "MOST_WAITING", 2)

    def failing(*_, **__):
        raise StorageError("it is away")

    with monkeypatch.context() as away:
        away.setattr(requests._table, "append_all", failing)
        for number in range(5):
            requests.append(line.model_copy(update={"id": f"{number:016x}"}))
        requests._write_waiting()
    assert "3 lines of the log are lost" in caplog.text
    assert len(service.history()) == 3


def test_lines_that_wait_when_the_catalog_is_closed_are_told_as_lost(home, caplog, monkeypatch):
    monkeypatch.setattr(remote_log, "GROUPED_S", 3600.0)
    store = open_store(home)

    def failing(*_, **__):
        raise StorageError("it is away")

    monkeypatch.setattr(store.requests._table, "append_all", failing)
    store.requests.append(a_record("a" * 16))
    store.close()
    assert "1 lines of the log go with this process" in caplog.text


def test_a_line_that_no_row_can_hold_is_refused_and_holds_up_no_other(replica):
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    (line,) = service.store.requests.list()
    dimension = service.store.requests._table.dimension
    with pytest.raises(InputError, match="finite"):
        service.store.requests.append(line, [float("nan")] * dimension)
    service.store.requests.append(line)
    assert len(service.history()) == 2


def test_a_request_with_many_lines_has_only_those_read_that_are_asked_for(replica, monkeypatch):
    monkeypatch.setattr(remote_log, "FEW_LINES", 3, raising=False)
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    requests = service.store.requests
    (line,) = service.store.requests.list()
    for number in range(7):
        requests.append(line.model_copy(update={"id": f"{number:016x}"}))
    requests._write_waiting()
    table, rows = requests._table.durable, []
    query = table.query

    def noting(build, asked=None):
        found = query(build, asked)
        rows.append(found.num_rows)
        return found

    monkeypatch.setattr(table, "query", noting)
    assert requests.count(line.key) == 8
    assert len(requests.list(key=line.key, limit=2)) == 2
    assert len(requests.list(key=line.key, limit=2, answered=True)) == 2
    assert max(rows) == 3
    assert len(requests.list(key=line.key)) == 8


def test_audio_that_is_gone_or_altered_is_not_served(replica, server):
    service = replica()
    made = service.find_or_make(RAIN, **SHORT)
    (key,) = [key for key in server.objects if key.endswith(".wav")]
    for content in (b"RIFF", None):
        other = replica()
        server.objects.pop(key)
        if content:
            server.objects[key] = content
        with pytest.raises(Damage, match="not served"):
            other.store.audio.verified_path(made.track)
        assert other.find_or_make(RAIN, **SHORT).track.id != made.track.id
        server.objects[key] = made.path.read_bytes()


def test_audio_that_was_put_back_is_served_again(replica, server, monkeypatch):
    service, other = replica(), replica()
    made = service.find_or_make(RAIN, **SHORT)
    (key,) = [key for key in server.objects if key.endswith(".wav")]
    whole = server.objects.pop(key)
    audio, tracks = other.store.audio, other.store.tracks
    tracks.table.durable.refresh()
    with pytest.raises(Damage, match="not served"):
        audio.verified_path(made.track)
    server.requests.clear()
    assert not audio.exists(made.track)
    assert not server.requests  # it was missed just now
    monkeypatch.setattr(remote_audio, "STALE_S", 0.0)
    assert not audio.exists(made.track)
    server.objects[key] = whole
    assert audio.exists(made.track)
    assert other.find_or_make(RAIN, **SHORT).track.id == made.track.id


def test_audio_that_is_read_again_is_no_longer_held_for_gone(replica, server):
    other = replica()
    made = replica().find_or_make(RAIN, **SHORT)
    (key,) = [key for key in server.objects if key.endswith(".wav")]
    whole = server.objects.pop(key)
    with pytest.raises(Damage, match="not served"):
        other.store.audio.verified_path(made.track)
    server.objects[key] = whole
    assert other.store.audio.verified_path(made.track).is_file()
    assert other.store.audio.exists(made.track)


def test_a_track_whose_audio_is_gone_is_not_taken_out_of_the_trash(replica, server):
    made = replica().find_or_make(RAIN, **SHORT)
    other = replica()
    other.store.tracks.trash(made.track.id)
    (key,) = [key for key in server.objects if key.endswith(".wav")]
    whole = server.objects.pop(key)
    with pytest.raises(Damage, match="cannot be restored"):
        other.store.tracks.restore(made.track.id)
    server.objects[key] = whole
    assert other.store.tracks.restore(made.track.id).state == "ready"


def test_the_cache_of_audio_is_bounded(replica, monkeypatch):
    service = replica()
    tracks = [service.generate(RAIN, **SHORT).track for _ in range(3)]
    audio = service.store.audio
    monkeypatch.setenv("CATALOG_CACHE_MB", "0")
    audio._bound()
    assert all(audio.path_of(track).is_file() for track in tracks)  # a caller may have its path yet
    monkeypatch.setattr("music_catalog.store.homes.remote_audio.KEPT_S", -60.0)
    audio._bound()
    assert not any(audio.path_of(track).is_file() for track in tracks)
    # What comes into the cache sometimes bounds it, and stays itself.
    monkeypatch.setattr("music_catalog.store.homes.remote_audio.KEPT_S", 600.0)
    assert all(audio.verified_path(track).is_file() for track in tracks)


def test_audio_that_was_just_served_stays_in_the_cache(replica, monkeypatch):
    service = replica()
    served, other = (service.generate(RAIN, **SHORT).track for _ in range(2))
    audio = service.store.audio
    for track in (served, other):
        os.utime(audio.path_of(track), (time.time() - 3000.0,) * 2)
    monkeypatch.setenv("CATALOG_CACHE_MB", "0")
    path = audio.verified_path(served)
    audio._bound()
    assert path.is_file()
    assert not audio.path_of(other).is_file()


def test_temporary_files_of_processes_that_died_leave_the_cache(replica):
    service = replica()
    folder = service.find_or_make(RAIN, **SHORT).path.parent
    old, new = folder / ".tmp-1-old", folder / ".tmp-2-new"
    for path in (old, new):
        path.write_bytes(b"RIFF")
    os.utime(old, (time.time() - 7200.0,) * 2)
    service.store.audio._bound()
    assert (old.exists(), new.exists()) == (False, True)


def test_the_configuration_of_the_home_reaches_every_replica(replica, server):
    replica()
    server.objects["home/catalog.yaml"] = b"musicgen:\n  check:\n    retakes: 3\n"
    assert replica().library.check.retakes == 3
    del server.objects["home/catalog.yaml"]
    assert replica().library.check.retakes == 1


def test_a_configuration_that_was_mended_in_the_bucket_is_taken(server, tmp_path, monkeypatch):
    with MusicService.open(HOME, encoder=WordHashEncoder()) as service:
        (service.store.home / "catalog.yaml").write_text("musicgen: [")
    server.objects["home/catalog.yaml"] = b"musicgen:\n  check:\n    retakes: 3\n"
    with MusicService.open(HOME, encoder=WordHashEncoder()) as service:
        assert service.library.check.retakes == 3


def test_an_address_that_nobody_knows_is_refused(replica):
    with pytest.raises(InputError, match="no place for a catalog"):
        replica("ftp://host/folder")


@pytest.mark.cluster
def test_a_search_that_uses_an_index_finds_what_no_index_has_yet(replica, monkeypatch):
    """Against a home in which nothing is indexed: the same tracks with the same scores."""
    service = replica()
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.LEAST_VECTORS", 2)
    monkeypatch.setattr("music_catalog.store.schema.FAR_ROWS", 2)
    texts = [
        f"{scene} number {number}" for number, scene in enumerate([RAIN, BATTLE, "Snow in the valley"] * 3)
    ]
    for text in texts[:6]:
        service.generate(text, **SHORT)
    exact = dict(_scores(service))
    service.store.care.compact()
    table = service.store.tracks.table.durable
    assert table.unindexed("vector") == []
    assert dict(_scores(service)) == pytest.approx(exact, abs=1e-5)
    new = [service.generate(text, **SHORT).track for text in texts[6:]]
    service.rate(new[0].id, 5)
    assert len(table.unindexed("vector")) == 3
    found = dict(_scores(service))
    assert found.keys() == exact.keys() | {track.id for track in new}
    rated = service.store.tracks.search(service.embed(RAIN), Filter(min_rating=5))
    assert [track.id for track, _ in rated] == [new[0].id]
    service.store.tracks.trash(new[0].id)
    assert new[0].id not in dict(_scores(service))


@pytest.mark.cluster
def test_rows_that_come_while_indexes_are_made_are_found(replica, monkeypatch):
    service, table_of = replica(), lambda store: store.tracks.table.durable
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.LEAST_VECTORS", 2)
    monkeypatch.setattr("music_catalog.store.schema.FAR_ROWS", 2)
    texts = [f"{scene} number {number}" for number, scene in enumerate([RAIN, BATTLE] * 2)]
    for text in texts:
        service.generate(text, **SHORT)
    care = service.store.care
    make, other = ObjectMaintenance._make, replica()
    came = []

    def make_and_add(self, table, column, kind):
        make(self, table, column, kind)
        if table.name == "tracks" and column in ("state", "vector"):
            came.append(other.generate(f"{RAIN} beside {column}", **SHORT).track.id)

    monkeypatch.setattr(ObjectMaintenance, "_make", make_and_add)
    care.compact()
    table_of(service.store).refresh()
    found = {track.id for track, _ in service.store.tracks.search(service.embed(RAIN), limit=50)}
    assert len(came) == 2
    assert found == {track.id for track in service.store.tracks.list()}


@pytest.mark.parametrize("overtaken", [1, 10])
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.cluster
def test_a_search_that_a_commit_overtakes_begins_again(replica, monkeypatch, overtaken, compacted):
    """The row that was found is written elsewhere before it is read: once, or each time the search begins."""
    service = replica()
    track, other = (service.find_or_make(text, **SHORT).track for text in (RAIN, BATTLE))
    before = dict(_scores(service))
    table, ratings = service.store.tracks.table.durable, []
    query = table.query

    def overtaking(build, asked=None):
        found = query(build, asked)
        if "_distance" in found.column_names and len(ratings) < overtaken:
            ratings.append(service.rate(track.id, 1 + len(ratings) % 5).rating)
            if compacted:
                service.store.care.compact()
            table._rows.clear()  # as in a replica that has not read them
        return found

    monkeypatch.setattr(table, "query", overtaking)
    found = dict(_scores(service))
    assert ratings
    assert other.id in found or (compacted and overtaken > 1)  # a compaction moves it too
    if overtaken == 1:
        assert found == pytest.approx(before, abs=1e-5)


def test_what_lance_raises_while_it_counts_is_told(replica, monkeypatch):
    service = replica()
    service.find_or_make(RAIN, **SHORT)
    table = service.store.tracks.table.durable

    def failing(*_):
        raise RuntimeError("lance error: no answer")

    for name in ("count_rows", "stats"):
        monkeypatch.setattr(table.table, name, failing)
    maintenance = service.store.care._maintenance
    for ask in (
        lambda: maintenance.compact_table(table),
        lambda: maintenance.warm(table),
        lambda: maintenance.remake_index(table, "vector"),
        table.size_bytes,
    ):
        with pytest.raises(StorageError, match="tracks"):
            ask()


def _scores(service):
    scored = service.store.tracks.search(service.embed(RAIN), limit=20)
    return [(track.id, score) for track, score in scored]

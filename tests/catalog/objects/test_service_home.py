"""A catalog whose tables are in a database of LanceDB's service and whose audio is on SeaweedFS.

The service is pylance's REST server (see tests/rest_tables.py); LanceDB Cloud itself is nowhere tried.
"""

from __future__ import annotations

import logging
import threading
import traceback

import pytest
from command_line import data, run
from fakes import WordHashEncoder
from object_servers import free_ports, start_tables
from rest_tables import API_KEY

from music_catalog import MusicService
from music_catalog.errors import Damage, InputError, NotFound, StorageError
from music_catalog.models import Filter
from music_catalog.objects.address import parse_address
from music_catalog.objects.blobs import Blobs
from music_catalog.store.homes import remote_log
from music_catalog.store.homes.purged import Purged

RAIN = "Rain falls on the quiet harbour at night"
BATTLE = "A battle rages among burning castles, swords clash"
SHORT = {"backend": "procedural", "duration_s": 1}


@pytest.fixture
def home(seaweed, tables):
    return f"{tables.database()}?blobs={seaweed.address()}"


def test_what_is_done_with_a_catalog_is_done_with_one_of_a_service(replica, home):
    service, second = replica(), replica()
    made = service.find_or_make(RAIN, **SHORT)
    assert made.action == "generated"
    assert service.find_or_make(RAIN, **SHORT).track.id == made.track.id
    near = second.find_or_make(f"{RAIN}, slowly", **SHORT)
    assert (near.action, near.track.id) == ("reused", made.track.id)
    assert near.path != made.path
    assert near.path.read_bytes() == made.path.read_bytes()
    other = service.find_or_make(BATTLE, **SHORT)
    assert {hit.track.id for hit in service.search("harbour", by="words")} == {made.track.id}
    assert service.search("rain")[0].track.id == made.track.id
    rated = service.rate(made.track.id, 4, request_id=made.request_id)
    assert (rated.rating, service.store.tracks.update(made.track.id, tags=["mine"]).tags) == (4, ("mine",))
    found = service.store.tracks.search(service.embed(BATTLE), Filter(min_rating=4))
    assert [track.id for track, _ in found] == [made.track.id]
    service.reject(other.track.id)
    third = service.find_or_make(BATTLE, **SHORT)
    assert third.track.id != other.track.id
    newest_last = [made.track.id, other.track.id, third.track.id]
    listed = [track.id for track in service.store.tracks.list(order="created_at")]
    assert listed == newest_last  # the server ignores an order
    assert [track.id for track in service.store.tracks.list(limit=1, offset=1)] == [other.track.id]
    service.store.tracks.trash(other.track.id)
    assert service.store.tracks.restore(other.track.id).state == "ready"
    service.store.tracks.trash(other.track.id)
    assert service.store.care.purge() == 1
    left = Purged(service.store.blobs, service.store.tracks.table)
    paths = {track.audio_path for track in (made.track, other.track, third.track)}
    assert left._named(paths) == paths - {other.track.audio_path}
    assert service.browse("").total == 2
    with pytest.raises(NotFound):
        service.get(other.track.id)
    assert [line.action for line in service.store.requests.list(limit=2)] == ["generated"] * 2
    assert service.statistics().made == 3
    service.store.care.compact()
    stats = service.store.care.stats()
    assert (stats["rows"], stats["requests"], stats["judgements"], stats["audio_files"]) == (2, 5, 2, 3)
    assert service.store.address == home
    assert not any(blob.path.startswith("lance/") for blob in service.store.blobs.list())
    for refused in (
        service.tracks_table,
        service.store.care.check,
        lambda: service.store.care.reembed(len, "x"),
    ):
        with pytest.raises(InputError, match="not offered for db://"):
            refused()


def test_simultaneous_callers_of_a_service_get_one_generation_and_keep_all_changes(replica):
    services, answers = [replica() for _ in range(2)], []

    in_threads(lambda service: answers.append(service.find_or_make(RAIN, **SHORT)), services * 2)
    assert sorted(answer.action for answer in answers) == ["generated"] + ["reused"] * 3
    (track_id,) = {answer.track.id for answer in answers}

    def add_tags(service):
        for number in range(3):
            name = f"{services.index(service)}-{number}"
            service.store.tracks.change(track_id, lambda known, name=name: {"tags": (*known.tags, name)})

    in_threads(add_tags, services)
    services[0].store.tracks.table.durable.refresh()
    assert len(services[0].get(track_id).tags) == 6
    assert services[1].store.tracks.count() == 1


def test_a_maker_that_lost_its_claim_serves_the_row_of_the_next_one(replica, monkeypatch):
    monkeypatch.setattr("music_catalog.objects.lease.LEASE_S", 0.3)
    monkeypatch.setattr("music_catalog.objects.lease._Lease.keep_renewed", lambda lease: None)
    frozen, awake, made = replica(), replica(), []
    put = frozen.store.audio.put

    def put_late(data, **options):
        made.append(awake.find_or_make(RAIN, **SHORT))
        return put(data, **options)

    monkeypatch.setattr(frozen.store.audio, "put", put_late)
    late = frozen.find_or_make(RAIN, **SHORT)
    assert (made[0].action, late.action) == ("generated", "reused")
    assert late.track == made[0].track
    assert frozen.store.tracks.count() == 1


def test_a_write_whose_answer_is_lost_is_done_once(replica, tables, monkeypatch):
    monkeypatch.setattr(remote_log, "GROUPED_S", 3600.0)
    service = replica()
    tables.tell("lose", "merge_insert")
    made = service.find_or_make(RAIN, **SHORT)
    assert (made.action, service.store.tracks.count()) == ("generated", 1)
    assert tables.tell("lose", "merge_insert") == ""
    assert service.store.tracks.update(made.track.id, note="kept").note == "kept"
    assert service.store.requests.count(made.track.key) == 1
    service.find_or_make(RAIN, **SHORT)
    assert tables.tell("lose", "merge_insert insert") == ""
    assert [line.action for line in service.store.requests.list()] == ["reused", "generated"]
    assert tables.tell("lose", "") == "insert"  # lines are merged, so that they may be sent twice
    assert len(service.store.requests.list()) == 2


def test_what_keeps_a_service_from_serving_is_told_in_a_sentence_without_the_key(
    home, seaweed, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    wrong, seen = "a-wrong-but-secret-key", []
    (port,) = free_ports(1)
    cases = (
        ({"LANCEDB_API_KEY": ""}, home, "needs an API key; set LANCEDB_API_KEY"),
        ({"LANCEDB_API_KEY": wrong}, home, "the API key is not right; check LANCEDB_API_KEY"),
        ({}, f"db://unknown?blobs={seaweed.address()}", "there is no such database or table; check the name"),
        ({"LANCEDB_HOST_OVERRIDE": f"http://127.0.0.1:{port}"}, home, "the server does not answer; check"),
        ({"LANCEDB_HOST_OVERRIDE": "somewhere"}, home, "must be the URL of a server"),
    )
    for environment, address, told in cases:
        with monkeypatch.context() as changed:
            for name, value in environment.items():
                changed.setenv(name, value)
            with pytest.raises((InputError, StorageError), match=told) as refused:
                MusicService.open(address, encoder=WordHashEncoder())
        seen += [str(refused.value), *traceback.format_exception(refused.value)]
        assert "\n" not in str(refused.value)
        assert not [*Blobs(parse_address(address)).list()]  # nothing was begun
    service = MusicService.open(home, encoder=WordHashEncoder())
    parts = (service.store, service.store._place, service.store._connection, parse_address(home))
    seen += [
        repr(part) for part in (*parts, parse_address(home).database, service.store._connection.connect())
    ]
    service.close()
    assert API_KEY not in f"{seen}{caplog.text}"
    assert wrong not in f"{seen}{caplog.text}"


def test_a_server_that_goes_down_is_told_by_every_call(replica, seaweed, monkeypatch, tmp_path):
    going = start_tables(tmp_path)
    monkeypatch.setenv("LANCEDB_HOST_OVERRIDE", going.endpoint)
    service = replica(f"{going.database()}?blobs={seaweed.address()}")
    made = service.find_or_make(RAIN, **SHORT)
    tracks = service.store.tracks
    service.history()
    going.stop()
    monkeypatch.setattr("music_catalog.disk.remote.table.STALE_S", 0.0)
    for call in (
        lambda: service.find_or_make(BATTLE, **SHORT),
        lambda: service.search("rain"),
        lambda: service.search("rain", by="words"),
        lambda: tracks.list(),
        lambda: tracks.update(made.track.id, note="lost"),
        lambda: tracks.trash(made.track.id),
        service.history,
        service.statistics,
        service.store.care.stats,
        service.store.care.compact,
    ):
        with pytest.raises(StorageError, match="the server does not answer; check LANCEDB_HOST_OVERRIDE"):
            call()
    monkeypatch.setattr("music_catalog.disk.remote.table.STALE_S", 60.0)
    tracks.table.durable._looked_at = float("-inf")
    for _ in range(2):  # a look that failed is none
        with pytest.raises(StorageError, match="the server does not answer"):
            tracks.version()


def test_the_tables_and_the_audio_of_a_catalog_stay_together(replica, home, seaweed, tables):
    with pytest.raises(NotFound, match="there is no catalog in db://"):
        replica(create=False)
    made = replica().find_or_make(RAIN, **SHORT)
    assert replica(create=False).get(made.track.id).id == made.track.id
    database, _, audio = home.partition("?blobs=")
    with pytest.raises(InputError, match=f"open it as {database}"):
        replica(audio)
    with pytest.raises(InputError, match=r"the tables of the catalog .* are elsewhere"):
        replica(f"{tables.database()}?blobs={audio}")
    with pytest.raises(InputError, match="has the tables of a catalog already"):
        replica(f"{database}?blobs={seaweed.address()}")
    elsewhere = seaweed.address()
    replica(elsewhere)
    with pytest.raises(InputError, match=f"open it as {elsewhere}"):
        replica(f"{tables.database()}?blobs={elsewhere}")


def test_a_service_that_ignores_conditions_is_refused_at_the_first_opening(replica, home, tables):
    tables.tell("careless", "yes")
    try:
        with pytest.raises(StorageError, match="ignores the conditions of merges"):
            replica()
    finally:
        tables.tell("careless", "no")
    assert not [*Blobs(parse_address(home)).list()]
    service = replica()
    assert service.store._connection.connect().list_tables().tables == []


def test_audio_that_is_gone_is_not_served_from_the_rows_of_a_service(replica):
    made = replica().find_or_make(RAIN, **SHORT)
    other = replica()
    other.store.blobs.delete(made.track.audio_path)
    with pytest.raises(Damage, match="not served"):
        other.store.audio.verified_path(made.track)


def test_care_makes_the_indexes_of_a_grown_table_and_searches_find_the_same(replica, monkeypatch):
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.LEAST_VECTORS", 2)
    monkeypatch.setattr("music_catalog.store.schema.FAR_ROWS", 2)
    service = replica()
    for number, scene in enumerate([RAIN, BATTLE, "Snow in the valley"]):
        service.generate(f"{scene} number {number}", **SHORT)
    tracks, vector = service.store.tracks, service.embed(RAIN)
    exact = {track.id: score for track, score in tracks.search(vector)}
    service.store.requests.list(limit=1)  # the lines that wait are written
    assert "tracks" in service.store.care.compact_due()
    indexed = {column for index in tracks.table.durable.table.list_indices() for column in index.columns}
    assert indexed >= {"vector", "words", "key", "state"}
    assert "tracks" not in service.store.care.compact_due()
    new = service.generate(f"{RAIN} once more", **SHORT).track
    found = {track.id: score for track, score in tracks.search(vector)}
    assert found.pop(new.id) > 0.5
    assert found == pytest.approx(exact, abs=1e-5)
    assert [track.id for track, _ in tracks.search_words("once more")] == [new.id]


def test_commands_work_there(home, seaweed, tables, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    database, _, audio = home.partition("?blobs=")
    monkeypatch.setenv("CATALOG_BLOBS", audio)
    make = ("find-or-make", RAIN, "--backend", "procedural", "--duration", "1", "--json")
    made = data(run(*make, home=database))
    assert data(run(*make, home=home))["id"] == made["id"]
    assert made["id"] in run("list", home=database).stdout
    told = run("doctor", home=database).stdout
    assert "rows 1, trashed 0" in told
    monkeypatch.setenv("LANCEDB_API_KEY", "a-wrong-but-secret-key")
    refused = run("list", home=database)
    assert refused.exit_code == 1
    assert "the API key is not right; check LANCEDB_API_KEY" in refused.stderr
    assert "a-wrong-but-secret-key" not in refused.output


def in_threads(do, services):
    threads = [threading.Thread(target=do, args=(service,)) for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""What a warm replica asks an object store for: little that it has read before, whatever text is new."""

from __future__ import annotations

import time
from functools import partial

import pytest

from music_catalog.disk.remote import table as tables

TEXTS = [f"Rain falls on the quiet harbour number {number} at night" for number in range(16)]
SHORT = {"backend": "procedural", "duration_s": 1}


@pytest.fixture
def replica(replica):
    """As everywhere, but that other texts match sooner."""
    return partial(replica, min_similarity=0.3)


STOCK: dict[str, bytes] = {}
"""The objects of the home below, once a test has made it."""


@pytest.fixture
def stocked(replica, server, monkeypatch):
    """A replica of a home with sixteen tracks, which are indexed."""
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.LEAST_VECTORS", 2)
    monkeypatch.setattr("music_catalog.store.schema.FAR_ROWS", 2)
    server.objects.update(STOCK)
    service = replica()
    if not STOCK:
        for text in TEXTS:
            service.generate(text, **SHORT)
        service.store.requests.list(limit=1)  # the lines that wait are written
        service.store.care.compact()
        STOCK.update(server.objects)
    return service


def test_a_search_in_a_warm_replica_reads_no_row(stocked, replica, server):
    warm = replica()
    warm.warm()
    server.requests.clear()
    found = warm.store.tracks.search(warm.embed(TEXTS[3]), limit=20)
    assert not server.requests
    assert len(found) == len(TEXTS)


def test_a_close_match_takes_few_requests(stocked, replica, server):
    warm = replica()
    warm.warm()
    warm.find_or_make("Rain falls on the quiet harbour at night", **SHORT)
    warm.store.requests.list(limit=1)  # the line of that call is written
    server.requests.clear()
    answer = warm.find_or_make("The rain of the quiet harbour falls all night", **SHORT)
    requests = server.requests.copy()
    assert answer.action == "reused"
    assert sum(requests.values()) <= 2  # the audio that it serves, and the line of the call before


def test_rows_that_a_compaction_wrote_elsewhere_are_not_read_again(stocked, replica, server, monkeypatch):
    monkeypatch.setattr(tables, "WARM_AGAIN_S", 0.0)
    warm = replica()
    warm.warm()
    track = stocked.store.tracks.list()[0]
    stocked.rate(track.id, 5)
    stocked.store.care.compact()
    table = warm.store.tracks.table.durable
    table.refresh()
    addresses = set(table._rows._every)
    read = []
    take = table._rows._read
    monkeypatch.setattr(
        table._rows, "_read", lambda wanted, columns: read.extend(wanted) or take(wanted, columns)
    )
    assert table._is_moved()
    table._warm_again()
    assert len(table._rows._every) == len(TEXTS)
    assert table._rows._every.keys() != addresses
    assert len(read) == 1  # the row that was changed
    found = warm.store.tracks.search(warm.embed(TEXTS[0]), limit=20)
    assert {each.id for each, _ in found} == {each.id for each in stocked.store.tracks.list()}
    assert len(read) == 1


def test_a_search_that_reads_many_rows_warms_the_table_again(stocked, replica, monkeypatch):
    monkeypatch.setattr(tables, "WARM_AGAIN_S", 0.0)
    monkeypatch.setattr(tables, "MANY_MOVED", 1)
    warm = replica()
    warm.warm()
    again = []
    table = warm.store.tracks.table.durable
    monkeypatch.setattr(table, "_warm_again", lambda: again.append(table.head()))
    warm.store.tracks.search(warm.embed(TEXTS[0]), limit=20)
    assert not again
    stocked.rate(stocked.store.tracks.list()[0].id, 5)
    stocked.store.care.compact()
    table.refresh()
    for _ in range(3):
        warm.store.tracks.search(warm.embed(TEXTS[0]), limit=20)
    deadline = time.monotonic() + 10.0
    while not again and time.monotonic() < deadline:
        time.sleep(0.01)
    assert again == [table.head()]  # once a version


def test_rows_take_no_more_memory_than_they_may(stocked, replica, monkeypatch):
    monkeypatch.setenv("CATALOG_ROWS_MB", "0")
    warm = replica()
    warm.warm()
    assert not warm.store.tracks.table.durable._rows._every
    found = warm.store.tracks.search(warm.embed(TEXTS[0]), limit=20)
    assert len(found) == len(TEXTS)


def test_tables_that_are_out_of_date_are_looked_up_in_the_same_moment(stocked, monkeypatch):
    stocked.reject(stocked.store.tracks.list()[0].id)
    together = stocked.store.tracks.table.durable.beside
    assert [table.name for table in together] == ["tracks", "requests", "judgements"]
    for table in together:
        table._looked_at = float("-inf")
    assert together[0].exists()
    assert not any(table._is_stale() for table in together)


def test_lines_of_the_log_are_read_once_for_all_requests(stocked, replica, server):
    requests = stocked.store.requests
    (line,) = requests.list(limit=1)
    for group in range(3):
        for number in range(12):
            requests.append(line.model_copy(update={"id": f"{group}-{number}", "key": f"key-{number}"}))
        requests._write_waiting()
    other = replica()
    assert other.store.requests.count("key-0") == 3
    server.requests.clear()
    assert [other.store.requests.count(f"key-{number}") for number in range(1, 12)] == [3] * 11
    assert other.store.requests.count("none") == 0
    assert not server.requests
    newest = other.store.requests.list(key="key-3", limit=1)
    assert [each.key for each in newest] == ["key-3"]


def test_queries_see_the_version_that_the_table_has(stocked):
    """LanceDB's synchronous table is a shell around an asynchronous one, which takes no look of its own."""
    table = stocked.store.tracks.table.durable
    assert table._for_queries() is table._table._table

"""What a load balancer is told: live, and ready or not."""

from __future__ import annotations

import threading

import pytest

from music_catalog.errors import StorageError
from music_catalog.store.store import Store
from music_catalog.web import readiness
from music_catalog.web.readiness import Readiness


def test_a_service_that_is_up_is_live_and_ready_without_a_token(open_client):
    client = open_client(token="a-token-of-many-letters")
    assert client.get("/api/tracks").status_code == 401
    assert (client.get("/api/live").status_code, client.get("/api/live").json()) == (200, {"live": True})
    answer = client.get("/api/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "encoder": "ok", "tables": "ok", "stopping": False}


def test_it_is_not_ready_while_the_encoder_is_loaded_nor_without_it(client):
    told = client.app.state.shared.readiness
    told.loading()
    assert client.get("/api/ready").status_code == 503
    assert client.get("/api/ready").json()["encoder"] == "the text encoder is being loaded"
    told.loaded(failed=True)
    assert client.get("/api/ready").json()["encoder"] == "the text encoder cannot be loaded; the log says why"
    told.loaded()
    assert client.get("/api/ready").status_code == 200


def test_it_is_not_ready_where_the_tables_cannot_be_read_and_tells_no_path(client, monkeypatch, caplog):
    monkeypatch.setattr(readiness, "ASKED_S", 0.0)

    def lost():
        raise StorageError("/secret/place is gone")

    told = client.app.state.shared.readiness
    read, told._read = told._read, lost
    answer = client.get("/api/ready")
    assert answer.status_code == 503
    assert answer.json()["tables"] == "the tables cannot be read; the log says why"
    assert "/secret/place is gone" in caplog.text
    told._read = read
    assert client.get("/api/ready").status_code == 200


def test_it_is_not_ready_once_the_catalog_was_embedded_anew(client, monkeypatch, caplog):
    monkeypatch.setattr(readiness, "ASKED_S", 0.0)
    shared = client.app.state.shared
    shared.service.generate("Rain at night", backend="procedural", duration_s=1)
    assert client.get("/api/ready").status_code == 200
    Store.open(shared.service.store.home).care.reembed(lambda texts: [[1.0, 0.0]] * len(texts), "other@1/2")
    answer = client.get("/api/ready")
    assert answer.status_code == 503
    assert answer.json()["tables"] == "the vectors are of another encoder; the log says what to do"
    assert "start it again with other@1/2" in caplog.text


@pytest.mark.anyio
async def test_tables_that_do_not_answer_are_asked_once_at_a_time(monkeypatch):
    monkeypatch.setattr(readiness, "PATIENCE_S", 0.01)
    go, asked = threading.Event(), []

    def read():
        asked.append(True)
        go.wait(60)

    told = Readiness(read)
    answers = [await told.look() for _ in range(3)]
    assert {answer.tables for answer in answers} == {"the tables did not answer within 0.01 s"}
    assert not any(answer.ready for answer in answers)
    assert len(asked) == 1
    go.set()
    monkeypatch.setattr(readiness, "PATIENCE_S", 60)
    assert (await told.look()).ready


@pytest.fixture
def anyio_backend():
    return "asyncio"

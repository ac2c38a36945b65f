"""The OpenAPI document holds: what it allows never fails the service, and every answer is as it says."""

from __future__ import annotations

import pytest
import schemathesis
from calls import CARGO, RAIN, SECRET, Client, StepGenerator
from fakes import WordHashEncoder
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from music_catalog import MusicService
from music_catalog.web.app import create_app

HOST = {"Host": "127.0.0.1:8765"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("audio/wav")
def as_a_recording(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    home = tmp_path_factory.mktemp("schema") / "home"
    steps = StepGenerator()
    with MusicService.open(
        home, encoder=WordHashEncoder(), generators=lambda backend, size: steps
    ) as service:
        client = Client(create_app(service, secret=SECRET, queue_limit=2))
        client.tracks = [client.make(text)["id"] for text in (RAIN, CARGO)]
        client.job = client.get("/api/jobs").json()["jobs"][0]["id"]
        yield client
        client.app.state.shared.jobs.close(30.0)


def test_what_the_document_allows_never_fails_the_service(client):
    document = schemathesis.openapi.from_asgi("/api/openapi.json", client.app, headers=HOST)
    tried = 0
    for operation in (result.ok() for result in document.get_all_operations()):
        tried += 1

        @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy())
        def held(case):
            case.call_and_validate(checks=CHECKS, headers=HOST, timeout=60)  # a busy machine makes slowly
            # Ids that are made up lead nowhere; the same request also goes to something that is there.
            there = {"track_id": client.tracks[0], "job_id": client.job}
            if known := {name: there[name] for name in case.path_parameters or {} if name in there}:
                case.path_parameters.update(known)
                case.call_and_validate(checks=CHECKS, headers=HOST, timeout=60)  # a busy machine makes slowly

        held()
    assert tried >= 25


def test_the_document_describes_every_address_of_the_api(client):
    payload = client.get("/api/openapi.json").json()
    assert {
        "/api/export",
        "/api/find",
        "/api/find-or-make",
        "/api/health",
        "/api/history",
        "/api/jobs",
        "/api/jobs/{job_id}",
        "/api/jobs/{job_id}/events",
        "/api/live",
        "/api/map",
        "/api/presets",
        "/api/presets/suggest",
        "/api/ready",
        "/api/search",
        "/api/statistics",
        "/api/tracks",
        "/api/tracks/{track_id}",
        "/api/tracks/{track_id}/again",
        "/api/tracks/{track_id}/audio",
        "/api/tracks/{track_id}/choose",
        "/api/tracks/{track_id}/decline",
        "/api/tracks/{track_id}/peaks",
        "/api/tracks/{track_id}/reject",
        "/api/tracks/{track_id}/restore",
        "/api/tracks/{track_id}/similar",
        "/api/tracks/{track_id}/spectrogram.png",
        "/api/tracks/{track_id}/structure",
        "/api/tracks/{track_id}/weigh",
        "/metrics",
    } <= set(payload["paths"])
    for path, methods in payload["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
            assert "4XX" in operation["responses"], f"{method} {path}"

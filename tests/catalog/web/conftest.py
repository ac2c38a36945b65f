from __future__ import annotations

import pytest
from calls import CARGO, RAIN, SECRET, WOLVES, Client, StepGenerator

from music_catalog.web.app import create_app


@pytest.fixture
def steps():
    return StepGenerator()


@pytest.fixture
def open_client(open_service, steps):
    """Return a function that opens a client of an application on a temporary home."""
    apps = []

    def open_(**options):
        service = open_service(generators=lambda backend, size: steps)
        apps.append(create_app(service, **{"secret": SECRET, "queue_limit": 2, **options}))
        return Client(apps[-1])

    yield open_
    steps.go.set()
    for app in apps:
        app.state.shared.jobs.close(10.0)


@pytest.fixture
def client(open_client):
    return open_client()


@pytest.fixture
def made(client):
    """Return the result of a first track."""
    return client.make(RAIN)


@pytest.fixture
def three(client):
    """Return the results of three tracks."""
    return [
        client.make(text, **choices)
        for text, choices in ((RAIN, {}), (CARGO, {}), (WOLVES, {"quality": "standard"}))
    ]

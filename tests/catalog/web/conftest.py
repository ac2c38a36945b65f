from __future__ import annotations

import copy
import shutil

import pytest
from calls import CARGO, RAIN, SECRET, WOLVES, Client, StepGenerator
from fakes import WordHashEncoder

from music_catalog import MusicService
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


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Return a home with the first track, one with three, and their results; tests take copies."""
    folder = tmp_path_factory.mktemp("web")
    home, results = folder / "home", []
    for text, choices in ((RAIN, {}), (CARGO, {}), (WOLVES, {"quality": "standard"})):
        with MusicService.open(
            home, encoder=WordHashEncoder(), min_similarity=0.55, generators=lambda *_: StepGenerator()
        ) as service:
            app = create_app(service, secret=SECRET, queue_limit=2)
            results.append(Client(app).make(text, **choices))
            app.state.shared.jobs.close(10.0)
        shutil.copytree(home, folder / str(len(results)))
    return {"made": (folder / "1", results[0]), "three": (folder / "3", results)}


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory):
    """Return a client of an empty home for all tests of a module that change nothing."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with MusicService.open(home, encoder=WordHashEncoder(), min_similarity=0.55) as service:
        app = create_app(service, secret=SECRET, queue_limit=2)
        yield Client(app)
        app.state.shared.jobs.close(10.0)


@pytest.fixture
def client(request, templates, open_client, tmp_path):
    """Return a client of a home that is empty, or has what the test asks for: the tracks of `made` or `three`."""
    for name in templates.keys() & {*request.fixturenames}:
        shutil.copytree(templates[name][0], tmp_path / "home")
    return open_client()


@pytest.fixture
def made(client, templates):
    """Return the result of a first track."""
    return copy.deepcopy(templates["made"][1])


@pytest.fixture
def three(client, templates):
    """Return the results of three tracks."""
    return copy.deepcopy(templates["three"][1])

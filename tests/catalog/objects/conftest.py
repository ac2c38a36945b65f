from __future__ import annotations

import pytest
from fake_s3 import BUCKET, object_server
from fakes import WordHashEncoder

from music_catalog import MusicService

pytest.importorskip("obstore", reason="obstore is not installed")


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / "caches"))
    with object_server(monkeypatch) as running:
        yield running


@pytest.fixture
def blobs(server):
    from music_catalog.objects.address import parse_address
    from music_catalog.objects.blobs import Blobs

    return Blobs(parse_address(f"s3://{BUCKET}/home"))


@pytest.fixture
def home(server):
    """The address of a home on the small S3 server; a module may name another."""
    return f"s3://{BUCKET}/home"


@pytest.fixture
def replica(home, monkeypatch, tmp_path):
    """Return a function that opens one more replica, as on another machine: its caches are its own."""
    opened = []

    def open_(home=home, **options):
        monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / f"machine-{len(opened)}"))
        usual = {"encoder": WordHashEncoder(), "min_similarity": 0.55}
        opened.append(MusicService.open(home, **{**usual, **options}))
        return opened[-1]

    yield open_
    for service in opened:
        service.close()

from __future__ import annotations

import pytest
from fake_s3 import BUCKET, object_server

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

"""Fixtures of object storage; tests/conftest.py offers them to all tests."""

from __future__ import annotations

import pytest
from object_servers import start_azurite, start_s3rver, start_seaweed, start_tables

__all__ = [
    "azurite",
    "azurite_server",
    "s3rver",
    "s3rver_server",
    "seaweed",
    "seaweed_server",
    "tables",
    "tables_server",
]


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory):
    """A SeaweedFS that all tests share; the environment does not name it."""
    server = start_seaweed(tmp_path_factory.mktemp("seaweed"))
    yield server
    server.stop()


@pytest.fixture
def seaweed(seaweed_server, monkeypatch, tmp_path):
    """A SeaweedFS that the environment names, with a cache of the test's own; `seaweed.address()` is an empty place."""
    return _named(seaweed_server, monkeypatch, tmp_path)


@pytest.fixture
def s3rver(s3rver_server, monkeypatch, tmp_path):
    """An S3 server that ignores conditional writes, named by the environment."""
    return _named(s3rver_server, monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def s3rver_server(tmp_path_factory):
    server = start_s3rver(tmp_path_factory.mktemp("s3rver"))
    yield server
    server.stop()


@pytest.fixture
def azurite(azurite_server, monkeypatch, tmp_path):
    """A server of Azure's blob storage, named by the environment."""
    return _named(azurite_server, monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory):
    server = start_azurite(tmp_path_factory.mktemp("azurite"))
    yield server
    server.stop()


@pytest.fixture
def tables(tables_server, monkeypatch, tmp_path):
    """A server of LanceDB's tables that the environment names; `tables.database()` is an empty database."""
    return _named(tables_server, monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def tables_server(tmp_path_factory):
    server = start_tables(tmp_path_factory.mktemp("tables"))
    yield server
    server.stop()


def _named(server, monkeypatch, tmp_path):
    for name, value in {**server.environment, "CATALOG_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    return server

"""The servers of object storage and the proxy that the tests use: they do what the tests rely on."""

from __future__ import annotations

import time

import pytest
from slow_store import SlowStore


@pytest.fixture
def connect():
    """Return a function that opens a client of a server at an address, by its environment."""
    store = pytest.importorskip("obstore.store")

    def connect_(address):
        return store.from_url(address, client_options={"allow_http": True})

    return connect_


def keeps_conditions(client):
    """Whether the store refuses to create what is there, and to replace what has changed."""
    import obstore
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    first = obstore.put(client, "a", b"1", mode="create")
    obstore.put(client, "a", b"2")
    with pytest.raises(AlreadyExistsError):
        obstore.put(client, "a", b"3", mode="create")
    with pytest.raises(PreconditionError):
        obstore.put(client, "a", b"4", mode={"e_tag": first["e_tag"]})
    return bytes(obstore.get(client, "a").bytes()) == b"2"


def test_seaweed_keeps_conditions(seaweed, connect):
    assert keeps_conditions(connect(seaweed.address()))


@pytest.mark.cluster
def test_azurite_keeps_conditions(azurite, connect):
    assert keeps_conditions(connect(azurite.address()))


@pytest.mark.cluster
def test_s3rver_ignores_conditions(s3rver, connect):
    import obstore

    client = connect(s3rver.address())
    obstore.put(client, "a", b"1", mode="create")
    obstore.put(client, "a", b"2", mode="create")
    assert bytes(obstore.get(client, "a").bytes()) == b"2"


def test_the_proxy_counts_waits_and_refuses(seaweed, connect, monkeypatch):
    import obstore

    address = seaweed.address()
    with SlowStore(seaweed.endpoint, read_s=0.05, write_s=0.1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT", proxy.endpoint)
        client = connect(address)
        start = time.monotonic()
        obstore.put(client, "a b", b"x" * 100_000)
        obstore.put(client, "c", b"", mode="create")
        assert bytes(obstore.get(client, "a b").bytes()) == b"x" * 100_000
        assert obstore.head(client, "a b")["size"] == 100_000
        assert time.monotonic() - start >= 0.3
        assert [one["size"] for one in obstore.list(client).collect()] == [100_000, 0]
        obstore.delete(client, "c")
        assert proxy.reset() == {"PUT": 1, "PUT if": 1, "GET": 1, "HEAD": 1, "LIST": 1, "DELETE": 1, "503": 0}
        proxy.read_s = proxy.write_s = 0.0
        proxy.refused = 0.3
        for number in range(20):  # obstore tries anew
            obstore.put(client, f"many/{number}", b"x")
        assert proxy.counts["503"]
        assert proxy.counts["PUT"] == 20 + proxy.counts["503"]

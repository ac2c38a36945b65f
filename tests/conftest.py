from __future__ import annotations

import json
import os
import uuid

import pytest
from fakes import WordHashEncoder
from object_stores import (
    azurite,
    azurite_server,
    s3rver,
    s3rver_server,
    seaweed,
    seaweed_server,
    tables,
    tables_server,
)

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

# Nothing in the tests may reach a hub by accident; the one test of the hub protocol serves its own on loopback.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# `make test` has a process for each core, which inherits this: with threads of their own, which wait in loops, small
# products of matrices took three times the time of the processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Some hundred processes are started: each would compile all modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A GPU may round the factors of float32 products to 10 bits (TF32), and comparisons with transformers are finer.
os.environ.setdefault("MLX_ENABLE_TF32", "0")


@pytest.fixture(autouse=True)
def no_outside_settings(monkeypatch, tmp_path_factory):
    """Keep the settings, models and caches of the machine out of the tests."""
    names = ("CATALOG_HOME", "CATALOG_CONFIG", "CATALOG_ENCODER", "CATALOG_FAILPOINT", "CATALOG_NETWORK_HOME")
    names += ("CATALOG_STORAGE",)
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
    # Where the catalog is when a test names no home: never in the folder of the person who runs the tests. It is no
    # temporary folder of pytest, which looks through all former ones for the next number.
    share = tmp_path_factory.getbasetemp() / "shares" / uuid.uuid4().hex
    monkeypatch.setenv("XDG_DATA_HOME", str(share))


@pytest.fixture(autouse=True)
def no_waits_for_the_disk(monkeypatch):
    """Leave out that this process waits for the disk: only a power cut loses what the system has taken."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


@pytest.fixture(autouse=True)
def audited_here(monkeypatch):
    """Do what a deep check leaves to a child process in this one, as a child takes 2 s to begin; return what does."""
    from music_catalog.store import audit
    from music_catalog.store.store import Store

    def audited(home):
        store = Store.open(home, create=False)
        try:
            return audit.read_through(store.home, store.tracks.table, deep=True)
        finally:
            store.close()

    in_child = audit.in_child
    monkeypatch.setattr(audit, "in_child", audited)
    return in_child


@pytest.fixture
def audited_in_child(audited_here, monkeypatch):
    """Let a deep check have its child process, which damage may end or keep busy for ever."""
    monkeypatch.setattr("music_catalog.store.audit.in_child", audited_here)


@pytest.fixture
def prepared_here(monkeypatch):
    """Prepare files that are added in this process; one of their own would import all that measures, for 2 s."""
    from music_catalog.intake import preparing, workers

    def ask(self, task):
        return json.loads(json.dumps(preparing.answer(task)))

    monkeypatch.setattr(workers.Workers, "_ask", ask)


@pytest.fixture
def open_service(tmp_path):
    """Return a function that opens a service on a temporary home with the word-hash encoder."""
    from music_catalog import MusicService

    opened = []

    def open_(home=tmp_path / "home", **options):
        # No certificate is for this encoder, so the score decides.
        usual = {"encoder": WordHashEncoder(), "min_similarity": 0.55}
        service = MusicService.open(home, **{**usual, **options})
        opened.append(service)
        return service

    yield open_
    for service in opened:
        service.close()


@pytest.fixture
def service(open_service):
    return open_service()

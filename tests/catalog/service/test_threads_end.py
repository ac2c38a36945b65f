"""Requests of a thread that outlives the main thread, after which no executor takes work."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

from sample_texts import CALM, SHORT

from music_catalog.service import repeats


class Ended(ThreadPoolExecutor):
    """An executor after the main thread has ended."""

    def submit(self, *work, **options):
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")


def test_a_request_is_looked_up_where_no_more_threads_start(service, monkeypatch):
    monkeypatch.setattr(repeats, "ThreadPoolExecutor", Ended)
    made = service.find_or_make(CALM, **SHORT)
    shutil.rmtree(service.store.home / "cache" / "repeats")  # so that it is looked up again
    again = service.find_or_make(CALM, **SHORT)
    assert (made.action, again.decision.rule, again.track.id) == ("generated", "exact", made.track.id)

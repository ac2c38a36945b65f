"""How much Lance may keep in memory."""

from __future__ import annotations

import os

from music_catalog.disk.lance import LEAST_INDEX_BYTES, MOST_INDEX_BYTES, index_cache_bytes


def test_it_may_keep_twice_the_indexes_there_are_within_bounds(tmp_path):
    assert index_cache_bytes(tmp_path / "none") == LEAST_INDEX_BYTES
    folder = tmp_path / "tracks.lance" / "_indices" / "b2a1"
    (folder / "part").mkdir(parents=True)
    for path in (folder / "index.idx", folder / "part" / "tokens.lance"):
        path.touch()
        os.truncate(path, LEAST_INDEX_BYTES)
    assert 4 * LEAST_INDEX_BYTES <= index_cache_bytes(tmp_path) < 4.1 * LEAST_INDEX_BYTES
    os.truncate(folder / "index.idx", MOST_INDEX_BYTES)
    assert index_cache_bytes(tmp_path) == MOST_INDEX_BYTES

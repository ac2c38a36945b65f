"""Files that replicas of one home on an object store add at the same time."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf

from music_catalog.intake.finding import Found
from music_catalog.intake.words import Words
from music_catalog.service.adding.flow import add_files
from music_catalog.upkeep.remote import examine_remote

PLAIN = {
    "deep": False,
    "fix": False,
    "reembed": False,
    "backup": None,
    "encode": None,
    "on_progress": None,
}


@pytest.mark.cluster
def test_a_file_that_was_trashed_and_purged_in_turns_is_added_anew(replica, prepared_here, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (44_100, 1))
    sf.write(tmp_path / "a.flac", noise, 22_050)
    service = replica()
    for purges in (False, True, False):
        (added,) = service.add(tmp_path / "a.flac").files
        assert (added.outcome, service.get(added.track_id).state) == ("added", "ready")
        if purges:  # the first track, which leaves its number free
            assert service.store.care.purge() == 1
        (trashed,) = service.undo_add("last")
    (added,) = service.add(tmp_path / "a.flac").files
    assert (added.outcome, service.get(added.track_id).state) == ("added", "ready")
    service.store.tracks.restore(trashed.id)
    told = [detail for name, _, detail in examine_remote(service.store.address, **PLAIN) if name == "copies"]
    assert len(told) == 1
    assert f"{added.track_id} is the same file as {trashed.id}" in told[0]


def test_a_file_that_two_replicas_add_at_once_is_stored_once(replica, prepared_here, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (44_100, 1))
    sf.write(tmp_path / "a.flac", noise, 22_050)
    replicas = [replica(), replica()]
    # Each looks into the catalog before the other writes.
    both = [one._adding(lambda _: Words(), Words(), False) for one in replicas]
    files = [file for adding in both for file in add_files(adding, [Found(tmp_path / "a.flac")]).files]
    (track,) = replica().store.tracks.list()
    assert [(file.outcome, file.track_id) for file in files] == [("added", track.id), ("present", track.id)]

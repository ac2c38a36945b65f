"""The takes of a track: of the same request, variations, and nothing else."""

from __future__ import annotations

import pytest
from sample_texts import CALM, PANIC, SHORT

from music_catalog.errors import NotFound
from music_catalog.history.takes import takes_of


def test_takes_are_those_of_the_request_and_its_variations_in_the_order_of_making(service):
    first = service.generate(CALM, **SHORT).track
    second = service.generate(CALM, **SHORT).track
    other = service.generate(PANIC, **SHORT).track
    varied = service.again(first.id, variation=True).track
    assert len({first.seed, second.seed, varied.seed}) == 3
    for one in (first, second, varied):
        assert [each.id for each in takes_of(service.store, one.id)] == [first.id, second.id, varied.id]
    assert [each.id for each in takes_of(service.store, other.id)] == [other.id]
    service.store.tracks.trash(second.id)
    assert [each.id for each in takes_of(service.store, first.id)] == [first.id, varied.id]
    with pytest.raises(NotFound):
        takes_of(service.store, "nonesuch")

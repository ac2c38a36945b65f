"""The candidates of a decision: the tracks of the nearest texts, and those whose music serves best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import a_request
from homes import open_store, stored, vector_of

from music_catalog import presets
from music_catalog.brief.reader import load
from music_catalog.brief.vectors import DIMENSION, STYLES
from music_catalog.history.rejections import Rejections
from music_catalog.models import Brief, Choices, StyleFit
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.facts import hard_facts
from music_catalog.reuse.terms import Terms
from music_catalog.service.choice.found import CANDIDATES, search
from music_catalog.service.music_vectors import MusicVectors
from music_catalog.service.stages import Flow
from music_catalog.store.rows import BriefVector
from music_catalog.text import encoder

WANTED = BriefVector("brief-test", np.eye(DIMENSION, dtype=np.float32)[0])


class Music:
    """Stands in for the fitted brief: every request wants the same music."""

    filled = False

    def of_request(self, request):
        return WANTED

    def fill_once(self):
        self.filled = True


@pytest.fixture
def flow(tmp_path):
    flow = Flow(open_store(tmp_path / "home"), presets.load(None), None, None)
    flow.music = Music()
    return flow


def put(flow, count):
    draw = np.random.default_rng(count)
    for number in range(count):
        music = np.ones(DIMENSION) + draw.normal(size=DIMENSION)
        track = stored(flow.store, f"t{number}", audio="one")
        flow.store.tracks.insert(track, vector_of(track.id), None, BriefVector("brief-test", music))


def candidates(flow, **terms):
    request = a_request(quality="preview")
    found = search(
        flow.store, flow.music, request, vector_of("q"), Rejections(flow.store, "k"), Terms(**terms), None
    )
    return [(track.id, cosine) for track, cosine in found.hits], hard_facts(request)


def listed(hits):
    return [(track.id, cosine) for track, cosine in hits]


def by_music(home=Path("nowhere")):
    shipped = music_certificate.MusicCertificate.model_validate_json(music_certificate.SHIPPED.read_bytes())
    return {"music": shipped, "certificate": certificate.standing(home, shipped.encoder).certificate}


def test_the_nearest_texts_come_first_and_then_the_best_music(flow):
    put(flow, 2 * CANDIDATES)
    found, facts = candidates(flow, **by_music())
    texts = listed(flow.store.tracks.search(vector_of("q"), facts, CANDIDATES))
    music = listed(flow.store.tracks.search_brief(WANTED, vector_of("q"), facts, CANDIDATES))
    near = {each for each, _ in texts}
    assert found == texts + [(each, cosine) for each, cosine in music if each not in near]
    assert len(found) > CANDIDATES
    assert flow.music.filled


def test_a_small_catalog_is_weighed_whole_in_one_search(flow):
    put(flow, 3)
    found, facts = candidates(flow, **by_music())
    assert found == listed(flow.store.tracks.search(vector_of("q"), facts, CANDIDATES))
    assert len(found) == 3
    assert not flow.music.filled


def test_without_a_decision_on_music_only_texts_are_searched(flow):
    put(flow, 2 * CANDIDATES)
    found, facts = candidates(flow)
    assert found == listed(flow.store.tracks.search(vector_of("q"), facts, CANDIDATES))


def test_a_named_style_is_the_only_one_that_the_search_by_music_wants(tmp_path):
    reader, library = encoder.load(), presets.load(None)
    music = MusicVectors(open_store(tmp_path / "home"), library, reader)
    fit = {name: StyleFit(fits=0.1, passes=0.9) for name in library.styles}
    brief = Brief(styles=fit, valence=0.5, energy=0.0)
    free, named = (
        np.asarray(music.of_request(a_request(brief=brief, choices=choices)).vector)
        for choices in (Choices(), Choices(preset="synthwave"))
    )
    assert np.count_nonzero(free[:STYLES]) > 1
    assert np.flatnonzero(named[:STYLES]).tolist() == [load(reader.identity).names.index("synthwave")]
    assert (named[STYLES:] == free[STYLES:]).all()

"""The form of the adapter that a GPU runs, end to end on a processor."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from gpu_form import FORMS, GREEDY, KINDS, MOST, PROMPT, check_all, checkpoints

pytest.importorskip("mlx.core")
pytest.importorskip("torch")

from music_catalog.generator import cpu
from music_catalog.generator.cpu.decoder import ProcessorDecoder
from music_catalog.generator.musicgen import generation
from music_catalog.generator.musicgen.adapter import MusicgenAdapter
from music_catalog.generator.networks.encodec import EncodecModel
from music_catalog.generator.networks.musicgen import MusicgenDecoder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return checkpoints(tmp_path_factory.mktemp("models"))


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Leave the networks as they are, and trace the steps."""
    monkeypatch.setattr(cpu, "_on_gpu", lambda: True)
    monkeypatch.setattr(generation, "stream_codes", partial(generation.stream_codes, compiled=True))


@pytest.mark.parametrize(("kind", "form"), MOST)
@pytest.mark.usefixtures("as_on_a_gpu")
def test_every_kind_and_form_makes_every_sort_of_music(folders, kind, form):
    adapter = MusicgenAdapter.from_pretrained(folders[kind], **FORMS[form])
    assert type(adapter.networks.decoder) is MusicgenDecoder
    assert type(adapter.networks.codec) is EncodecModel
    assert adapter.networks.bits == FORMS[form].get("bits")
    check_all(adapter)


@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_make_the_same_music(folders, kind, monkeypatch):
    in_loops = MusicgenAdapter.from_pretrained(folders[kind])
    assert type(in_loops.networks.decoder) is ProcessorDecoder
    wanted = in_loops.generate_music(PROMPT, GREEDY)
    monkeypatch.setattr(cpu, "_on_gpu", lambda: True)
    monkeypatch.setattr(generation, "stream_codes", partial(generation.stream_codes, compiled=True))
    made = MusicgenAdapter.from_pretrained(folders[kind]).generate_music(PROMPT, GREEDY)
    assert np.array_equal(made.codes, wanted.codes)
    assert np.abs(made.samples - wanted.samples).max() < 1e-3

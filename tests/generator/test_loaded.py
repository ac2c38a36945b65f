"""Generators stay in memory between calls: one MusicGen at a time, sharing what is the same, and none when idle."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
from safetensors.numpy import load_file, save_file
from tiny_musicgen import write_checkpoint

pytest.importorskip("mlx.core")

from music_catalog.generator import weights
from music_catalog.generator.loaded import LoadedGenerators
from music_catalog.generator.musicgen.adapter import MusicgenAdapter

ASKED = {"duration_s": 0.2, "seed": 1}
WAIT_S = 20.0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A models home with small and medium, whose decoders differ and whose other parts are the same, and large."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CATALOG_MODELS", str(home / "models"))
        for seed, (size, width) in enumerate({"small": 64, "medium": 96, "large": 64}.items()):
            write_checkpoint(home / f"musicgen-{size}", seed=seed, hidden_size=width)
        files = [home / f"musicgen-{size}" / "model.safetensors" for size in ("small", "medium")]
        small, medium = map(load_file, files)
        same = ("text_encoder.", "audio_encoder.")
        medium |= {name: value for name, value in small.items() if name.startswith(same)}
        save_file(medium, files[1], metadata={"format": "pt"})
        for size in ("small", "medium", "large"):
            weights.pull(str(home / f"musicgen-{size}"))
    return home / "models"


@pytest.fixture
def loaded(home, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(home))
    generators = LoadedGenerators()
    yield generators
    generators.unload()


def gone(reference) -> bool:
    gc.collect()
    return reference() is None


def test_another_size_takes_the_place_of_the_first(loaded):
    first = weakref.ref(loaded("mlx", "small").networks.decoder)
    assert loaded("mlx", "small").networks.decoder is first()
    assert loaded("mlx", "medium").networks.decoder.config.hidden_size == 96
    assert gone(first)


def test_the_first_is_gone_before_the_other_is_read(loaded):
    first, at_load = weakref.ref(loaded("mlx", "small").networks.decoder), []
    load = loaded._load
    loaded._load = lambda *named: at_load.append(gone(first)) or load(*named)
    loaded("mlx", "medium")
    assert at_load == [True]


def test_text_encoder_and_codec_are_shared_and_make_the_same_music(loaded, home, monkeypatch):
    small = loaded("mlx", "small").shared
    medium = loaded("mlx", "medium")
    assert medium.shared[0] is small[0]
    assert medium.shared[1] is small[1]
    made = medium.generate_music("calm piano", ASKED)
    del small, medium
    loaded.unload()
    gc.collect()
    alone = MusicgenAdapter.from_pretrained(home / "musicgen-medium").generate_music("calm piano", ASKED)
    assert (made.samples == alone.samples).all()


def test_parts_of_other_weights_are_not_shared(loaded):
    small = loaded("mlx", "small").shared
    assert loaded("mlx", "large").shared[0] is not small[0]
    assert loaded("mlx", "large").shared[1] is not small[1]


def test_what_needs_no_weights_stays_beside_a_model(loaded):
    synthesizer, model = loaded("procedural", "small"), loaded("mlx", "small")
    assert loaded("procedural", "small") is synthesizer
    assert loaded("mlx", "small") is model


def test_who_uses_another_generator_does_not_wait_while_a_model_is_read():
    reading, go, used = threading.Event(), threading.Event(), threading.Event()

    def load(backend, size):
        reading.set()
        assert go.wait(WAIT_S)
        return object()

    def use():
        with loaded.in_use():
            used.set()

    loaded = LoadedGenerators(load)
    threads = [threading.Thread(target=loaded, args=("mlx", "large")), threading.Thread(target=use)]
    try:
        threads[0].start()
        assert reading.wait(WAIT_S)
        threads[1].start()
        assert used.wait(WAIT_S)
    finally:
        go.set()
        for thread in threads:
            thread.join(WAIT_S)
        loaded.unload()


def test_without_use_a_model_leaves_the_memory_and_comes_back(home, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(home))
    loaded = LoadedGenerators(idle_s=0.2)
    with loaded.in_use():
        kept = weakref.ref(loaded("mlx", "small"))
        with loaded.in_use():
            pass
        time.sleep(0.6)
        assert not gone(kept), "it is in use"
    ends = time.monotonic() + 20
    while not gone(kept) and time.monotonic() < ends:
        time.sleep(0.05)
    assert gone(kept)
    with loaded.in_use():
        assert loaded("mlx", "small").generate_music("calm", ASKED).samples.size
    loaded.unload()


def test_a_model_that_was_only_asked_for_leaves_too(home, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(home))
    loaded = LoadedGenerators(idle_s=0.2)
    kept = weakref.ref(loaded("mlx", "small"))
    ends = time.monotonic() + 20
    while not gone(kept) and time.monotonic() < ends:
        time.sleep(0.05)
    assert gone(kept)


def test_the_service_keeps_one_and_drops_it_when_it_is_closed(open_service, home, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(home))
    service = open_service()
    kept = weakref.ref(service._flow.loaded("mlx", "small"))
    service._flow.loaded("mlx", "medium")
    assert gone(kept)
    kept = weakref.ref(service._flow.loaded("mlx", "medium"))
    service.close()
    assert gone(kept)

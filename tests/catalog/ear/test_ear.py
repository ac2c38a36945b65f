"""The ear on small random weights: the same vectors as the library's own single calls, and one sentence without it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tiny_clap import write_clap  # noqa: E402

from music_catalog.ear import loading, vectors  # noqa: E402
from music_catalog.ear.loading import NotHeard, load  # noqa: E402
from music_catalog.errors import Unavailable  # noqa: E402
from music_catalog.generator import Audio, audio  # noqa: E402

RATE, WINDOW = 48_000, 480_000
TEXTS = (
    "a slow felt piano with rain",
    "heavy metal",
    "a choir sings in the cathedral at night and the ocean is calm",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clap(tmp_path_factory.mktemp("clap") / "tiny-clap")


@pytest.fixture(scope="module")
def ear(folder):
    return load(str(folder))


@pytest.fixture(scope="module")
def library(folder):
    """Return the library's own model, feature extractor and tokenizer."""
    model = transformers.ClapModel.from_pretrained(folder).eval()
    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    return model, extractor, transformers.AutoTokenizer.from_pretrained(folder)


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> Audio:
    draw = np.random.default_rng(seed)
    samples = draw.normal(scale=0.1, size=(round(seconds * rate), channels)) * np.linspace(0.1, 1, channels)
    return Audio(samples.astype(np.float32), rate)


def pooled(output):
    """Return the vectors that the library returns, as a tensor or in an object, by its version."""
    found = output if isinstance(output, torch.Tensor) else output.pooler_output
    return torch.nn.functional.normalize(found, dim=-1).numpy()


def by_library(library, window):
    model, extractor, _ = library
    given = extractor(window, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        return pooled(model.get_audio_features(**given))[0]


@pytest.mark.parametrize("seconds", [0.7, 3.0, 10.0], ids="{} s".format)
def test_one_window_is_what_the_library_hears(ear, library, seconds):
    sound = noise(seconds)
    np.testing.assert_allclose(ear.hear(sound), by_library(library, sound.samples[:, 0]), atol=2e-6)


def test_a_track_is_the_mean_of_the_library_s_windows(ear, library):
    sound = noise(53.5, seed=3)  # six windows in two batches, the last one from the end
    mono = sound.samples[:, 0]
    parts = [mono[start : start + WINDOW] for start in (0, WINDOW, 2 * WINDOW, 3 * WINDOW, 4 * WINDOW)]
    mean = np.mean([by_library(library, part) for part in (*parts, mono[-WINDOW:])], axis=0)
    heard = ear.hear(sound)
    np.testing.assert_allclose(heard, mean / np.linalg.norm(mean), atol=2e-6)
    np.testing.assert_array_equal(ear.hear(sound), heard)  # nothing is drawn
    assert heard.dtype == np.float32


def test_other_rates_and_channels_are_brought_to_mono_at_48_khz(ear, library):
    sound = noise(4.0, 32_000, channels=2)
    mono = audio.resample(audio.to_mono(sound), RATE).samples[:, 0]
    np.testing.assert_allclose(ear.hear(sound), by_library(library, mono), atol=2e-6)


def test_texts_are_read_as_the_library_reads_each_alone(ear, library):
    model, _, tokenizer = library
    with torch.inference_mode():
        alone = [
            pooled(model.get_text_features(**tokenizer([text], return_tensors="pt")))[0] for text in TEXTS
        ]
    np.testing.assert_allclose(ear.read(TEXTS), alone, atol=2e-6)
    assert ear.read([]).shape == (0, vectors.DIMENSION)
    assert ear.read(["piano " * 500]).shape == (1, vectors.DIMENSION)  # cut where the network ends
    assert ear.scale == pytest.approx(float(model.logit_scale_a.detach().exp()))


@given(frames=st.integers(1, 200), length=st.integers(1, 50))
def test_windows_cover_every_sample_and_are_never_longer_than_the_network_hears(frames, length):
    samples = np.arange(frames, dtype=np.float32)
    parts = vectors.windows(samples, length)
    assert set(np.concatenate(parts)) == set(samples)
    assert all(len(part) == min(length, frames) for part in parts)
    assert len(parts) == max(1, -(-frames // length))


def test_the_mean_has_length_1_and_none_has_no_direction():
    def hear(parts):
        return np.stack([np.eye(1, vectors.DIMENSION, int(part[0]), dtype=np.float32)[0] for part in parts])

    parts = [np.full(3, number, np.float32) for number in (0, 1, 1, 1, 1, 1, 0)]
    mean = vectors.mean_vector(parts, hear)
    assert mean[:2] == pytest.approx(np.array([2, 5]) / 29**0.5)
    assert vectors.mean_vector(parts[:2], lambda some: np.zeros((len(some), vectors.DIMENSION))) is None


def test_the_identity_is_that_of_the_weights(folder, ear, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "tiny-clap")
    assert load(str(moved)).identity == ear.identity
    assert ear.identity.startswith("tiny-clap@")
    other = write_clap(tmp_path / "other" / "tiny-clap", seed=1)
    assert load(str(other)).identity != ear.identity


def test_an_ear_that_tells_no_texts_apart_hears_and_reads_nothing(tmp_path):
    deaf = load(str(write_clap(tmp_path / "clap-of-one-text", tells_apart=False)))
    assert deaf.hear(noise(1.0)).shape == (vectors.DIMENSION,)
    for _ in range(2):
        with pytest.raises(
            Unavailable, match=r"nearly the same vector to every text.*models pull clap-general"
        ):
            deaf.read(["a slow piano"])


def test_without_weights_or_packages_one_sentence_says_what_to_do(monkeypatch, tmp_path):
    with pytest.raises(
        NotHeard, match=r"^not heard: the ear clap is not on this machine; run `catalog models pull clap`$"
    ):
        load()
    monkeypatch.setenv("CATALOG_EAR", "someone/clap-of-mine")
    with pytest.raises(NotHeard, match="run `catalog models pull someone/clap-of-mine`"):
        load()
    with pytest.raises(
        NotHeard, match=r"the ear nope is no ear and no folder here; name a repository or a folder"
    ):
        load("nope")
    monkeypatch.setenv("CATALOG_EAR", "off")
    with pytest.raises(NotHeard, match="the ear is off"):
        load()
    with pytest.raises(NotHeard, match="run `catalog models pull clap`"):
        load(str(tmp_path / "nowhere"))
    monkeypatch.delenv("CATALOG_EAR")
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotHeard, match=r"needs torch and transformers; pip install 'music-catalog\[hear\]'"):
        load("clap")


def test_weights_that_cannot_be_used_are_named(tmp_path, folder):
    fused = write_clap(tmp_path / "fused-clap", enable_fusion=True, fusion_type="aff_2d")
    with pytest.raises(Unavailable, match="with fusion, which hears a random part"):
        load(str(fused)).hear(noise(1.0))
    torn = shutil.copytree(folder, tmp_path / "torn-clap")
    content = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(content[:1000])
    with pytest.raises(Unavailable, match="torn-clap cannot be loaded"):
        load(str(torn)).hear(noise(1.0))


def test_an_ear_is_found_without_importing_torch(folder):
    code = (
        "import sys; from music_catalog.ear.loading import load\n"
        f"load({str(folder)!r})\n"
        "print(*sorted({'torch', 'transformers', 'mlx', 'lancedb'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == ""

"""Ears found in pulled folders and the hub's cache, and fetched through the real hub client from a loopback hub."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hub_server import COMMIT, Hub, serve

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_clap import write_clap

from music_catalog.ear.loading import load
from music_catalog.generator import weights
from music_catalog.generator.errors import WeightsError
from music_catalog.generator.weights.files import read_manifest, verify

REPO = "laion/larger_clap_music"
FOLDER = "laion--larger_clap_music"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same checkpoint in safetensors and pickled."""
    folder = tmp_path_factory.mktemp("sources")
    return {pickled: write_clap(folder / f"clap-{pickled}", pickled=pickled) for pickled in (False, True)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Point the models home and the hub's cache at empty folders."""
    from huggingface_hub import constants

    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "models"


@pytest.fixture
def online(monkeypatch):
    from huggingface_hub import constants

    def point(url: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    return point


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickled"])
def test_an_ear_is_fetched_once_and_reads_as_it_did(sources, home, online, pickled):
    seen = []
    with serve(Hub({REPO: sources[pickled]})) as hub:
        online(hub.url)
        pulled = weights.pull_ear("clap", on_progress=lambda *step: seen.append(step))
        before = len(hub.requests)
        assert weights.pull_ear(REPO) == pulled == home / FOLDER
        assert len(hub.requests) == before  # read through, not fetched again
    assert seen[-1][0] == seen[-1][1] > 0
    manifest = read_manifest(pulled)
    assert (manifest["source"], manifest["revision"], manifest["license"]) == (REPO, COMMIT, "MIT")
    verify(pulled)
    texts = ["a slow felt piano", "dark drums and rain"]
    np.testing.assert_allclose(load().read(texts), load(str(sources[False])).read(texts), atol=1e-6)
    assert load().identity.startswith("larger_clap_music@")
    assert weights.find_ear("clap") == weights.find_ear(REPO) == pulled
    (info,) = [one for one in weights.available_ears() if one.path]
    assert (info.name, info.repo, info.revision) == ("clap", REPO, COMMIT)
    assert not [one for one in weights.available() if one.path]  # it makes no music
    assert not [*home.glob(".downloads/*")]


def test_a_download_goes_on_where_it_broke_off(sources, home, online):
    with serve(Hub({REPO: sources[False]}, cut_at={"model.safetensors": 60_000}, cuts_left=1)) as hub:
        online(hub.url)
        weights.pull_ear("clap")
        assert hub.downloads("model.safetensors") == [None, "bytes=60000-"]
    verify(home / FOLDER)


def test_the_hub_s_cache_serves_offline(sources, home, tmp_path):
    cached = tmp_path / "hub" / "models--laion--larger_clap_music"
    shutil.copytree(sources[False], cached / "snapshots" / COMMIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT)
    assert weights.find_ear("clap") == cached / "snapshots" / COMMIT
    assert load("clap").read(["a piano"]).shape == (1, 512)
    (cached / "snapshots" / COMMIT / "model.safetensors").unlink()
    assert weights.find_ear("clap") is None


def test_what_is_no_ear_is_refused_before_its_weights(sources, home, online, tmp_path):
    other = shutil.copytree(sources[False], tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "musicgen"}))
    wide = shutil.copytree(sources[False], tmp_path / "wide")
    (wide / "config.json").write_text(json.dumps({**config, "projection_dim": 1024}))
    with serve(Hub({"some/clap": other, "wide/clap": wide})) as hub:
        online(hub.url)
        with pytest.raises(WeightsError, match=r"holds no CLAP model; valid: clap, clap-general"):
            weights.pull_ear("some/clap")
        with pytest.raises(WeightsError, match="vectors of 1024 numbers; those of the catalog have 512"):
            weights.pull_ear("wide/clap")
        with pytest.raises(WeightsError, match="the hub has no model 'none/clap'"):
            weights.pull_ear("none/clap")
        with pytest.raises(WeightsError, match="no ear is named 'ear'; valid: clap, clap-general"):
            weights.pull_ear("ear")
        assert hub.downloads("model.safetensors") == []


def test_an_altered_ear_is_named_and_fetched_again(sources, home, online):
    with serve(Hub({REPO: sources[False]})) as hub:
        online(hub.url)
        pulled = weights.pull_ear("clap")
        data = bytearray((pulled / "model.safetensors").read_bytes())
        data[-9] ^= 1
        (pulled / "model.safetensors").write_bytes(data)
        with pytest.raises(Exception, match=r"model.safetensors is missing or damaged; pull the model again"):
            load().read(["a piano"])
        weights.pull_ear("clap")
    load().read(["a piano"])

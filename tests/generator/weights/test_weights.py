"""Weights found, fetched through the real hub client from a loopback hub, converted and checked."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub, serve
from tiny_musicgen import make_model, write_audiocraft, write_checkpoint, write_companions

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import mlx.nn as nn  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

from music_catalog.generator import weights  # noqa: E402
from music_catalog.generator.device import Device  # noqa: E402
from music_catalog.generator.errors import (  # noqa: E402
    Cancelled,
    WeightsError,
)
from music_catalog.generator.networks.musicgen import (  # noqa: E402
    Condition,
    MusicgenConfig,
)
from music_catalog.generator.weights import checkpoint, files, models  # noqa: E402
from music_catalog.generator.weights.checkpoint import build_networks, load_networks, split_parts  # noqa: E402
from music_catalog.generator.weights.files import read_json, read_tensors, sha256_of, verify  # noqa: E402

LAYOUTS = ("safetensors", "sharded", "pickled", "pickled-sharded")
REPO = "facebook/musicgen-small"
NOBODY = "http://127.0.0.1:9"
"""A port where nothing listens."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return a function from layout to a folder with the same checkpoint in it, each written once."""
    made: dict[str, Path] = {}

    def get(layout: str) -> Path:
        if layout not in made:
            made[layout] = tmp_path_factory.mktemp("sources") / layout
            write_checkpoint(made[layout], layout=layout)
        return made[layout]

    return get


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Point the models home and the hub's cache at empty folders."""
    from huggingface_hub import constants

    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))
    return tmp_path / "models"


def parameters(folder: Path, **options):
    networks = load_networks(folder, dtype="float32", **options)
    return {
        f"{part}.{key}": value
        for part in ("text_encoder", "codec", "decoder")
        for key, value in tree_flatten(getattr(networks, part).parameters())
    }


def assert_equal(one, two) -> None:
    assert one.keys() == two.keys()
    assert all(mx.array_equal(one[key], two[key]) for key in one)


@pytest.fixture
def online(monkeypatch):
    """Return a function that points the hub's client, imported once and offline in these tests, at a hub."""
    from huggingface_hub import constants

    def point(url: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    return point


def run(home: Path, url: str, code: str) -> str:
    """Run code in a fresh interpreter set up by environment variables alone; return what it prints."""
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": url,
        "HF_HOME": str(home.parent / "hub"),
        "CATALOG_MODELS": str(home),
    }
    prelude = "from music_catalog.generator import weights\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], env=settings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pull_error(name: str = "small") -> str:
    with pytest.raises(WeightsError) as caught:
        weights.pull(name)
    return str(caught.value)


def weight_file(source: Path) -> Path:
    return source / "model.safetensors"


# From the hub


def test_pull_fetches_converts_and_records(home, online, sources):
    source, seen = sources("safetensors"), []
    with serve(Hub({REPO: source})) as hub:
        online(hub.url)
        folder = weights.pull("small", on_progress=lambda *report: seen.append(report))
        assert folder == home / "musicgen-small"
        total = sum(
            (source / n).stat().st_size for n in ("config.json", "model.safetensors", "tokenizer.json")
        )
        assert seen[-1] == (total, total)
        assert seen == sorted(seen)
        fetched = len(hub.requests)
        assert weights.pull("small") == folder
        assert len(hub.requests) == fetched
    manifest = read_json(folder / "manifest.json")
    assert manifest["source"] == REPO
    assert manifest["revision"] == COMMIT
    assert manifest["license"] == "CC-BY-NC-4.0"
    assert set(manifest["files"]) == {file.name for file in folder.iterdir()} - {"manifest.json"}
    assert all(entry["sha256"] == sha256_of(folder / name) for name, entry in manifest["files"].items())
    verify(folder)
    assert_equal(parameters(folder), parameters(source))
    assert not (home / ".downloads" / "musicgen-small").exists()
    info = next(info for info in weights.available() if info.name == "small")
    assert (info.repo, info.path, info.revision, info.license) == (REPO, folder, COMMIT, "CC-BY-NC-4.0")
    assert info.size_bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert weights.find("small") == weights.find(REPO) == weights.resolve("small") == folder
    assert weights.present() == ["small"]


def test_pull_follows_the_environment(home, sources):
    with serve(Hub({REPO: sources("safetensors")})) as hub:
        assert run(home, hub.url, "print(weights.pull('small'))") == str(home / "musicgen-small")
        assert hub.downloads("model.safetensors") == [None]


@pytest.mark.parametrize("layout", ["sharded", "pickled-sharded"])
def test_pull_fetches_every_shard(home, online, sources, layout):
    with serve(Hub({"someone/tiny": sources(layout)})) as hub:
        online(hub.url)
        folder = weights.pull("someone/tiny")
    assert folder == home / "someone--tiny" == weights.find("someone/tiny")
    assert read_json(folder / "manifest.json")["license"] == "MIT"
    assert_equal(parameters(folder), parameters(sources("safetensors")))


def test_an_interrupted_download_goes_on_in_the_next_run(home, online, sources):
    source, seen = sources("safetensors"), []
    cut = weight_file(source).stat().st_size // 2
    with serve(Hub({REPO: source}, cut_at={"model.safetensors": cut}, cuts_left=99)) as hub:
        online(hub.url)
        message = pull_error()
        assert f"stopped at {cut} of" in message
        assert "run the same command again" in message
        assert not (home / "musicgen-small").exists()
        assert weights.find("small") is None
        hub.cuts_left = 0
        hub.requests.clear()
        folder = weights.pull("small", on_progress=lambda *report: seen.append(report))
        assert hub.downloads("model.safetensors") == [f"bytes={cut}-"]
        assert hub.downloads("config.json") == []
    assert seen[-1][0] == seen[-1][1]
    assert_equal(parameters(folder), parameters(source))


def test_a_pull_stopped_by_the_caller_goes_on_in_the_next_run(home, online, sources):
    source = sources("safetensors")

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise Cancelled("stop")

    with serve(Hub({REPO: source})) as hub:
        online(hub.url)
        with pytest.raises(Cancelled):
            weights.pull("small", on_progress=stop)
        hub.requests.clear()
        folder = weights.pull("small")
        [ranged] = hub.downloads("model.safetensors")
        assert ranged is not None
        assert int(ranged.removeprefix("bytes=").rstrip("-")) > weight_file(source).stat().st_size // 3
    assert_equal(parameters(folder), parameters(source))


def test_a_dropped_connection_is_continued_in_the_same_run(home, online, sources):
    source = sources("safetensors")
    cut = weight_file(source).stat().st_size // 3
    with serve(Hub({REPO: source}, cut_at={"model.safetensors": cut}, cuts_left=1)) as hub:
        online(hub.url)
        folder = weights.pull("small")
        assert hub.downloads("model.safetensors") == [None, f"bytes={cut}-"]
    assert_equal(parameters(folder), parameters(source))


def test_bytes_other_than_the_hub_recorded_are_refused_and_not_kept(home, online, sources):
    with serve(Hub({REPO: sources("safetensors")}, forged={"model.safetensors"})) as hub:
        online(hub.url)
        assert "arrived damaged" in pull_error()
        assert not list((home / ".downloads" / "musicgen-small").glob("model*"))
        hub.forged.clear()
        verify(weights.pull("small"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_staged_file_that_a_power_cut_left_with_zeros_is_fetched_again(home, online, sources, name):
    source, staging = sources("safetensors"), home / ".downloads" / "musicgen-small"
    staging.mkdir(parents=True)
    (staging / ".revision").write_text(COMMIT)
    for file in source.iterdir():
        shutil.copyfile(file, staging / file.name)
    data = bytearray((staging / name).read_bytes())
    data[-400:] = bytes(400)
    (staging / name).write_bytes(data)
    with serve(Hub({REPO: source})) as hub:
        online(hub.url)
        folder = weights.pull("small")
        assert {file for _, file, _ in hub.requests} == {name}
    assert_equal(parameters(folder), parameters(source))


def test_a_damaged_file_of_the_cache_is_never_converted(home, online, sources, monkeypatch):
    from huggingface_hub import hf_hub_download

    source = sources("safetensors")
    with serve(Hub({REPO: source})) as hub:
        online(hub.url)
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            cached = Path(hf_hub_download(REPO, name)).resolve()
        cached.write_bytes(cached.read_bytes()[:-400] + bytes(400))
        hub.requests.clear()
        online(NOBODY)
        assert f"{cached} in the hub's cache is not what was fetched" in pull_error()
        assert not (home / "musicgen-small").exists()
        online(hub.url)
        assert_equal(parameters(weights.pull("small")), parameters(source))
        assert {file for _, file, _ in hub.requests} == {"model.safetensors"}


def test_a_pulled_model_that_was_altered_is_fetched_again_and_refused_before_that(home, online, sources):
    source = sources("safetensors")
    with serve(Hub({REPO: source})) as hub:
        online(hub.url)
        folder = weights.pull("small")
        file = folder / "decoder.safetensors"
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(WeightsError, match=r"decoder\.safetensors is missing or damaged; pull the model"):
            load_networks(folder)
        hub.requests.clear()
        weights.pull("small", bits=4)  # not of the altered one
        assert hub.downloads("model.safetensors") == [None]
        weights.pull("small")
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        weights.pull("small")
        verify(folder)
        load_networks(folder)


def test_files_are_read_through_once_after_each_change(home, sources, monkeypatch):
    folder, read = weights.pull(str(sources("safetensors"))), []
    real = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: read.append(path.name) or real(path))
    load_networks(folder)
    assert read == []
    os.utime(folder / "codec.safetensors")
    for _ in range(2):
        load_networks(folder)
    assert sorted(set(read)) == sorted(set(read_json(folder / "manifest.json")["files"]))
    assert len(read) == len(set(read))


def test_what_a_killed_conversion_left_goes_with_the_next_pull(home, sources):
    left = home / ".converting-tiny-abc" / "tiny"
    left.mkdir(parents=True)
    source = home.parent / "tiny"
    shutil.copytree(sources("safetensors"), source)
    weights.pull(str(source))
    assert not left.parent.exists()


def test_a_cached_snapshot_serves_offline(home, online, sources, monkeypatch):
    from huggingface_hub import constants, hf_hub_download

    with serve(Hub({REPO: sources("safetensors")})) as hub:
        online(hub.url)
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            snapshot = Path(hf_hub_download(REPO, name)).parent
        assert weights.pull("small") != snapshot
        assert hub.downloads("model.safetensors") == [None]
    shutil.rmtree(home)
    assert weights.find("small") == snapshot
    assert weights.present() == ["small"]
    info = next(info for info in weights.available() if info.name == "small")
    assert (info.path, info.revision, info.license) == (snapshot, COMMIT, "CC-BY-NC-4.0")
    online(NOBODY)
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        folder = weights.pull("small")
        manifest = read_json(folder / "manifest.json")
        assert (manifest["revision"], manifest["license"]) == (COMMIT, "CC-BY-NC-4.0")
        assert_equal(parameters(folder), parameters(snapshot))
        shutil.rmtree(home)


def test_what_the_hub_cannot_give_is_told(home, online, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    with serve(Hub({"someone/empty": empty})) as hub:
        online(hub.url)
        assert "no model 'someone/absent'" in pull_error("someone/absent")
        assert "no MusicGen weights in a known layout" in pull_error("someone/empty")
        assert "no model 'not a/repo'" in pull_error("not a/repo")
    online(NOBODY)
    assert "cannot be reached" in pull_error()


def test_no_model_is_looked_for_where_neither_folder_names_one(home, monkeypatch):
    (home / "someone--clap").mkdir(parents=True)
    monkeypatch.setattr(models, "find", pytest.fail)
    assert weights.present() == []


def test_looking_for_weights_imports_nothing_heavy(home):
    code = """
import sys
assert weights.find("small") is None
assert len(weights.available()) == len(weights.MODELS)
print(sorted({"mlx", "mlx.core", "torch", "tokenizers", "httpx", "httpx2", "requests"} & set(sys.modules)))
"""
    assert run(home, NOBODY, code) == "[]"


def test_audiocraft_layout_takes_text_encoder_and_codec_from_their_repositories(home, online, tmp_path):
    write_audiocraft(tmp_path / "musicgen")
    repos = {"someone/musicgen": tmp_path / "musicgen", **write_companions(tmp_path / "others")}
    with serve(Hub(repos)) as hub:
        online(hub.url)
        folder = weights.pull("someone/musicgen")
        assert hub.downloads("state_dict.bin") == [None]
    write_checkpoint(tmp_path / "same")
    assert_equal(parameters(folder), parameters(tmp_path / "same"))
    assert (folder / "tokenizer.json").is_file()
    assert not (home / ".downloads" / "someone--musicgen").exists()


@pytest.mark.parametrize(("kind", "own_codec"), [("mono", True), ("stereo", False), ("melody", True)])
def test_audiocraft_folders_convert_to_the_same_networks(home, tmp_path, kind, own_codec):
    folder = tmp_path / kind
    write_audiocraft(folder, kind, own_codec=own_codec)
    for source in write_companions(tmp_path / "others", kind).values():
        if not own_codec or source.name == "t5-base":
            shutil.move(source, folder / source.name)
    write_checkpoint(tmp_path / "same", kind)
    pulled = weights.pull(str(folder))
    assert_equal(parameters(pulled), parameters(tmp_path / "same"))
    config, same = (
        MusicgenConfig.from_dict(read_json(f / "config.json")) for f in (pulled, tmp_path / "same")
    )
    assert replace(config, chroma_length=0) == replace(same, chroma_length=0)
    assert load_networks(pulled).codec.config.num_quantizers == 4


def write_mlx_codec(folder: Path, kind: str = "mono") -> None:
    """Write the codec of the random model as `mlx-community/encodec-32khz-float32` has it."""
    from music_catalog.generator.networks.encodec import EncodecModel

    model = make_model(kind).audio_encoder
    model.config.save_pretrained(folder)
    tensors = EncodecModel.sanitize(
        {key: mx.array(value.numpy()) for key, value in model.state_dict().items()}
    )
    mx.save_safetensors(str(folder / "model.safetensors"), tensors, metadata={"format": "mlx"})
    index = {"metadata": {"total_size": 0}, "weight_map": dict.fromkeys(sorted(tensors), "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_the_codec_converted_by_others_serves_where_the_original_cannot_be_had(home, online, tmp_path):
    write_audiocraft(tmp_path / "musicgen")
    others = write_companions(tmp_path / "others")
    write_mlx_codec(tmp_path / "codec")
    repos = {
        "someone/musicgen": tmp_path / "musicgen",
        "google-t5/t5-base": others["google-t5/t5-base"],
        "mlx-community/encodec-32khz-float32": tmp_path / "codec",
    }
    with serve(Hub(repos)) as hub:
        online(hub.url)
        folder = weights.pull("someone/musicgen")
        del repos["mlx-community/encodec-32khz-float32"]
        shutil.rmtree(folder)
        assert "no model 'facebook/encodec_32khz'" in pull_error("someone/musicgen")
    assert not folder.exists()
    repos["mlx-community/encodec-32khz-float32"] = tmp_path / "codec"
    with serve(Hub(repos)) as hub:
        online(hub.url)
        assert weights.pull("someone/musicgen") == folder
    write_checkpoint(tmp_path / "same")
    assert_equal(parameters(folder), parameters(tmp_path / "same"))


def without(folder: Path, target: Path, *prefixes: str) -> Path:
    """Copy a checkpoint in safetensors, its networks under `prefixes` left out."""
    shutil.copytree(folder, target)
    tensors = {
        k: v for k, v in mx.load(str(folder / "model.safetensors")).items() if not k.startswith(prefixes)
    }
    mx.eval(tensors)
    mx.save_safetensors(str(target / "model.safetensors"), tensors)
    return target


def test_safetensors_without_codec_or_text_encoder_take_them_from_elsewhere(home, online, sources, tmp_path):
    whole = sources("safetensors")
    bare = without(whole, tmp_path / "bare", "audio_encoder.", "text_encoder.")
    with serve(Hub({"someone/bare": bare, **write_companions(tmp_path / "others")})) as hub:
        online(hub.url)
        assert_equal(parameters(weights.pull("someone/bare")), parameters(whole))
    # In a folder they may lie there already, the codec in any layout.
    folder = without(whole, tmp_path / "local", "audio_encoder.")
    write_mlx_codec(folder / "encodec_32khz")
    assert_equal(parameters(weights.pull(str(folder))), parameters(whole))
    online(NOBODY)
    with pytest.raises(WeightsError, match="the hub cannot be reached"):
        weights.pull(str(without(whole, tmp_path / "alone", "audio_encoder.")))


def test_a_codec_of_another_model_is_refused(home, sources, tmp_path):
    folder = without(sources("safetensors"), tmp_path / "mixed", "audio_encoder.")
    write_mlx_codec(folder / "encodec_32khz")
    edit_config(folder / "encodec_32khz", lambda config: config.update(target_bandwidths=[0.6]))
    with pytest.raises(
        WeightsError, match="the codec has 2 codebooks of 64 codes and 1 channels, and the decoder"
    ):
        weights.pull(str(folder))


def test_another_architecture_is_refused_before_its_weights_are_fetched(home, online, sources, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(sources("safetensors"), folder)
    edit_config(folder, lambda config: config.update(model_type="bert"))
    with serve(Hub({"someone/bert": folder})) as hub:
        online(hub.url)
        assert "of type 'bert'" in pull_error("someone/bert")
        assert hub.downloads("model.safetensors") == []
    assert weights.find("someone/bert") is None


def test_other_audiocraft_models_are_refused(home, tmp_path):
    folder = tmp_path / "style"
    write_audiocraft(folder)
    for source in write_companions(tmp_path / "others").values():
        shutil.move(source, folder / source.name)
    package = torch.load(folder / "state_dict.bin", weights_only=True)
    style = {"condition_provider.conditioners.style_wav.output_proj.weight": torch.zeros(1)}
    torch.save({**package, "best_state": package["best_state"] | style}, folder / "state_dict.bin")
    with pytest.raises(WeightsError, match="the style model, which is not supported"):
        weights.pull(str(folder))
    torch.save({**package, "xp.cfg": "lm_model: transformer_lm_magnet"}, folder / "state_dict.bin")
    with pytest.raises(WeightsError, match="is a transformer_lm_magnet"):
        weights.pull(str(folder))
    torch.save({"best_state": {"weight": torch.zeros(3)}}, folder / "state_dict.bin")
    with pytest.raises(WeightsError, match="no MusicGen decoder"):
        weights.pull(str(folder))
    torch.save({"pretrained": "dac_44khz"}, folder / "compression_state_dict.bin")
    with pytest.raises(WeightsError, match="asks for the codec dac_44khz"):
        weights.pull(str(folder))


# From a folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_converts_to_the_same_networks(home, sources, layout):
    folder = weights.pull(str(sources(layout)))
    assert folder == home / layout
    assert_equal(parameters(folder), parameters(sources("safetensors")))
    assert weights.find(layout) == folder
    assert layout in [info.name for info in weights.available()]


@pytest.mark.parametrize("kind", ["stereo", "melody"])
def test_other_kinds_convert(home, tmp_path, kind):
    write_checkpoint(tmp_path / kind, kind)
    assert_equal(parameters(weights.pull(str(tmp_path / kind))), parameters(tmp_path / kind))


def test_decoder_type_and_bits_are_stored(home, sources):
    source = str(sources("safetensors"))
    half = weights.pull(source, dtype="float16")
    assert mx.load(str(half / "decoder.safetensors"))["out_norm.weight"].dtype == mx.float16
    assert mx.load(str(half / "codec.safetensors"))["decoder.layers.0.conv.weight"].dtype == mx.float32
    quantized = weights.pull(source, bits=8)
    assert quantized == half
    assert "heads.scales" in mx.load(str(quantized / "decoder.safetensors"))
    networks = load_networks(quantized)
    assert (networks.bits, networks.dtype) == (8, "float32")
    with pytest.raises(WeightsError, match="quantized to 8 bits, not 4"):
        load_networks(quantized, bits=4)
    assert load_networks(weights.pull(source)).bits is None


def test_quantizing_when_pulled_equals_quantizing_when_loaded(home, sources):
    source = sources("safetensors")
    assert_equal(parameters(weights.pull(str(source), bits=4)), parameters(source, bits=4))


def test_a_quantized_model_is_made_from_the_one_here(home, online, sources):
    with serve(Hub({REPO: sources("safetensors")})) as hub:
        online(hub.url)
        folder = weights.pull("small")
        hub.requests.clear()
        assert weights.pull("small", bits=4) == folder
        assert hub.requests == []
        manifest = read_json(folder / "manifest.json")
        assert (manifest["source"], manifest["revision"], manifest["bits"]) == (REPO, COMMIT, 4)
        verify(folder)
        assert_equal(parameters(folder), parameters(sources("safetensors"), bits=4))
        # There is no way back from fewer bits, so that the whole is fetched.
        assert weights.pull("small") == folder
        assert hub.downloads("model.safetensors") == [None]
        assert weights.pull("small", dtype="float16") == folder
        assert hub.downloads("model.safetensors") == [None]
        weights.pull("small", dtype="float32")
        assert hub.downloads("model.safetensors") == [None, None]
    assert_equal(parameters(folder), parameters(sources("safetensors")))


def test_our_own_folder_is_quantized_and_never_twice(home, sources, tmp_path):
    own = weights.pull(str(sources("safetensors"))).rename(tmp_path / "own")
    quantized = weights.pull(str(own), bits=8)
    assert_equal(parameters(quantized), parameters(own, bits=8))
    assert read_json(quantized / "manifest.json")["source"] == str(sources("safetensors"))
    moved = quantized.rename(tmp_path / "quantized")
    with pytest.raises(WeightsError, match="is quantized already"):
        weights.pull(str(moved), bits=4)


def test_the_list_tells_type_and_bits(home, sources):
    def told() -> tuple[str | None, int | None]:
        info = next(info for info in weights.available() if info.name == "safetensors")
        return info.dtype, info.bits

    weights.pull(str(sources("safetensors")), dtype="bfloat16")
    assert told() == ("bfloat16", None)
    weights.pull(str(sources("safetensors")), bits=8)
    assert told() == ("float32", 8)
    assert {(info.dtype, info.bits) for info in weights.available() if info.path is None} == {(None, None)}


@pytest.mark.parametrize(("hidden_size", "ffn_dim", "group"), [(96, 160, 32), (64, 96, 32), (128, 192, 64)])
def test_groups_divide_the_matrices(tmp_path, home, hidden_size, ffn_dim, group):
    folder = tmp_path / "odd"
    write_checkpoint(folder, hidden_size=hidden_size, ffn_dim=ffn_dim)
    quantized = weights.pull(str(folder), bits=4)
    assert read_json(quantized / "manifest.json")["group_size"] == group
    assert_equal(parameters(quantized), parameters(folder, bits=4))


def test_matrices_that_no_group_divides_are_told(tmp_path, home):
    write_checkpoint(tmp_path / "odd", hidden_size=48, ffn_dim=64)
    for make in (load_networks, lambda folder, bits: weights.pull(str(folder), bits=bits)):
        with pytest.raises(WeightsError, match="width 48 and 64 cannot be quantized; multiples of 32 can"):
            make(tmp_path / "odd", bits=8)
    assert list(home.glob("[!.]*")) == []


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("kind", ["mono", "stereo", "melody"])
def test_quantized_logits_are_those_of_the_weights_they_stand_for(tmp_path, kind, bits):
    """Against the network in float32 whose matrices are what the quantized ones come to."""
    write_checkpoint(tmp_path / kind, kind)
    networks, plain = load_networks(tmp_path / kind, bits=bits), load_networks(tmp_path / kind)
    for name, module in networks.decoder.named_modules():
        if isinstance(module, nn.QuantizedLinear):
            matrix = mx.dequantize(
                module.weight, module.scales, module.biases, module.group_size, module.bits
            )
            plain.decoder.load_weights([(f"{name}.weight", matrix)], strict=False)
    text = mx.random.normal((2, 5, 24), key=mx.random.key(1))
    condition = Condition(text, mx.arange(5) < mx.array([5, 3])[:, None])
    tokens = mx.random.randint(0, 65, (2, networks.decoder.config.num_codebooks, 9), key=mx.random.key(2))
    quantized, exact = (
        one.decoder(tokens, one.decoder.start(condition, 9, unconditional=True)) for one in (networks, plain)
    )
    assert mx.abs(quantized - exact).max().item() < 1e-4
    assert mx.abs(exact).max().item() > 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"bits": 3}, "3 bits are not possible"), ({"dtype": "float64"}, "dtype 'float64' is not known")],
)
def test_unknown_forms_are_refused(home, sources, options, problem):
    with pytest.raises(WeightsError, match=problem):
        weights.pull(str(sources("safetensors")), **options)
    with pytest.raises(WeightsError, match=problem):
        load_networks(sources("safetensors"), **options)


def test_pickled_code_is_refused_unrun(home, sources, tmp_path):
    folder, proof = tmp_path / "evil", tmp_path / "proof"
    shutil.copytree(sources("pickled"), folder)

    class Evil:
        def __reduce__(self):
            return (Path.touch, (proof,))

    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.pull(str(folder))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.pull(str(folder))
    assert not proof.exists()


@pytest.mark.parametrize("layout", ["pickled", "pickled-sharded"])
def test_pickled_weights_without_torch_are_refused_before_they_are_fetched(
    home, online, sources, layout, monkeypatch
):
    source = sources(layout)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WeightsError, match=r"torch.*not installed; pip install 'music-catalog\[encoders\]'$"):
        weights.pull(str(source))
    with serve(Hub({"someone/tiny": source})) as hub:
        online(hub.url)
        assert "someone/tiny has pickled weights only and torch" in pull_error("someone/tiny")
        assert [name for _, name, _ in hub.requests if name.endswith(".bin")] == []


def test_a_failed_conversion_leaves_what_was_there(home, sources, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(sources("safetensors"), folder)
    target = weights.pull(str(folder))
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"no tokenizer\.json"):
        weights.pull(str(folder), dtype="float16")
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    assert [file.name for file in home.iterdir() if file.is_dir()] == ["model"]


# Damage


def truncate(file: Path, by: int = 100) -> None:
    os.truncate(file, file.stat().st_size - by)


def drop_tensor(file: Path) -> None:
    tensors = dict(mx.load(str(file)))
    mx.eval(tensors)
    del tensors["text_encoder.encoder.final_layer_norm.weight"]
    mx.save_safetensors(str(file), tensors)


def edit_config(folder: Path, edit) -> None:
    config = read_json(folder / "config.json")
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))


DAMAGES = {
    "truncated weights": (lambda f: truncate(f / "model.safetensors"), "is damaged"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
    "not safetensors": (
        lambda f: (f / "model.safetensors").write_bytes(b"<html>" * 50),
        "no safetensors file",
    ),
    "empty weights": (lambda f: (f / "model.safetensors").write_bytes(b""), "no safetensors file"),
    "missing tensor": (
        lambda f: drop_tensor(f / "model.safetensors"),
        "lacks the text_encoder's tensor norm",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), r"config\.json cannot be read"),
    "config cut": (lambda f: truncate(f / "config.json"), "not valid JSON"),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "holds list"),
    "another model": (lambda f: edit_config(f, lambda c: c.update(model_type="bert")), "type 'bert'"),
    "another codec": (
        lambda f: edit_config(f, lambda c: c["audio_encoder"].update(model_type="dac")),
        "audio encoder is 'dac'",
    ),
    "another size": (
        lambda f: edit_config(f, lambda c: c["decoder"].update(ffn_dim=256)),
        "a file is missing or of another model",
    ),
    "fewer layers": (
        lambda f: edit_config(f, lambda c: c["decoder"].update(num_hidden_layers=1)),
        "a tensor that no MusicGen decoder has",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_folders_are_refused_with_the_cure(home, sources, tmp_path, damage):
    spoil, problem = DAMAGES[damage]
    folder = tmp_path / "spoiled"
    shutil.copytree(sources("safetensors"), folder)
    spoil(folder)
    with pytest.raises(WeightsError, match=problem) as caught:
        load_networks(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match=problem):
        weights.pull(str(folder))
    assert weights.find("spoiled") is None


def test_missing_shards_are_named(home, sources, tmp_path):
    for layout, pattern in (("sharded", "model-00002*"), ("pickled-sharded", "pytorch_model-00002*")):
        folder = tmp_path / layout
        shutil.copytree(sources(layout), folder)
        shard = next(folder.glob(pattern))
        shard.unlink()
        with pytest.raises(WeightsError, match=f"lacks {shard.name}"):
            weights.pull(str(folder))


def test_shards_that_are_cut_or_hold_something_else_are_told(home, sources, tmp_path):
    for layout, pattern in (("sharded", "model-00002*"), ("pickled-sharded", "pytorch_model-00002*")):
        folder = tmp_path / layout
        shutil.copytree(sources(layout), folder)
        shard = next(folder.glob(pattern))
        truncate(shard)
        with pytest.raises(
            WeightsError, match=rf"{shard.name} (is damaged|cannot be read).*pull the model again"
        ):
            weights.pull(str(folder))
        # As long as it should be, but another one's.
        shutil.copyfile(next(folder.glob(pattern.replace("2", "1"))), shard)
        with pytest.raises(WeightsError, match=r"(fetch the weights|pull the model) again"):
            weights.pull(str(folder))
    assert list(home.glob("[!.]*")) == []


@pytest.mark.parametrize("kind", ["mono", "melody"])
def test_every_tensor_is_missed(kind, tmp_path):
    write_checkpoint(tmp_path / kind, kind)
    config, tensors = read_json(tmp_path / kind / "config.json"), read_tensors(tmp_path / kind)
    unread = ("embed_positions", "embed_avg", "cluster_size", "inited", "embed_tokens.weight")
    for name in sorted(tensors)[::3]:
        left = {other: value for other, value in tensors.items() if other != name}
        if not name.endswith(unread) and "embed_positions" not in name:
            with pytest.raises(WeightsError):
                build_networks(config, split_parts(left), source=tmp_path)


def test_a_cut_index_is_told(home, sources, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(sources("sharded"), folder)
    truncate(folder / "model.safetensors.index.json")
    with pytest.raises(WeightsError, match=r"index\.json is not valid JSON; pull the model again"):
        weights.pull(str(folder))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["stereo", "melody"])
def test_a_quantized_decoder_in_half_precision_stays_half(tmp_path, home, kind, dtype):
    write_checkpoint(tmp_path / kind, kind)
    folder = weights.pull(str(tmp_path / kind), bits=8, dtype=dtype)
    decoder = load_networks(folder, dtype=dtype).decoder
    wanted = getattr(mx, dtype)
    floats = {value.dtype for _, value in tree_flatten(decoder.parameters())} - {mx.uint32}
    assert floats == {wanted}
    condition = Condition(mx.ones((1, 3, 24)), mx.ones((1, 3), mx.bool_))
    state = decoder.start(condition, 4, unconditional=True)
    hidden = decoder.hidden(mx.zeros((1, decoder.config.num_codebooks, 2), mx.int32), state)
    assert {hidden.dtype, decoder.logits(hidden).dtype, *(layer.columns.dtype for layer in state.layers)} == {
        wanted
    }


def test_pickled_folders_are_told_how_to_convert(sources):
    with pytest.raises(WeightsError, match="convert it once: catalog models pull"):
        load_networks(sources("pickled"))


def test_damage_to_a_pulled_folder_is_found(home, sources):
    folder = weights.pull(str(sources("safetensors")))
    file = folder / "decoder.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match=r"decoder\.safetensors is missing or damaged"):
        verify(folder)
    truncate(file)
    with pytest.raises(WeightsError, match=f"not {len(whole)} bytes long"):
        load_networks(folder)
    # Pulled again, it is whole again.
    assert weights.pull(str(sources("safetensors"))) == folder
    assert file.read_bytes() == whole


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {"decoder.safetensors": 1}}'])
def test_a_damaged_manifest_is_told_hides_nothing_and_is_made_again(home, sources, text):
    folder = weights.pull(str(sources("safetensors")))
    whole = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"manifest\.json .*pull the model again"):
        load_networks(folder)
    assert {"small", folder.name} <= {info.name for info in weights.available()}
    assert weights.pull(str(sources("safetensors"))) == folder
    assert (folder / "manifest.json").read_text() == whole


def test_names_and_folders_that_are_not_there(home, tmp_path):
    with pytest.raises(WeightsError, match="run: catalog models pull medium"):
        weights.resolve("medium")
    with pytest.raises(WeightsError, match="there is no folder"):
        weights.resolve(tmp_path / "nothing")
    with pytest.raises(WeightsError, match="no model is named 'huge'; valid: small, medium"):
        weights.pull("huge")
    assert weights.find("huge") is None


def test_a_folder_named_like_a_size_does_not_hide_the_model(home, sources, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    with pytest.raises(WeightsError, match="run: catalog models pull small"):
        weights.resolve("small")


def test_models_home_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("CATALOG_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert weights.models_home() == tmp_path / ".local/share/music-catalog/models"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert weights.models_home() == tmp_path / "data/music-catalog/models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert weights.models_home() == tmp_path / "Library/Application Support/music-catalog/models"


def test_licence_is_read_from_the_model_card(tmp_path):
    assert weights.license_of(tmp_path) == "unknown"
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\ntags: [x]\n---\n# Model\n")
    assert weights.license_of(tmp_path) == "CC-BY-NC-4.0"


PEAK = """
import resource, sys, torch
from pathlib import Path
from music_catalog.generator.weights.conversion import convert
from music_catalog.generator.weights.hub import Source
import mlx.core, mlx.nn
from music_catalog.generator.networks import encodec, musicgen, t5

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source, target, bits = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) or None
convert(source, target, Source("tiny", None, "none"), bits=bits)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A pickled checkpoint of 170 MB, whose largest matrix has 17."""
    folder = tmp_path_factory.mktemp("wide") / "tiny-wide"
    write_checkpoint(folder, layout="pickled", hidden_size=1024, ffn_dim=4096, layers=3)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kilobytes on Linux only")
@pytest.mark.parametrize("bits", [0, 4])
def test_pickled_weights_convert_in_little_more_memory_than_they_take(wide, tmp_path, bits):
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(wide), str(tmp_path / "made"), str(bits)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    size = (wide / "pytorch_model.bin").stat().st_size
    assert size > 150e6
    assert int(done.stdout) <= 1.3 * size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"], "what it needed meanwhile is gone"


@pytest.fixture
def on_gpu(monkeypatch):
    """A function that states a GPU, while MLX computes on the processor as ever."""

    def state(generation: int | None) -> None:
        here = Device("metal", "Apple", generation, 64 * 10**9)
        for module in (models, checkpoint):
            monkeypatch.setattr(module, "device", lambda: here)

    return state


@pytest.mark.parametrize(
    ("generation", "options", "stored"),
    [
        (15, {}, ("float16", None)),
        (15, {"bits": 4}, ("float16", 4)),
        (15, {"dtype": "float32"}, ("float32", None)),
        (13, {}, ("float16", 8)),
        (14, {}, ("float16", 8)),
        (14, {"bits": 4}, ("float16", 4)),
        (14, {"dtype": "float16"}, ("float16", None)),
    ],
)
def test_what_is_pulled_is_stored_as_a_gpu_loads_it(home, sources, on_gpu, generation, options, stored):
    on_gpu(generation)
    manifest = read_json(weights.pull(str(sources("safetensors")), **options) / "manifest.json")
    assert (manifest["dtype"], manifest["bits"]) == stored


def test_a_model_that_was_pulled_in_single_precision_shrinks_without_a_download(
    home, online, sources, on_gpu
):
    with serve(Hub({REPO: sources("safetensors")})) as hub:
        online(hub.url)
        large = weights.pull("small")
    assert read_json(large / "manifest.json")["dtype"] == "float32"
    before = (large / "decoder.safetensors").stat().st_size
    online(NOBODY)
    on_gpu(15)
    small = weights.pull("small")
    assert read_json(small / "manifest.json")["dtype"] == "float16"
    assert (small / "decoder.safetensors").stat().st_size < 0.6 * before


@pytest.mark.parametrize(
    ("generation", "options", "loaded"),
    [
        (13, {}, ("float16", 8)),
        (14, {}, ("float16", 8)),
        (15, {}, ("float16", None)),
        (13, {"dtype": "float16"}, ("float16", None)),
        (13, {"bits": 4}, ("float16", 4)),
        (None, {}, ("float16", None)),
    ],
)
def test_a_decoder_is_loaded_in_eight_bits_on_m1_and_m2(sources, on_gpu, generation, options, loaded):
    on_gpu(generation)
    networks = load_networks(sources("safetensors"), **options)
    assert (networks.dtype, networks.bits) == loaded
    assert hasattr(networks.decoder.heads, "bits") is bool(loaded[1])


def test_what_is_stored_in_four_bits_stays_so_on_m1(home, sources, on_gpu):
    folder = weights.pull(str(sources("safetensors")), bits=4)
    on_gpu(13)
    assert load_networks(folder).bits == 4

"""Tracks made by MusicGen from the command line to the file: small random checkpoints in a models home."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_musicgen import FILE_RATE, tone, write_checkpoint

from music_catalog import cli
from music_catalog.errors import InputError
from music_catalog.generator import weights
from music_catalog.generator.audio import encode, read
from music_catalog.generator.protocol import Audio

pytest.importorskip("mlx.core")
pytest.importorskip("torch")
pytest.importorskip("transformers")

CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
STORM = "Thunder cracks over the raging sea while the terrified crew fights the sails."
SHORT = ["--duration", "1", "--quality", "preview", "--role", "background_bed"]
MLX = [*SHORT, "--backend", "mlx"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a models home with the pulled checkpoints small, stereo-small and melody."""
    base = tmp_path_factory.mktemp("musicgen")
    home = base / "models"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATALOG_MODELS", str(home))
        for kind, name in (("mono", "small"), ("stereo", "stereo-small"), ("melody", "melody")):
            folder = base / f"musicgen-{name}"
            write_checkpoint(folder, kind, rate=FILE_RATE)
            weights.pull(str(folder))
    return home


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of recordings: a tune, the same as FLAC, another one, and some that cannot be followed."""
    folder = tmp_path_factory.mktemp("recordings")
    tune = Audio(np.concatenate([tone(392, 1, FILE_RATE), tone(330, 1, FILE_RATE)]), FILE_RATE)
    (folder / "tune.wav").write_bytes(encode(tune, "wav"))
    (folder / "tune.flac").write_bytes(encode(read(folder / "tune.wav"), "flac"))
    (folder / "other.wav").write_bytes(encode(Audio(tone(523, 2, FILE_RATE), FILE_RATE)))
    (folder / "silent.wav").write_bytes(encode(Audio(np.zeros((9_000, 2), np.float32), FILE_RATE)))
    (folder / "cut.wav").write_bytes((folder / "tune.wav").read_bytes()[:5_000])
    (folder / "text.wav").write_text("no audio")
    (folder / "long.flac").write_bytes(encode(Audio(np.zeros((8_000 * 601, 1), np.float32), 8_000), "flac"))
    (folder / "large.wav").write_bytes(b"RIFF" + bytes(26 * 1024**2))
    return folder


@pytest.fixture
def home(tmp_path, models, monkeypatch):
    monkeypatch.setenv("CATALOG_MODELS", str(models))
    return tmp_path / "home"


def run(*args, home):
    return CliRunner().invoke(cli.catalog, [*map(str, args)], env={"CATALOG_HOME": str(home)})


def made(*args, home):
    result = run(*args, "--json", home=home)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def audio_files(home):
    return sorted(path for path in home.rglob("*") if path.is_file() and "audio" in path.parts)


def test_find_or_make_makes_a_track_with_musicgen_and_reuses_it(home):
    payload = made("find-or-make", CALM, *MLX, home=home)
    track = payload["track"]
    assert (payload["action"], payload["backend"], payload["warnings"]) == ("generated", "mlx", [])
    assert (track["model"], track["sample_rate"], track["duration_s"]) == ("musicgen-small", FILE_RATE, 1.0)
    assert track["weights_license"] == "CC-BY-NC-4.0"
    assert read(payload["path"]).samples.shape == (FILE_RATE, 2)
    again = made("find-or-make", CALM, *MLX, home=home)
    assert (again["action"], again["id"]) == ("reused", payload["id"])


def test_the_same_seed_makes_the_same_samples(home):
    paths = [made("musicgen", CALM, *MLX, "--seed", seed, home=home)["path"] for seed in (7, 7, 8)]
    first, again, other = (read(path).samples for path in paths)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_file_of_contexts_is_made_in_one_batch(home, tmp_path, monkeypatch):
    from music_catalog.generator.musicgen.adapter import MusicgenAdapter

    batches = []
    inner = MusicgenAdapter.generate_batch
    monkeypatch.setattr(
        MusicgenAdapter,
        "generate_batch",
        lambda self, prompts, *rest, **named: (
            batches.append(len(prompts)) or inner(self, prompts, *rest, **named)
        ),
    )
    lines = tmp_path / "contexts.jsonl"
    lines.write_text("\n".join(json.dumps(text) for text in (CALM, STORM, "A quiet desert at noon.")))
    result = run("find-or-make", "--batch", lines, *MLX, "--preset", "ambient_lofi", home=home)
    assert result.exit_code == 0, result.output
    payloads = [json.loads(line) for line in result.stdout.splitlines()]
    assert batches == [3]
    assert [payload["action"] for payload in payloads] == ["generated"] * 3
    alone = made(
        "musicgen",
        STORM,
        *MLX,
        "--preset",
        "ambient_lofi",
        "--seed",
        payloads[1]["seed"],
        home=home.parent / "alone",
    )
    difference = read(alone["path"]).samples - read(payloads[1]["path"]).samples
    assert np.abs(difference).max() < 2e-3


# Checkpoints


def test_a_stereo_checkpoint_makes_two_channels(home):
    payload = made("musicgen", CALM, *MLX, "--set", "size=stereo-small", home=home)
    assert payload["track"]["model"] == "musicgen-stereo-small"
    samples = read(payload["path"]).samples
    assert np.abs(samples[:, 0] - samples[:, 1]).max() > 0.01


def test_a_size_that_is_not_there_is_stood_in_for_by_the_nearest(home, models, monkeypatch, tmp_path):
    payload = made("musicgen", CALM, *SHORT, "--set", "size=stereo-medium", home=home)
    assert payload["track"]["model"] == "musicgen-melody"
    assert payload["warnings"] == ["MusicGen stereo-medium is not on this machine, so melody made this"]
    only = tmp_path / "only-stereo"
    shutil.copytree(models / "musicgen-stereo-small", only / "musicgen-stereo-small")
    monkeypatch.setenv("CATALOG_MODELS", str(only))
    payload = made("musicgen", CALM, *SHORT, home=home)
    assert payload["track"]["model"] == "musicgen-stereo-small"


@pytest.mark.parametrize("size", ["small", "stereo-small"])
def test_a_scene_is_a_loop_in_mono_and_stereo(home, size, tmp_path):
    (tmp_path / "mine.yaml").write_text("musicgen: {quality: {preview: {max_duration_s: 3}}}")
    asked = ("--backend", "mlx", "--quality", "preview", "--set", f"size={size}")
    payload = made("scene", STORM, *asked, "--config", tmp_path / "mine.yaml", home=home)
    track = payload["track"]
    assert (track["model"], track["loopable"], track["channels"]) == (f"musicgen-{size}", True, 2)
    assert abs(track["duration_s"] - 3) <= 0.06 * 3 + 1e-9
    assert track["seam"] is not None
    sides = read(payload["path"]).samples.T
    # Equal but for the dither.
    assert (np.abs(sides[0] - sides[1]).max() < 1e-3) == (size == "small")


# A melody


def test_a_melody_is_followed_by_a_checkpoint_that_can(home, files):
    plain = made("musicgen", CALM, *MLX, "--set", "size=melody", "--seed", 1, home=home)
    payloads = [
        made("musicgen", CALM, *MLX, "--seed", 1, "--melody", files / name, home=home)
        for name in ("tune.wav", "tune.flac", "other.wav")
    ]
    assert {payload["track"]["model"] for payload in payloads} == {"musicgen-melody"}
    tune, same, other = (read(payload["path"]).samples for payload in payloads)
    assert np.array_equal(tune, same)
    assert np.abs(tune - other).max() > 0.01
    assert np.abs(tune - read(plain["path"]).samples).max() > 0.01


def test_a_melody_belongs_to_the_request(home, files):
    made("find-or-make", CALM, *SHORT, home=home)
    ask = ("find-or-make", CALM, *SHORT, "--melody")
    first, again, other = (made(*ask, files / n, home=home) for n in ("tune.wav", "tune.flac", "other.wav"))
    assert [one["action"] for one in (first, again, other)] == ["generated", "reused", "generated"]
    assert again["id"] == first["id"]
    shown = json.loads(run("show", first["id"], "--json", home=home).stdout)
    assert len(shown["config"]["melody"]) == 64
    assert shown["config_sources"]["melody"] == "caller"
    assert shown["config_sources"]["size"].startswith("follows a melody as small cannot")


def test_without_a_melody_checkpoint_the_synthesizer_follows_it(home, files, monkeypatch, tmp_path):
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "none"))
    payload = made("musicgen", CALM, *SHORT, "--melody", files / "tune.wav", "--seed", 1, home=home)
    assert payload["backend"] == "procedural"
    assert payload["warnings"] == [
        "MusicGen melody is not on this machine, so the procedural synthesizer rendered this"
    ]
    other = made("musicgen", CALM, *SHORT, "--melody", files / "other.wav", "--seed", 1, home=home)
    assert not np.array_equal(read(payload["path"]).samples, read(other["path"]).samples)
    refused = run("musicgen", CALM, *MLX, "--melody", files / "tune.wav", home=home)
    assert refused.exit_code == 6
    assert "catalog models pull melody" in refused.stderr


def test_a_batch_may_follow_one_melody(home, files, open_service):
    service = open_service(home)
    asked = {"duration_s": 1.0, "quality": "preview", "melody": str(files / "tune.wav")}
    results = service.find_or_make_all([CALM, STORM], **asked)
    assert [result.track.model for result in results] == ["musicgen-melody"] * 2


def test_made_again_a_track_goes_on_from_what_it_went_on_from(home, files, open_service):
    service = open_service(home)
    asked = {"quality": "preview", "backend": "mlx", "seed": 3}
    first = service.generate(CALM, duration_s=1.0, **asked).track
    longer = service.generate(CALM, duration_s=1.5, continue_from=first.id, **asked)
    again = service.again(longer.track.id)
    assert np.array_equal(read(longer.path).samples, read(again.path).samples)
    tuneful = service.generate(CALM, duration_s=1.0, melody=files / "tune.wav", **asked)
    with pytest.raises(
        InputError, match="follows the melody of a recording, which was not kept; make it anew"
    ):
        service.again(tuneful.track.id)


def test_a_track_goes_on_in_the_other_number_of_channels(home):
    ask = ("musicgen", CALM, *MLX, "--seed", 1)
    longer = ("--duration", "1.5", "--continue-from")
    mono, stereo = (made(*ask, "--set", f"size={size}", home=home) for size in ("small", "stereo-small"))
    onto = made(*ask, *longer, mono["id"], "--set", "size=stereo-small", home=home)
    assert onto["warnings"] == []
    sides = read(onto["path"]).samples
    assert np.abs(sides[: FILE_RATE // 2, 0] - sides[: FILE_RATE // 2, 1]).max() < 1e-3
    assert np.abs(sides[FILE_RATE:, 0] - sides[FILE_RATE:, 1]).max() > 0.01
    back = made(*ask, *longer, stereo["id"], home=home)
    assert back["track"]["model"] == "musicgen-small"
    assert len(back["warnings"]) == 1
    assert "do not fit this model, so its audio was encoded again" in back["warnings"][0]


# The commands for checkpoints


def test_pull_shows_the_licence_and_list_tells_what_is_here(home, models, tmp_path, monkeypatch):
    source = models.parent / "musicgen-small"
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "models"))
    shutil.copytree(source, tmp_path / "mine")
    for folder, licence, name in ((source, "CC-BY-NC-4.0", "small"), (tmp_path / "mine", "unknown", "mine")):
        result = run("models", "pull", folder, "--bits", "8", home=home)
        assert result.exit_code == 0, result.output
        assert result.stdout.strip() == str(tmp_path / "models" / folder.name)
        assert "CC-BY-NC-4.0" in result.stderr
        listed = json.loads(run("models", "list", "--json", home=home).stdout)["models"]
        one = next(one for one in listed if one["name"] == name)
        assert (one["license"], one["bits"], one["dtype"]) == (licence, 8, "float32")
    line = next(
        one for one in run("models", "list", home=home).stdout.splitlines() if one.startswith("small ")
    )
    assert "8 bits" in line
    assert "CC-BY-NC-4.0" in line
    track = made("musicgen", CALM, *MLX, home=home)["track"]
    assert track["weights_license"] == "CC-BY-NC-4.0"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["huge"], 2, "no model is named 'huge'; valid: small, medium"),
        (["{folder}"], 6, "type 'bert'; musicgen or musicgen_melody is needed"),
        (["{folder}/nothing"], 6, "nothing"),
        (["small", "--bits", "3"], 2, "'3' is not one of"),
        (["small", "--dtype", "float64"], 2, "'float64' is not one of"),
    ],
)
def test_what_cannot_be_pulled_is_one_sentence_and_leaves_nothing(
    home, models, tmp_path, monkeypatch, args, code, message
):
    folder = shutil.copytree(models.parent / "musicgen-small", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "models"))
    result = run("models", "pull", *(arg.replace("{folder}", str(folder)) for arg in args), home=home)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert weights.find(folder.name) is None
    assert [path for path in (tmp_path / "models").rglob("*") if path.suffix == ".safetensors"] == []


# What cannot be made


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--melody", "{files}/nothing.wav"], 2, "No such file"),
        (["--melody", "{files}/silent.wav"], 2, "the melody is silent"),
        (["--melody", "{files}/cut.wav"], 2, "cut short"),
        (["--melody", "{files}/text.wav"], 2, "no WAV, FLAC or OGG"),
        (["--melody", "{files}/long.flac"], 2, "601 s long; at most 600 s"),
        (["--melody", "{files}/large.wav"], 2, "larger than 25 MiB"),
        (["--melody", "{files}"], 2, "Is a directory"),
        (["--set", "size=huge"], 2, "size is 'huge', but must be one of"),
        (["--set", "size=large"], 6, "catalog models pull large"),
        (["--duration", "0"], 2, "--duration"),
        (["--duration", "601"], 2, "--duration"),
        (["--set", "top_k=-1"], 2, "top_k"),
        (["--set", "negative_prompt=" + "word " * 80], 6, "tokens; at most 64 are valid"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(home, models, files, monkeypatch, args, code, message):
    if "negative_prompt" in args[-1]:
        small = home.parent / "models" / "musicgen-small"
        shutil.copytree(models / "musicgen-small", small)
        (small / "tokenizer_config.json").write_text('{"model_max_length": 64}')
        monkeypatch.setenv("CATALOG_MODELS", str(small.parent))
    filled = [arg.replace("{files}", str(files)) for arg in args]
    result = run("musicgen", CALM, *MLX, *filled, home=home)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert audio_files(home) == []


@pytest.mark.skipif(os.name != "posix", reason="limits of memory are set the POSIX way")
def test_want_of_memory_is_told_and_leaves_nothing(home, monkeypatch):
    from music_catalog.generator.networks.encodec import EncodecModel

    def exhausted(self, chunks, poll):
        raise RuntimeError("[malloc] Unable to allocate 99 bytes.")
        yield

    monkeypatch.setattr(EncodecModel, "decode_stream", exhausted)
    result = run("musicgen", CALM, *MLX, home=home)
    assert result.exit_code == 6
    assert "not enough memory to make this" in result.stderr
    assert audio_files(home) == []

"""Plugins are found by their entry points, named as backends, and never break the catalog."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from music_catalog import InputError, MusicService, Unavailable
from music_catalog.generator import Audio, GeneratorError
from music_catalog.plugins.backends import Backends
from music_catalog.plugins.generators import PluginGenerator
from music_catalog.plugins.installed import installed, plugin_rows
from music_catalog.presets import BackendSettings, PresetError, load
from tests.command_line import data, run
from tests.fakes import WordHashEncoder
from tests.plugged import GENERATOR, plug

__all__ = ["plug"]

TEXT = "Rain on the roof of a quiet house."
SHORT = {"duration_s": 2.0, "quality": "preview"}
TONE = GENERATOR.format(license="MIT")


def a_config(tmp_path, text):
    path = tmp_path / "catalog.yaml"
    path.write_text(f"musicgen:\n{text}")
    return path


def test_a_plugin_makes_tracks_by_its_name(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service:
        made = service.find_or_make(TEXT, backend="tone", **SHORT)
        again = service.find_or_make(TEXT, backend="tone", **SHORT)
        other = service.find_or_make(TEXT, backend="procedural", **SHORT, dry_run=True)
    track = made.track
    assert (track.backend, track.model, track.weights_license, track.model_rank) == (
        "tone",
        "tone-1",
        "MIT",
        1,
    )
    assert again.track.id == track.id
    assert other.track is None, "a backend that is named is a hard fact"


def test_a_plugin_is_named_in_the_configuration_with_its_settings(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    config = a_config(tmp_path, "  model: {backend: high}\n  backends:\n    high: {use: tone, hertz: 1760}\n")
    with MusicService.open(tmp_path / "home", config=config, encoder=WordHashEncoder()) as service:
        made = service.find_or_make(TEXT, **SHORT)
        low = service.find_or_make(TEXT, backend="tone", **SHORT)
    assert (made.track.backend, low.track.backend) == ("high", "tone")
    assert strongest_hertz(made.path) == pytest.approx(1760, abs=5)
    assert strongest_hertz(low.path) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(("elsewhere", "thread"), [(False, "catalog-generator"), (True, "MainThread")])
def test_a_plugin_works_on_the_generators_thread_unless_it_works_elsewhere(elsewhere, thread, plug, tmp_path):
    named = TONE.replace('"versions": {}', '"versions": {"thread": threading.current_thread().name}')
    source = "import threading\n" + named.replace("class Tone:", f"class Tone:\n    elsewhere = {elsewhere}")
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder(), generators=Cluster()) as service:
        made = service.find_or_make(TEXT, backend="tone", **SHORT)
    assert made.track.versions["thread"] == thread


class Cluster:
    """Generators of a cluster that makes two pieces at a time; nothing here asks it for one."""

    at_once = 2


def strongest_hertz(path):
    import soundfile

    samples, rate = soundfile.read(path)
    power = np.abs(np.fft.rfft(samples.reshape(len(samples), -1)[:, 0]))
    return power.argmax() * rate / len(samples)


def test_settings_of_a_backend_are_part_of_what_a_request_is(tmp_path):
    digests = {
        load(a_config(tmp_path, f"  backends:\n    tone: {{hertz: {hertz}, timeout_s: {wait}}}\n")).digest
        for hertz, wait in ((440, 1), (880, 1), (880, 2))
    }
    assert len(digests) == 2
    assert load(a_config(tmp_path, "  model: {size: small}\n")).digest == load().digest


def test_the_names_of_the_catalog_cannot_be_set_up_as_backends(tmp_path):
    with pytest.raises(PresetError, match=r"backends.mlx .*another name"):
        load(a_config(tmp_path, "  backends:\n    mlx: {url: here}\n"))


def test_an_unknown_name_is_refused_with_the_nearest(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    with (
        MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service,
        pytest.raises(InputError, match=r"backend is 'tonne'; did you mean tone\? valid: auto, mlx"),
    ):
        service.find_or_make(TEXT, backend="tonne", **SHORT)
    told = run("find-or-make", TEXT, "--backend", "tonne", home=tmp_path / "home")
    assert told.exit_code == 2
    assert "did you mean tone?" in told.stderr


BROKEN = {
    "syntax": ("def (", "cannot be imported: SyntaxError"),
    "import": ("import a_module_that_nobody_has", "cannot be imported: ModuleNotFoundError"),
    "exit": ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
    "no object": ("x = 1", "cannot be imported: AttributeError"),
    "setup": (
        "class Tone:\n    def __init__(self):\n        raise RuntimeError('two\\nlines')",
        "cannot be set up: RuntimeError: two lines",
    ),
    "no licence": ("class Tone:\n    pass", "states no licence"),
    "rank": ("class Tone:\n    weights_license = 'MIT'\n    rank = 9", "has the rank 9"),
}


@pytest.mark.parametrize(("source", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_one_sentence_and_the_rest_works(source, words, plug, tmp_path):
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service:
        with pytest.raises(Unavailable, match=words) as refused:
            service.find_or_make(TEXT, backend="tone", **SHORT)
        assert "\n" not in str(refused.value)
        assert service.find_or_make(TEXT, backend="procedural", **SHORT).action == "generated"
        assert service.browse("rain").total == 1


def test_a_configuration_that_names_a_plugin_which_is_gone_still_opens(tmp_path):
    config = a_config(tmp_path, "  model: {backend: gone}\n")
    with MusicService.open(tmp_path / "home", config=config, encoder=WordHashEncoder()) as service:
        assert service.browse("").total == 0
        with pytest.raises(InputError, match="backend is 'gone'"):
            service.find_or_make(TEXT, **SHORT)
        assert service.find_or_make(TEXT, backend="procedural", **SHORT).action == "generated"


def test_names_that_clash_are_refused_and_listed(plug, tmp_path):
    plug("one", "one_module", TONE, generator={"tone": "one_module:Tone", "mlx": "one_module:Tone"})
    plug("two", "two_module", TONE, generator={"tone": "two_module:Tone", "fine": "two_module:Tone"})
    states = {(row["package"], row["name"]): row["state"] for row in plugin_rows()}
    for package in ("one", "two"):
        assert "one and two each bring one of that name" in states[package, "tone"]
    assert "the name is the catalog's own" in states["one", "mlx"]
    assert states["two", "fine"] == "ready"
    backends = Backends({})
    assert [*backends] == ["auto", "mlx", "procedural", "fine"]
    with pytest.raises(Unavailable, match="uninstall one of them"):
        backends.generator("tone")


def test_a_package_with_damaged_entry_points_takes_nothing_from_the_others(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    plug("damaged-package", "damaged_module", "")
    (info,) = tmp_path.glob("site/damaged-package/*.dist-info")
    (info / "entry_points.txt").write_text("[console_scripts]\na line without a target\n")
    assert [plugin.name for plugin in installed("generator") if plugin.package == "tone-package"] == ["tone"]


def test_the_command_lists_plugins_with_version_package_and_state(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    plug("sad", "sad_module", "import nothing_of_the_kind", encoder={"sad": "sad_module:Sad"})
    rows = {row["name"]: row for row in data(run("plugins", "--json"))["plugins"]}
    assert rows["tone"] == {
        "kind": "generator",
        "name": "tone",
        "target": "tone_module:Tone",
        "package": "tone-package",
        "version": "1.2",
        "state": "ready",
    }
    assert "nothing_of_the_kind" in rows["sad"]["state"]
    shown = run("plugins")
    assert shown.exit_code == 0
    assert "tone-package 1.2  ready" in shown.stdout


def test_nothing_is_looked_for_when_the_package_is_imported_or_help_is_shown():
    code = """
import sys
import music_catalog, music_catalog.cli
from music_catalog.plugins import installed
music_catalog.MusicService
try:
    sys.argv = ["catalog", "--help"]
    music_catalog.cli.main()
finally:
    print("looked up:", installed.installed.cache_info().misses)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "plugins" in told
    assert told.endswith("looked up: 0\n")


def test_tracks_of_a_plugin_are_found_by_its_name(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service:
        service.find_or_make(TEXT, backend="tone", **SHORT)
        assert service.browse("by:tone").total == 1
        assert service.browse("by:procedural").total == 0
        with pytest.raises(InputError, match="did you mean tone"):
            service.browse("by:tome")
        # Words of a search are not taken for names of backends.
        assert service.browse("auot", narrow=True).meant == {}


def said(**changes):
    return {"model": "x", "weights_license": "MIT", "seed": 7, "versions": {}, **changes}


def without(name):
    return {key: value for key, value in said().items() if key != name}


NOISE = np.random.default_rng(0).normal(size=(64_000, 2)).astype(np.float32) * 0.1
UNUSABLE = [
    ("a text", "is a str"),
    (Audio(NOISE.astype(np.float64), 32_000, said()), "float64"),
    (Audio(NOISE[:, 0], 32_000, said()), "shape"),
    (Audio(NOISE * np.float32("nan"), 32_000, said()), "not finite"),
    (Audio(NOISE, 44_100.0, said()), "sample_rate is 44100.0"),
    (Audio(NOISE, 32_000, without("weights_license")), "lacks weights_license"),
    (Audio(NOISE, 32_000, said(weights_license="")), "states weights_license ''"),
    (Audio(NOISE, 32_000, None), "its provenance is a NoneType"),
    (Audio(NOISE, 32_000, said(seed=8)), "states the seed 8, but 7"),
]


@pytest.mark.parametrize(("answer", "words"), UNUSABLE, ids=[words for _, words in UNUSABLE])
def test_music_that_cannot_be_used_is_refused(answer, words):
    with pytest.raises(GeneratorError, match=words):
        generator_of(lambda: answer).generate_music("x", {"duration_s": 2.0, "seed": 7})


def generator_of(answer):
    class Given:
        weights_license = "MIT"

        def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
            if on_progress is not None:
                on_progress(1, 2)
            return answer()

    return PluginGenerator("given", Given, {})


def test_what_a_plugin_raises_is_a_sentence_and_what_the_caller_raises_passes():
    def failing():
        raise KeyError("lost")

    with pytest.raises(GeneratorError, match="the generator given failed: KeyError: 'lost'"):
        generator_of(failing).generate_music("x", {"duration_s": 2.0, "seed": 7})

    class Mine(Exception):
        pass

    def stop(done, total):
        raise Mine

    with pytest.raises(Mine):
        generator_of(failing).generate_music("x", {"duration_s": 2.0, "seed": 7}, on_progress=stop)


def test_a_backend_whose_plugin_is_unknown_names_it():
    with pytest.raises(InputError, match=r"backends\.mine uses the generator 'htpp'.*did you mean http"):
        Backends({"mine": BackendSettings(use="htpp")}).generator("mine")


def test_a_loop_is_cut_for_a_plugin_that_makes_none(plug, tmp_path):
    plug("tone-package", "tone_module", TONE, generator={"tone": "tone_module:Tone"})
    with MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service:
        made = service.scene(TEXT, "rain", backend="tone", duration_s=5.0, quality="preview")
    assert made.track.loopable
    assert made.track.backend == "tone"

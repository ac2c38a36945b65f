"""The checks that a plugin runs in its own tests: they pass a good plugin and name the fault of a bad one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from music_catalog.generator import Audio, Cancelled, GeneratorError, ProceduralGenerator
from music_catalog.plugins.generators import PluginGenerator
from music_catalog.testing import check_encoder, check_generator, check_reader, check_renderer
from tests.fakes import WordHashEncoder


class Good:
    weights_license = "none"

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        frames = round(config["duration_s"] * 32_000)
        if on_progress is not None:
            on_progress(1, 1)
        samples = np.random.default_rng(config["seed"]).normal(size=(frames, 1)).astype(np.float32) * 0.1
        told = {"model": "noise", "weights_license": "none", "seed": config["seed"], "versions": {}}
        return Audio(samples.astype(np.float32), 32_000, told)


def test_a_good_generator_passes():
    assert check_generator(Good).duration_s == pytest.approx(2.0)


def test_the_synthesizer_keeps_to_its_own_protocol():
    class Synthesizer(ProceduralGenerator):
        weights_license = "none"
        makes_loops = True

    assert check_generator(Synthesizer).channels == 2


class Drawn(Good):
    def generate_music(self, prompt, config, **rest):
        made = super().generate_music(prompt, config, **rest)
        return replace(made, samples=made.samples + np.random.default_rng().normal() * np.float32(0.01))


class Short(Good):
    def generate_music(self, prompt, config, **rest):
        return super().generate_music(prompt, {**config, "duration_s": 0.5}, **rest)


class Silent(Good):
    def generate_music(self, prompt, config, **rest):
        made = super().generate_music(prompt, config, **rest)
        return replace(made, samples=made.samples * np.float32(0))


class Deaf(Good):
    def generate_music(self, prompt, config, *, on_progress=None, **rest):
        try:
            return super().generate_music(prompt, config, on_progress=on_progress, **rest)
        except Cancelled:
            return super().generate_music(prompt, config, **rest)


class Hiding(Good):
    def generate_music(self, prompt, config, **rest):
        try:
            return super().generate_music(prompt, config, **rest)
        except Cancelled as error:
            raise GeneratorError("stopped") from error


class Looping(Good):
    makes_loops = True

    def generate_music(self, prompt, config, **rest):
        return super().generate_music(prompt, {**config, "duration_s": 2.0}, **rest)


class Unlicensed(Good):
    weights_license = None


class Positional(Good):
    def generate_music(self, prompt, config):
        return super().generate_music(prompt, config)


BAD = {
    Drawn: "gave other samples",
    Short: r"0\.50 s were made of 2 s",
    Silent: "silence",
    Deaf: "went on after",
    Hiding: "not Cancelled",
    Looping: r"came out 2\.00 s",
    Unlicensed: "states no licence",
    Positional: "unexpected keyword argument",
}


@pytest.mark.parametrize(("bad", "words"), BAD.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_generator_is_told_its_fault(bad, words):
    with pytest.raises(AssertionError, match=words):
        check_generator(bad)


def test_a_service_that_cannot_repeat_itself_says_so():
    class Service(Drawn):
        repeats = False

    check_generator(Service)


def test_encoders_are_checked():
    assert check_encoder(WordHashEncoder).shape == (3, 384)

    class Long(WordHashEncoder):
        def encode(self, texts):
            return super().encode(texts) * 2

    with pytest.raises(AssertionError, match="must have length 1"):
        check_encoder(Long)


def test_readers_and_renderers_are_checked():
    class Reader:
        def __init__(self, model, temperature):
            self.model = model

        def complete(self, messages, *, response_format, timeout_s):
            return "{}" if self.model == "under-test" else 1

    assert check_reader(Reader) == "{}"
    with pytest.raises(AssertionError, match="returned a int"):
        check_reader(Reader, model="other")

    class Renderer:
        renders = "voice"

        def render(self, text, target):
            target.write_bytes(text.encode())

    assert check_renderer(Renderer) == b"A short sentence."

    class Idle(Renderer):
        def render(self, text, target):
            pass

    with pytest.raises(AssertionError, match="left no file"):
        check_renderer(Idle)


class Failing:
    identity, dimension, renders = "failing", 384, "voice"

    def __init__(self, **settings):
        pass

    def encode(self, texts):
        raise RuntimeError("out of\nmemory")

    def complete(self, messages, **rest):
        raise RuntimeError("out of memory")

    def render(self, text, target):
        raise SystemExit("out of memory")


@pytest.mark.parametrize("check", [check_encoder, check_reader, check_renderer])
def test_what_a_plugin_raises_and_what_it_lacks_is_told_in_a_sentence(check):
    with pytest.raises(AssertionError, match=r"failed: (RuntimeError|SystemExit): out of memory$"):
        check(Failing)
    with pytest.raises(AssertionError, match=r"failed: (AttributeError|TypeError): "):
        check(object if check is not check_renderer else lambda: type("Mute", (), {"renders": "voice"})())


class Streaming(Good):
    """It streams and makes batches, as the example does."""

    def stream_music(self, prompt, config, *, on_progress=None, **rest):
        whole = self.generate_music(prompt, config, on_progress=on_progress, **rest)
        for start in range(0, len(whole.samples), 16_000):
            yield replace(whole, samples=whole.samples[start : start + 16_000])

    def batch_key(self, config):
        return config["duration_s"]

    def generate_batch(self, prompts, configs, *, on_progress=None, **rest):
        return [self.generate_music(*pair) for pair in zip(prompts, configs, strict=True)]


class OnePart(Streaming):
    def stream_music(self, prompt, config, **rest):
        yield self.generate_music(prompt, config, **rest)


class OtherParts(Streaming):
    def stream_music(self, prompt, config, **rest):
        yield from super().stream_music(prompt, {**config, "seed": config["seed"]}, **rest)
        yield self.generate_music(prompt, config)


class KeyOfSeed(Streaming):
    def batch_key(self, config):
        return config["seed"]


class Swapped(Streaming):
    def generate_batch(self, prompts, configs, **rest):
        made = super().generate_batch(prompts, configs, **rest)
        told = [one.provenance for one in made]
        return [replace(one, provenance=said) for one, said in zip(made[::-1], told, strict=True)]


class TooFew(Streaming):
    def generate_batch(self, prompts, configs, **rest):
        return super().generate_batch(prompts[:1], configs[:1], **rest)


def test_a_generator_that_streams_and_makes_batches_passes():
    check_generator(Streaming)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (OnePart, "stream_music gave one part"),
        (OtherParts, "parts of stream_music make other music"),
        (KeyOfSeed, "batch_key differs with the seed"),
        (Swapped, "generate_batch makes other music"),
        (TooFew, "made 1 pieces of 2"),
    ],
)
def test_a_fault_of_streams_and_batches_is_named(make, words):
    with pytest.raises(AssertionError, match=words):
        check_generator(make)


def test_a_plugin_shows_streams_and_batches_only_where_it_has_them():
    names = ("stream_music", "generate_batch", "batch_key")
    for make, there in ((Good, False), (Streaming, True)):
        plugin = PluginGenerator("under-test", make, {})
        assert [hasattr(plugin, name) for name in names] == [there] * 3


def test_the_parts_of_a_plugin_are_checked_and_a_loop_is_one():
    class Broken(Streaming):
        def stream_music(self, prompt, config, **rest):
            yield from super().stream_music(prompt, config, **rest)
            raise RuntimeError("out of breath")

    config = {"duration_s": 4.0, "seed": 3}
    plugin = PluginGenerator("under-test", Broken, {})
    parts = plugin.stream_music("rain", config)
    assert next(parts).provenance["backend"] == "under-test"
    with pytest.raises(GeneratorError, match="under-test failed: RuntimeError: out of breath"):
        list(parts)
    (loop,) = plugin.stream_music("rain", {**config, "loopable": True})
    assert 3.0 < loop.duration_s < 5.0


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (lambda one: replace(one, sample_rate=one.sample_rate // 2), "Hz and . channels, and must have"),
        (lambda one: replace(one, samples=np.hstack([one.samples] * 2)), "Hz and . channels, and must have"),
        (None, "under-test streamed no part"),
    ],
)
def test_the_parts_of_a_plugin_must_fit_each_other(second, words):
    class Odd(Streaming):
        def stream_music(self, prompt, config, **rest):
            for one in () if second is None else [self.generate_music(prompt, config, **rest)]:
                yield from (one, second(one))

    plugin = PluginGenerator("under-test", Odd, {})
    with pytest.raises(GeneratorError, match=words):
        list(plugin.stream_music("rain", {"duration_s": 2.0, "seed": 3}))

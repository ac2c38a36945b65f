"""Checks that a plugin runs in its own tests: whether it keeps to what docs/PLUGINS.md asks of its kind.

Each check raises AssertionError with one sentence, and returns what it made. None of them needs a catalog.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CatalogError
from .generator import Audio, Cancelled, GeneratorError
from .plugins.generators import PluginGenerator, faults_of
from .plugins.installed import one_line

__all__ = ["check_encoder", "check_generator", "check_reader", "check_renderer"]

TEXTS = ("Rain on the roof of a quiet house.", "A crowd cheers as the band walks on.", "")
LEAST_SHARE = 0.9
"""Of the length that was asked for."""


@contextmanager
def _told(kind: str) -> Iterator[None]:
    """Raise AssertionError in one sentence for whatever the plugin raises and for what it lacks."""
    try:
        yield
    except AssertionError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        raise AssertionError(f"the {kind} failed: {one_line(error)}") from error


@_told("generator")
def check_generator(
    make: Callable[..., Any], *, prompt: str = "soft piano, slow", duration_s: float = 2.0, **settings: Any
) -> Audio:
    """Set a generator up as the catalog does, have it make `duration_s` of music three times and a loop; check them.

    Where it has `stream_music`, or `generate_batch` with `batch_key`, these must make what `generate_music` makes.
    """
    config = _config(duration_s)
    try:
        generator = PluginGenerator("under-test", make, settings)
        made = generator.generate_music(prompt, config, on_progress=lambda _done, _total: None)
        again = make(**settings).generate_music(prompt, dict(config), on_progress=None)
    except (CatalogError, GeneratorError) as error:
        raise AssertionError(str(error)) from error
    assert not (faults := faults_of(made, config)), faults[0]
    assert LEAST_SHARE * duration_s <= made.duration_s, (
        f"{made.duration_s:.2f} s were made of {duration_s:g} s that were asked for"
    )
    assert float(np.abs(made.samples).max()) > 1e-4, "the music is silence"
    if getattr(make(**settings), "repeats", True):
        assert np.array_equal(made.samples, again.samples), (
            "the same prompt, configuration and seed gave other samples; say repeats = False where that cannot be"
        )
    _check_cancel(make(**settings), prompt, config)
    _check_loop(PluginGenerator("under-test", make, settings), prompt, config)
    repeats = bool(getattr(make(**settings), "repeats", True))
    _check_stream(PluginGenerator("under-test", make, settings), prompt, config, made if repeats else None)
    _check_batch(PluginGenerator("under-test", make, settings), prompt, config, made if repeats else None)
    return made


def _config(duration_s: float) -> dict[str, Any]:
    """Return a merged configuration as a generator gets it, with the keys that docs/PLUGINS.md lists."""
    return {
        "duration_s": duration_s,
        "seed": 7,
        "channels": 2,
        "loopable": False,
        "normalize_duration": "crop",
        "negative_prompt": "",
        "prompt_tags": ["soft piano"],
        "size": "small",
        "temperature": 1.0,
        "top_k": 250,
        "top_p": 0.0,
        "cfg_coef": 3.0,
    }


def _check_cancel(generator: Any, prompt: str, config: Mapping[str, Any]) -> None:
    """Check that `Cancelled`, raised by the caller's progress, comes out as it is where progress is told at all."""
    called = []

    def stop(done: int, total: int) -> None:
        called.append((done, total))
        raise Cancelled("stop")

    try:
        generator.generate_music(prompt, dict(config), on_progress=stop)
    except Cancelled:
        return
    except Exception as error:
        raise AssertionError(
            f"a cancelled generation raised {type(error).__name__}, not Cancelled"
        ) from error
    assert not called, "the generator went on after its progress raised Cancelled"


def _check_loop(generator: PluginGenerator, prompt: str, config: Mapping[str, Any]) -> None:
    try:
        loop = generator.generate_music(prompt, {**config, "loopable": True, "duration_s": 4.0})
    except (CatalogError, GeneratorError) as error:
        raise AssertionError(f"no loop can be made: {error}") from error
    assert 3.0 <= loop.duration_s <= 5.0, f"a loop of 4 s came out {loop.duration_s:.2f} s long"


def _check_stream(
    generator: PluginGenerator, prompt: str, config: Mapping[str, Any], whole: Audio | None
) -> None:
    """Check that the parts that a generator streams, where it does, make up the `whole`."""
    if not hasattr(generator, "stream_music"):
        return
    parts = [*generator.stream_music(prompt, config, on_progress=lambda _done, _total: None)]
    assert len(parts) > 1, "stream_music gave one part, so that nothing is heard before all is made"
    first = parts[0]
    assert all((part.sample_rate, part.channels) == (first.sample_rate, first.channels) for part in parts), (
        "the parts of stream_music differ in rate or channels"
    )
    samples = np.concatenate([part.samples for part in parts])
    length_s = len(samples) / first.sample_rate
    assert LEAST_SHARE * config["duration_s"] <= length_s, f"the parts of stream_music make {length_s:.2f} s"
    assert whole is None or _near(samples, whole.samples), (
        "the parts of stream_music make other music than generate_music"
    )


def _check_batch(
    generator: PluginGenerator, prompt: str, config: Mapping[str, Any], whole: Audio | None
) -> None:
    """Check that pieces that a generator makes together, where it does, are what it makes alone."""
    if not hasattr(generator, "generate_batch"):
        return
    assert generator.batch_key(config) == generator.batch_key(dict(config)), (
        "batch_key gave two keys for one configuration"
    )
    other = {**config, "seed": config["seed"] + 1}
    assert generator.batch_key(other) == generator.batch_key(config), (
        "batch_key differs with the seed, so that no two requests are made together"
    )
    pieces = generator.generate_batch(
        [prompt, prompt], [other, config], on_progress=lambda _done, _total: None
    )
    assert whole is None or _near(pieces[1].samples, whole.samples), (
        "generate_batch makes other music than generate_music"
    )


def _near(samples: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    """Tell whether both are the same up to rounding."""
    return samples.shape == others.shape and bool(np.abs(samples - others).max() < 1e-3)


@_told("encoder")
def check_encoder(make: Callable[[], Any]) -> NDArray[np.float32]:
    """Set an encoder up and check its identity and its vectors; returns those of three texts."""
    encoder = make()
    assert isinstance(encoder.identity, str), "identity must be a text"
    assert encoder.identity, "identity must name model and revision"
    assert type(encoder.dimension) is int, "dimension must be a whole number"
    vectors = encoder.encode(list(TEXTS))
    assert isinstance(vectors, np.ndarray), "encode must return an array"
    assert vectors.dtype == np.float32, f"the vectors are {vectors.dtype}, and must be float32"
    wanted = (len(TEXTS), encoder.dimension)
    assert vectors.shape == wanted, f"the vectors have the shape {vectors.shape}, and must have {wanted}"
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, 1.0, atol=1e-4), (
        f"the vectors have the lengths {lengths}, and must have length 1"
    )
    alone = encoder.encode([TEXTS[0]])[0]
    assert np.allclose(alone, vectors[0], atol=1e-4), "a text alone gives another vector than among others"
    assert encoder.encode([]).shape == (0, encoder.dimension), (
        "no texts must give an array of shape (0, dimension)"
    )
    return vectors


@_told("reader")
def check_reader(make: Callable[..., Any], **settings: Any) -> str:
    """Set a reader up with `model` and `temperature`, ask it once, and return its text."""
    reader = make(**{"model": "under-test", "temperature": 0.0, **settings})
    messages = [{"role": "user", "content": "Answer with the JSON object {}."}]
    answer = reader.complete(messages, response_format={"type": "json_object"}, timeout_s=20.0)
    assert isinstance(answer, str), f"complete returned a {type(answer).__name__}, and must return a text"
    return answer


@_told("renderer")
def check_renderer(make: Callable[..., Any], **options: str) -> bytes:
    """Set a renderer up, have it render a sentence into a file, and return what the file holds."""
    renderer = make(**options)
    assert getattr(renderer, "renders", None) in ("voice", "image"), 'renders must be "voice" or "image"'
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ("voice.wav" if renderer.renders == "voice" else "image.png")
        renderer.render("A short sentence.", target)
        assert target.is_file(), "render left no file"
        data = target.read_bytes()
    assert data, "render left an empty file"
    return data

"""What only a GPU shows. Run by `make test-gpu`; skipped where MLX has none.

Stated checks: the codes of greedy music are those of a processor; every kind and form makes every sort of music; fifty
durations leave at most 1 GB of free buffers; a step of `small` in float16 is faster than real time, and its time is
printed beside its floor; a sum with its layer norm is what MLX's own two kernels make.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
from gpu_form import FORMS, GREEDY, KINDS, PROMPT, check_all, checkpoints

mx = pytest.importorskip("mlx.core")
nn = pytest.importorskip("mlx.nn")
pytest.importorskip("torch")

from music_catalog.generator.device import CACHE_BYTES, device  # noqa: E402
from music_catalog.generator.musicgen.adapter import MusicgenAdapter  # noqa: E402
from music_catalog.generator.musicgen.generation import stream_codes  # noqa: E402
from music_catalog.generator.networks import residual  # noqa: E402
from music_catalog.generator.networks.musicgen import Condition, MusicgenConfig, MusicgenDecoder, quantize  # noqa: E402
from music_catalog.generator.networks.sampling import Sampling  # noqa: E402

pytestmark = pytest.mark.skipif(mx.default_device().type != mx.DeviceType.gpu, reason="MLX has no GPU here")

STEP_S = 1 / 50
"""Of real time."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return checkpoints(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_form_makes_every_sort_of_music(folders, kind, form):
    check_all(MusicgenAdapter.from_pretrained(folders[kind], **FORMS[form]))


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_codes_are_those_of_a_processor(folders, kind):
    adapter = MusicgenAdapter.from_pretrained(folders[kind], dtype="float32")
    made = adapter.generate_music(PROMPT, GREEDY)
    mx.set_default_device(mx.Device(mx.cpu))
    try:
        wanted = MusicgenAdapter.from_pretrained(folders[kind], dtype="float32").generate_music(
            PROMPT, GREEDY
        )
    finally:
        mx.set_default_device(mx.Device(mx.gpu))
    assert np.array_equal(made.codes, wanted.codes)
    assert np.abs(made.samples - wanted.samples).max() < 1e-3


def test_fifty_durations_leave_little_free_memory_and_none_between_requests(folders):
    adapter = MusicgenAdapter.from_pretrained(folders["mono"])
    adapter.generate_music(PROMPT, {"duration_s": 0.2, "seed": 1})
    held = mx.get_active_memory()
    seen = []
    for k in range(50):
        adapter.generate_music(
            PROMPT,
            {"duration_s": 0.2 + 0.1 * k, "seed": 1},
            on_progress=lambda *_: seen.append(mx.get_cache_memory()),
        )
    assert max(seen) <= CACHE_BYTES
    assert mx.get_cache_memory() == 0
    assert mx.get_active_memory() <= held + 2**20


@pytest.mark.parametrize("form", ["float16", "8 bits"])
@pytest.mark.parametrize("traced", [True, False])
def test_a_step_of_small_is_faster_than_real_time(form, traced, capsys):
    model = MusicgenDecoder(MusicgenConfig())
    model.set_dtype(mx.float16)
    if form == "8 bits":
        quantize(model, 8)
    mx.eval(model.parameters())
    weights = sum(array.nbytes for _, array in _flat(model))
    condition = Condition(mx.random.normal((1, 12, 768)), mx.ones((1, 12), mx.bool_))
    times, last = [], time.perf_counter()
    stream = stream_codes(
        model, condition, frames=300, seeds=[1], sampling=Sampling(), chunk_frames=1, compiled=traced
    )
    for _ in stream:
        times.append(time.perf_counter() - last)
        last = time.perf_counter()
    step_s = statistics.median(times[50:])
    with capsys.disabled():
        print(
            f"\n{device().name}, small, {form}, {'traced' if traced else 'not traced'}: {1e3 * step_s:.2f} ms a step, "
            f"{STEP_S / step_s:.1f} times real time, {weights / step_s / 1e9:.0f} GB/s of weights"
        )
    assert step_s < STEP_S


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16, mx.float32])
def test_a_sum_and_its_norm_are_one_kernel_on_metal(dtype):
    if not mx.metal.is_available():
        pytest.skip("only Metal has the kernel")
    assert residual._kernel(dtype) is not None
    for size in (1024, 1536, 2048):
        x, y = (mx.random.normal((2, 1, size)).astype(dtype) for _ in range(2))
        norm = nn.LayerNorm(size)
        norm.set_dtype(dtype)
        added, normed = residual.add_and_norm(x, y, norm)
        assert mx.array_equal(added, x + y)
        assert mx.allclose(normed, norm(x + y), atol=0.05 if dtype == mx.bfloat16 else 0.005)


def _flat(model):
    from mlx.utils import tree_flatten

    return tree_flatten(model.parameters())

"""A sum and its layer norm: the form that runs everywhere, and the source for Metal, compiled for a processor."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

import mlx.nn as nn  # noqa: E402

from music_catalog.generator.networks import residual  # noqa: E402
from music_catalog.generator.networks.residual import METAL_SOURCE, add_and_norm  # noqa: E402

# What Metal gives a kernel, in C++: each thread of a group is a thread, and each run of 32 of them adds up together.
PROGRAM = r"""
#include <barrier>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>
using uint = unsigned int;
struct uint3 { uint x, y, z; };
struct Group {
    explicit Group(int threads) : all(threads) {
        for (int i = 0; i < threads / 32; i++) simd.push_back(std::make_unique<std::barrier<>>(32));
        shared.resize(threads);
    }
    std::barrier<> all;
    std::vector<std::unique_ptr<std::barrier<>>> simd;
    std::vector<float> shared;
};
thread_local Group* here;
thread_local uint me;
namespace metal {
enum class mem_flags { mem_threadgroup };
void threadgroup_barrier(mem_flags) { here->all.arrive_and_wait(); }
float simd_sum(float value) {
    here->shared[me] = value;
    here->simd[me / 32]->arrive_and_wait();
    float sum = 0;
    for (uint i = 0; i < 32; i++) sum += here->shared[me / 32 * 32 + i];
    here->simd[me / 32]->arrive_and_wait();
    return sum;
}
namespace precise { float rsqrt(float x) { return 1 / std::sqrt(x); } }
}
#define threadgroup static
template <typename T, int SIZE>
void kernel_of(const T* x, const T* y, const T* weight, const T* bias, const float& eps, T* added, T* normed,
               uint simdgroup_index_in_threadgroup, uint thread_index_in_simdgroup,
               uint3 thread_position_in_threadgroup, uint3 threadgroup_position_in_grid) {
    SOURCE
}
int main() {
    constexpr int size = WIDTH;
    const int rows = ROWS, threads = THREADS;
    std::vector<float> in(2 * rows * size + 2 * size), out(2 * rows * size);
    if (fread(in.data(), 4, in.size(), stdin) != in.size()) return 1;
    const float *x = in.data(), *y = x + rows * size, *weight = y + rows * size, *bias = weight + size;
    for (int row = 0; row < rows; row++) {
        Group group(threads);
        std::vector<std::thread> running;
        for (int i = 0; i < threads; i++)
            running.emplace_back([&, i] {
                here = &group;
                me = i;
                kernel_of<float, size>(x, y, weight, bias, 1e-5f, out.data(), out.data() + rows * size, i / 32,
                                       i % 32, uint3{uint(i), 0, 0}, uint3{0, uint(row), 0});
            });
        for (auto& one : running) one.join();
    }
    fwrite(out.data(), 4, out.size(), stdout);
}
"""


@pytest.fixture
def on_metal(tmp_path, monkeypatch):
    """Run the source for Metal in the place of the kernel, by this machine's C++ compiler."""
    compiler = shutil.which("c++") or pytest.skip("needs a C++ compiler")

    def kernel(*, inputs, template, grid, threadgroup, output_shapes, output_dtypes):
        (_, dtype), (_, size) = template
        assert (dtype, threadgroup[1:], grid[0]) == (mx.float32, (1, 1), threadgroup[0])
        # Metal launches whole rows: as many threads as a group has, for each.
        words = {"SOURCE": METAL_SOURCE, "WIDTH": size, "ROWS": grid[1], "THREADS": threadgroup[0]}
        program = PROGRAM
        for word, value in words.items():
            program = program.replace(word, str(value))
        (tmp_path / "kernel.cpp").write_text(program)
        command = [compiler, "-std=c++20", "-O1", "-pthread", "-o", "kernel", "kernel.cpp"]
        built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        if "-std=c++20" in built.stderr or "<barrier>" in built.stderr:
            pytest.skip("needs a compiler of C++20")
        assert built.returncode == 0, built.stderr
        data = b"".join(np.array(array).tobytes() for array in inputs[:4])
        made = subprocess.run([tmp_path / "kernel"], input=data, stdout=subprocess.PIPE, check=True).stdout
        return [mx.array(part).reshape(output_shapes[0]) for part in np.split(np.frombuffer(made, "f4"), 2)]

    monkeypatch.setattr(residual, "_kernel", lambda _: kernel)


def drawn(shape, seed=1):
    draw = np.random.default_rng(seed)
    norm = nn.LayerNorm(shape[-1])
    norm.weight, norm.bias = (mx.array(draw.standard_normal(shape[-1]).astype("f4")) for _ in range(2))
    x, y = (mx.array(draw.standard_normal(shape).astype("f4")) for _ in range(2))
    return x, y, norm


def check(x, y, norm):
    added, normed = add_and_norm(x, y, norm)
    both = np.array(x) + np.array(y)
    scaled = (both - both.mean(-1, keepdims=True)) / np.sqrt(both.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_array_equal(np.array(added), both)
    np.testing.assert_allclose(
        np.array(normed), scaled * np.array(norm.weight) + np.array(norm.bias), atol=2e-5
    )


def test_the_plain_form_is_the_sum_and_its_norm():
    check(*drawn((2, 3, 64)))


# A part of a run of 32 threads, one run that is full, and several, the last of them in part.
@pytest.mark.parametrize("shape", [(2, 1, 40), (1, 1, 256), (2, 2, 1096)])
def test_the_source_for_metal_is_the_sum_and_its_norm(shape, on_metal):
    check(*drawn(shape))


def test_what_the_kernel_cannot_take_is_left_to_mlx(monkeypatch):
    def refuse(**_):
        raise AssertionError("not for the kernel")

    monkeypatch.setattr(residual, "_kernel", lambda _: refuse)
    check(*drawn((1, 1, 44)))
    x, y, norm = drawn((1, 1, 64))
    added, _ = add_and_norm(x.astype(mx.float16), y, norm)
    assert added.dtype == mx.float32


@pytest.mark.parametrize("fault", ["raises", "wrong"])
def test_a_device_on_which_the_kernel_fails_takes_the_plain_form(fault, monkeypatch, caplog):
    def kernel(*, inputs, output_shapes, **_):
        if fault == "raises":
            raise RuntimeError("Unable to build metal library from source")
        return [inputs[0] + inputs[1], mx.zeros(output_shapes[0])]

    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(mx.fast, "metal_kernel", lambda **_: kernel)
    residual._kernel.cache_clear()
    try:
        with caplog.at_level("WARNING"):
            check(*drawn((2, 1, 64)))
    finally:
        residual._kernel.cache_clear()
    assert "left out on this GPU" in caplog.text


def test_a_device_on_which_the_kernel_works_takes_it(monkeypatch):
    def kernel(*, inputs, **_):
        x, y, weight, bias, eps = inputs
        taken.append(x.shape)
        return [x + y, mx.fast.layer_norm(x + y, weight, bias, eps)]

    taken: list[tuple[int, ...]] = []
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(mx.fast, "metal_kernel", lambda **_: kernel)
    residual._kernel.cache_clear()
    try:
        check(*drawn((2, 1, 64)))
    finally:
        residual._kernel.cache_clear()
    assert taken == [(3, 1, 64), (3, 1, 2048), (2, 1, 64)]


@pytest.mark.parametrize("fault", ["raises", "wrong"])
@pytest.mark.parametrize("faulty", [mx.float32, mx.bfloat16, mx.float16])
def test_a_type_in_which_the_kernel_fails_takes_the_plain_form_and_others_the_kernel(
    faulty, fault, monkeypatch, caplog
):
    def kernel(*, inputs, output_shapes, **_):
        x, y, weight, bias, eps = inputs
        taken.append(x.dtype)
        if x.dtype != faulty:
            return [x + y, mx.fast.layer_norm(x + y, weight, bias, eps)]
        if fault == "raises":
            raise RuntimeError("no function with this type")
        return [x + y, mx.fast.layer_norm(x + y, weight, bias, eps) * 1.05]

    taken: list[mx.Dtype] = []
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(mx.fast, "metal_kernel", lambda **_: kernel)
    residual._kernel.cache_clear()
    try:
        for dtype in (mx.float16, mx.bfloat16, mx.float32):
            x, y, norm = drawn((2, 1, 64))
            norm.set_dtype(dtype)
            for _ in range(2):  # the first time it is compared
                taken.clear()
                added, normed = add_and_norm(x.astype(dtype), y.astype(dtype), norm)
            assert taken == ([] if dtype == faulty else [dtype])
            plain = x.astype(dtype) + y.astype(dtype)
            np.testing.assert_array_equal(*(np.array(one.astype(mx.float32)) for one in (added, plain)))
            expected = norm(plain)
            np.testing.assert_array_equal(*(np.array(one.astype(mx.float32)) for one in (normed, expected)))
    finally:
        residual._kernel.cache_clear()
    assert caplog.text.count("left out on this GPU") == 1
    assert str(faulty) in caplog.text


def test_a_type_that_is_not_compared_is_left_to_mlx(monkeypatch):
    def refuse(**_):
        raise AssertionError("not for the kernel")

    monkeypatch.setattr(residual, "_kernel", lambda _: refuse)
    with mx.stream(mx.cpu):
        x, y, norm = drawn((1, 1, 64))
        norm.set_dtype(mx.float64)
        added, _ = add_and_norm(x.astype(mx.float64), y.astype(mx.float64), norm)
    assert added.dtype == mx.float64

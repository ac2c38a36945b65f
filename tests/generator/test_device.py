"""The device that MLX computes on: what is known of it, what does not fit on it, and what MLX keeps of its memory."""

from __future__ import annotations

import pytest
from tiny_musicgen import write_checkpoint

from music_catalog.generator import device as devices
from music_catalog.generator.device import Device, bounded_memory, read_device
from music_catalog.generator.errors import GeneratorError
from music_catalog.generator.musicgen.adapter import MusicgenAdapter

mx = pytest.importorskip("mlx.core")

M1_MAX = {
    "device_name": "Apple M1 Max",
    "architecture": "applegpu_g13s",
    "max_recommended_working_set_size": 22_906_503_168,
    "memory_size": 34_359_738_368,
}
"""What MLX tells of a Mac (0.32.2, `mlx/backend/metal/device_info.cpp`)."""
H200 = {"device_name": "NVIDIA H200", "architecture": "sm_90", "total_memory": 150_754_820_096}
GIGABYTE = 10**9


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny-mono"
    write_checkpoint(folder)
    return folder


@pytest.fixture
def on(monkeypatch):
    """A function that states the device, while MLX computes on the processor as ever."""

    def state(here: Device) -> None:
        monkeypatch.setattr(devices, "device", lambda: here)

    return state


@pytest.fixture
def calls(monkeypatch):
    """What is asked of MLX's memory, in order."""
    seen = []
    for name in ("set_cache_limit", "set_wired_limit", "clear_cache", "synchronize"):
        monkeypatch.setattr(mx, name, lambda *given, name=name: seen.append((name, *given)) or 77)
    return seen


def test_a_device_is_read_from_what_mlx_tells():
    mac = read_device("metal", M1_MAX)
    assert mac == Device("metal", "Apple M1 Max", 13, 22_906_503_168)
    assert (mac.gpu, mac.narrow) == (True, True)
    assert read_device("metal", {**M1_MAX, "architecture": "applegpu_g14g"}).narrow
    assert not read_device("metal", {**M1_MAX, "architecture": "applegpu_g15s"}).narrow
    assert read_device("cuda", H200) == Device("cuda", "NVIDIA H200", None, 150_754_820_096)
    assert not read_device("cuda", H200).narrow
    assert read_device("cpu", {"device_name": "Xeon"}) == Device("cpu", "Xeon")
    assert not read_device("cpu", {}).gpu


def test_the_device_of_this_machine_is_told():
    here = devices.device()
    assert here.gpu is (mx.default_device().type == mx.DeviceType.gpu)
    assert here.name


def test_what_does_not_fit_in_unified_memory_is_refused(on):
    on(Device("metal", "Apple M1", 13, 5 * GIGABYTE))
    devices.require(4 * GIGABYTE, "load this model", "a smaller one")
    with pytest.raises(
        GeneratorError, match=r"it takes at least 6,000 MB and [45],\d\d\d MB are left; ask for a"
    ):
        devices.require(6 * GIGABYTE, "load this model", "a smaller one")


def test_a_model_too_large_is_refused_before_its_weights_are_read(on, checkpoint, monkeypatch):
    read = []
    monkeypatch.setattr(mx, "eval", lambda *_: read.append(_))
    on(Device("metal", "Apple M1", 13, mx.get_active_memory() + 10_000))
    with pytest.raises(GeneratorError, match="not enough memory to load this model"):
        MusicgenAdapter.from_pretrained(checkpoint)
    assert not [arrays for arrays in read if arrays and isinstance(arrays[0], list)]


def test_music_too_long_is_refused_before_it_is_begun(on, checkpoint):
    adapter, began = MusicgenAdapter.from_pretrained(checkpoint), []
    on(Device("metal", "Apple M1", 13, mx.get_active_memory() + 10_000))
    with pytest.raises(GeneratorError, match="not enough memory to make this: it takes at least"):
        adapter.generate_music("calm", {"duration_s": 30}, on_progress=lambda *at: began.append(at))
    assert not began


def test_on_metal_the_cache_is_bounded_and_what_is_recommended_is_wired(on, calls):
    on(read_device("metal", M1_MAX))
    with bounded_memory():
        assert calls == [("set_cache_limit", 2**30), ("set_wired_limit", 22_906_503_168)]
        calls.clear()
    assert calls == [("synchronize",), ("set_wired_limit", 77), ("clear_cache",)]


def test_what_is_wired_is_given_back_by_the_last_of_streams_that_interleave(on, monkeypatch):
    limits = [0]

    def wire(limit):
        limits.append(limit)
        return limits[-2]

    monkeypatch.setattr(mx, "set_wired_limit", wire)
    on(read_device("metal", M1_MAX))
    first, second = bounded_memory(), bounded_memory()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert limits[-1] == 22_906_503_168
    second.__exit__(None, None, None)
    assert limits[-1] == 0


def test_on_cuda_nothing_is_wired_and_on_a_processor_nothing_is_asked(on, calls):
    on(read_device("cuda", H200))
    with bounded_memory():
        pass
    assert calls == [("set_cache_limit", 2**30), ("clear_cache",)]
    calls.clear()
    on(Device("cpu", "Xeon"))
    with bounded_memory():
        pass
    assert calls == []


def test_every_request_gives_its_buffers_back(on, calls, checkpoint, monkeypatch):
    adapter = MusicgenAdapter.from_pretrained(checkpoint)
    on(read_device("metal", M1_MAX))
    for failing in (False, True):
        calls.clear()
        try:
            adapter.generate_music("calm", {"duration_s": 0.2, "seed": 1, "top_k": -1 if failing else 5})
        except GeneratorError:
            assert failing
            continue
        assert calls[:2] == [("set_cache_limit", 2**30), ("set_wired_limit", 22_906_503_168)]
        assert calls[-2:] == [("set_wired_limit", 77), ("clear_cache",)]
    list(adapter.stream_music("calm", {"duration_s": 0.2, "seed": 1}))
    assert calls[-1] == ("clear_cache",)

"""`doctor` says what MusicGen needs and what the machine has."""

from __future__ import annotations

import pytest

from music_catalog import doctor
from music_catalog.generator import WeightsError
from music_catalog.generator.device import Device


@pytest.fixture
def told(monkeypatch):
    """A function from a device to what doctor tells of memory."""

    def check(here: Device):
        monkeypatch.setattr(doctor.device, "device", lambda: here)
        return doctor._memory()

    return check


def test_a_mac_is_told_what_each_size_needs_and_which_will_be_refused(told):
    small_mac = told(Device("metal", "Apple M3", 15, 5_700_000_000))
    assert small_mac.status == "note"
    assert small_mac.detail == (
        "metal Apple M3, 5.7 GB for models; 30 s of music take small 1.8 GB, medium 5.3 GB, large 8.4 GB in float16; "
        "large does not fit: take fewer bits, or a smaller one"
    )
    large_mac = told(Device("metal", "Apple M4 Max", 16, 48_000_000_000))
    assert large_mac.status == "ok"
    assert "fit" not in large_mac.detail


def test_on_m1_it_counts_in_eight_bits(told):
    check = told(Device("metal", "Apple M1", 13, 11_500_000_000))
    assert check.status == "ok"
    assert "in 8 bits" in check.detail


def test_on_a_processor_it_counts_what_the_machine_has_left(told, monkeypatch):
    monkeypatch.setattr(doctor, "left_bytes", lambda: 10_000_000_000)
    check = told(Device("cpu", "Xeon"))
    assert check.detail.startswith("cpu Xeon, 10.0 GB for models; 30 s of music take small 3.0 GB")
    assert check.status == "note"
    monkeypatch.setattr(doctor, "left_bytes", lambda: None)
    assert "memory unknown" in told(Device("cpu", "Xeon")).detail


def test_without_mlx_and_with_two_backends_it_says_what_to_do(told, monkeypatch):
    monkeypatch.setattr(
        doctor, "package_version", lambda name, **_: "" if name == "mlx-cuda-12" else "0.32.4"
    )
    check = told(Device("cpu", "Xeon"))
    assert check.status == "warning"
    assert (
        "MLX has 2 backends here, which own one library file: mlx-cpu, mlx-cuda-13; uninstall" in check.detail
    )

    def absent():
        raise WeightsError("MusicGen needs MLX")

    monkeypatch.setattr(doctor.device, "require_mlx", absent)
    assert told(Device("cpu", "Xeon")) == doctor.Check(
        name="memory", status="note", detail="MusicGen needs MLX"
    )

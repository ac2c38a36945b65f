"""The preload of OpenBLAS, seen in the loader's own record of what binds to what."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from generator.blas import preload_openblas

LINUX = sys.platform.startswith("linux")


def run(script: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.skipif(not LINUX, reason="OpenBLAS is preloaded on Linux only")
def test_mlx_binds_to_the_preloaded_library():
    script = "from generator.blas import preload_openblas; print(preload_openblas()); import mlx.core"
    done = run(script, LD_DEBUG="bindings")
    library = done.stdout.strip()
    if library == "None":
        pytest.skip("no OpenBLAS is installed")
    bound = [line for line in done.stderr.splitlines() if "libmlx" in line and "`cblas_sgemm'" in line]
    assert bound
    assert all(library in line.split(" to ")[1] for line in bound)


def test_nothing_is_loaded_once_mlx_is():
    done = run("import mlx.core; from generator.blas import preload_openblas; print(preload_openblas())")
    assert done.stdout.strip() == "None"


def test_nothing_is_loaded_off_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert preload_openblas() is None


@pytest.mark.skipif(not LINUX, reason="OpenBLAS is preloaded on Linux only")
def test_a_system_without_openblas_is_left_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    monkeypatch.setattr("generator.blas._LIBRARIES", ("libnosuchblas.so.0",))
    assert preload_openblas() is None

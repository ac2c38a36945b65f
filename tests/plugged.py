"""Packages with entry points, written as an installer leaves them, for as long as a test runs."""

from __future__ import annotations

import importlib
import sys

import pytest

from music_catalog.plugins import installed as plugins

GENERATOR = """
import numpy as np
from music_catalog.generator import Audio

class Tone:
    weights_license = "{license}"

    def __init__(self, hertz=440.0):
        self.hertz = hertz

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        frames = round(config["duration_s"] * 32000)
        if on_progress is not None:
            on_progress(1, 1)
        noise = np.random.default_rng(config["seed"]).normal(size=(frames, 2)) * 0.05
        tone = np.sin(2 * np.pi * self.hertz * np.arange(frames) / 32000)[:, None] * 0.4
        told = {{"model": "tone-1", "weights_license": self.weights_license, "seed": config["seed"], "versions": {{}}}}
        return Audio((tone + noise).astype(np.float32), 32000, told)
"""


@pytest.fixture
def plug(tmp_path, monkeypatch):
    """Return a function that installs a package with one module and entry points, for this test."""
    names = []

    def install(package, module, source, version="1.2", **points):
        folder = tmp_path / "site" / package
        info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        groups = [
            f"[music_catalog.{kind}s]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
            for kind, entries in points.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups))
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        plugins.installed.cache_clear()
        names.append(module)

    yield install
    for name in names:
        sys.modules.pop(name, None)
    plugins.installed.cache_clear()

"""The backends by name: MusicGen and the synthesizer, those that the configuration sets up, and plugins."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..errors import InputError, Unavailable
from ..presets import BackendSettings
from ..validation import nearest
from .generators import PluginGenerator
from .installed import find, installed, load

__all__ = ["OWN", "Backends"]

OWN = ("auto", "mlx", "procedural")
"""The backends that need no plugin; `auto` is the better of the two others that is here."""
HTTP = "http"
"""The generator behind an API, which is set up in the configuration: `generator.remote`."""


class Backends(Collection[str]):
    """The names that may stand as `backend`, and their generators; safe to share by threads.

    `settings` are the `backends` of the configuration. Plugins are looked for when a name is first asked about.
    """

    def __init__(self, settings: Mapping[str, BackendSettings]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: dict[str, PluginGenerator] = {}

    def names(self) -> list[str]:
        """Return every name that may be asked for; no plugin is imported for that."""
        plugins = [plugin.name for plugin in installed("generator") if not plugin.refusal]
        return list(dict.fromkeys([*OWN, *self._settings, *plugins]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return name in OWN or name in self._settings or name in self.names()

    def check(self, name: str) -> None:
        """Refuse a name that no backend has. Raises InputError with the nearest names."""
        if name in (*OWN, HTTP) or name in self._settings:
            return
        plugin = find("generator", name)
        if plugin is None:
            raise InputError(f"backend is {name!r}; {nearest(name, self.names())}")
        if plugin.refusal:
            raise Unavailable(plugin.refusal)

    def generator(self, name: str) -> PluginGenerator:
        """Return the generator of a plugin, set up once. Raises InputError for an unknown name, Unavailable."""
        self.check(name)
        with self._lock:
            if name not in self._loaded:
                own = self._settings.get(name, BackendSettings())
                self._loaded[name] = PluginGenerator(name, _maker(name, own.use or name), own.settings)
            return self._loaded[name]


def _maker(name: str, plugin_name: str) -> Any:
    """Return what sets up the generator of a plugin. Raises InputError, Unavailable."""
    if plugin_name == HTTP:
        from ..generator.remote.generator import HttpGenerator

        return HttpGenerator
    plugin = find("generator", plugin_name)
    if plugin is None:
        valid = [HTTP, *(one.name for one in installed("generator") if not one.refusal)]
        raise InputError(
            f"backends.{name} uses the generator {plugin_name!r}, which is not installed; {nearest(plugin_name, valid)}"
        )
    return load(plugin)

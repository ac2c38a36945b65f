"""A plugin's renderer as the catalog uses it: a narrator's voice or a cover image, from words into a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..errors import Unavailable
from .installed import find, installed, load, one_line

__all__ = ["KINDS", "PluginRenderer", "renderers_here", "set_up"]

Renders = Literal["voice", "image"]
KINDS: Mapping[Renders, str] = {"voice": "narrator", "image": "painter of covers"}


class PluginRenderer:
    """The renderer of a plugin, set up with its options. Whatever it raises becomes one sentence."""

    def __init__(self, name: str, renders: Renders, options: Mapping[str, str]) -> None:
        """Set the renderer up. Raises Unavailable in one sentence."""
        plugin = find("renderer", name)
        assert plugin is not None
        self._name = name
        make = load(plugin)
        try:
            self._renderer = make(**options)
            stated = self._renderer.renders
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise Unavailable(f"the renderer {name} cannot be set up: {one_line(error)}") from error
        if stated != renders:
            raise Unavailable(f"the renderer {name} is no {KINDS[renders]}: it states renders {stated!r:.30}")

    def render(self, text: str, target: Path) -> None:
        """Render `text` into the file `target`. Raises Unavailable for any fault of the plugin."""
        try:
            self._renderer.render(text, target)
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise Unavailable(f"the renderer {self._name} failed: {one_line(error)}") from error
        if not target.is_file() or target.stat().st_size == 0:
            raise Unavailable(f"the renderer {self._name} left no file")


def set_up(name: str, renders: Renders, options: Mapping[str, str]) -> PluginRenderer | None:
    """Return the renderer of a plugin, None where no plugin has the name. Raises Unavailable."""
    return PluginRenderer(name, renders, options) if find("renderer", name) else None


def renderers_here(renders: Renders) -> list[str]:
    """Return the names of the plugins that can be set up to render this; imports them."""
    here = []
    for plugin in installed("renderer"):
        try:
            PluginRenderer(plugin.name, renders, {})
        except Unavailable:
            continue
        here.append(plugin.name)
    return here

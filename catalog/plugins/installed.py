"""The plugins that are installed: their names, packages and versions, and what loading one comes to.

Nothing is looked for before the first question, and no plugin is imported before it is needed or `state` asks. What a
plugin raises becomes one sentence: a broken one never breaks the catalog.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, Literal

from ..errors import InputError, Unavailable, in_one_line
from ..validation import nearest

__all__ = [
    "GROUPS",
    "RESERVED",
    "Kind",
    "Plugin",
    "find",
    "installed",
    "load",
    "one_line",
    "plugin_rows",
    "require",
]

_log = logging.getLogger(__name__)
Kind = Literal["generator", "encoder", "reader", "renderer"]
GROUPS: Mapping[Kind, str] = {
    "generator": "music_catalog.generators",
    "encoder": "music_catalog.encoders",
    "reader": "music_catalog.readers",
    "renderer": "music_catalog.renderers",
}
"""The entry point group of each kind of plugin."""
RESERVED: Mapping[Kind, tuple[str, ...]] = {
    "generator": ("auto", "mlx", "procedural", "imported", "http"),
    "encoder": (),
    "reader": (),
    "renderer": ("espeak-ng", "mlx-audio", "orpheus", "mflux"),
}
"""Names that the catalog itself has, which no plugin may take."""
SHOWN_CHARACTERS = 300
"""Of what a plugin raises."""


@dataclass(frozen=True)
class Plugin:
    """One entry point of a package that is installed."""

    kind: Kind
    name: str
    target: str
    """The object that it names, as `package.module:object`."""
    package: str
    version: str
    refusal: str
    """Why it cannot be used, in one sentence; "" where nothing speaks against it before it is loaded."""
    entry_point: EntryPoint

    def state(self) -> str:
        """Import the plugin and return "ready", or the sentence that says why it cannot be used."""
        try:
            load(self)
        except Unavailable as error:
            return str(error)
        return "ready"


@functools.cache
def installed(kind: Kind) -> tuple[Plugin, ...]:
    """Return the plugins of a kind by name, without importing any; asked for once a process.

    Names that several packages give, and names of the catalog's own, come with their refusal.
    """
    points = sorted(_points(GROUPS[kind]), key=lambda one: (one.name, one.value))
    givers: dict[str, set[str]] = {}
    for point in points:
        givers.setdefault(point.name, set()).add(_package(point)[0])
    return tuple(_plugin(kind, point, givers[point.name]) for point in points)


def _points(group: str) -> set[EntryPoint]:
    """Return the entry points of a group; a package whose metadata is damaged takes nothing from the others."""
    try:
        return set(entry_points(group=group))
    except Exception as error:  # one line without a target is enough for a TypeError
        _log.warning("the entry points of a package cannot be read, and are left out: %s", one_line(error))
    found: set[EntryPoint] = set()
    seen: set[str] = set()
    for package in distributions():
        try:
            name = re.sub(r"[-_.]+", "-", package.name).lower()
            # As in entry_points(): of two versions on the path the first one counts.
            if name not in seen:
                seen.add(name)
                found.update(package.entry_points.select(group=group))
        except Exception:  # the damaged package
            continue
    return found


def find(kind: Kind, name: str) -> Plugin | None:
    """Return the plugin of that name, None without one; of a name that clashes the first, which `load` refuses."""
    return next((plugin for plugin in installed(kind) if plugin.name == name), None)


def load(plugin: Plugin) -> Any:
    """Import the object of a plugin. Raises Unavailable in one sentence, whatever the plugin raised."""
    if plugin.refusal:
        raise Unavailable(plugin.refusal)
    try:
        return plugin.entry_point.load()
    except (Exception, SystemExit) as error:  # a plugin may raise anything while it is imported
        of = f"{plugin.package} {plugin.version}"
        raise Unavailable(
            f"the {plugin.kind} {plugin.name} of {of} cannot be imported: {one_line(error)}"
        ) from error


def require(kind: Kind, name: str) -> Any:
    """Return the object of the plugin `name`. Raises InputError with the nearest names, Unavailable."""
    plugin = find(kind, name)
    if plugin is None:
        raise InputError(f"unknown {kind} {name!r}; {nearest(name, [one.name for one in installed(kind)])}")
    return load(plugin)


def plugin_rows() -> list[dict[str, str]]:
    """Return every plugin as plain values: kind, name, target, package, version and state. Imports all of them."""
    return [
        {
            "kind": kind,
            "name": plugin.name,
            "target": plugin.target,
            "package": plugin.package,
            "version": plugin.version,
            "state": plugin.state(),
        }
        for kind in GROUPS
        for plugin in installed(kind)
    ]


def one_line(error: BaseException) -> str:
    """Return the kind and the message of what a plugin raised, on one line and not too long."""
    said = in_one_line(" ".join(str(error).split()))
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _plugin(kind: Kind, point: EntryPoint, givers: set[str]) -> Plugin:
    package, version = _package(point)
    refusal = ""
    if point.name in RESERVED[kind]:
        refusal = (
            f"the {kind} {point.name} of {package} {version} is not used: the name is the catalog's own; "
            "its package must choose another"
        )
    elif len(givers) > 1:
        refusal = (
            f"the {kind} {point.name} is not used: {' and '.join(sorted(givers))} each bring one of that name; "
            "uninstall one of them"
        )
    return Plugin(kind, point.name, point.value, package, version, refusal, point)


def _package(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the package that an entry point is of, "unknown" where its metadata lacks them."""
    try:
        return (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
    except Exception:  # metadata that is damaged raises what the library likes
        return "unknown", "unknown"

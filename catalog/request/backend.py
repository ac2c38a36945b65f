"""Which backend makes the music of a request: MusicGen, the synthesizer or a plugin, and only what may be used so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConfigError, InputError, Unavailable
from ..generator.weights import license_of
from ..generator.weights.sizes import choices_for
from ..models import Use
from ..plugins.backends import OWN, Backends
from ..search.licenses import commercial

__all__ = ["FindWeights", "pick_backend"]


FindWeights = Callable[[str], Any]
"""Takes a model size; returns where its weights are on this machine, or None."""


def pick_backend(
    config: dict[str, Any],
    sources: dict[str, str],
    find_weights: FindWeights,
    backends: Backends,
    license: Use | None = None,
) -> str:
    """Settle the backend of a merged configuration, and return a sentence where it is a substitute, else "".

    `auto` becomes the backend that will run; a plugin brings its `rank`. With `license` "commercial" only weights that
    may be used so count. Raises InputError for an unknown name, Unavailable where the backend cannot be had here or
    its weights may not be used so.
    """
    if config["backend"] not in OWN:
        _take_plugin(config, sources, backends, license)
        return ""
    return _pick_own(config, sources, find_weights, license)


def _take_plugin(
    config: dict[str, Any], sources: dict[str, str], backends: Backends, license: Use | None
) -> None:
    name, file = config["backend"], sources["backend"].partition(" in ")[2]
    try:
        backends.check(name)
    except InputError as error:
        raise (ConfigError(f"{file}: model.{error}") if file else error) from None
    generator = backends.generator(name)
    if license and not commercial(generator.weights_license, imported=False):
        raise Unavailable(_refusal(f"backend {name}", generator.weights_license))
    config["rank"], sources["rank"] = generator.rank, f"that of backend {name}"


def _pick_own(
    config: dict[str, Any], sources: dict[str, str], find_weights: FindWeights, license: Use | None
) -> str:
    size, backend = config["size"], config["backend"]
    if backend == "procedural":
        return ""
    here = find_weights(size)
    if _usable(here, license):
        config["backend"] = "mlx"
        if backend == "auto":
            sources["backend"] = f"auto, by {sources['backend']}"
        return ""
    if backend == "mlx" and here:
        raise Unavailable(_refusal(f"MusicGen {size}", license_of(here)))
    if backend == "mlx":
        raise Unavailable(
            f"backend mlx needs the weights of MusicGen {size}, and they are not on this machine; "
            f"run `catalog models pull {size}`, or pass backend='auto' or backend='procedural'"
        )
    stand_ins = choices_for(size, melody="melody" in config)
    present = next((one for one in stand_ins if _usable(find_weights(one), license)), None)
    config["backend"] = "mlx" if present else "procedural"
    sources["backend"] = f"auto, by {sources['backend']}"
    lacking = (
        f"MusicGen {size} may not be used commercially ({license_of(here)})"
        if here
        else f"MusicGen {size} is not on this machine"
    )
    if present is None:
        return f"{lacking}, so the procedural synthesizer rendered this"
    config["size"], sources["size"] = (
        present,
        f"the largest on this machine up to {size}, by {sources['size']}",
    )
    return f"{lacking}, so {present} made this"


def _usable(here: Any, license: Use | None) -> bool:
    return bool(here) and (license is None or commercial(license_of(here), imported=False))


def _refusal(what: str, license: str) -> str:
    return (
        f"{what} may not be used for license='commercial', since its weights state {license}; "
        "pass backend='procedural' or a backend that may, or leave the licence out"
    )

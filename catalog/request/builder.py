"""Build a request from features, presets and the caller's choices: a prompt, and a configuration with its sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError
from ..generator import GeneratorError
from ..generator.synth.parameters import Synthesis
from ..generator.weights.sizes import melody_size
from ..models import Brief, Choices, Context, Features, Request
from ..objects.address import local_folder
from ..plugins.backends import Backends
from ..presets import Library, PresetError
from ..presets import load as load_presets
from .backend import FindWeights, pick_backend
from .prompt import mood_of, prompt_of
from .selection import pick_quality, pick_role, pick_style
from .synthesis import shade

__all__ = ["FindWeights", "build", "key_of", "load_library", "preset_errors"]


KEY_VERSION = 1
MIN_DURATION_S = 0.05


def load_library(config: str | Path | None, home: str | Path) -> Library:
    """Return the presets, extended by the file `config` or else by `catalog.yaml` in `home` where it exists.

    That of a remote home is the copy which its last opening on this machine brought. Raises ConfigError.
    """
    own = None if config else local_folder(home) / "catalog.yaml"
    with preset_errors():
        return load_presets(config or (own if own and own.is_file() else None))


@contextmanager
def preset_errors() -> Iterator[None]:
    """Turn a PresetError, such as that of an unknown name, into a ConfigError."""
    try:
        yield
    except PresetError as error:
        raise ConfigError(str(error)) from error


def key_of(context: Context, choices: Choices, library: Library, weights: Mapping[str, bool]) -> str:
    """Return the identity of a request: 32 hex digits over everything that decides what would be made.

    It needs neither encoder nor model: features and selection follow from what is hashed here. `weights` states which
    model sizes are on the machine, since `backend: auto` depends on them.
    """
    backend = choices.backend or library.model.backend
    identity = {
        "version": KEY_VERSION,
        # Left out where there is none, so that keys from before they were known stay the same.
        "context": context.model_dump(
            mode="json", exclude={name for name in ("brief", "application") if getattr(context, name) is None}
        ),
        "choices": choices.model_dump(
            mode="json", exclude={name for name in ("melody", "license") if getattr(choices, name) is None}
        ),
        "library": library.digest,
        "weights": []
        if backend not in ("auto", "mlx")
        else sorted(size for size, here in weights.items() if here),
    }
    canonical = json.dumps(identity, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:32]


def build(
    context: Context,
    features: Features,
    choices: Choices,
    library: Library,
    *,
    key: str,
    find_weights: FindWeights,
    backends: Backends | None = None,
    brief: Brief | None = None,
    warnings: Sequence[str] = (),
    served_style: str = "",
) -> Request:
    """Return the request for a context: style, role and quality picked, configuration merged, prompt written.

    `backends` are the generators by name, without them those of the library. `brief` says which styles suit the text;
    `warnings` come from reading it. `served_style` is the style of a request that was answered before and is only
    described again.

    Raises ConfigError for unknown names or values the configuration refuses, InputError for choices that
    contradict each other, Unavailable when the backend that the caller named has no weights here.
    """
    if served_style and not choices.preset:
        style, why_style = served_style, "picked when the same request was first answered"
    else:
        style, why_style = pick_style(context, features, choices, library.styles, brief)
    role, why_role = pick_role(context, features, choices)
    quality, why_quality = pick_quality(choices)
    with preset_errors():
        resolved = library.resolve(style, role, quality, _explicit(choices))
    config, sources = dict(resolved.values), dict(resolved.sources)
    if choices.melody is not None:
        _follow_melody(config, sources, choices.melody)
    substitution = pick_backend(
        config, sources, find_weights, backends or Backends(library.backends), choices.license
    )
    _arrange(config, sources, library, style, features, mood_of(features, brief))
    if choices.continue_from is not None:
        config["continue_from"], sources["continue_from"] = choices.continue_from, "caller"
    _agree(config, role, library)
    return Request(
        key=key,
        context=context,
        features=features,
        brief=brief,
        choices=choices,
        style=style,
        role=role,
        quality=quality,
        why={"style": why_style, "role": why_role, "quality": why_quality},
        prompt=prompt_of(resolved, features, brief),
        config=config,
        config_sources=sources,
        warnings=(*warnings, *resolved.warnings, *_unread(config)),
        substitution=substitution,
    )


def _unread(config: Mapping[str, Any]) -> list[str]:
    if config["backend"] == "procedural" and config["negative_prompt"]:
        return ["negative_prompt is read by MusicGen only; the procedural synthesizer renders without it"]
    return []


def _explicit(choices: Choices) -> dict[str, Any]:
    """Return the caller's values under their configuration names."""
    named = {name: getattr(choices, name) for name in ("duration_s", "loopable", "seed", "backend")}
    chosen = {name: value for name, value in named.items() if value is not None}
    if twice := chosen.keys() & choices.generation.keys():
        name = min(twice)
        raise InputError(
            f"{name} was given twice, as {chosen[name]!r} and as {choices.generation[name]!r}; give it once"
        )
    return {**choices.generation, **chosen}


def _follow_melody(config: dict[str, Any], sources: dict[str, str], melody: str) -> None:
    """Put the melody into the configuration, and the checkpoint nearest in size that can follow a melody."""
    config["melody"], sources["melody"] = melody, "caller"
    if (size := melody_size(config["size"])) != config["size"]:
        sources["size"] = f"follows a melody as {config['size']} cannot, by {sources['size']}"
        config["size"] = size


def _arrange(
    config: dict[str, Any],
    sources: dict[str, str],
    library: Library,
    style: str,
    features: Features,
    mood: tuple[float, float],
) -> None:
    """Set the synthesizer's parameters, shifted towards the `mood` (valence, energy); MusicGen needs none."""
    if config["backend"] != "procedural":
        config["synthesis"] = None
        return
    preset = library.style(style)
    if config["synthesis"] is None:
        words = ", ".join(config["prompt_tags"])
        config["synthesis"] = Synthesis.from_words(words).model_dump(mode="json")
        sources["synthesis"] = f"the tags of style {style}"
    try:
        shaded, reasons = shade(
            config["synthesis"],
            valence=mood[0],
            energy=mood[1],
            style_valence=preset.valence,
            style_energy=preset.energy,
            time_of_day=features.time_of_day,
        )
    except GeneratorError as error:
        file = sources["synthesis"].partition(" in ")[2]
        place = f"{file}: style {style}" if file else f"style {style}"
        raise ConfigError(f"{place} has a synthesis block that cannot be used: {error}") from error
    config["synthesis"] = shaded
    if reasons:
        sources["synthesis"] += f", bent by the mood: {'; '.join(reasons)}"


def _agree(config: Mapping[str, Any], role: str, library: Library) -> None:
    if config["loopable"] and library.role(role).repetition == "none":
        loops = [name for name, one in library.roles.items() if one.repetition != "none"]
        raise InputError(
            f"role {role} is a one-shot and cannot loop; drop the loop, or choose {', '.join(loops)}"
        )
    if config["duration_s"] < MIN_DURATION_S:
        raise InputError(f"duration_s is {config['duration_s']:g}; at least {MIN_DURATION_S:g} s can be made")

"""Load the shipped and the user's configuration, merge them, and resolve the values of one request."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .document import ROOT, read
from .errors import PresetError, did_you_mean
from .findings import sentence
from .schema import (
    BackendSettings,
    Check,
    Configuration,
    Defaults,
    Ear,
    Generation,
    Model,
    Overrides,
    PromptMetadata,
    Reader,
    Role,
    Scrub,
    Style,
    Tier,
)

__all__ = ["Library", "Resolved", "load"]

SHIPPED = "shipped"
DEFAULT = "default"
"""The origin of a value that neither a shipped file nor the user's sets."""
CALLER = "caller"

_PROMPT_KEYS = frozenset(PromptMetadata.model_fields)
_ROLE_KEYS = ("repetition", "dynamics", "loopable", "loudness_lufs", "fade_in_s", "fade_out_s")
_ENTRY = TypeVar("_ENTRY")


class Resolved(BaseModel):
    """The merged generation configuration of one request.

    `values` is plain JSON: the generation defaults, `size`, `backend`, the role's `loudness_lufs` (None when
    normalization is off), `repetition`, `dynamics`, `loopable`, `fade_in_s`, `fade_out_s`, the tier's
    `steps_per_second`, `max_duration_s` and the `max_steps` that follows, `prompt_tags`, `prepend_tags`,
    `append_structure` ("" for none), `language`, `synthesis` and `seed` (None unless set).
    `sources` states in words what set each of them.
    """

    model_config = ConfigDict(frozen=True)

    values: dict[str, Any]
    sources: dict[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """The merged configuration. `styles` holds the entries of `presets`, the environments among them."""

    model: Model
    defaults: Defaults
    prompt_metadata: PromptMetadata
    styles: Mapping[str, Style]
    roles: Mapping[str, Role]
    quality: Mapping[str, Tier]
    reader: Reader | None
    """The language model that reads texts; None for the built-in reader alone."""
    application: str | None
    """What the application is that shows the texts, in a sentence; None where nothing is told."""
    scrub: Scrub
    """How fast a service checks what is stored."""
    ear: Ear
    """What hears the music, and when."""
    check: Check
    """How often a track that fails the check after making is made again."""
    backends: Mapping[str, BackendSettings]
    """Generators of the user's own by name."""
    digest: str
    """sha256 in hex of all that decides what music is made. Ducking is not in it, as it only changes a mix, nor are the
    scrub, the ear and the check, nor where a reader or a backend is found, how long it may take, or which variable
    holds its key."""
    _origins: Mapping[str, str] = field(repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled, and workers in other processes get the library so.
        values = [getattr(self, each.name) for each in fields(self)]
        return _unpickled, tuple(dict(one) if isinstance(one, MappingProxyType) else one for one in values)

    def style(self, name: str) -> Style:
        """Return the style `name`. Raises PresetError, with the nearest names, where there is none."""
        return _entry(self.styles, name, "style")

    def role(self, name: str) -> Role:
        """Return the role `name`. Raises PresetError, with the nearest names, where there is none."""
        return _entry(self.roles, name, "role")

    def tier(self, name: str) -> Tier:
        """Return the quality tier `name`. Raises PresetError, with the nearest names, where there is none."""
        return _entry(self.quality, name, "quality tier")

    def origin(self, dotted_key: str) -> str:
        """Return "shipped" or the path of the user's file for a key like `presets.ambient_lofi.top_k`.

        It is "default" for a key that no file sets. Raises PresetError for one that there is not.
        """
        key = dotted_key.removeprefix(f"{ROOT}.")
        if key in self._origins:
            return self._origins[key]
        if key not in self._set and not any(name.startswith(f"{key}.") for name in self._set):
            keys = {*self._set, *self._unset}
            if key not in keys:
                raise PresetError(f"there is no configuration key {dotted_key!r}; {did_you_mean(key, keys)}")
        return DEFAULT

    def explain(self) -> list[tuple[str, Any, str]]:
        """Return (dotted key, value, origin) for every value that is set, in order of the sections."""
        return [(key, value, self._origins.get(key, DEFAULT)) for key, value in self._set.items()]

    @functools.cached_property
    def _unset(self) -> set[str]:
        """The keys of fields that have no value."""
        entries: dict[str, BaseModel] = {
            f"{section}.{name}": entry
            for section, named in (("presets", self.styles), ("roles", self.roles), ("quality", self.quality))
            for name, entry in named.items()
        }
        entries |= {name: getattr(self, name) for name in ("model", "defaults", "prompt_metadata")}
        return {
            f"{at}.{name}"
            for at, entry in entries.items()
            for name in type(entry).model_fields
            if getattr(entry, name) is None
        }

    @functools.cached_property
    def _set(self) -> dict[str, Any]:
        sections: dict[str, Any] = {
            "model": self.model,
            "defaults": self.defaults,
            "prompt_metadata": self.prompt_metadata,
            "presets": self.styles,
            "roles": self.roles,
            "quality": self.quality,
            "reader": self.reader or {},
            **({"application": self.application} if self.application else {}),
            "scrub": self.scrub,
            "ear": self.ear,
            "check": self.check,
            "backends": {name: {"use": one.use, **one.settings} for name, one in self.backends.items()},
        }
        return dict(_flat(sections))

    def resolve(
        self, style: str, role: str, quality: str, overrides: Mapping[str, Any] = MappingProxyType({})
    ) -> Resolved:
        """Return the values for one request, each from the last that sets it: defaults, style, role, tier, caller.

        The tier's `max_duration_s` caps every `duration_s`, and a loopable track has no fades. Raises PresetError for
        an unknown name or an override that is not valid.
        """
        checked = _overrides(overrides)
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for name, value, source in self._layers(style, role, quality, checked):
            if name == "synthesis" and source == CALLER:
                value = {**(values.get(name) or {}), **value}
            values[name], sources[name] = value, source
        warnings = [*self._outranked_size(quality, sources), *self._cap(values, sources, quality)]
        warnings += [*_loop(values, sources), *_level(values, sources)]
        values["max_steps"] = math.ceil(_exact(values["duration_s"]) * _exact(values["steps_per_second"]))
        sources["max_steps"] = "duration_s x steps_per_second, rounded up"
        return Resolved(values=values, sources=sources, warnings=tuple(warnings))

    def _layers(
        self, style: str, role: str, quality: str, overrides: dict[str, Any]
    ) -> Iterator[tuple[str, Any, str]]:
        chosen, purpose, tier = self.style(style), self.role(role), self.tier(quality)
        yield "seed", None, "default"
        yield "synthesis", None, "default"
        for section in ("model", "defaults", "prompt_metadata"):
            yield from self._layer("default", section, getattr(self, section))
        keys = (*Generation.model_fields, "prompt_tags", "synthesis")
        yield from self._layer(f"style {style}", f"presets.{style}", chosen, keys)
        keys = (*Generation.model_fields, *_ROLE_KEYS)
        yield from self._layer(f"role {role}", f"roles.{role}", purpose, keys)
        keys = (*Generation.model_fields, "model_size", "max_duration_s", "steps_per_second")
        yield from self._layer(f"quality {quality}", f"quality.{quality}", tier, keys)
        for name, value in overrides.items():
            yield name, value, CALLER

    def _layer(
        self, words: str, section: str, entry: BaseModel, keys: tuple[str, ...] | None = None
    ) -> Iterator[tuple[str, Any, str]]:
        for name in keys or tuple(type(entry).model_fields):
            value = _plain(getattr(entry, name))
            if value is not None:
                origin = self._setter(f"{section}.{name}")
                source = words if origin == SHIPPED else f"{words} in {origin}"
                yield {"model_size": "size"}.get(name, name), value, source

    def _setter(self, key: str) -> str:
        """Return the user's file where it sets `key` or any part of it, else "shipped"."""
        own, within = _origin(self._origins, key), f"{key}."
        if own != SHIPPED or not key.endswith(".synthesis"):
            return own
        return next(
            (
                self._origins[part]
                for part in self._origins
                if part.startswith(within) and self._origins[part] != SHIPPED
            ),
            SHIPPED,
        )

    def _cap(self, values: dict[str, Any], sources: dict[str, str], quality: str) -> Iterator[str]:
        requested, most = values["duration_s"], values["max_duration_s"]
        if requested <= most:
            return
        if sources["duration_s"] == CALLER:
            longer = [
                f"{name} ({tier.max_duration_s:g})"
                for name, tier in self.quality.items()
                if tier.max_duration_s > most
            ]
            hint = f"; {' and '.join(longer)} allow more" if longer else ""
            yield f"duration_s {requested:g} was cut to {most:g}, the most that quality {quality} allows{hint}"
        values["duration_s"], sources["duration_s"] = most, sources["max_duration_s"]

    def _outranked_size(self, quality: str, sources: dict[str, str]) -> Iterator[str]:
        """Warn where the user's `model.size` has no effect because a shipped tier names another."""
        size, origin = self.tier(quality).model_size, _origin(self._origins, "model.size")
        if origin != SHIPPED and sources["size"] == f"quality {quality}" and size != self.model.size:
            yield (
                f"model.size {self.model.size} in {origin} gives way to {size} of quality {quality}; "
                f"set quality.{quality}.model_size to change that"
            )


def _unpickled(*values: Any) -> Library:
    # The mappings of the library itself; the last value, the origins, is a plain one.
    return Library(*[MappingProxyType(one) if type(one) is dict else one for one in values[:-1]], values[-1])  # type: ignore[call-arg,arg-type]


def load(path: str | Path | None = None) -> Library:
    """Return the shipped configuration, extended and overridden key by key by the file at `path`.

    Raises PresetError, naming file, key, value and what is valid, for a file that cannot be used.
    """
    content, origins = copy.deepcopy(_shipped())
    if path is not None:
        name = str(path)
        _merge(content, _settle(read(Path(path)), name), "", origins, name)
    return _build(content, origins)


@functools.cache
def _shipped() -> tuple[dict[str, Any], dict[str, str]]:
    content: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        _merge(content, _settle(read(file), str(file)), "", origins, SHIPPED)
    return content, origins


def _settle(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a file in one shape: empty sections and entries as {}, prompt keys in `prompt_metadata`."""
    settled = {section: {} if body is None else body for section, body in content.items()}
    if content.get("reader", "") is None:
        del settled["reader"]
    if content.get("application") in (None, ""):
        settled.pop("application", None)
    for section in ("presets", "roles", "quality", "backends"):
        if isinstance(settled.get(section), dict):
            settled[section] = {k: {} if body is None else body for k, body in settled[section].items()}
    prompt = settled.get("prompt_metadata", {})
    if not isinstance(prompt, dict):
        return settled
    for section, body in (("prompt", settled.pop("prompt", {})), ("defaults", settled.get("defaults"))):
        if not isinstance(body, dict):
            continue
        moved = {key: body[key] for key in body if section == "prompt" or key in _PROMPT_KEYS}
        for key in moved.keys() & prompt.keys():
            raise PresetError(
                f"{name} gives {key} both as {section}.{key} and as prompt_metadata.{key}; keep one"
            )
        prompt = {**prompt, **moved}
        if section == "defaults":
            settled["defaults"] = {key: value for key, value in body.items() if key not in moved}
    if prompt:
        settled["prompt_metadata"] = prompt
    return settled


def _merge(into: dict[str, Any], new: dict[str, Any], at: str, origins: dict[str, str], source: str) -> None:
    """Merge `new` into `into` key by key, also in nested mappings, and note the source of each key."""
    for key, value in new.items():
        dotted = f"{at}.{key}" if at else key
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            origins.setdefault(dotted, source)
            _merge(into[key], value, dotted, origins, source)
        else:
            into[key] = copy.deepcopy(value)
            origins[dotted] = source


def _build(content: dict[str, Any], origins: dict[str, str]) -> Library:
    try:
        valid = Configuration.model_validate(content)
    except ValidationError as error:
        raise PresetError(sentence(error, content, lambda key: f"{_origin(origins, key)}: {key}")) from None
    # What is not there is left out, so that digests from before it was known stay the same.
    of_reader: Any = {"base_url", "api_key_env", "timeout_s"} if valid.reader else True
    of_backends: Any = {"__all__": {"url", "api_key_env", "timeout_s", "retries"}} if valid.backends else True
    canonical = json.dumps(
        valid.model_dump(
            mode="json",
            exclude={
                "roles": {"__all__": {"ducking"}},
                "reader": of_reader,
                "backends": of_backends,
                **({} if valid.application else {"application": True}),
                **dict.fromkeys(("scrub", "ear", "check"), True),
            },
        ),
        sort_keys=True,
        separators=(",", ":"),
    )
    return Library(
        model=valid.model,
        defaults=valid.defaults,
        prompt_metadata=valid.prompt_metadata,
        styles=MappingProxyType(valid.presets),
        roles=MappingProxyType(valid.roles),
        quality=MappingProxyType({str(name): tier for name, tier in valid.quality.items()}),
        reader=valid.reader,
        application=valid.application,
        scrub=valid.scrub,
        ear=valid.ear,
        check=valid.check,
        backends=MappingProxyType(valid.backends),
        digest=hashlib.sha256(canonical.encode("utf-8")).hexdigest(),
        _origins=origins,
    )


def _overrides(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides that are not None, checked. Raises PresetError."""
    present = {str(key): value for key, value in values.items() if value is not None}
    try:
        valid = Overrides.model_validate(present)
    except ValidationError as error:
        raise PresetError(sentence(error, present, "{}".format)) from None
    return {name: _plain(getattr(valid, name)) for name in present}


def _origin(origins: Mapping[str, str], key: str) -> str:
    """Return the source of `key`, or of the nearest section around it that has one."""
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, SHIPPED)


def _entry(entries: Mapping[str, _ENTRY], name: str, kind: str) -> _ENTRY:
    if name not in entries:
        raise PresetError(f"unknown {kind} {name!r}; {did_you_mean(str(name), entries)}")
    return entries[name]


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{at}.{key}" if at else str(key))
    elif value is not None:
        yield at, _plain(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)


def _loop(values: dict[str, Any], sources: dict[str, str]) -> Iterator[str]:
    """Set the fades of a loopable track to 0, since they would be a gap at every turn; warn a caller who set them."""
    for name in ("fade_in_s", "fade_out_s"):
        if values["loopable"] and values[name]:
            if sources[name] == CALLER:
                yield f"{name} {values[name]:g} was set to 0, because the track is to loop"
            values[name], sources[name] = 0.0, sources["loopable"]


def _level(values: dict[str, Any], sources: dict[str, str]) -> Iterator[str]:
    """Set the loudness target to None where normalization is off; warn a caller who set it."""
    if not values["loudness_normalization"]:
        if sources["loudness_lufs"] == CALLER:
            yield f"loudness_lufs {values['loudness_lufs']:g} has no effect, because loudness_normalization is off"
        values["loudness_lufs"], sources["loudness_lufs"] = None, sources["loudness_normalization"]


def _exact(number: float) -> Fraction:
    """Return the number as it is written: 1.1 as 11/10, so that 1.1 s at 50 steps a second are 55 steps, not 56."""
    return Fraction(repr(number))

"""Configuration files as plain mappings: YAML is read within limits, so that no file can hang or crash the reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .errors import PresetError, did_you_mean, shown

__all__ = ["ROOT", "STORAGE", "STORED_ELSEWHERE", "parse", "read"]

ROOT = "musicgen"
STORAGE = "storage"
STORED_ELSEWHERE = "what reaches an object store stands in a file of its own, which CATALOG_STORAGE names"
"""The end of a sentence about the block `storage:`: a configuration may lie in the store itself, for all to read."""
MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000

# The C parser is about ten times faster; it composes by unchecked recursion, hence `_check_depth` first.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> dict[str, Any]:
    """Return what stands under `musicgen:` in the file at `path`; {} for an empty file.

    Raises PresetError for a file that cannot be read, is no UTF-8 YAML, is over 256 KiB, repeats a key,
    nests or expands beyond reason, or has another root.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PresetError(f"cannot read the configuration {path}: {reason}") from None
    return parse(data, str(path))


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Return what stands under `musicgen:` in `data`, with `name` used in messages; see `read`."""
    if len(data) > MAX_BYTES:
        raise PresetError(f"{name} is larger than {MAX_BYTES:,} bytes, the most a configuration may have")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PresetError(f"{name} is not UTF-8 text: byte {error.start} cannot be decoded") from None
    return _under_root(_load(text, name), name)


def _load(text: str, name: str) -> Any:
    try:
        _check_depth(text, name)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node, name)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        if "nesting depth" in (error.problem or ""):  # PyYAML's own limit, since 6.0.4, may be met first
            raise PresetError(f"{name} nests deeper than {MAX_DEPTH} levels{place}") from None
        raise PresetError(f"{name} is not valid YAML{place}: {error.problem or error.context}") from None
    except (yaml.YAMLError, OverflowError) as error:
        raise PresetError(f"{name} is not valid YAML: {' '.join(str(error).split())[:200]}") from None
    except ValueError as error:  # an impossible date, or a number with too many digits
        if isinstance(error, PresetError):
            raise
        raise PresetError(f"{name} holds a value that YAML cannot read: {error}") from None


def _check_depth(text: str, name: str) -> None:
    """Refuse deep nesting. The events are a flat stream; composing them would recurse and could crash."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise PresetError(f"{name} nests deeper than {MAX_DEPTH} levels at line {_line(event)}")


def _check(root: yaml.Node, name: str) -> None:
    """Refuse aliases that expand to too much, keys that repeat, and keys that are not text."""
    for count, (node, depth) in enumerate(_walk(root)):
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise PresetError(
                f"{name} expands to more than {MAX_NODES:,} values or {MAX_DEPTH} levels by its aliases"
            )
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, name)


def _walk(root: yaml.Node) -> Iterator[tuple[yaml.Node, int]]:
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if isinstance(node, yaml.MappingNode):
            stack.extend((child, depth + 1) for pair in node.value for child in pair)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend((child, depth + 1) for child in node.value)


def _check_keys(node: yaml.MappingNode, name: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            raise PresetError(
                f"{name} has the key {shown(key.value)} at line {_line(key)}, "
                "which YAML does not read as text; write it in quotes"
            )
        if key.value in seen:
            raise PresetError(
                f"{name} gives the key {key.value!r} twice, the second time at line {_line(key)}"
            )
        seen.add(key.value)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _under_root(document: Any, name: str) -> dict[str, Any]:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise PresetError(f"{name} holds {shown(document)}, but a configuration is a mapping under `{ROOT}:`")
    for key in document:
        if key == STORAGE:
            raise PresetError(f"{name} has {STORAGE!r} at its top level; {STORED_ELSEWHERE}")
        if key != ROOT:
            raise PresetError(
                f"{name} has {key!r} at its top level, but everything stands under `{ROOT}:`; "
                f"{did_you_mean(key, [ROOT])}"
            )
    content = document.get(ROOT)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise PresetError(f"{name} has {shown(content)} as {ROOT}, but it is a mapping of sections")
    return content

"""Labels for calibration: texts that may share music, and texts that may not.

A file of labels is JSON Lines. A line is either a scene, {"scene": name, "fits": [texts that may share music],
"opposite": [the same scene in the opposite mood], "moved": [the same in another place or at another time], "split":
"fit", "calibrate" or "test", "facts": {a choice that nothing made without it meets}}, or a judged pair, {"asked":
text, "track": the text the track was made for, "fits": true or false, "scene": name of what they are about}. Texts of
one list fit each other (label 2); of a scene and the same moved elsewhere music is passable (label 1: neither a hit nor
wrong); texts in opposite moods, and of different scenes, do not fit (label 0).
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ..disk.files import sha256_of
from ..errors import InputError
from ..models import Value

__all__ = ["LabelledScene", "Labels", "Pair", "Split", "read_labels", "shipped_labels"]


MAX_BYTES = 64_000_000
SHIPPED = Path(__file__).with_name("labels.jsonl")

Split = Literal["fit", "calibrate", "test"]
Text = Annotated[str, Field(min_length=1, max_length=100_000, pattern=r"\S")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
VARIANTS = ("fits", "opposite", "moved")


class LabelledScene(Value):
    """Texts about one scene. Scenes are independent of each other, so they are the units of the statistics."""

    scene: Name
    split: Split = "calibrate"
    fits: Annotated[tuple[Text, ...], Field(min_length=1)]
    opposite: tuple[Text, ...] = ()
    moved: tuple[Text, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_text_twice(self) -> LabelledScene:
        texts = [text for _, text in self.texts()]
        if len(set(texts)) < len(texts):
            raise ValueError("a text stands in the scene twice")
        return self

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name of the list that each text is in, and the text."""
        for variant in VARIANTS:
            for text in getattr(self, variant):
                yield variant, text


class Pair(Value):
    """One judgement: whether music made for `track` fits `asked`. Pairs with one `scene` count as one unit."""

    asked: Text
    track: Text
    fits: bool
    scene: Name | None = None


class Labels(Value):
    """The labels of a file, with the digest of its bytes."""

    source: str
    sha256: str
    scenes: tuple[LabelledScene, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def split(self, name: Split) -> tuple[LabelledScene, ...]:
        """Return the scenes of one split."""
        return tuple(scene for scene in self.scenes if scene.split == name)


def shipped_labels() -> Labels:
    """Return the shipped labels. They were written for this package, not collected from users."""
    return read_labels(SHIPPED, source="authored scenes shipped with the package")


def shipped_sha256() -> str:
    """Return the digest of the shipped labels; they are read once for a time and size of the file."""
    stat = SHIPPED.stat()
    return _shipped_sha256(SHIPPED, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _shipped_sha256(path: Path, mtime_ns: int, size: int) -> str:
    del mtime_ns, size  # a file that was written anew is read anew
    return sha256_of(path)


def read_labels(path: Path, *, source: str | None = None) -> Labels:
    """Return the labels in a JSON Lines file. Raises InputError that names the line and what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the labels {path} cannot be read: {error.strerror}; pass a JSON Lines file"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"the labels {path} are {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    scenes: dict[str, LabelledScene] = {}
    pairs: list[Pair] = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        label = _parsed(line, where)
        if isinstance(label, Pair):
            pairs.append(label)
        elif label.scene in scenes:
            raise InputError(f"{where}: the scene {label.scene!r} was there before; give each scene one line")
        else:
            scenes[label.scene] = label
    if not scenes and not pairs:
        raise InputError(f"{path} holds no labels; each line is a scene or a judged pair, see docs/REUSE.md")
    sha256 = hashlib.sha256(data).hexdigest()
    return Labels(
        source=source or path.name, sha256=sha256, scenes=tuple(scenes.values()), pairs=tuple(pairs)
    )


def _parsed(line: bytes, where: str) -> LabelledScene | Pair:
    try:
        values = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise InputError(f"{where}: this is no JSON in UTF-8 ({error})") from None
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: a label is a JSON object, and this is {type(values).__name__}")
    kind = Pair if "asked" in values or "track" in values else LabelledScene
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or ("pair" if kind is Pair else "scene")
        raise InputError(f"{where}: {field}: {first['msg']}") from None

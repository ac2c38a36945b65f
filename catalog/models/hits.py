"""A list of search results that shows itself, and becomes a table."""

from __future__ import annotations

import types
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, SupportsIndex, Union, get_args, get_origin, overload

from ..errors import MissingExtra
from . import display
from .display import quoted
from .track import Hit, Track

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Hits"]


SHOWN = 3
"""How many hits a line names."""
MAPPINGS = ("config", "config_sources", "versions", "checked", "heard", "measured")
COLUMNS = tuple(name for name in Track.model_fields if name not in MAPPINGS)
"""The fields of a track that become columns: all but those that hold a mapping."""


class Hits(list[Hit]):
    """Search results, best first: a list of `Hit` that also becomes a table."""

    @overload
    def __getitem__(self, at: SupportsIndex) -> Hit: ...
    @overload
    def __getitem__(self, at: slice) -> Hits: ...
    def __getitem__(self, at: SupportsIndex | slice) -> Hit | Hits:
        """Return one hit, or those of a slice, which are `Hits` too."""
        return Hits(super().__getitem__(at)) if isinstance(at, slice) else super().__getitem__(at)

    def __repr__(self) -> str:
        """Return one line: how many hits there are, and the first of them."""
        named = [f"{hit.score:.2f} {hit.track.style} {quoted(hit.track.name)}" for hit in self[:SHOWN]]
        rest = ["..."] if len(self) > SHOWN else []
        return (
            f"<{len(self)} hit{'' if len(self) == 1 else 's'}{': ' if self else ''}{', '.join(named + rest)}>"
        )

    def _repr_html_(self) -> str:
        room, cards = display.PLAYED_BYTES, list[str]()
        for hit in self:
            cards.append(hit.track.as_html(hit.path, hit.why, room))
            # The first hits have players that hold the audio, as far as a page has room for it.
            room -= hit.track.audio_bytes if hit.track.audio_bytes <= room else 0
        return "".join(cards) or "<em>no hits</em>"

    def to_arrow(self) -> pa.Table:
        """Return a table of pyarrow with a row for each hit: score, path, and the fields of its track."""
        import pyarrow as pa

        rows = [
            {"score": hit.score, "path": str(hit.path), **hit.track.model_dump(include={*COLUMNS})}
            for hit in self
        ]
        columns = {name: _arrow_type(Track.model_fields[name].annotation) for name in COLUMNS}
        schema = pa.schema({"score": pa.float64(), "path": pa.string(), **columns})
        return pa.Table.from_pylist(rows, schema)

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of `to_arrow` as a data frame. Raises MissingExtra without pandas."""
        try:
            import pandas  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtra(
                "the package pandas is not installed; pip install pandas, or use to_arrow()", name=error.name
            ) from error
        return self.to_arrow().to_pandas()


def _arrow_type(annotation: Any) -> Any:
    """Return the type of Arrow for values of an annotation; texts for whatever is no other plain value."""
    import pyarrow as pa

    origin = get_origin(annotation)
    if origin is Annotated:
        return _arrow_type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return next(_arrow_type(member) for member in get_args(annotation) if member is not types.NoneType)
    if origin is tuple:
        return pa.list_(pa.string())
    plain = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), datetime: pa.timestamp("us", "UTC")}
    return plain.get(annotation, pa.string())

"""A Lance table of another application, which is read and never written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError
from .lance import Connection, lance_errors

__all__ = ["ForeignTable", "table_names"]


def table_names(folder: Path) -> list[str]:
    """Return the names of the Lance tables in `folder`, sorted; none where it is no LanceDB database."""
    return sorted(path.stem for path in folder.glob("*.lance") if path.is_dir())


class ForeignTable:
    """The table `name` of the LanceDB database in `folder`. Raises InputError where there is none."""

    def __init__(self, folder: Path, name: str) -> None:
        names = table_names(folder)
        if name not in names:
            held = f"its tables: {', '.join(names)}" if names else "it holds no Lance table"
            raise InputError(f"there is no table {name!r} in {folder}; {held}")
        self.name = name
        self._folder = folder

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The names of the columns that hold text."""
        import pyarrow as pa

        kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        return tuple(field.name for field in self._table.schema if any(kind(field.type) for kind in kinds))

    def count(self) -> int:
        """Return the number of rows."""
        with lance_errors(f"the table {self.name} in {self._folder} cannot be read"):
            return int(self._table.count_rows())

    def texts(self, column: str, rows: Sequence[int]) -> list[str | None]:
        """Return the texts of a column at these row numbers, which count from 0 and must ascend; None for a null."""
        if not rows:
            return []
        with lance_errors(f"the column {column} of the table {self.name} in {self._folder} cannot be read"):
            taken = self._table.take_offsets(list(rows)).select([column]).to_arrow()
        texts: list[str | None] = taken[column].to_pylist()
        return texts

    @cached_property
    def _table(self) -> Any:
        with lance_errors(f"the table {self.name} in {self._folder} cannot be opened"):
            return Connection(self._folder).connect().open_table(self.name)

"""The error for a framework that is not installed: it names the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingExtra

__all__ = ["extra"]


@contextmanager
def extra(name: str, package: str) -> Iterator[None]:
    """Raise MissingExtra, which names the extra `name`, where an import of `package` in the body finds none.

    An import that fails inside an installed package is passed on as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != package.split(".")[0]:
            raise
        raise MissingExtra(
            f"the package {package} is not installed; pip install 'music-catalog[{name}]'", name=error.name
        ) from error

"""Stand-ins for the classes of a remote service's client, which lancedb imports and a local catalog never calls.

That client is most of the time of `import lancedb`. The first use of a stand-in imports the real package.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["PACKAGE", "forget", "without_rest_client"]


PACKAGE = "lance_namespace_urllib3_client"
_importing = threading.Lock()


@contextmanager
def without_rest_client() -> Iterator[None]:
    """Let the body import lancedb with stand-ins for the classes of the REST client, unless that is loaded already."""
    with _importing:
        if PACKAGE in sys.modules or "lancedb" in sys.modules:
            yield
            return
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            # Later imports of the client must find the real one. What lancedb imported keeps the stand-ins it has.
            for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
                if isinstance(sys.modules[name], _Module):
                    del sys.modules[name]


def forget(package: str) -> None:
    """Remove a package that was imported in part from `sys.modules`, so that it can be imported anew.

    Compiled modules stay, since a process can initialise them only once.
    """
    for name, module in [*sys.modules.items()]:
        compiled = isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)
        if name.split(".")[0] == package and not compiled:
            del sys.modules[name]


class _StandIn(type):
    """The type of a class that is imported when it is first used."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        # Stand-ins are made without bases. With bases this is a subclass, which needs the real class at once.
        if bases:
            raise ImportError(f"{name} is made of a class of {PACKAGE}, which is not loaded yet")
        return super().__new__(mcs, name, bases, namespace)

    def _real(cls) -> Any:
        real = getattr(importlib.import_module(cls.__module__), cls.__name__)
        if isinstance(real, _StandIn):
            raise ImportError(f"{cls.__name__} is used while {PACKAGE} is not loaded yet")
        return real

    def __call__(cls, *values: Any, **named: Any) -> Any:
        return cls._real()(*values, **named)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls._real())

    def __getattr__(cls, name: str) -> Any:
        # Python and pydantic look for special names on every class they meet; that must not import the real one.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls._real(), name)


class _Module(ModuleType):
    """A module of stand-ins: any name that is imported from it is a new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _StandIn(name, (), {"__module__": self.__name__})
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    """Finds a module of stand-ins for every module of the client."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == PACKAGE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        del module

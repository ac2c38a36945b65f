"""The only door to lancedb: import it, connect to it, run its event loop."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

__all__ = ["ALWAYS", "PACKAGE", "forget", "import_lancedb", "index_config", "run", "without_rest_client"]


_log = logging.getLogger(__name__)
PACKAGE = "lance_namespace_urllib3_client"
_alone = threading.Lock()


@contextmanager
def without_rest_client() -> Iterator[None]:
    """Let the body import lancedb with stand-ins for the REST client's classes, unless the client is loaded already."""
    with _alone:
        if PACKAGE in sys.modules or "lancedb" in sys.modules:
            yield
            return
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
                if isinstance(sys.modules[name], _Module):
                    del sys.modules[name]


def forget(package: str) -> None:
    """Take a package that was imported in part out of the modules, so that it can be imported anew.

    Compiled modules stay: they cannot be started twice.
    """
    for name, module in [*sys.modules.items()]:
        compiled = isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)
        if name.split(".")[0] == package and not compiled:
            del sys.modules[name]


class _StandIn(type):
    """The type of a class that is imported when it is first used."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if bases:
            raise ImportError(f"{name} is made of a class of {PACKAGE}, which is not loaded yet")
        return super().__new__(mcs, name, bases, namespace)

    def _real(cls) -> Any:
        found = getattr(importlib.import_module(cls.__module__), cls.__name__)
        if isinstance(found, _StandIn):
            raise ImportError(f"{cls.__name__} is used while {PACKAGE} is not loaded yet")
        return found

    def __call__(cls, *values: Any, **named: Any) -> Any:
        return cls._real()(*values, **named)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls._real())

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls._real(), name)


class _Module(ModuleType):
    """A module that has every class it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _StandIn(name, (), {"__module__": self.__name__})
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == PACKAGE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        del module


_Answer = TypeVar("_Answer")
_alone = threading.Lock()
_running: asyncio.AbstractEventLoop | None = None


def run(asked: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Return what the coroutine returns, or raise what it raises; any thread without a loop of its own may call."""
    future = asyncio.run_coroutine_threadsafe(asked, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _loop() -> asyncio.AbstractEventLoop:
    global _running
    with _alone:
        if _running is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="catalog-queries", daemon=True).start()
            _running = loop
        return _running


def _forget() -> None:
    """Begin anew in the child of a fork, which has neither the thread nor whoever held the lock."""
    global _alone, _running
    _alone, _running = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


ALWAYS = timedelta(0)
"""How old what is known of a table may be: every read looks for commits of other processes."""


def import_lancedb() -> Any:
    """Import lancedb, without its REST client where that can be done; see `lean`."""
    if "lancedb" not in sys.modules:
        try:
            with without_rest_client():
                import lancedb
        except Exception as error:  # whatever a class says that is not the one it stands for
            _log.debug("lancedb is imported with its REST client: %s", error)
            forget("lancedb")
            forget("lance_namespace")
    import lancedb

    return lancedb


def index_config(kind: str) -> Any:
    """Return LanceDB's configuration for a kind of index: words, order, few_values, tags or vector."""
    from lancedb.index import FTS, Bitmap, BTree, IvfRq, LabelList

    if kind == "words":
        # ICU finds words in languages that put no spaces between them.
        return FTS(base_tokenizer="icu")
    if kind == "vector":
        # One bit a number orders candidates so roughly that ten times the limit still misses some of the best.
        return IvfRq(distance_type="cosine", num_bits=4)
    return {"order": BTree, "few_values": Bitmap, "tags": LabelList}[kind]()

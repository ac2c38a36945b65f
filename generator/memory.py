"""How much memory this process can still get, checked before the memory is taken.

On a processor MLX does not check whether an allocation succeeded: a failure ends the process. So what is certainly
needed is compared with what is left first. That is known on Linux only; elsewhere nothing is refused.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import GeneratorError

__all__ = ["left_bytes", "memory_errors", "require"]


_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def require(needed_bytes: int, what: str, cure: str, *, filled: bool = True, left: int | None = None) -> None:
    """Raise GeneratorError if `what` needs `needed_bytes` more and this process certainly cannot get them.

    `cure` completes "ask for ...". With `filled` false the memory is reserved but hardly used, so that only the limits
    of the process count. `left`: the bytes that a GPU has left, where it is about those.
    """
    left = left_bytes(filled=filled) if left is None else left
    if left is not None and needed_bytes > left:
        raise GeneratorError(
            f"not enough memory to {what}: it takes at least {_megabytes(needed_bytes)} and "
            f"{_megabytes(max(0, left))} are left; ask for {cure}."
        )


@contextmanager
def memory_errors(what: str, cure: str) -> Iterator[None]:
    """Turn the device's lack of memory, or of room for a thread, into a GeneratorError."""
    try:
        yield
    except (MemoryError, RuntimeError, SystemError) as error:
        # numba raises SystemError where its parallel loop met a MemoryError; MLX and threads raise RuntimeError.
        lacks = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
        signs = "alloc", "memory", "temporarily unavailable"
        if lacks or any(sign in str(error).lower() for sign in signs):
            raise GeneratorError(f"not enough memory to {what}; ask for {cure}.") from error
        raise


def left_bytes(*, filled: bool = True, proc: Path | None = None, cgroups: Path | None = None) -> int | None:
    """Return how many bytes this process can get at most, None where that is not known.

    The least of what its limits (RLIMIT_AS, RLIMIT_DATA), its control groups and the machine leave. Memory that the
    system could free or swap out counts as left, so that nothing is refused that would have worked.
    """
    proc, cgroups = proc or _PROC, cgroups or _CGROUPS
    try:
        left = list(_under_limits(proc))
        if filled:
            left += _in_machine_and_groups(proc, cgroups)
    except (OSError, ValueError, KeyError):
        return None
    return min(left) + _free_in_heap() if left else None


def _under_limits(proc: Path) -> Iterator[int]:
    if sys.platform != "linux":
        return
    import resource

    size = _kilobytes(proc / "self/status")
    for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield soft - size[used]


def _in_machine_and_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    machine = _kilobytes(proc / "meminfo")
    swap = machine.get("SwapFree", 0)
    yield machine["MemAvailable"] + swap
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # In version 1 each controller has a tree of its own. In a container the path may be the one on the host, while
        # only the root of the tree is visible.
        root, name, own = (
            (cgroups / "memory", "memory.limit_in_bytes", "total_rss")
            if controllers
            else (cgroups, "memory.max", "anon")
        )
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            if (folder / name).is_file() and (limit := (folder / name).read_text().strip()) != "max":
                yield int(limit) - _numbers(folder / "memory.stat")[own] + swap


def _kilobytes(file: Path) -> dict[str, int]:
    """Return the bytes of each line like "VmSize:  12 kB"."""
    lines = (line.split() for line in file.read_text().splitlines() if line.endswith(" kB"))
    return {name.rstrip(":"): 1024 * int(count) for name, count, _ in lines}


def _numbers(file: Path) -> dict[str, int]:
    return {name: int(count) for name, count in map(str.split, file.read_text().splitlines())}


class _Heap(ctypes.Structure):
    """What glibc's `mallinfo2` returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t) for name in (*(f"unused_{k}" for k in range(8)), "fordblks", "keepcost")
    )


def _free_in_heap() -> int:
    """Return the bytes that this process freed and the C library keeps for its next allocation."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return 0
    ask.restype = _Heap
    return int(ask().fordblks)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"

"""What memory a process on Linux can still have, asked before it is taken.

On a processor MLX does not look whether it got what it asked for: a want that is found out there ends the process. So
what is certain to be needed is compared first. Elsewhere nothing is known and nothing refused.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import GeneratorError

__all__ = ["left_bytes", "require"]


_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def require(needed_bytes: int, what: str, cure: str, *, filled: bool = True) -> None:
    """Raise GeneratorError where `needed_bytes` more are certainly not to be had to do `what`.

    `cure` ends "ask for ...". With `filled` false they are reserved and hardly used, which only limits of the process
    count.
    """
    left = left_bytes(filled=filled)
    if left is not None and needed_bytes > left:
        raise GeneratorError(
            f"not enough memory to {what}: it takes at least {_megabytes(needed_bytes)} and "
            f"{_megabytes(max(0, left))} are left; ask for {cure}."
        )


def left_bytes(*, filled: bool = True, proc: Path | None = None, cgroups: Path | None = None) -> int | None:
    """Return what this process can have at most, None where that is not known.

    It is the least of what its limits (RLIMIT_AS, RLIMIT_DATA), its control groups and the machine leave. What could be
    freed or swapped out counts as left, so that nothing is refused that would have worked.
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
        # Of version 1 a controller has a tree of its own. In a container the path may be the host's, where only the
        # root of the tree is seen.
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
    """Return what was freed here and is kept for the next allocation."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return 0
    ask.restype = _Heap
    return int(ask().fordblks)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"

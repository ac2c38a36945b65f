"""Which file system holds a folder, and a refusal of those that lie on other machines.

Over a network a lock may hold on one machine only, or vanish with a connection; a sync may end in the memory of a
server; what one machine sees may be seconds behind what another one wrote. The promises of a home need all three.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .errors import StorageError

__all__ = ["ALLOWED", "Mount", "check_local", "mount_of", "mounts"]


ALLOWED = "CATALOG_NETWORK_HOME"
"""The environment variable that allows a network file system, by 1."""
MOUNTINFO = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "webdav",
    }
)
NETWORK_FUSE = ("ceph", "davfs", "gcsfuse", "glusterfs", "goofys", "mountpoint-s3", "rclone", "s3fs", "sshfs")
"""What follows `fuse.` in the type of a file system of other machines."""
_LINE_OF_MACOS = re.compile(r".* on (?P<point>/.*) \((?P<type>\w+)[,)]")


class Mount(NamedTuple):
    """One line of the system's list of mounts."""

    point: str
    type: str


def check_local(folder: Path) -> None:
    """Raise StorageError where `folder`, which need not exist, is on a file system of another machine.

    With `CATALOG_NETWORK_HOME=1` it is allowed. Where the system does not tell, it is allowed too.
    """
    if os.environ.get(ALLOWED) == "1":
        return
    mount = mount_of(folder.resolve(), mounts())
    if mount and (
        mount.type in NETWORK or mount.type.startswith(tuple(f"fuse.{name}" for name in NETWORK_FUSE))
    ):
        raise StorageError(
            f"{folder} is on a network file system ({mount.type} at {mount.point}), whose locks and syncs a catalog "
            f"cannot rely on; keep the home on a local disk, or set {ALLOWED}=1 where this machine alone uses it"
        )


def mount_of(path: Path, table: Iterable[Mount]) -> Mount | None:
    """Return the mount that holds an absolute path without links, None where the table has none."""
    found, within = None, f"{path}/"
    for mount in table:
        # Of two mounts on one point, the later one is on top.
        if within.startswith(f"{mount.point.rstrip('/')}/") and (
            found is None or len(mount.point) >= len(found.point)
        ):
            found = mount
    return found


def mounts() -> list[Mount]:
    """Return what is mounted, in order; nothing where the system does not tell."""
    if sys.platform == "darwin":
        return _of_macos()
    try:
        lines = MOUNTINFO.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    # See proc_pid_mountinfo(5): the mount point is the fifth field, the type the first one after a lone hyphen.
    fields = [(line.split(" "), line.partition(" - ")[2].split(" ")) for line in lines]
    return [Mount(_unescaped(before[4]), after[0]) for before, after in fields if len(before) > 4]


def _of_macos() -> list[Mount]:
    import subprocess

    try:
        done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    matches = (_LINE_OF_MACOS.match(line) for line in done.stdout.splitlines())
    return [Mount(match["point"], match["type"]) for match in matches if match]


def _unescaped(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)

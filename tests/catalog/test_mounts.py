"""Network file systems are refused by what the system says is mounted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from homes import add, open_store

from music_catalog import mounts
from music_catalog.errors import StorageError
from music_catalog.mounts import Mount, check_local, mount_of
from music_catalog.upkeep.backup import back_up
from music_catalog.upkeep.restore import restore

LOCAL = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Return a function that writes a table of mounts with one of a type on a point."""

    def mount(kind, point=tmp_path, *, more=()):
        escaped = str(point).replace("\\", r"\134").replace(" ", r"\040")
        line = f"90 27 0:50 / {escaped} rw,relatime shared:9 master:2 - {kind} server:/export rw,vers=4.2"
        table = tmp_path / "mountinfo"
        table.write_text("\n".join((LOCAL, line, *more)) + "\n", "utf-8")
        monkeypatch.setattr(mounts, "MOUNTINFO", table)
        monkeypatch.setattr(sys, "platform", "linux")

    return mount


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs"]
)
def test_a_home_on_another_machine_is_refused(tmp_path, mounted, kind, monkeypatch):
    home = tmp_path / "folder" / "home"
    mounted(kind)
    with pytest.raises(StorageError) as refused:
        open_store(home)
    assert str(refused.value) == (
        f"{home} is on a network file system ({kind} at {tmp_path}), whose locks and syncs a catalog cannot rely on; "
        "keep the home on a local disk, or set CATALOG_NETWORK_HOME=1 where this machine alone uses it"
    )
    assert not home.parent.exists()
    monkeypatch.setenv(mounts.ALLOWED, "1")
    add(open_store(home), "a")


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "virtiofs", "9p", "fuse.ntfs", "apfs"]
)
def test_a_home_on_this_machine_is_not(tmp_path, mounted, kind):
    mounted(kind)
    add(open_store(tmp_path / "home"), "a")


def test_a_link_to_another_machine_is_followed(tmp_path, mounted):
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    mounted("nfs4", tmp_path / "share")
    check_local(tmp_path / "home")
    with pytest.raises(StorageError, match=r"link is on a network file system \(nfs4 at "):
        check_local(tmp_path / "link")


def test_names_with_spaces_and_mounts_on_mounts(tmp_path, mounted):
    folder = tmp_path / "my share"
    mounted("nfs", folder)
    with pytest.raises(StorageError, match="my share"):
        check_local(folder / "home")
    check_local(tmp_path / "my share 2")
    over = f"91 90 0:51 / {str(folder).replace(' ', chr(92) + '040')} rw - ext4 /dev/vdb rw"
    mounted("nfs", folder, more=(over,))
    check_local(folder / "home")


def test_a_system_that_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "none")
    check_local(tmp_path)
    assert mount_of(Path("/x"), []) is None


def test_the_real_table_has_this_folder(tmp_path):
    assert sys.platform != "linux" or mount_of(tmp_path.resolve(), mounts.mounts()) is not None


def test_what_macos_prints(monkeypatch):
    text = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)\n"
        "server:/export on /Volumes/my share (nfs, nodev, nosuid)\n"
        "//me@nas/music on /Volumes/music (smbfs, nodev, nosuid, mounted by me)\n"
    )
    done = subprocess.CompletedProcess([], 0, stdout=text)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    monkeypatch.setattr(sys, "platform", "darwin")
    table = mounts.mounts()
    assert mount_of(Path("/Users/me/music"), table) == Mount("/", "apfs")
    assert mount_of(Path("/Volumes/my share/home"), table) == Mount("/Volumes/my share", "nfs")
    with pytest.raises(StorageError, match=r"smbfs at /Volumes/music"):
        check_local(Path("/Volumes/music/home"))


def test_a_backup_may_be_on_another_machine_and_a_restored_home_may_not(tmp_path, mounted):
    store, share = open_store(tmp_path / "home"), tmp_path / "share"
    add(store, "a")
    mounted("nfs4", share)
    assert back_up(store, share / "backup").tracks == 1
    with pytest.raises(StorageError, match="is on a network file system"):
        restore(share / "backup", share / "home")
    assert not (share / "home").exists()
    assert restore(share / "backup", tmp_path / "new").tracks == 1

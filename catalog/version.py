"""The versions of installed packages. Standard library only."""

from __future__ import annotations

from importlib import metadata

__all__ = ["package_version"]


def package_version(package: str = "music-catalog", *, absent: str = "unknown") -> str:
    """Return the version of an installed package, this one by default; `absent` where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return absent

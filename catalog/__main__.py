"""Run the `catalog` command as `python -m music_catalog`."""

from __future__ import annotations

from .cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()

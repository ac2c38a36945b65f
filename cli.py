"""Run the `catalog` command from a checkout: `python cli.py --help`. The command itself is `catalog/cli.py`."""

from __future__ import annotations

from music_catalog.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()

"""Start the `catalog` command; also as `python -m music_catalog`."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

__all__ = ["main"]


def main() -> None:
    """Import the command line and run it; an interrupt during the import ends as a later one does."""
    signal.signal(signal.SIGINT, _end)
    from .cli import main as run

    run()


def _end(number: int, frame: Any) -> NoReturn:
    """End the process at once: nothing is open yet, and an exception would pass through the modules being imported."""
    del number, frame
    os.write(2, b"interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()

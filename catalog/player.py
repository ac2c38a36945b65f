"""The program of this machine that plays a file of audio."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .errors import Unavailable

__all__ = ["PLAYERS", "find_player", "play_file"]


PLAYERS = {
    "afplay": (),
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error"),
    "mpv": ("--no-video", "--really-quiet"),
    "pw-play": (),
    "paplay": (),
    "aplay": ("--quiet",),
    "play": ("-q",),
}
"""Player -> its options for playing one file to the end without a window. The first one that is there is taken."""
ONLY_WAV = ("aplay",)
"""Players that take another file for raw samples, and play noise."""
END_S = 5.0
"""The time that a player gets to end when it is told to."""


def find_player(path: Path) -> str:
    """Return the name of a player that is installed and takes the file. Raises Unavailable, naming the file."""
    takes = [name for name in PLAYERS if path.suffix.lower() == ".wav" or name not in ONLY_WAV]
    found = next((name for name in takes if shutil.which(name)), None)
    if found is None:
        raise Unavailable(
            f"no player is on this machine ({', '.join(takes)}); install one, or open the file {path} yourself"
        )
    return found


def play_file(player: str, path: Path, seconds: float | None = None) -> None:
    """Play a file to its end, or for so many seconds. Raises Unavailable when the player fails."""
    # A player that reads the terminal would take the keys that are typed for the shell.
    with subprocess.Popen(
        [player, *PLAYERS[player], str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        finally:
            _end(process)
    if process.returncode != 0:
        reason = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it gave no reason"]
        raise Unavailable(f"{player} could not play {path}: {reason[0]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()

"""The program of this machine that plays a file of audio."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import Unavailable

__all__ = ["PIPED", "PLAYERS", "find_player", "play_bytes", "play_file"]


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
PIPED = {
    "ffplay": ("-i", "pipe:0"),
    "mpv": ("-",),
    "aplay": ("-",),
    "play": ("--ignore-length", "-t", "wav", "-"),
}
"""Player -> how it is told to play a WAV that comes through its standard input; the others take files alone."""
END_S = 5.0
"""The time that a player gets to end when it is told to."""


def find_player(path: Path | None = None) -> str:
    """Return the name of a player that is installed and takes the file, or any WAV. Raises Unavailable."""
    takes = [
        name for name in PLAYERS if path is None or path.suffix.lower() == ".wav" or name not in ONLY_WAV
    ]
    found = next((name for name in takes if shutil.which(name)), None)
    if found is None:
        cure = "install one" if path is None else f"install one, or open the file {path} yourself"
        raise Unavailable(f"no player is on this machine ({', '.join(takes)}); {cure}")
    return found


def play_bytes(player: str, parts: Iterable[bytes]) -> bool:
    """Play the parts of a WAV as they come, with one of PIPED; return whether there were any.

    A player that ends before the sound is not waited for, and the parts are taken to their end.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        for part in parts:
            if process is None:
                process = subprocess.Popen(
                    [player, *PLAYERS[player], *PIPED[player]],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write(part)
                process.stdin.flush()
        if process is None:
            return False
        process.communicate()
        return True
    finally:
        if process is not None:
            _end(process)


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

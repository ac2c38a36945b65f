"""How values show themselves: in one line at a prompt, and in a notebook with a waveform and a player."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

__all__ = ["PLAYED_BYTES", "card", "one_line", "quoted"]


MOST_CHARACTERS, MOST_TITLE = 60, 120
PLAYED_BYTES = 4_000_000
"""Audio up to this size is put into a page, all players of a page together: a notebook keeps it."""
MOST_S = 3_600.0
"""The longest track that is read for a drawing."""
WIDTH, HEIGHT = 480, 48
BAR = 3
"""The width of one bar of a waveform, its gap included, in pixels."""
MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return `text` on one line, cut to `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def quoted(text: str) -> str:
    """Return the beginning of `text` in quotes, with escapes for what cannot be printed."""
    return repr(one_line(text))


def card(
    title: str,
    facts: Sequence[str],
    path: Path,
    size: int,
    why: Sequence[str] = (),
    room: int = PLAYED_BYTES,
) -> str:
    """Return a track as HTML: its title, its facts, the waveform, a player, and the sentences `why`.

    The player holds the audio itself where the file, of `size` bytes, is no larger than `room`; else the path stands in
    its place.
    """
    lines = [
        f"<strong>{escape(one_line(title, MOST_TITLE))}</strong>",
        f"<small>{escape(' · '.join(fact for fact in facts if fact))}</small>",
        _waveform(path, size),
        _player(path, size, room),
        *(f"<small>{escape(sentence)}</small>" for sentence in why),
    ]
    return f'<div style="margin: 0.5em 0">{"<br>".join(line for line in lines if line)}</div>'


def _player(path: Path, size: int, room: int) -> str:
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    try:
        if media_type is not None and size <= room:
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            return f'<audio controls preload="none" src="data:{media_type};base64,{data}"></audio>'
    except OSError:
        return f"<small>the file {escape(str(path))} cannot be read</small>"
    return f"<code>{escape(str(path))}</code>"


def _waveform(path: Path, size: int) -> str:
    """Return the waveform as an inline SVG in the colour of the text; "" for a file that cannot be read."""
    # Here, since a name that is printed needs no samples.
    from ..generator import AudioError, audio
    from ..generator.audio import analysis

    try:
        spans = analysis.peaks(audio.read(path, max_bytes=size, max_duration_s=MOST_S), WIDTH // BAR)
    except (AudioError, OSError):
        return ""
    middle, bars = HEIGHT / 2, list[str]()
    for place, (low, high) in enumerate(spans.clip(-1.0, 1.0)):
        bars.append(f"M{place * BAR + 1} {middle - middle * high:.1f}V{middle - middle * low + 0.5:.1f}")
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="waveform">'
        f'<path d="{"".join(bars)}" stroke="currentColor" stroke-width="{BAR - 1}"/></svg>'
    )

"""Renderers of a narrator's voice and of a cover image: commands that run in environments of their own.

Their packages pin releases that ours must not follow (mflux huggingface-hub below 2, mlx-audio one release of MLX). So
nothing of them is imported here: a renderer is a command line, and where the command is missing, the error says how to
install it.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import InputError, Unavailable
from ..plugins import renderers as plugged
from ..plugins.installed import installed
from ..validation import nearest

__all__ = ["COVERS", "NARRATORS", "Renderer", "RendererCommand", "narrator", "renderer"]


TIMEOUT_S = 900.0
MAX_CHARACTERS = 20_000


class Renderer(Protocol):
    """Anything that renders words into a file."""

    def render(self, text: str, target: Path) -> None:
        """Render `text` into the file `target`; raise Unavailable where that cannot be done here."""
        ...


@dataclass(frozen=True)
class RendererCommand:
    """A renderer that runs a command; `arguments` builds its arguments from text, target and options."""

    name: str
    program: str
    install: str
    arguments: Callable[[str, Path, Mapping[str, str]], Sequence[str]]
    options: Mapping[str, str]
    timeout_s: float = TIMEOUT_S

    def line(self, text: str, target: Path) -> list[str]:
        """Return the command with its arguments."""
        return [*shlex.split(self.program), *self.arguments(text, target, self.options)]

    def check(self) -> None:
        """Raise Unavailable, which says how to install the command, where it is missing."""
        program = next(iter(shlex.split(self.program)), "")
        if shutil.which(program) is None:
            raise Unavailable(f"{self.name} needs the command {program}, which is not here; {self.install}")

    def render(self, text: str, target: Path) -> None:
        """Run the command, which must write `target`. Raises Unavailable, and InputError for text of a wrong length."""
        words = " ".join(text.split())
        if not words or len(words) > MAX_CHARACTERS:
            raise InputError(
                f"{self.name} gets {len(words):,} characters; 1 to {MAX_CHARACTERS:,} can be rendered"
            )
        self.check()
        line = self.line(words, target)
        try:
            # Some of these commands leave files where they run, so each runs in a folder of its own.
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    line,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=self.timeout_s,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"{self.name} was not done after {self.timeout_s:g} s and was stopped"
            ) from None
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be run: {error.strerror or error}") from error
        if done.returncode != 0 or not target.is_file() or target.stat().st_size == 0:
            last = (done.stderr.strip() or done.stdout.strip() or "it left no file").splitlines()[-1]
            raise Unavailable(f"{self.name} failed with exit code {done.returncode}: {last[:300]}")


def _espeak(text: str, target: Path, options: Mapping[str, str]) -> list[str]:
    return ["-v", options["voice"], "-s", options["words_per_minute"], "-w", str(target), "--", text]


def _mlx_audio(text: str, target: Path, options: Mapping[str, str]) -> list[str]:
    line = [f"--model={options['model']}", f"--text={text}", f"--output_path={target.parent}"]
    line += [f"--file_prefix={target.stem}", "--audio_format=wav", "--join_audio"]
    return line + [
        f"--{name}={options[name]}" for name in ("voice", "lang_code", "speed") if options.get(name)
    ]


def _mflux(text: str, target: Path, options: Mapping[str, str]) -> list[str]:
    names = ("model", "steps", "width", "height", "seed", "quantize")
    return [
        *(f"--{name}={options[name]}" for name in names if options.get(name)),
        f"--prompt={text}",
        f"--output={target}",
    ]


MLX_AUDIO_INSTALL = (
    "install it apart from this package with `uv tool install mlx-audio` (or `pipx install mlx-audio`)"
)
MLX_AUDIO_VOICES: Mapping[str, str] = {"voice": "", "lang_code": "", "speed": ""}
ESPEAK_INSTALL = "install it with `brew install espeak-ng` or `apt install espeak-ng`"
MFLUX_INSTALL = "install it apart from this package with `uv tool install mflux` (or `pipx install mflux`)"

NARRATORS: Mapping[str, RendererCommand] = {
    "espeak-ng": RendererCommand(
        "espeak-ng", "espeak-ng", ESPEAK_INSTALL, _espeak, {"voice": "en", "words_per_minute": "160"}, 120.0
    ),
    "mlx-audio": RendererCommand(
        "mlx-audio",
        "mlx_audio.tts.generate",
        MLX_AUDIO_INSTALL,
        _mlx_audio,
        {"model": "mlx-community/Kokoro-82M-bf16", **MLX_AUDIO_VOICES},
    ),
    # Orpheus is a Llama that speaks. Llasa is one too, but mlx-audio decodes SNAC tokens and not its X-Codec2.
    "orpheus": RendererCommand(
        "the Orpheus voice",
        "mlx_audio.tts.generate",
        MLX_AUDIO_INSTALL,
        _mlx_audio,
        {"model": "mlx-community/orpheus-3b-0.1-ft-bf16", **MLX_AUDIO_VOICES, "voice": "tara"},
    ),
}
"""Name -> the command that speaks."""
COVERS: Mapping[str, RendererCommand] = {
    "mflux": RendererCommand(
        "mflux",
        "mflux-generate",
        MFLUX_INSTALL,
        _mflux,
        {"model": "schnell", "steps": "4", "width": "1024", "height": "1024", "seed": "1", "quantize": ""},
    )
}
"""Name -> the command that paints."""


def narrator(name: str) -> Renderer:
    """Return the voice that `name` describes; see `renderer`."""
    return renderer(name, NARRATORS)


def renderer(name: str, known: Mapping[str, RendererCommand]) -> Renderer:
    """Return the renderer that `name` describes, with options after a colon: `espeak-ng:voice=de,words_per_minute=140`.

    Every command has the option `program`, its path; a plugin has options of its own. Raises InputError for unknown
    names and options, Unavailable for a plugin that cannot be set up.
    """
    word, _, rest = name.partition(":")
    if word not in known:
        options = dict(pair.partition("=")[::2] for pair in filter(None, rest.split(",")))
        if plugin := plugged.set_up(word, "voice" if known is NARRATORS else "image", options):
            return plugin
        others = [one.name for one in installed("renderer")]
        raise InputError(f"unknown renderer {word!r}; {nearest(word, [*known, *others])}")
    chosen = known[word]
    options = dict(chosen.options)
    program = chosen.program
    for pair in filter(None, rest.split(",")):
        key, sign, value = pair.partition("=")
        if not sign or not value or key not in (*options, "program"):
            raise InputError(
                f"{pair!r} is no option of {word}; write name=value, {nearest(key, (*options, 'program'))}"
            )
        if key == "program":
            program = value
        else:
            options[key] = value
    return RendererCommand(chosen.name, program, chosen.install, chosen.arguments, options, chosen.timeout_s)

"""The generator `http`: a service with an API makes the music, and what it sends is checked before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..audio.files import read
from ..errors import AudioError, GeneratorError
from ..listening.expected import Expected
from ..listening.silence import silence
from ..protocol import Audio, Progress, versions
from . import ace_step
from .exchange import Exchange, ServiceError
from .settings import FIELDS, RemoteSettings

__all__ = ["HttpGenerator"]

LEAST_SHARE = 0.9
"""Of the length that was asked for; a service that made less did something else."""
BYTES_PER_S = 96_000 * 2 * 4
"""The largest that a second of audio may be: 96 kHz, two channels, 32 bits."""
HEAD_BYTES = 1_000_000
TAIL_S = 60.0
"""Services may make somewhat more than was asked for."""


class HttpGenerator:
    """Music from a service; see `RemoteSettings`. The same seed need not give the same samples."""

    repeats = False
    elsewhere = True

    def __init__(self, **settings: Any) -> None:
        """Check the settings; the service is not asked yet. Raises GeneratorError in one sentence."""
        known = RemoteSettings.__dataclass_fields__
        if unknown := sorted(settings.keys() - known.keys()):
            raise GeneratorError(f"{unknown[0]!r} is no setting of http; valid: {', '.join(known)}")
        if missing := [name for name in ("url", "model", "license") if name not in settings]:
            raise GeneratorError(f"{missing[0]} is missing; set it under backends in the configuration")
        self.settings = RemoteSettings(**settings)
        self.weights_license = self.settings.license
        self.rank = self.settings.rank

    def generate_music(
        self,
        prompt: str,
        config: Mapping[str, Any],
        *,
        melody: Audio | None = None,
        continue_from: Audio | None = None,
        on_progress: Progress | None = None,
    ) -> Audio:
        """Return what the service made for `prompt`; `on_progress(0, 1)` is called several times a second meanwhile.

        Read from `config`: duration_s, seed, negative_prompt. Raises GeneratorError in one sentence where the service
        cannot be reached, refuses, takes too long or sends what is no such music.
        """
        if melody is not None or continue_from is not None:
            raise GeneratorError("a service neither follows a melody nor continues a track; leave both out")
        settings = self.settings

        def tick() -> None:
            if on_progress is not None:
                on_progress(0, 1)

        most_s = float(config["duration_s"]) + TAIL_S
        most_bytes = HEAD_BYTES + int(most_s * BYTES_PER_S)
        try:
            exchange = Exchange(settings.url, settings.headers(), settings.timeout_s, settings.retries, tick)
            make = ace_step.make if settings.api == "ace-step" else _make
            audio = _checked(make(settings, exchange, prompt, config, most_bytes), config, most_s, most_bytes)
        except ServiceError as error:
            raise GeneratorError(f"the service of {settings.model} {error}") from error
        if on_progress is not None:
            on_progress(1, 1)
        provenance = {
            "model": settings.model,
            "weights_license": settings.license,
            "seed": config["seed"],
            "versions": versions("httpx"),
        }
        return Audio(audio.samples, audio.sample_rate, provenance)


def _make(
    settings: RemoteSettings, exchange: Exchange, prompt: str, config: Mapping[str, Any], most_bytes: int
) -> bytes:
    """Return the audio that a `prompt` service answers with."""
    names = {name: settings.fields.get(name, name) for name in FIELDS}
    values = {**{name: config.get(name) for name in FIELDS}, "prompt": prompt}
    asked = {names[name]: values[name] for name in FIELDS if names[name] and values[name] not in (None, "")}
    return exchange.post(settings.url, {**asked, **settings.options}, most_bytes=most_bytes).body


def _checked(data: bytes, config: Mapping[str, Any], most_s: float, most_bytes: int) -> Audio:
    """Return the audio in `data`. Raises ServiceError where it cannot be read, is too short or is silent."""
    if not data:
        raise ServiceError("answered with nothing")
    try:
        audio = read(data, max_bytes=most_bytes, max_duration_s=most_s)
    except AudioError as error:
        raise ServiceError(f"sent something that is no WAV, FLAC or OGG to use: {error}") from error
    wanted_s = float(config["duration_s"])
    if audio.duration_s < LEAST_SHARE * wanted_s:
        raise ServiceError(f"made {audio.duration_s:.1f} s where {wanted_s:g} s were asked for")
    # Silence in parts is for the check after making, which knows the fades and pauses that were asked for.
    if any(fault.severity >= 1.0 for fault in silence(audio, Expected())):
        raise ServiceError("made nothing but silence")
    return audio

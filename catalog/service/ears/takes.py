"""The ear listens to takes of a model before one is kept: for a voice, and for the style that was asked for."""

from __future__ import annotations

import logging
import re
import threading

import numpy as np
from numpy.typing import NDArray

from ...ear.loading import Ear
from ...ear.tags import Tagger
from ...errors import CatalogError
from ...generator import Audio
from ...generator.listening.expected import Fault
from ...models import Request
from ..checking.takes import Findings
from .made import MadeTracks

__all__ = ["TakeListener"]

_log = logging.getLogger(__name__)

VOICES = ("a person singing", "a rapper with vocals", "a person speaking")
NO_VOICE = ("instrumental music without vocals", "music of instruments alone")
VOICE_ASKED = re.compile(
    r"\b(choir|choral|chant\w*|voices?|vocals?|vocal|sing\w*|sung|crowd|chatter)\b", re.IGNORECASE
)
"""Words of a prompt that ask for a voice, or for people who may be heard."""
LEAST_AGREEMENT = 0.25
"""Below it the music sounds like three quarters of the styles rather than like the one that was asked for."""


class TakeListener:
    """A check for `Flow.take_checks`.

    It only compares cosines with one another: their scale differs between checkpoints.

    The synthesizer is not listened to: it has no voice, and plays what it is asked to.
    """

    def __init__(self, made: MadeTracks) -> None:
        self._made = made
        self._lock = threading.Lock()
        self._voices: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def __call__(self, take: Audio, request: Request) -> Findings:
        """Return what the ear hears in a take; nothing where no ear is installed, or it fails."""
        ear = self._made.ear if request.config["backend"] != "procedural" else None
        if ear is None or not self._made.listens:
            return Findings()
        try:
            vector = ear.hear(take)
            if vector is None:
                return Findings()
            return self._heard(ear, self._made.tagger, vector, request)
        except CatalogError as error:
            _log.warning("a take is not heard: %s", error)
            return Findings()

    def _heard(self, ear: Ear, tagger: Tagger, vector: NDArray[np.float32], request: Request) -> Findings:
        faults = []
        if not VOICE_ASKED.search(request.prompt) and self._is_voice(ear, vector):
            faults.append(Fault("voice", "it sounds like a voice more than like instruments", 0.5))
        shares = tagger.shares("style", vector)
        if request.style not in shares or len(shares) < 2:
            return Findings(tuple(faults))
        behind = sum(share < shares[request.style] for share in shares.values())
        agreement = behind / (len(shares) - 1)
        nearest = max(shares, key=lambda name: shares[name])
        words = f"it sounds most like {nearest}"
        if agreement < LEAST_AGREEMENT:
            faults.append(Fault("style", f"{words}, {request.style} was asked for", 1 - agreement))
        return Findings(tuple(faults), agreement, words)

    def _is_voice(self, ear: Ear, vector: NDArray[np.float32]) -> bool:
        with self._lock:
            if self._voices is None:
                self._voices = ear.read(VOICES), ear.read(NO_VOICE)
        voices, instruments = self._voices
        return float((voices @ vector).max()) > float((instruments @ vector).max())

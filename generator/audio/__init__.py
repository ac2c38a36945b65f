"""Samples: shaping, loudness, files, loops and seams, ducking, analysis, timbre."""

from __future__ import annotations

from .files import FORMATS, convert, encode, read, read_tags
from .loudness import loudness_lufs, normalize_loudness, true_peak_db
from .shaping import fade, fit_duration, resample, to_mono, to_stereo

__all__ = [
    "FORMATS",
    "convert",
    "encode",
    "fade",
    "fit_duration",
    "loudness_lufs",
    "normalize_loudness",
    "read",
    "read_tags",
    "resample",
    "to_mono",
    "to_stereo",
    "true_peak_db",
]

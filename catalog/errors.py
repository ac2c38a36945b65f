"""The error tree. Every message says what failed, the refused value, and what is valid or what to do next.

CatalogError                exit 1
├── InputError              exit 2   a text, choice or option that cannot be used
│   └── ConfigError         exit 2   a configuration file or preset that cannot be used
├── NotFound                exit 3   no such track, or nothing fits and making was not allowed
├── Busy                    exit 4   another process holds what is needed, and the allowed wait is over
├── StorageError            exit 1   the home folder cannot be read or written
│   └── Damage              exit 5   stored data fails its check
├── Interrupted             exit 1   the process ended, several times, while it did the work
├── EncoderMismatch         exit 2   the table was embedded by another encoder
└── Unavailable             exit 6   a generator, its weights or the encoder cannot be had
    └── MissingExtra        exit 6   an optional package is not installed

`music_catalog.generator.Cancelled` stands outside: a stop that the caller asked for is no failure.
"""

from __future__ import annotations

__all__ = [
    "Busy",
    "CatalogError",
    "ConfigError",
    "Damage",
    "EncoderMismatch",
    "InputError",
    "Interrupted",
    "MissingExtra",
    "NotFound",
    "StorageError",
    "Unavailable",
    "in_one_line",
]


def in_one_line(message: str) -> str:
    """Return `message` with line breaks and other characters that cannot be printed as escapes.

    A message repeats refused values, which may hold a line break or a command for the terminal.
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in message
    )


class CatalogError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1


class InputError(CatalogError, ValueError):
    """A text, choice or option that cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration file or preset that cannot be used."""


class NotFound(CatalogError, LookupError):
    """No such track, or nothing fits and making was not allowed."""

    exit_code = 3


class Busy(CatalogError, TimeoutError):
    """Another process holds what is needed, and the allowed wait is over."""

    exit_code = 4


class StorageError(CatalogError, OSError):
    """The home folder cannot be read or written."""


class Damage(StorageError):
    """Stored data fails its check: a file is missing or altered, or a row contradicts itself."""

    exit_code = 5


class Interrupted(CatalogError):
    """The process ended, several times, while it did the work."""


class EncoderMismatch(CatalogError):
    """The table was embedded by another encoder than the one in use."""

    exit_code = 2


class Unavailable(CatalogError):
    """A generator, its weights or the text encoder cannot be had on this machine."""

    exit_code = 6


class MissingExtra(Unavailable, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

"""The note that a running service leaves in its home, so that the command line finds it. Standard library only.

The service holds the lock file `locks/serve.lock` for as long as it runs. A note counts only while that lock is held.
The system frees the lock when the process dies, however it dies; a process id can be taken again by another program.

The note holds a secret. Only its owner can read it; who can read it can read the catalog too.

Where another program listens at the address of a note by now, it must learn nothing. So the caller first sends a random
number, a nonce, and the service proves that it knows the secret by the HMAC of the nonce. The address is part of it, so
that no program can pass the question on to a service that listens elsewhere.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..disk.files import write_file
from ..disk.locks import hold, is_held
from ..errors import Busy, StorageError
from ..objects.address import local_folder
from ..version import package_version

__all__ = [
    "NONCE",
    "draw_nonce",
    "is_proof",
    "only_service",
    "proof_of",
    "read_note",
    "remove_note",
    "settings_of",
    "write_note",
]


NAME = "serve.json"
LOCK = Path("locks", "serve.lock")
NONCE = "^[0-9a-f]{32}$"
"""What a nonce looks like."""
LOCK_S = 0.5
"""How long a start waits for the lock; a reader of the note holds it for a moment to see whether it is free."""
SETTINGS = ("CATALOG_ENCODER", "CATALOG_MODELS")
"""The environment variables that decide, beside the configuration, what a call returns."""


def settings_of(home: str | Path, config: str | None) -> dict[str, Any]:
    """Return the settings that decide the answers of a catalog; callers with other settings pass the service by."""
    own = local_folder(home) / "catalog.yaml"
    path = Path(config) if config else own if own.is_file() else None
    stamp = None
    if path is not None:
        with suppress(OSError):
            stat = path.stat()
            stamp = [stat.st_mtime_ns, stat.st_size]
    return {
        "version": package_version(),
        "config": str(path.resolve()) if path else None,
        "config_stamp": stamp,
        "environment": {name: os.environ.get(name) for name in SETTINGS},
    }


@contextmanager
def only_service(home: str | Path) -> Iterator[None]:
    """Hold `home` as its only service. Raises Busy when another service holds it.

    A home where no lock file can be made, such as a read-only one, is served without the lock.
    """
    lock = local_folder(home) / LOCK
    with suppress(OSError):
        lock.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(lock, LOCK_S, "this home"))
        except Busy:
            raise Busy(_refusal(read_note(home))) from None
        except StorageError:
            pass
        else:
            # A service that was killed left this note. Nobody may take it for ours before `write_note` replaces it.
            with suppress(OSError):
                (local_folder(home) / NAME).unlink()
        yield


def write_note(home: str | Path, note: Mapping[str, Any]) -> None:
    """Write the note of this process into `home`; it appears whole, and only its owner can read it."""
    content = json.dumps({"pid": os.getpid(), **note})
    # Not durable: after a power cut no service runs, and so no note counts.
    write_file(local_folder(home) / NAME, content.encode("ascii"), durable=False, mode=0o600)


def read_note(home: str | Path) -> dict[str, Any] | None:
    """Return the note of the service that runs in `home`; None without one, or when that service has died."""
    note = _content(home)
    return note if note and is_held(local_folder(home) / LOCK) else None


def remove_note(home: str | Path) -> None:
    """Remove the note of this process; the note of another process stays."""
    note = _content(home)
    if note and note["pid"] == os.getpid():
        with suppress(OSError):
            (local_folder(home) / NAME).unlink()


def draw_nonce() -> str:
    """Return a random number that was never sent before, in 32 hexadecimal digits."""
    return secrets.token_hex(16)


def proof_of(secret: str, address: str, nonce: str) -> str:
    """Return the HMAC-SHA256 of `nonce` and `address` under `secret`, in hexadecimal digits."""
    return hmac.digest(secret.encode(), f"catalog {nonce} {address}".encode(), "sha256").hex()


def is_proof(shown: object, secret: str, address: str, nonce: str) -> bool:
    """Return whether a service `shown` that it knows `secret`; nothing is a proof where there is no secret."""
    right = proof_of(secret, address, nonce)
    return bool(secret) and isinstance(shown, str) and hmac.compare_digest(shown.encode(), right.encode())


def _content(home: str | Path) -> dict[str, Any] | None:
    """Return what the note holds, None where there is none or it is damaged."""
    try:
        note = json.loads((local_folder(home) / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = (
        isinstance(note, dict) and isinstance(note.get("pid"), int) and isinstance(note.get("address"), str)
    )
    return note if whole else None


def _refusal(note: Mapping[str, Any] | None) -> str:
    if note is None:
        return "a service is starting or stopping in this home; try again when it has"
    where = f"{note['address']} (process {note['pid']})"
    return f"a service runs in this home already, at {where}; stop it first"

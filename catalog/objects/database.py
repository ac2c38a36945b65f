"""The database of a LanceDB service that has the tables of a catalog; its API key is in no text of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ..errors import InputError

__all__ = ["OPTIONS", "SCHEME", "Database", "database_with", "split_database"]


SCHEME, OPTIONS = "db", "lancedb_"
"""How an address begins, and how the names of its options do."""
BLOBS = "CATALOG_BLOBS"
"""The environment variable with the address of the blobs, for an address that does not state it."""


@dataclass(frozen=True)
class Database:
    """A database of LanceDB Cloud or Enterprise: `db://name`."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def host(self) -> str:
        """The server that is asked in place of LanceDB Cloud, "" for that."""
        return self.options.get("lancedb_host_override", "")

    @property
    def server(self) -> str:
        """What is asked for the database: a host, else a region of LanceDB Cloud; "" for its usual one."""
        return self.host.rstrip("/") or self.options.get("lancedb_region", "")

    def arguments(self) -> dict[str, str]:
        """Return what LanceDB's client takes; raises InputError without an API key, or for a host that is no URL."""
        if not self.options.get("lancedb_api_key"):
            raise InputError(f"{self.url} needs an API key; set LANCEDB_API_KEY")
        if self.host and not re.match("https?://", self.host):
            raise InputError("LANCEDB_HOST_OVERRIDE must be the URL of a server, such as https://host:port")
        return {name.removeprefix(OPTIONS): value for name, value in self.options.items()}


def database_with(name: str, stated: Mapping[str, str]) -> Database:
    """Return the database of that name, with the options that are stated and those of the environment."""
    names = [f"{OPTIONS}{option}" for option in ("api_key", "region", "host_override")]
    found = {option: (stated.get(option) or os.environ.get(option.upper(), "")).strip() for option in names}
    return Database(f"{SCHEME}://{name}", {option: value for option, value in found.items() if value})


def split_database(text: str) -> tuple[str, str]:
    """Return the name of the database in `db://name?blobs=s3://bucket/prefix`, and the address of its blobs.

    Raises InputError for another form, without repeating it: whatever stands there may be a key.
    """
    name, _, query = text.partition("://")[2].partition("?")
    asked, _, blobs = query.partition("=")
    name, blobs = name.rstrip("/"), unquote(blobs)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or asked not in ("", "blobs") or "&" in blobs:
        raise InputError(
            "db://... names no database with a place for audio; pass an address such as "
            "db://NAME?blobs=s3://bucket/prefix, and the API key in LANCEDB_API_KEY"
        )
    blobs = blobs or os.environ.get(BLOBS, "")
    if not blobs or blobs.lower().startswith(f"{SCHEME}:"):
        raise InputError(
            f"db://{name} holds tables alone; name an object store for the audio as "
            f"db://{name}?blobs=s3://bucket/prefix, or in {BLOBS}"
        )
    return name, blobs

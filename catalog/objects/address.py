"""The address of a catalog on an object store, and the options that reach it; secrets are in no text of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError
from .database import OPTIONS, SCHEME, Database, database_with, split_database
from .storage import stated_options

__all__ = [
    "SCHEMES",
    "Address",
    "cache_folder",
    "is_address",
    "local_folder",
    "looks_mistyped",
    "parse_address",
    "refuse_mistyped",
]


SCHEMES = {"s3": "aws_", "gs": "google_", "az": "azure_"}
"""The stores that are known, and how the names of their options begin, for Lance and for obstore alike."""
CACHE = "CATALOG_CACHE"
"""The environment variable that names the folder of the local caches."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MISTYPED = re.compile(rf"({'|'.join((*SCHEMES, SCHEME))}):/?(?!/)(.*)", re.IGNORECASE | re.DOTALL)
_VARIABLES = {
    "aws_endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "aws_region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "azure_endpoint": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "google_base_url": ("GOOGLE_BASE_URL",),
}
"""The environment variables of options that are needed here too, or have several names."""
_SERVER = ("endpoint", "base_url")
"""How the names of options end that state a server."""
_TOKEN = "AWS_SESSION_TOKEN"
_ACCOUNT = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")


@dataclass(frozen=True)
class Address:
    """Where a catalog is: `s3://bucket/prefix`, with the options that Lance and obstore take.

    With a `database` that has the tables, this is where the rest is.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    passed: Mapping[str, str] | None = field(default=None, repr=False)
    """The options that a caller passed, for another process that is to open the same address."""
    database: Database | None = None

    def __str__(self) -> str:
        return self.url

    @property
    def home(self) -> str:
        """The address as people name it."""
        return f"{self.database.url}?blobs={self.url}" if self.database else self.url

    @property
    def bucket(self) -> str:
        """The bucket, or the container of Azure."""
        return urlsplit(self.url).netloc

    @property
    def endpoint(self) -> str:
        """The server that is asked in place of the vendor's own, however it was stated; "" for the vendor's."""
        stated = (value for name, value in self.options.items() if name.endswith(_SERVER))
        return next(stated, "").rstrip("/")

    @property
    def account(self) -> str:
        """The account of Azure that has the container, "" where none is stated."""
        stated = (self.options.get(name) for name in ("azure_storage_account_name", "account_name"))
        return next(filter(None, stated), "") or next(filter(None, map(os.environ.get, _ACCOUNT)), "")


def is_address(home: str | Path) -> bool:
    """Tell whether `home` names a place on other machines, of any kind."""
    return _ADDRESS.match(str(home)) is not None


def looks_mistyped(folder: str | Path) -> bool:
    """Tell whether a folder looks like an address with a slash or two too few."""
    return _MISTYPED.fullmatch(str(folder)) is not None


def refuse_mistyped(home: str | Path) -> None:
    """Raise InputError for a home that would be a folder and looks like an address with a slash or two too few."""
    if mistyped := _MISTYPED.fullmatch(str(home)):
        scheme, rest = mistyped[1].lower(), mistyped[2]
        is_secret = re.search("[@?#]", rest) is not None
        usual = f"{scheme}://{'...' if is_secret else rest or 'bucket/prefix'}"
        given = "the home" if is_secret else f"the home {str(home)!r}"
        raise InputError(
            f"{given} looks like an address; write {usual}, or the absolute path of a folder of that name"
        )


def parse_address(text: str, options: Mapping[str, str] | None = None) -> Address:
    """Return the address in `text`, with `options`, else those of the user's file, and those of the environment.

    Raises InputError for an address or an option that cannot be used; an error never repeats a user name, a password, a
    signature or the value of an option.
    """
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme == SCHEME:
        name, blobs = split_database(text)
        place = parse_address(blobs, options)
        stated = stated_options(options, SCHEMES[place.url.partition("://")[0]], of=OPTIONS)
        return replace(place, database=database_with(name, stated))
    bucket, _, prefix = rest.strip("/").partition("/")
    # Any side of these marks may be a part of a secret.
    is_secret = re.search("[@?#]", rest) is not None
    shown = f"{scheme}://{'...' if is_secret else rest}"
    if scheme not in SCHEMES:
        raise InputError(
            f"{shown} is no place for a catalog; pass a folder, or an address such as s3://bucket/prefix, "
            "gs://bucket/prefix, az://container/prefix or db://NAME?blobs=s3://bucket/prefix"
        )
    if is_secret:
        raise InputError(
            f"{shown} must have no user name, password, query or fragment; give credentials in the "
            "environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in a file that CATALOG_STORAGE names"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]+", bucket) or ".." in prefix.split("/"):
        raise InputError(f"{shown} names no bucket; pass an address such as {scheme}://bucket/prefix")
    url = f"{scheme}://{bucket}/{prefix.strip('/')}".rstrip("/")
    stated = stated_options(options, SCHEMES[scheme])
    return Address(url, _with_environment(scheme, stated), options)


def cache_folder(address: Address) -> Path:
    """Return the local folder with the caches of a catalog: in $CATALOG_CACHE, by default ~/.cache/music-catalog.

    Catalogs share one where their server, account, bucket, prefix and database are the same, wherever these are stated.
    A folder that an earlier version named otherwise is renamed, with what waits in it.
    """
    root = Path(os.environ.get(CACHE) or "~/.cache/music-catalog").expanduser().absolute()
    told = [address.endpoint, address.url]
    if address.url.startswith("az://"):  # a container belongs to an account, which its address does not name
        told += filter(None, [address.account])
    if address.database:
        told += [address.database.server, address.database.url]
    folder = root / _name_of(told)
    former = root / _name_of(_told_before(address))
    if former != folder and not folder.exists() and former.is_dir():
        with suppress(OSError):  # another process was first
            former.rename(folder)
    return folder


def _told_before(address: Address) -> list[str]:
    """Return what named the folder before servers were told apart: what waits for its rows may be there."""
    told = [
        next((value for name, value in address.options.items() if name.endswith("endpoint")), ""),
        address.url,
    ]
    if address.url.startswith("az://"):
        told += filter(None, [address.account])
    if address.database:
        told += [address.database.host, address.database.url]
    return told


def _name_of(told: list[str]) -> str:
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:16]


def local_folder(home: str | Path, options: Mapping[str, str] | None = None) -> Path:
    """Return the folder of a home on this machine: itself, or the local caches of one at an address.

    `options` are those that it is opened with; see `parse_address`, which raises alike.
    """
    return cache_folder(parse_address(str(home), options)) if is_address(home) else Path(home)


def _with_environment(scheme: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return `options` with what neither Lance nor obstore reads from the environment by itself."""
    found = dict(options)
    for name, variables in _VARIABLES.items():
        told = next((os.environ[each] for each in variables if os.environ.get(each)), None)
        if told and name.startswith(SCHEMES[scheme]):
            found.setdefault(name, told)
    # Lance and obstore would send the token of the environment with a key that it does not belong to.
    if "aws_access_key_id" in found and "aws_session_token" not in found and os.environ.get(_TOKEN):
        raise InputError(
            f"{_TOKEN} is set in the environment, and the key that is stated for the store is another; unset it, or "
            "state aws_session_token too"
        )
    # A region is part of every signature; other servers than Amazon's take any.
    if found.get("aws_endpoint"):
        found.setdefault("aws_region", "us-east-1")
    if any(name.endswith(_SERVER) and value.startswith("http://") for name, value in found.items()):
        found["allow_http"] = "true"
    return found

"""The settings of a generator behind an HTTP API, checked when it is set up."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import GeneratorError

__all__ = ["APIS", "RemoteSettings"]

APIS = ("prompt", "ace-step")
"""`prompt`: one POST whose answer is the audio. `ace-step`: the server of ACE-Step 1.5, where a task is asked after."""
FIELDS = ("prompt", "duration_s", "seed", "negative_prompt")
"""What a `prompt` service is sent, and the names that `fields` may change."""


@dataclass(frozen=True)
class RemoteSettings:
    """Where a service is, what it makes and under which licence, and how long it is waited for."""

    url: str
    """Of an `ace-step` server its root, of a `prompt` service the address that the POST goes to."""
    model: str
    """The model that the service runs; every track states it."""
    license: str
    """The licence of its weights; every track states it, and `license="commercial"` goes by it."""
    api: str = "prompt"
    api_key_env: str | None = None
    """The environment variable of the key, sent as a bearer token; None for a service that wants none."""
    timeout_s: float = 600.0
    """How long one track may take, every attempt together."""
    retries: int = 2
    """How often a request that no service took is sent again."""
    rank: int = 1
    fields: dict[str, str] = field(default_factory=dict)
    """Of a `prompt` service: what it calls `prompt`, `duration_s`, `seed` and `negative_prompt`; "" leaves one out."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further fields of the request, sent as they are."""

    def __post_init__(self) -> None:
        """Raise GeneratorError in one sentence for a value that cannot be used."""
        _check_url(self.url)
        for name in ("model", "license"):
            value = getattr(self, name)
            if not isinstance(value, str) or not 0 < len(value.strip()) <= 200:
                raise GeneratorError(f"{name} must be a text of 1 to 200 characters")
        if self.api not in APIS:
            raise GeneratorError(f"api is {self.api!r}; valid: {', '.join(APIS)}")
        if self.api_key_env is not None and not re.fullmatch(
            r"[A-Za-z_][A-Za-z0-9_]*", str(self.api_key_env)
        ):
            raise GeneratorError(
                "api_key_env must be the name of an environment variable, never the key itself"
            )
        _check_number("timeout_s", self.timeout_s, 1, 7_200)
        _check_number("retries", self.retries, 0, 10, whole=True)
        _check_number("rank", self.rank, 0, 3, whole=True)
        if not isinstance(self.fields, dict) or not all(isinstance(one, str) for one in self.fields.values()):
            raise GeneratorError("fields must map names to texts, such as {prompt: inputs, seed: ''}")
        if unknown := sorted(self.fields.keys() - {*FIELDS}):
            raise GeneratorError(f"fields has {unknown[0]!r}; valid: {', '.join(FIELDS)}")
        if not isinstance(self.options, dict):
            raise GeneratorError("options must be a mapping of further fields of the request")

    def headers(self) -> dict[str, str]:
        """Return the headers of a request. Raises GeneratorError where the variable of the key is not set."""
        # Uncompressed: a small answer could grow beyond any memory.
        headers = {"Accept-Encoding": "identity"}
        if self.api_key_env is None:
            return headers
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise GeneratorError(f"the environment variable {self.api_key_env} of its key is not set; set it")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise GeneratorError(f"the key in {self.api_key_env} holds characters that no header may hold")
        return {**headers, "Authorization": f"Bearer {key}"}


def _check_url(url: object) -> None:
    try:
        parts = urlsplit(str(url))
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not isinstance(url, str) or not whole or " " in url:
        raise GeneratorError("url must be the address of a service, such as http://127.0.0.1:8001")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise GeneratorError("url must hold no user name, password or fragment; name the key in api_key_env")


def _check_number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        raise GeneratorError(f"{name} is {value!r:.40}; it must be {what} from {low:g} to {high:g}")

"""The options that reach an object store, as a caller or a file of the user states them; no value is in any message."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError

__all__ = ["FILE", "stated_options"]


FILE = "CATALOG_STORAGE"
"""The environment variable that names the file."""
BLOCK = "storage"
MAX_BYTES = 64 * 1024
_NAMES = {
    "aws_": (
        "access_key_id secret_access_key session_token region endpoint virtual_hosted_style_request "
        "skip_signature unsigned_payload request_payer server_side_encryption sse_kms_key_id "
        "sse_bucket_key_enabled"
    ),
    "google_": "service_account service_account_key application_credentials base_url skip_signature",
    "azure_": (
        "storage_account_name storage_account_key storage_sas_key storage_token storage_client_id "
        "storage_client_secret storage_tenant_id storage_authority_host endpoint federated_token_file "
        "use_azure_cli skip_signature"
    ),
    "lancedb_": "api_key region host_override",
}
"""What each vendor's stores take, and LanceDB's service, by the beginning of the names.

Lance and obstore know these names alike.
"""
_VALID = {"allow_http"} | {f"{prefix}{name}" for prefix, names in _NAMES.items() for name in names.split()}


def stated_options(options: Mapping[str, Any] | None, prefix: str, of: str = "") -> dict[str, str]:
    """Return the options that a caller passed, or else those of the file that CATALOG_STORAGE names, as text.

    Only those count whose names begin with `prefix`, or that may be written without it: one file may be for several
    vendors. With `of` those count instead whose names begin with that. Raises InputError for what is no option, and
    ConfigError for a file that cannot be used; neither repeats a value.
    """
    if options is not None:
        return _checked(options, "storage_options", InputError, prefix, of)
    named = os.environ.get(FILE, "").strip()
    if not named:
        return {}
    return _checked(_block_in(Path(named).expanduser()), f"{named}: {BLOCK}", ConfigError, prefix, of)


def _block_in(path: Path) -> Any:
    import yaml

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{FILE} names {path}, which cannot be read: {error.strerror or error}") from None
    try:
        content = yaml.safe_load(data) if len(data) <= MAX_BYTES else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The words of the parser hold a piece of the file.
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path} is not valid YAML{place}") from None
    if not isinstance(content, dict) or [*content] != [BLOCK]:
        raise ConfigError(f"{path} must hold a mapping under `{BLOCK}:` and nothing else")
    return content[BLOCK] or {}


def _checked(options: Any, place: str, error: type[InputError], prefix: str, of: str) -> dict[str, str]:
    if not isinstance(options, Mapping):
        raise error(f"{place} must be a mapping of the names of options to text")
    found = {}
    for stated, value in options.items():
        forms = (stated, f"{prefix}{stated}", f"{prefix}storage_{stated}")
        name = next((form for form in forms if form in _VALID), None)
        if name is None:
            valid = ", ".join(each for each in sorted(_VALID) if each.startswith(prefix))
            raise error(f"{place} has {_shown(stated)}, which is no option; valid are allow_http, {valid}")
        text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else value
        if not isinstance(text, str) or not text.strip():
            raise error(f"{place}: {name} must be text, or true or false")
        if name.endswith(("endpoint", "base_url")) and not re.match("https?://", text):
            raise error(f"{place}: {name} must be the URL of a server, such as https://host:port")
        if name.startswith(of or (prefix, "allow_http")):
            found[name] = text
    return found


def _shown(name: object) -> str:
    """Return a name as it may be printed: what looks like no name may be a key that stands in the wrong place."""
    usual = isinstance(name, str) and re.fullmatch(r"[a-z][a-z_]{0,39}", name)
    return repr(name) if usual else "a name that is not shown"

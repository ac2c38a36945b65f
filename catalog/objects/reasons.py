"""Why an object store or a service of tables refused, as a sentence with the cure.

Nothing of a request, a signature or a key is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CatalogError, StorageError

__all__ = ["reason_in", "storing_at"]


_REASONS: tuple[tuple[str, str], ...] = (
    (
        "CredentialsNotLoaded|no providers in chain|NoCredentials|169\\.254\\.169\\.254|Missing ?AccessKeyId|"
        "Missing ?SecretAccessKey|metadata\\.google\\.internal|could not load credentials",
        "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of your store",
    ),
    (
        "NoSuchBucket|ContainerNotFound|bucket does not exist",
        "there is no such bucket; create it, or check the address",
    ),
    (
        "ExpiredToken|TokenRefreshRequired|token (?:has|is) expired|RequestTimeTooSkewed",
        "the credentials have expired, or the clock of this machine is wrong; get new ones and try again",
    ),
    (
        "AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint|301 Moved|307 Temporary|"
        "redirect without LOCATION|incorrect region",
        "the bucket is in another region; set AWS_REGION to that of the bucket",
    ),
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed|401 Unauthorized",
        "the credentials are not right; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of your store",
    ),
    (
        "AccessDenied|AuthorizationFailure|AuthorizationPermissionMismatch|403 Forbidden|"
        "lacked the necessary privileges",
        "the credentials have no permission for this; allow reading, writing and listing below the address",
    ),
    (
        "MissingAccount|Account must be specified",
        "the account is not known; set AZURE_STORAGE_ACCOUNT_NAME",
    ),
    (
        "kind: Connect|Connection refused|tcp connect error|dns error|error trying to connect",
        "the server does not answer; check the endpoint and the network",
    ),
    ("SlowDown|503 Service|ServiceUnavailable|429 Too Many", "the store asks to slow down; try again later"),
    ("kind: Timeout|TimedOut|operation timed out", "the server did not answer in time; try again later"),
    ("NotImplemented|501 Not", "the store cannot do this"),
)
_OF_SERVICES: tuple[tuple[str, str], ...] = (
    (r"\b401 ", "the API key is not right; check LANCEDB_API_KEY"),
    (r"\b403 ", "the API key has no permission for this; use one that may read and write the database"),
    (
        r"\b404 ",
        "there is no such database or table; check the name, LANCEDB_REGION and LANCEDB_HOST_OVERRIDE",
    ),
    (
        r"connect_failures=([1-9]\d*)/\1\b|error sending request",
        "the server does not answer; check LANCEDB_HOST_OVERRIDE, LANCEDB_REGION and the network",
    ),
    (
        r"request_failures=([1-9]\d*)/\1\b|\b(?:429|50[0234]) ",
        "the service fails or is busy; try again later",
    ),
    (r"read_failures=([1-9]\d*)/\1\b", "the service did not answer in time; try again later"),
)
_OF_A_SERVICE = re.compile(r"\(request_id=|Hit retry limit for request_id")
_OF_A_STORE = re.compile(
    r"Generic (?:S3|GCS|MicrosoftAzure|HTTP)|object[ _]store|Object at location|Error performing"
)


def reason_in(text: str) -> str | None:
    """Return why a store or service refused, by the text of obstore, Lance or its client; None for another error."""
    if _OF_A_SERVICE.search(text):
        return next((sentence for pattern, sentence in _OF_SERVICES if re.search(pattern, text)), None)
    if not _OF_A_STORE.search(text) and "lacked the necessary privileges" not in text:
        return None
    for pattern, sentence in _REASONS:
        if re.search(pattern, text):
            return sentence
    # The rest may hold the request with its headers; its first clause says what was tried.
    return "the object store refused: " + (
        re.split(r"[:<]\s|\bDebug source\b", text)[0][:120] or "no reason told"
    )


@contextmanager
def storing_at(what: str) -> Iterator[None]:
    """Turn what obstore raises into a StorageError that begins with `what`; FileNotFoundError for no object passes."""
    try:
        yield
    except CatalogError:
        raise
    except FileNotFoundError as error:
        if (reason := reason_in(str(error))) and "no such bucket" in reason:
            raise StorageError(f"{what}: {reason}") from None
        raise
    except Exception as error:
        if not type(error).__module__.startswith("obstore") and not isinstance(error, OSError):
            raise
        reason = reason_in(str(error)) or type(error).__name__
        # `from None`: what obstore says repeats requests, and a traceback would show it.
        raise StorageError(f"{what}: {reason}") from None

"""A language model behind an OpenAI-compatible endpoint: messages go in, the text of its answer comes out.

Whatever the server does, a call is over by its deadline, holds at most `MAX_ANSWER_BYTES`, follows no redirect, and
fails with a sentence in which neither the key nor the address stands.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import InputError, Unavailable
from ..models import clean_line
from ..plugins import readers
from ..presets import Reader

__all__ = ["MAX_ANSWER_BYTES", "EndpointError", "FormatRefused", "Message", "complete"]

MAX_ANSWER_BYTES = 1_000_000
"""A brief has a few hundred bytes; a model that thinks aloud writes more."""
REFUSALS_OF_FORMAT = (400, 415, 422, 501)
"""What servers answer to a `response_format` that they do not know."""
SHOWN_CHARACTERS = 200
"""Of a server's own message."""
PLUGIN = "plugin:"
"""What `reader.base_url` begins with where a plugin reads."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Message = dict[str, str]
_T = TypeVar("_T")


class EndpointError(Exception):
    """The endpoint gave no answer. The message goes on from "the language model <name> ..."."""


class FormatRefused(EndpointError):
    """The endpoint refused the request in a way that another response format may cure."""


def complete(
    endpoint: Reader, messages: Sequence[Message], response_format: dict[str, Any] | None, deadline: float
) -> str:
    """Return what the model answers to `messages`; `deadline` is a time of `time.monotonic`. Raises EndpointError."""
    if endpoint.base_url.startswith(PLUGIN):
        return _complete_by_plugin(endpoint, messages, response_format, deadline)
    headers, key = _headers(endpoint)
    asked: dict[str, Any] = {"model": endpoint.model, "messages": list(messages), "stream": False}
    if endpoint.temperature is not None:
        asked["temperature"] = endpoint.temperature
    if response_format is not None:
        asked["response_format"] = response_format
    status, body = _post(
        f"{endpoint.base_url}/chat/completions", headers, asked, deadline, endpoint.timeout_s
    )
    if status != 200:
        kind = FormatRefused if response_format and status in REFUSALS_OF_FORMAT else EndpointError
        raise kind(_refusal(status, body, key, endpoint.api_key_env))
    return _content(body)


def _complete_by_plugin(
    endpoint: Reader, messages: Sequence[Message], response_format: dict[str, Any] | None, deadline: float
) -> str:
    """Return what the reader of a plugin answers. Raises EndpointError."""
    name, left_s = endpoint.base_url.removeprefix(PLUGIN), deadline - time.monotonic()
    asked = (name, endpoint.model, endpoint.temperature, messages, response_format, left_s)
    try:
        if left_s <= 0:
            raise TimeoutError
        return _in_time(left_s, lambda: readers.complete(*asked))
    except TimeoutError:
        raise EndpointError(
            f"did not answer within {endpoint.timeout_s:g} s; give it longer with reader.timeout_s"
        ) from None
    except InputError as error:
        raise EndpointError(f"was not asked: {error}") from None
    except Unavailable as error:
        raise EndpointError(str(error)) from None


def _headers(endpoint: Reader) -> tuple[dict[str, str], str]:
    """Return the headers of a request, and the key that stands in them, "" for none."""
    # Uncompressed: a small answer could grow beyond any memory.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if endpoint.api_key_env is None:
        return headers, ""
    key = os.environ.get(endpoint.api_key_env, "").strip()
    if not key:
        raise EndpointError(
            f"was not asked, because the environment variable {endpoint.api_key_env} of its key is not set; set it"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise EndpointError(
            f"was not asked, because the key in {endpoint.api_key_env} holds characters that no header may hold"
        )
    return {**headers, "Authorization": f"Bearer {key}"}, key


def _post(
    url: str, headers: dict[str, str], asked: dict[str, Any], deadline: float, timeout_s: float
) -> tuple[int, bytes]:
    """Return status and body of the answer to a POST. Raises EndpointError."""
    import httpx

    late = EndpointError(f"did not answer within {timeout_s:g} s; give it longer with reader.timeout_s")
    if (left_s := deadline - time.monotonic()) <= 0:
        raise late
    clients: list[httpx.Client] = []

    def exchange() -> tuple[int, bytes]:
        # A proxy that the environment names is not for a server on this machine.
        outside = urlsplit(url).hostname not in LOOPBACK
        client = httpx.Client(timeout=left_s, follow_redirects=False, trust_env=outside)
        clients.append(client)
        with client.stream("POST", url, headers=headers, json=asked) as answer:
            body = bytearray()
            for piece in answer.iter_raw(65_536):
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise EndpointError(f"answered more than {MAX_ANSWER_BYTES:,} bytes")
            return answer.status_code, bytes(body)

    # The messages of httpx are left out: they may hold the address or a header.
    try:
        return _in_time(left_s, exchange)
    except (TimeoutError, httpx.TimeoutException):
        raise late from None
    except httpx.ConnectError:
        raise EndpointError("cannot be reached; check that its server runs, and reader.base_url") from None
    except httpx.HTTPError as error:
        raise EndpointError(f"broke off its answer ({type(error).__name__}); look into its log") from None
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise EndpointError(
            f"cannot be asked ({type(error).__name__}); check reader.base_url and proxy settings"
        ) from None
    finally:
        # Ends the connection of an exchange that goes on after its time.
        for client in clients:
            client.close()


def _in_time(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Return what `work` returns. Raises TimeoutError when it takes longer, and leaves it to its thread.

    The timeouts of a client hold for each step. A server that sends a byte a second, or a name that is not found for
    minutes, would exceed them together.
    """
    outcome: list[_T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # handed over to the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True, name="language-model")
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _refusal(status: int, body: bytes, key: str, api_key_env: str | None) -> str:
    """Return what failed and what to do, with the server's own words and without the key."""
    advice = {
        401: f"check the key in {api_key_env}"
        if api_key_env
        else "name the variable of its key in api_key_env",
        403: "check the rights of its key",
        404: "check reader.model, and that reader.base_url ends as its server wants, often in /v1",
        429: "it has too much to do; try later",
    }.get(status, "look into its log" if status >= 500 else "check the settings of the reader")
    if 300 <= status < 400:
        advice = "redirects are not followed; set reader.base_url to where it leads"
    words = _message_in(body)
    if key:
        words = words.replace(key, "***")
    said = f" ({words[:SHOWN_CHARACTERS]})" if words else ""
    return f"answered with status {status}{said}; {advice}"


def _message_in(body: bytes) -> str:
    """Return the message of an error, as OpenAI-compatible servers write it; "" where there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    if not isinstance(found, str) or not found.isprintable():
        return ""
    return clean_line(found).rstrip(".")


def _content(body: bytes) -> str:
    """Return the text of the first choice, "" where it has none. Raises EndpointError for no chat completion."""
    try:
        content = json.loads(body)["choices"][0]["message"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise EndpointError(
            "answered something other than a chat completion; check reader.base_url"
        ) from None
    # Half a surrogate pair can stand in JSON, and nothing after this could write it.
    return content.encode("utf-8", "replace").decode("utf-8") if isinstance(content, str) else ""

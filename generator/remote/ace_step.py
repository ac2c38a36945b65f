"""The API of ACE-Step 1.5's server: a task is handed in, asked after until it is done, and its file is fetched.

`POST /release_task` and `POST /query_result` answer `{"data": ..., "code": 200, "error": null}`; a task's `status` is 0
while it waits or runs, 1 when it is done, 2 when it failed; its `result` is JSON as text, a list of entries whose
`file` is the address of the audio, `/v1/audio?path=...` (acestep/api_server.py, MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from .exchange import Answer, Exchange, ServiceError, loaded
from .settings import RemoteSettings

__all__ = ["LEAST_S", "MOST_S", "make"]

LEAST_S, MOST_S = 10.0, 600.0
"""The lengths that the server takes; of a shorter track the end is cut off here."""
POLL_S = 1.0
MAX_PATH_CHARACTERS = 4_000


def make(
    settings: RemoteSettings, exchange: Exchange, prompt: str, config: Mapping[str, Any], most_bytes: int
) -> bytes:
    """Return the bytes of a WAV file that the server made. Raises ServiceError."""
    root = settings.url.rstrip("/") + "/"
    asked = {
        "prompt": prompt,
        "lyrics": "[Instrumental]",
        "audio_duration": min(MOST_S, max(LEAST_S, float(config["duration_s"]))),
        "seed": config["seed"],
        "use_random_seed": False,
        "batch_size": 1,
        "audio_format": "wav",
        **settings.options,
    }
    task = _data(exchange, exchange.post(urljoin(root, "release_task"), asked))
    task_id = task.get("task_id") if isinstance(task, dict) else None
    if not isinstance(task_id, str) or not task_id:
        raise ServiceError("answered without a task_id; check that it is an ACE-Step 1.5 server, and api")
    while True:
        answer = exchange.ask(urljoin(root, "query_result"), {"task_id_list": [task_id]})
        entry = _entry(exchange, answer, task_id)
        if entry.get("status") == 1:
            return exchange.ask(_address(root, entry.get("result")), most_bytes=most_bytes).body
        if entry.get("status") != 0:
            raise ServiceError(
                f"failed at its task{_reason(exchange, entry.get('result'))}; look into its log"
            )
        exchange.wait(POLL_S)


def _data(exchange: Exchange, answer: Answer) -> Any:
    """Return what is wrapped in an answer. Raises ServiceError for one that reports an error or is no such answer."""
    found = loaded(answer.body)
    if not isinstance(found, dict) or "data" not in found:
        raise ServiceError("answered something other than ACE-Step's JSON; check url, and api")
    if found.get("code", 200) != 200 or found.get("error"):
        raise ServiceError(f"refused the task ({exchange.shown(str(found.get('error')))!r})")
    return found["data"]


def _entry(exchange: Exchange, answer: Answer, task_id: str) -> dict[str, Any]:
    entries = _data(exchange, answer)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("task_id") == task_id:
            return entry
    raise ServiceError("does not know the task that it took; it may have been started anew")


def _address(root: str, result: object) -> str:
    """Return the address of the first file of a result, which must be on the same server."""
    entries = loaded(result.encode("utf-8", "replace")) if isinstance(result, str) else result
    first = entries[0] if isinstance(entries, list) and entries else None
    file = first.get("file") if isinstance(first, dict) else None
    if not isinstance(file, str) or not 0 < len(file) <= MAX_PATH_CHARACTERS:
        raise ServiceError("says that it is done but names no file")
    try:
        address = urljoin(
            root, file.lstrip("/") if file.startswith("/") and not file.startswith("//") else file
        )
        same = urlsplit(address)[:2] == urlsplit(root)[:2]
    except ValueError:
        same = False
    if not same:
        raise ServiceError("names a file on another server, which is not fetched")
    return address


def _reason(exchange: Exchange, result: object) -> str:
    entries = loaded(result.encode("utf-8", "replace")) if isinstance(result, str) else result
    first = entries[0] if isinstance(entries, list) and entries else None
    said = first.get("error") if isinstance(first, dict) else None
    return f" ({exchange.shown(said)!r})" if isinstance(said, str) and said else ""

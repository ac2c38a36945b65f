"""Malformed HTTP requests: no answer 5xx, no traceback, and a refusal is one sentence of problem JSON."""

from __future__ import annotations

import json
import os
import random
import re
from urllib.parse import quote

from invariants import CRASH, SHORT, client_of, in_process, open_service, text_of
from odd_values import odd_json, odd_text, try_each

INPUTS = 10_000
BODIES = {
    "/api/find-or-make": {"context": text_of(0), "duration_s": 1.0, "quality": "preview", "dry_run": True},
    "/api/find": {"context": text_of(0), "duration_s": 1.0, "quality": "preview"},
    "/api/search": {"text": "calm", "by": "words", "limit": 3},
    "/api/login": {"token": "a"},
}
RATING = {"rating": 3, "tags": ["mine"], "note": "a"}
HEADERS = (
    "Range",
    "Content-Type",
    "Accept",
    "If-None-Match",
    "Origin",
    "Host",
    "Cookie",
    "Authorization",
    "If-Range",
    "X-Y",
)
RANGES = (
    "bytes=0-",
    "bytes=-5",
    "bytes=9-3",
    "bytes=0-0,2-3",
    "bytes=" + "0-1," * 200,
    "bytes=99999999999-",
    "lines=1",
    "bytes=x",
)


def a_home(home):
    with open_service(home) as service:
        return [service.find_or_make(text_of(number), **SHORT).track.id for number in range(3)]


def tried(seeds, home, ids):
    """Send one odd request for each seed to the service in this process."""
    os.fsync = os.fdatasync = lambda descriptor: None
    found = {}
    with open_service(home) as service, client_of(service) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
        routes = [
            (method, path, operation) for path, each in paths.items() for method, operation in each.items()
        ]
        for seed in seeds:
            dice = random.Random(seed)
            asked = _asked(dice, routes, ids)
            answer = client.request(**asked)
            if failure := _failure(answer):
                found[seed] = [(CRASH, f"{json.dumps(asked, default=repr)[:300]}: {failure}")]
    return found


def _asked(dice, routes, ids):
    method, path, operation = dice.choice(routes)
    known = {"track_id": dice.choice(ids), "job_id": "job"}

    def filled(match):
        value = odd_text(dice)[:5000] if dice.random() < 0.5 else known.get(match[1], "x")
        return quote(value.encode("utf-8", "surrogatepass"), safe="")

    query = [
        (each["name"], odd_text(dice)[:2000].encode("utf-8", "surrogatepass"))
        for each in operation.get("parameters", [])
        if each["in"] == "query" and dice.random() < 0.5
    ]
    asked = {
        "method": dice.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
        if dice.random() < 0.1
        else method,
        "url": re.sub(r"{(\w+)}", filled, path) or "/",
        "headers": {"Content-Type": "application/json", **_headers(dice)},
    }
    if query:
        asked["url"] += "?" + "&".join(f"{name}={quote(value)}" for name, value in query)
    if method in ("post", "patch"):
        asked["content"] = _body(dice, BODIES.get(path, RATING))
    return asked


def _headers(dice):
    if dice.random() < 0.7:
        return {}
    if dice.random() < 0.5:
        return {"Range": dice.choice(RANGES)}
    text = odd_text(dice)[:200].encode("utf-8", "replace")
    return {dice.choice(HEADERS): text.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")}


def _body(dice, valid):
    if dice.random() < 0.15:
        return odd_text(dice).encode("utf-8", "surrogatepass")
    body = {name: odd_json(dice) if dice.random() < 0.4 else value for name, value in valid.items()}
    if dice.random() < 0.2:
        body[odd_text(dice)[:20]] = odd_json(dice)
    return json.dumps(odd_json(dice) if dice.random() < 0.1 else body).encode("utf-8", "surrogatepass")


def _failure(answer):
    if answer.status_code >= 500 or "Traceback" in answer.text[:10_000]:
        return f"HTTP {answer.status_code} {answer.text[:200]}"
    if (
        answer.status_code >= 400
        and answer.request.method != "HEAD"
        and "json" in answer.headers.get("content-type", "")
    ):
        detail = answer.json().get("detail")
        if not isinstance(detail, str) or not detail or "\n" in detail:
            return f"HTTP {answer.status_code} without a sentence: {answer.text[:200]}"
    return ""


def test_malformed_requests(tmp_path, request, scaled, tally):
    home = str(tmp_path / "home")
    ids = in_process(a_home, home)
    with tally("malformed HTTP requests") as count:
        try_each(count, scaled(INPUTS), request.config.faults_seed, tried, home, ids)

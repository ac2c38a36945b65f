"""What every answer carries and what is refused: headers, limits and problem documents."""

from __future__ import annotations

import asyncio
import json

import pytest
from calls import RAIN, SECRET, SHORT
from hypothesis import given
from hypothesis import strategies as st

from music_catalog.errors import InputError, StorageError
from music_catalog.web import guard
from music_catalog.web.guard import HEADERS
from music_catalog.web.problems import problem_from

# Headers


@pytest.mark.parametrize(
    "path", ["/", "/api/tracks", "/api/nothing", "/api/tracks/a", "/static/nothing.js", "/metrics"]
)
def test_every_answer_carries_the_headers(client, path):
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_a_refusal_carries_the_headers_too(client):
    answer = client.get("/", headers={"Host": "evil.com"})
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_no_script_in_a_page_runs_and_no_page_is_framed():
    policy = dict(part.strip().partition(" ")[::2] for part in HEADERS["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cross-Origin-Resource-Policy"] == "same-origin"


def test_what_is_private_is_not_stored_by_the_browser(client):
    assert client.get("/api/tracks").headers["cache-control"] == "no-store"


# Limits


def test_a_body_over_the_limit_is_refused_before_it_is_read(client):
    for size, code in ((guard.MAX_BODY_BYTES + 1, 413), (1_000, 422)):
        body = json.dumps({"context": ""}).encode().ljust(size)
        headers = {"Content-Type": "application/json"}
        assert client.request("POST", "/api/find", content=body, headers=headers).status_code == code


def test_a_body_that_does_not_state_its_length_is_counted(client):
    async def parts():
        for _ in range(70):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    assert client.request("POST", "/api/find", content=parts(), headers=headers).status_code == 413


def test_who_can_read_the_home_may_send_more(client):
    body = json.dumps({"context": "rain " * 20_000}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}
    assert client.request("POST", "/api/find", content=body, headers=headers).status_code == 200


def test_a_body_that_does_not_arrive_is_given_up(client, monkeypatch):
    monkeypatch.setattr(guard, "BODY_S", 0.01)
    sent = []

    async def ask():
        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"9")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/find",
            "headers": headers,
            "query_string": b"",
        }
        await client.app(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    "path",
    [
        "/api/tracks?limit=501",
        "/api/tracks?limit=0",
        "/api/tracks?offset=-1",
        "/api/tracks?q=" + "a" * 2001,
        "/api/tracks?by=nonsense",
        "/api/tracks/a/similar?limit=101",
        "/api/tracks/a/peaks?points=0",
        "/api/tracks/a/peaks?points=100000",
        "/api/tracks/a/audio?format=exe",
    ],
)
def test_what_is_asked_for_is_bounded(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:catalog:InputError")


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        (
            "GET",
            "/api/tracks?style=ambient_lofi",
            "unknown parameter 'style' in the address; valid: by, folded",
        ),
        ("GET", "/api/tracks?limit=2&offst=4", "'offst' in the address; did you mean offset?"),
        ("GET", "/api/tracks/a/peaks?pionts=9", "did you mean points?"),
        ("DELETE", f"/api/stories/{'a' * 16}?utm_source=x", "this address takes none"),
        ("GET", "/api/tracks/a?x=", "this address takes none"),
        ("POST", "/api/find?wait=1", "this address takes none"),
        ("DELETE", "/api/tracks/a?purge=true", "this address takes none"),
    ],
)
def test_a_parameter_that_an_address_does_not_know_is_refused(client, method, path, says):
    answer = client.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 422
    assert says in answer.text


@pytest.mark.parametrize(
    "path", ["/?utm_source=x", "/api/health?x=1", "/api/ready?probe=2", "/metrics?x=1", "/api/tracks?_=17"]
)
def test_what_monitors_links_and_caches_add_to_an_address_passes(client, path):
    assert client.get(path).status_code in (200, 503)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/tracks/none/audio?utm_source=x&t=123", 404),
        (f"/api/stories/{'a' * 16}/plot?fbclid=x", 404),
        (f"/api/mixes/{'a' * 16}?t=5", 404),
        ("/api/export?format=csv&fbclid=x", 200),
    ],
)
def test_links_to_files_may_carry_what_players_and_other_sites_add(client, path, status):
    assert client.get(path).status_code == status


def test_the_head_of_audio_is_told_with_what_players_add(client, made):
    assert client.request("HEAD", f"/api/tracks/{made['id']}/audio?t=5").status_code == 200


def test_a_length_no_preset_makes_is_refused_and_one_beyond_the_tier_cut(client):
    body = {"context": RAIN, "quality": "preview"}
    assert client.post("/api/find", {**body, "duration_s": 100_000.0}).status_code == 422
    request = client.post("/api/find", {**body, "duration_s": 500.0}).json()["result"]["request"]
    assert request["config"]["duration_s"] < 500
    assert any("was cut" in warning for warning in request["warnings"])


# Errors


def test_errors_tell_neither_paths_nor_code(client, made, caplog):
    store = client.app.state.shared.service.store
    store.audio.path_of(store.tracks.get(made["id"])).unlink()
    answer = client.get(f"/api/tracks/{made['id']}/audio")
    payload = answer.json()
    assert (answer.status_code, payload["type"]) == (500, "urn:catalog:Damage")
    assert str(store.home) not in answer.text
    assert "Traceback" not in answer.text
    mark = payload["detail"].split()[-1]
    assert mark in caplog.text
    assert str(store.home) in caplog.text


def test_what_nobody_foresaw_is_told_as_little(client, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("/home/somebody/secret.py")

    monkeypatch.setattr(client.app.state.shared.service, "browse", broken)
    answer = client.get("/api/tracks")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in answer.text
    assert "secret" in caplog.text


def test_a_path_in_a_sentence_is_left_out_unless_the_caller_may_know():
    error = InputError("the file /home/somebody/catalog.yaml cannot be used; see ~/x or C:\\data\\y, and a/b")
    assert problem_from(error).detail == "the file (a path) cannot be used; see (a path) or (a path), and a/b"
    assert "/home/somebody" in problem_from(error, trusted=True).detail
    assert "/x" in problem_from(StorageError("/x is read-only"), trusted=True).detail


@pytest.mark.parametrize(
    "path",
    ["/home/smith/music home/audio.wav", "/a b/my own c/d.wav", "~/a b c/my own song.ogg", "C:\\a b\\c d"],
)
def test_a_path_with_spaces_is_left_out_whole(path):
    told = problem_from(InputError(f"the file {path} is no sound; pass a WAV file")).detail
    if not path.endswith("c d"):  # where nothing tells that the path goes on
        assert told == "the file (a path) is no sound; pass a WAV file"
    assert not any(word in told for word in ("smith", "home", "own", " b", "audio", "song"))


NAMES = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4).map(" ".join)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_names_of_up_to_four_words_belong_to_a_path(names):
    assert problem_from(InputError(f"it is /{'/'.join(names)}.wav")).detail == "it is (a path)"


@pytest.mark.parametrize(
    ("method", "path", "code"), [("GET", "/api/nothing", 404), ("PUT", "/api/tracks", 405)]
)
def test_what_is_not_there_is_told_as_a_problem(client, method, path, code):
    answer = client.request(method, path, json={})
    assert (answer.status_code, answer.headers["content-type"]) == (code, "application/problem+json")
    assert answer.json()["status"] == code


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 50_000, b'{"context": "\\ud800"}']
)
def test_a_body_that_is_no_request_is_told_as_a_problem(client, body):
    answer = client.request("POST", "/api/find", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_prompt_is_logged(client, made, caplog):
    caplog.set_level("DEBUG", logger="music_catalog")
    client.post("/api/find", {"context": "a very private thing", **SHORT})
    client.post("/api/find", {"context": "a very private thing", "preset": "nonsense"})
    assert "private" not in caplog.text


def test_a_web_socket_is_closed(client):
    sent = []

    async def ask():
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await client.app({"type": "websocket", "path": "/", "headers": []}, receive, send)

    asyncio.run(ask())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_refused_name_with_a_line_break_stays_in_one_line(client):
    answer = client.post("/api/find", json={"context": RAIN, "a\nb": 1})
    assert (answer.status_code, "\n" in answer.json()["detail"]) == (422, False)
    assert answer.json()["detail"].startswith(
        "unknown option 'a\\nb'; valid: application, as_read, backend, "
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"text": RAIN}, "unknown option 'text' (context is missing); did you mean context? valid: "),
        ({"context": RAIN, "duration_s": True}, "duration_s is True: pass a number"),
        ({"context": RAIN, "valence": "0.5"}, "valence is '0.5': pass a number"),
        ({"context": RAIN, "seed": "7"}, "seed is '7': pass a whole number"),
        ({"context": RAIN, "log": "no"}, "log is 'no': pass true or false"),
        ({"context": 5}, "context is 5: pass a text"),
        ({"context": RAIN, "contxt": 1}, "unknown option 'contxt'; did you mean context? valid: "),
        ({"context": RAIN, "fit": "fit"}, "fit is 'fit'; did you mean fits? valid: fits, passable"),
        ([1], "the body is [1]; send a JSON object"),
        (None, "the body is null; send a JSON object"),
        ("{bad", "the body is no JSON: Expecting property name enclosed in double quotes at character 1"),
        ("", "the body is missing"),
    ],
)
def test_a_body_that_is_refused_is_told_what_is_wrong(client, body, detail):
    content = body if isinstance(body, str) else json.dumps(body)
    answer = client.post("/api/find", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (422, detail)

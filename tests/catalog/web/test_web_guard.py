"""Who is answered: the host, the token, the names of the service, other sites, and ids that are no paths."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from calls import RAIN, SECRET, SHORT, Client
from starlette.datastructures import Headers

from music_catalog.commands.servers import serve
from music_catalog.errors import InputError
from music_catalog.web import guard, server
from music_catalog.web.access.guesses import Guesses, TooManyGuesses
from music_catalog.web.guard import Policy

TOKEN = "a-long-enough-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
UNSAFE = [
    ("POST", "/api/find-or-make"),
    ("POST", "/api/find"),
    ("POST", "/api/search"),
    ("POST", "/api/login"),
    ("POST", "/api/tracks/a/restore"),
    ("PATCH", "/api/tracks/a"),
    ("DELETE", "/api/tracks/a"),
    ("DELETE", "/api/jobs/a"),
    ("DELETE", "/api/login"),
]


# Loopback, and a token elsewhere


def test_the_default_is_loopback():
    (host,) = [one for one in serve.params if one.name == "host"]
    assert host.default == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "music.example.org", ""])
def test_another_host_needs_a_token(service, host):
    with pytest.raises(InputError, match="needs a token"):
        server.serve(service, host=host, port=0)


def test_a_short_token_is_refused(service):
    with pytest.raises(InputError, match="at least 12"):
        server.serve(service, port=0, token="short")


def test_a_port_that_is_taken_is_told(service):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError, match="--port"):
        server.serve(service, port=other.getsockname()[1])


def test_a_connection_sends_small_answers_at_once():
    async def accepted(listening):
        delays = asyncio.Queue()

        async def look(_, writer):
            connection = writer.get_extra_info("socket")
            delays.put_nowait(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(look, sock=listening):
            with socket.create_connection(listening.getsockname()):
                return await delays.get()

    with server._bound("127.0.0.1", 0) as listening:
        assert asyncio.run(accepted(listening))


def test_with_a_token_everything_but_the_way_in_asks_for_it(open_client):
    client = open_client(token=TOKEN)
    paths = {"/", "/api/openapi.json", "/static/index.html", *client.app.openapi()["paths"]}
    assert {"/api/tracks", "/api/statistics", "/metrics"} <= paths
    for path in paths:
        refused = client.get(path.replace("{", "").replace("}", "")).status_code
        if path == "/":
            assert refused == 303
        elif path in guard.OPEN:
            assert refused != 401
        else:
            assert refused == 401, path
    assert client.get("/api/tracks", headers=BEARER).status_code == 200
    assert client.get("/api/tracks", headers={"Authorization": f"Bearer {SECRET}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \u00e9"],
)
def test_a_wrong_token_is_refused(open_client, header):
    answer = open_client(token=TOKEN).get("/api/tracks", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="catalog"')


def test_a_token_in_the_address_is_not_taken(open_client):
    assert open_client(token=TOKEN).get(f"/api/tracks?token={TOKEN}").status_code == 401


def test_a_browser_trades_the_token_for_a_cookie_no_script_can_read(open_client):
    client = open_client(token=TOKEN)
    assert client.get("/").headers["location"] == "/login"
    for path, kind in (("/login", "text/html"), ("/login.js", "javascript"), ("/login.css", "text/css")):
        answer = client.get(path)
        assert (answer.status_code, kind in answer.headers["content-type"]) == (200, True)
    assert client.post("/api/login", {"token": "wrong-wrong-wrong"}).status_code == 401
    answer = client.post("/api/login", {"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    session = {"Cookie": cookie.partition(";")[0]}
    assert client.get("/api/tracks", headers=session).status_code == 200
    client.delete("/api/login", headers=session)
    assert client.get("/api/tracks", headers=session).status_code == 401


def guess(client, token="wrong"):
    """Return the status of showing `token` in a header and at the login, and how many seconds both took."""
    began = time.monotonic()
    shown = client.get("/api/presets", headers={"Authorization": f"Bearer {token}"}).status_code
    login = client.post("/api/login", {"token": token}).status_code
    return shown, login, time.monotonic() - began


@pytest.fixture
def few_guesses(monkeypatch):
    monkeypatch.setattr("music_catalog.web.access.guesses.MOST_WRONG", 2)
    monkeypatch.setattr("music_catalog.web.access.guesses.DELAY_S", 0.2)


def test_guessing_a_token_is_stopped(open_client, few_guesses):
    client = open_client(token=TOKEN)
    codes = [client.post("/api/login", {"token": "wrong"}).status_code for _ in range(3)]
    assert codes == [401, 401, 429]


def test_guesses_in_headers_count_like_those_at_the_login(open_client, few_guesses):
    client = open_client(token=TOKEN)
    assert guess(client)[:2] == (401, 401)
    *codes, seconds = guess(client)
    assert codes == [429, 429]
    assert seconds >= 0.4


def test_guesses_do_not_lock_out_the_right_token(open_client, few_guesses, monkeypatch):
    client = open_client(token=TOKEN)
    for _ in range(3):
        guess(client)
    # From the address of the guesses it waits as long as they do: an answer at once would tell it from them.
    *codes, seconds = guess(client, TOKEN)
    assert codes == [200, 204]
    assert seconds >= 0.4
    # Others do not wait, neither do those who have logged in, who show the secret or who show nothing.
    monkeypatch.setattr("music_catalog.web.access.guesses.MOST_WAITING", 0)
    assert guess(client, TOKEN)[:2] == (429, 429)
    other = Client(client.app, "192.168.1.5")
    assert guess(other, TOKEN)[:2] == (200, 204)
    cookie = other.post("/api/login", {"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    for headers in ({"Cookie": cookie}, {"Authorization": f"Bearer {SECRET}"}):
        assert client.get("/api/presets", headers=headers).status_code == 200
    assert client.get("/api/presets").status_code == 401


def test_so_many_guesses_of_an_address_wait_and_no_more(few_guesses, monkeypatch):
    monkeypatch.setattr("music_catalog.web.access.guesses.MOST_WAITING", 3)
    guesses = Guesses()

    async def at_once():
        for _ in range(2):
            await guesses.check("wrong", TOKEN, ("127.0.0.1", 1))
        asked = [asyncio.create_task(guesses.check(TOKEN, TOKEN, ("127.0.0.1", port))) for port in range(5)]
        await asyncio.sleep(0)
        assert [task.done() for task in asked] == [False] * 3 + [True] * 2
        assert await guesses.check(TOKEN, TOKEN, ("10.0.0.1", 1))
        return await asyncio.gather(*asked, return_exceptions=True)

    *waited, fourth, fifth = asyncio.run(at_once())
    assert waited == [True] * 3
    assert isinstance(fourth, TooManyGuesses)
    assert isinstance(fifth, TooManyGuesses)
    assert not guesses._waiting


def test_wrong_tokens_are_forgotten_after_a_while(open_client, few_guesses, monkeypatch):
    client = open_client(token=TOKEN)
    guess(client)
    monkeypatch.setattr("music_catalog.web.access.guesses.WINDOW_S", 0.0)
    assert guess(client)[:2] == (401, 401)


def test_an_ipv6_network_guesses_as_one_and_few_addresses_are_remembered(few_guesses, monkeypatch):
    monkeypatch.setattr("music_catalog.web.access.guesses.MOST_ADDRESSES", 2)
    guesses = Guesses()

    async def wrong(*hosts):
        for host in hosts:
            assert not await guesses.check("wrong", TOKEN, (host, 1))

    asyncio.run(wrong("2001:db8::1", "2001:db8::2", "::ffff:10.0.0.1", "10.0.0.1"))
    for host in ("2001:db8::ffff:3", "10.0.0.1"):
        with pytest.raises(TooManyGuesses):
            asyncio.run(wrong(host))
    asyncio.run(wrong("10.0.0.2", "10.0.0.3", "10.0.0.1", "nonsense", "fe80::1%eth0"))
    assert len(guesses._wrong) == 2


def test_a_session_ends_after_a_while_and_there_are_only_so_many(open_client, monkeypatch):
    sessions = Policy(secret="x").sessions
    monkeypatch.setattr("music_catalog.web.access.sessions.MOST_SESSIONS", 2)
    first, *_ = [sessions.begin() for _ in range(3)]
    assert not sessions.knows(Headers({"cookie": f"{sessions.cookie}={first}"}))
    monkeypatch.setattr("music_catalog.web.access.sessions.SESSION_S", -1)
    assert not sessions.knows(Headers({"cookie": f"{sessions.cookie}={sessions.begin()}"}))


# The names it is called by


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "localhost:8765", "127.0.0.1:1", "LOCALHOST"]
)
def test_it_answers_to_its_names(shared_client, host):
    assert shared_client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "127.0.0.1.evil.com",
        "localhost@evil.com",
        "evil.com@localhost",
        "localhost.evil.com:8765",
        "localhost/evil",
        "localhost:port",
        "[::1",
        "[::1]evil",
        "192.168.1.5",
        "",
        " ",
    ],
)
def test_it_answers_to_no_other_name(shared_client, host):
    answer = shared_client.get("/api/health", headers={"Host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_two_host_headers_are_refused(shared_client):
    headers = [("Host", "localhost"), ("Host", "evil.com")]
    assert shared_client.get("/api/health", headers=headers).status_code == 400


def test_a_wildcard_answers_to_addresses_and_to_names_that_were_allowed():
    policy = Policy(secret="x", token=TOKEN, hosts=("localhost", "*", "music.example.org"))
    assert all(map(policy.knows, ("192.168.1.5:80", "[fe80::1]", "music.example.org", "localhost")))
    assert not any(map(policy.knows, ("evil.com", "1.2.3.4.evil.com", "*")))


# Other sites


@pytest.mark.parametrize(("method", "path"), UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1:8765.evil.com"},
        {"Origin": "http://evil.com", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: "+".join(headers.values()),
)
def test_no_other_site_changes_anything(shared_client, method, path, headers):
    answer = shared_client.request(method, path, json={}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8765"},
        {"Origin": "https://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=lambda headers: "+".join(headers.values()) or "none",
)
def test_our_page_and_what_is_no_page_may(shared_client, headers):
    assert shared_client.post("/api/find", {"context": RAIN, **SHORT}, headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_link_here_but_embed_nothing(shared_client, site):
    assert shared_client.get("/api/tracks", headers={"Sec-Fetch-Site": site}).status_code == 403
    linked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert shared_client.get("/api/health", headers=linked).status_code == 200
    for kind in ("iframe", "frame", "embed", "object", ""):
        assert shared_client.get("/", headers={**linked, "Sec-Fetch-Dest": kind}).status_code == 403
    own = {**linked, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}
    assert shared_client.get("/api/health", headers=own).status_code == 200


@pytest.mark.parametrize(("method", "path"), [one for one in UNSAFE if one[0] != "DELETE"])
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_can_send_is_refused(shared_client, method, path, kind):
    headers = {"Content-Type": kind} if kind else {}
    assert shared_client.request(method, path, content=b"{}", headers=headers).status_code == 415
    assert shared_client.request(method, path, headers=headers).status_code == 415


def test_no_answer_lets_other_sites_read_it(shared_client):
    for origin in ("http://evil.com", "http://127.0.0.1:8765", "null"):
        for method in ("GET", "OPTIONS"):
            answer = shared_client.request(
                method, "/api/tracks", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
            )
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_getting_changes_nothing(client, made):
    store = client.app.state.shared.service.store
    before = store.care.stats() | {"table_bytes": 0}
    paths = ["", "/audio", "/audio?format=flac&download=1", "/peaks", "/similar"]
    for path in paths:
        assert client.get(f"/api/tracks/{made['id']}{path}").status_code == 200
    for path in ("tracks", "tracks?q=rain&by=words", "presets", "statistics", "jobs", "openapi.json"):
        assert client.get(f"/api/{path}").status_code == 200
    assert store.care.stats() | {"table_bytes": 0} == before


# Ids, not paths

TRAVERSAL = [
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cboot.ini",
    "%5c%5chost%5cshare",
    "a%00",
    "a%00.wav",
    "%252e%252e%252f",
    "..;/",
    "\u2024\u2024/etc",
    "%c0%ae%c0%ae/",
    "%ef%bc%8e%ef%bc%8e/",
    "C:%5c",
    "file:%2f%2f%2fetc",
    "-" * 65,
    "A",
    "a.b",
    "a b",
    "%0a",
]


@pytest.mark.parametrize("path", TRAVERSAL)
@pytest.mark.parametrize("end", ["", "/audio", "/peaks"])
def test_an_id_is_no_path(shared_client, path, end):
    answer = shared_client.get(f"/api/tracks/{path}{end}")
    assert answer.status_code in (400, 404, 405, 422)
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", [path for path in TRAVERSAL if path != ".."])
def test_the_page_serves_its_own_files_only(shared_client, path):
    for folder in ("/static/", "/static/a/../", "/"):
        answer = shared_client.get(f"{folder}{path}")
        assert answer.status_code in (400, 404, 405, 422)


def test_a_link_out_of_the_home_is_not_followed(client, made, tmp_path):
    store = client.app.state.shared.service.store
    path = store.audio.path_of(store.tracks.get(made["id"]))
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * path.stat().st_size)
    path.unlink()
    path.symlink_to(secret)
    answer = client.get(f"/api/tracks/{made['id']}/audio")
    assert answer.status_code == 500
    assert b"xxx" not in answer.content

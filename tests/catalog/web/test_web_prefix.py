"""The application works under a path of another one: its page and what that loads, the API, and the login."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from calls import RAIN, SHORT, Client
from fastapi import FastAPI

from music_catalog.errors import InputError
from music_catalog.web.app import STATIC, create_app

TOKEN = "a token of the service"


@pytest.fixture
def mounted(open_client):
    """Return a function that mounts an application at /music of another one, and a client of that one."""

    def mount(prefix="/music", **options):
        inner = open_client(prefix=prefix, **options).app
        outer = FastAPI()
        outer.mount("/music", inner)
        return Client(outer)

    return mount


def loaded(client, page, headers):
    """Return the addresses of what a page loads, each of which is there."""
    text = client.get(page, headers=headers).text
    links = [urljoin(page, link) for link in re.findall(r'(?:src|href)="([^"#][^"]*)"', text)]
    for link in links:
        assert link.startswith("/music/"), link
        assert client.get(link, headers=headers).status_code == 200, link
    return links


@pytest.mark.parametrize("prefix", ["/music", ""])
def test_the_page_and_what_it_loads_are_below_the_path(mounted, prefix):
    client = mounted(prefix)
    assert client.get("/music").headers["location"].endswith("/music/")
    links = loaded(client, "/music/", {})
    assert {"/music/static/main.js", "/music/static/styles/theme.css"} <= {*links}
    assert client.get("/static/main.js").status_code == 404


@pytest.mark.parametrize(
    "script", [*STATIC.rglob("*.js"), *STATIC.parent.glob("login/*.js")], ids=lambda one: one.name
)
def test_no_script_names_an_address_from_the_root(script):
    assert not re.findall(r"""["'`]/(?:api|static|login)\b|replace\("/""", script.read_text("utf-8"))


def test_a_track_is_made_and_heard_below_the_path(mounted):
    client = mounted()
    answer = client.post("/music/api/find-or-make", {"context": RAIN, **SHORT})
    address = answer.headers["location"]
    assert address == f"/music/api/jobs/{answer.json()['job']['id']}"
    assert "event: done" in client.get(f"{address}/events").text
    track_id = client.get(address).json()["result"]["id"]
    assert client.get(f"/music/api/tracks/{track_id}/audio").headers["content-type"] == "audio/wav"
    assert client.get("/music/api/openapi.json").json()["servers"] == [{"url": "/music"}]
    assert client.get("/api/tracks").status_code == 404


def test_a_browser_logs_in_below_the_path(mounted):
    client = mounted(token=TOKEN)
    assert client.get("/music/api/tracks").status_code == 401
    assert client.get("/music/api/health").status_code == 200
    assert client.get("/music/").headers["location"] == "/music/login"
    assert [*map(str, loaded(client, "/music/login", {}))] == ["/music/login.css", "/music/login.js"]
    cookie = client.post("/music/api/login", {"token": TOKEN}).headers["set-cookie"]
    assert "Path=/music/" in cookie
    session = {"Cookie": cookie.partition(";")[0]}
    assert client.get("/music/api/tracks", headers=session).status_code == 200
    loaded(client, "/music/", session)
    client.delete("/music/api/login", headers=session)
    assert client.get("/music/api/tracks", headers=session).status_code == 401


def test_the_prefix_changes_nothing_where_a_proxy_takes_it_off(open_client):
    client = open_client(prefix="/music")
    assert client.get("/").status_code == 200
    assert client.get("/music/").status_code == 200
    assert client.get("/api/health").status_code == 200


@pytest.mark.parametrize("prefix", ["music", "/music/", "/", "/a b", "http://elsewhere"])
def test_a_prefix_that_is_no_path_is_refused(service, prefix):
    with pytest.raises(InputError, match=r"the prefix is .*; write a path that begins with a slash"):
        create_app(service, prefix=prefix)

"""What someone sees who opens the page for the first time, and what the catalog has saved, at a glance."""

from __future__ import annotations

import json
import re
import time

import pytest
from fakes import WordHashEncoder
from running import serving

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


@pytest.fixture
def empty_site(tmp_path, gate):
    from music_catalog import MusicService

    home = tmp_path / "home"
    with MusicService.open(home, encoder=WordHashEncoder(), generators=lambda *_: gate) as service:
        with serving(service) as address:
            yield address, service
        gate.open.set()


def test_an_empty_catalog_makes_music_with_one_click(empty_site, open_page, gate, axe):
    address, service = empty_site
    page = open_page(address)
    short = {"quality": "preview", "duration_s": 1.0}  # a track of the default length takes its time
    page.route(
        "**/api/find-or-make",
        lambda route: route.continue_(post_data=json.dumps({**route.request.post_data_json, **short})),
    )
    examples = page.locator(".example")
    expect(examples).to_have_count(3)
    assert axe(page) == []
    gate.open.clear()
    page.get_by_role("button", name="Make music: A scene").click()
    expect(examples.nth(1).locator(".job")).to_contain_text("Making, 50 %")
    gate.open.set()
    deadline = time.monotonic() + 60  # the first track of a home makes its tables too
    while not service.store.tracks.count() and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    expect(page.locator(".row-title").first).to_contain_text("Rain on the tavern roof")
    expect(page.get_by_role("region", name="Player").locator(".bar-title")).to_contain_text(
        "Rain on the tavern"
    )
    assert service.store.tracks.count() == 1


def test_a_first_track_that_was_cancelled_can_be_asked_for_again(empty_site, open_page, gate):
    address, _ = empty_site
    page = open_page(address, width=360, height=740)
    gate.open.clear()
    page.get_by_role("button", name="Make music: A battle").click()
    page.locator(".example .job").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Make music: A battle")).to_be_enabled()


def test_the_share_served_and_the_time_saved_are_in_sight(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    service.find_or_make(track.context, reuse="always", quality="preview", duration_s=3.9)
    page = open_page(address)
    glance = page.locator(".glance")
    expect(glance).to_contain_text("4 % served from the catalog")
    expect(glance).to_contain_text(re.compile(r"\d s saved"))
    glance.click()
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_visible()

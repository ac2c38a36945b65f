"""What the page does while the service is away, and after it was started anew."""

from __future__ import annotations

import contextlib
import shutil

import pytest
from fakes import WordHashEncoder
from running import free_port, serving

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

AWAY = "The catalog does not answer. What you typed is kept"
NOISE = ("ERR_", "Failed to load resource")
"""What the browser itself writes to the console while the service is away."""


class Restarted:
    """A service on one port that can be stopped and started, also with another home."""

    def __init__(self, gate):
        self.port = free_port()
        self.gate = gate
        self.service = None
        self._running = contextlib.ExitStack()

    def start(self, home):
        from music_catalog import MusicService

        opened = MusicService.open(home, encoder=WordHashEncoder(), generators=lambda *_: self.gate)
        self.service = self._running.enter_context(opened)
        return self._running.enter_context(serving(self.service, port=self.port))

    def stop(self):
        self._running.close()


@pytest.fixture
def home(catalog_home, tmp_path):
    return shutil.copytree(catalog_home, tmp_path / "home")


@pytest.fixture
def restarted(gate):
    one = Restarted(gate)
    yield one
    gate.open.set()
    one.stop()


def strip(page):
    return page.get_by_role("region", name="Connection")


def test_what_was_searched_for_during_an_outage_is_asked_again(restarted, home, open_page):
    page = open_page(restarted.start(home), allow=NOISE)
    expect(page.locator("#count")).to_have_text("24 tracks")
    restarted.stop()
    page.get_by_label("Search tracks").fill("snow lantern environment:snow")
    expect(strip(page)).to_contain_text(AWAY)
    expect(page.locator(".toast")).to_have_count(0)
    restarted.start(home)
    expect(strip(page)).to_be_hidden()
    expect(page.get_by_label("Search tracks")).to_have_value("snow lantern environment:snow")
    expect(page.locator("#count")).to_have_text("4 tracks")
    expect(page.locator(".row-title").first).to_contain_text("Snow falls")


def test_a_context_that_was_typed_during_an_outage_is_kept_and_read(restarted, home, open_page):
    page = open_page(f"{restarted.start(home)}/#/compose", allow=NOISE)
    page.get_by_label("Context").wait_for()
    restarted.stop()
    page.get_by_label("Context").fill("Snow falls on a quiet village.")
    expect(strip(page)).to_contain_text(AWAY)
    page.get_by_role("button", name="Find or make").click()
    expect(page.get_by_role("alert")).to_contain_text("Try that again when it is back")
    restarted.start(home)
    expect(page.locator(".reading").get_by_text("Nearest tracks")).to_be_visible()
    expect(page.get_by_label("Context")).to_have_value("Snow falls on a quiet village.")
    expect(page.locator(".compose .field-problem")).to_have_text("")
    page.get_by_text("Options", exact=True).click()
    expect(page.get_by_label("Role").locator("option", has_text="Background bed")).to_have_count(1)


@pytest.mark.parametrize(
    ("view", "path", "loaded"),
    [
        ("tracks", "**/api/tracks?*", ".row-title"),
        ("map", "**/api/map", ".legend-value"),
        ("history", "**/api/history?*", ".history-line"),
    ],
)
def test_a_view_that_could_not_be_loaded_offers_retry(site, open_page, view, path, loaded):
    page = open_page("about:blank", allow=NOISE)
    problem = {"type": "urn:catalog:Damage", "title": "damage", "detail": "The table cannot be read."}
    page.route(path, lambda route: route.fulfill(status=500, json=problem))
    page.goto(f"{site}/#/{view}")
    heading = page.get_by_role("heading", name="This could not be loaded")
    expect(heading).to_be_visible()
    expect(page.locator("main")).to_contain_text("The table cannot be read.")
    page.unroute(path)
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(loaded).first).to_be_visible()
    expect(heading).to_be_hidden()


def make_one(page):
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Quality").select_option("preview")
    page.get_by_label("Length, seconds").fill("2")
    page.get_by_label("Context").fill("A clockmaker repairs a tiny music box.")
    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".outcome .job")).to_contain_text("Making, 50 %")


def test_a_job_survives_a_crash_of_the_service(restarted, home, open_page, gate, tmp_path):
    page = open_page(f"{restarted.start(home)}/#/compose", allow=NOISE)
    gate.open.clear()
    make_one(page)
    left = shutil.copytree(home, tmp_path / "left")  # what a process that is killed now leaves on the disk
    restarted.stop()
    gate.open.set()
    restarted.start(left)
    expect(page.locator(".served")).to_contain_text("Made:")
    expect(page.locator(".tray-button")).to_be_hidden()
    assert restarted.service.store.tracks.count() == 25


def test_a_job_that_a_new_service_does_not_know_has_ended(restarted, home, open_page, gate, tmp_path):
    before = shutil.copytree(home, tmp_path / "before")
    page = open_page(f"{restarted.start(home)}/#/compose", allow=NOISE)
    gate.open.clear()
    make_one(page)
    restarted.stop()
    expect(page.locator(".outcome .job")).to_contain_text("Waiting for the catalog to answer")
    restarted.start(before)
    expect(page.locator(".outcome .job")).to_contain_text("The catalog no longer knows of this")
    expect(page.locator(".outcome .job").get_by_role("button", name="Cancel")).to_be_hidden()
    expect(page.locator(".tray-button")).to_be_hidden()


def test_a_job_that_an_orderly_stop_cancelled_is_told_of(restarted, home, open_page, gate):
    page = open_page(f"{restarted.start(home)}/#/compose", allow=NOISE)
    gate.open.clear()
    make_one(page)
    restarted.stop()
    restarted.start(home)
    expect(page.locator(".outcome .job")).to_contain_text("Cancelled")
    expect(page.locator(".toast")).to_contain_text("Cancelled before it was ready: A clockmaker")
    expect(page.locator(".tray-button")).to_be_hidden()

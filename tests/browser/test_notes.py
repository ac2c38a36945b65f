"""What lies over the page: notes say only what is not in sight, and no bar hides a row for good."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

MAKING_MS = 120_000  # up to three tracks, one after the other, on a machine that may be busy
CLOCKS = "A clockmaker repairs a tiny music box for his granddaughter."


def ask(page, button):
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Quality").select_option("preview")
    page.get_by_label("Length, seconds").fill("2")
    page.get_by_label("Context").fill(CLOCKS)
    page.get_by_role("button", name=button).click()


def test_a_note_tells_of_a_new_track_only_where_it_is_not_in_sight(own_site, open_page, gate):
    address, _ = own_site
    page = open_page(f"{address}/#/compose")
    ask(page, "Always make new")
    expect(page.locator(".served")).to_contain_text("Made:", timeout=MAKING_MS)
    expect(page.locator(".toast")).to_have_count(0)
    gate.open.clear()
    page.get_by_role("button", name="Always make new").click()
    expect(page.locator(".outcome .job")).to_be_visible()
    page.get_by_role("link", name="History", exact=True).click()
    gate.open.set()
    expect(page.locator(".toast")).to_contain_text("Ready: A clockmaker", timeout=MAKING_MS)


def test_takes_are_told_by_what_differs_and_not_by_notes(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/compose", width=360, height=740)
    ask(page, "Make 3 takes")
    expect(page.get_by_role("button", name="Keep C", exact=True)).to_be_visible(timeout=MAKING_MS)
    expect(page.locator(".toast")).to_have_count(0)
    takes = page.locator(".compare-track")
    for take, track in zip(
        takes.all(),
        sorted(service.store.tracks.list(limit=3), key=lambda one: one.created_at),
        strict=True,
    ):
        expect(take).to_contain_text(str(track.seed))
        expect(take.get_by_text("Made for", exact=True)).to_have_count(0)
    first, last = takes.first.bounding_box(), takes.last.bounding_box()
    assert last["y"] + last["height"] - first["y"] < 740 - 100  # all three are in sight at once


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740)])
def test_the_bar_of_a_selection_hides_no_row_for_good(site, open_page, width, height):
    page = open_page(site, width=width, height=height)
    rows = page.locator(".row:not(.is-waiting)")
    expect(rows.first).to_be_visible()
    page.keyboard.press("Control+a")
    bar = page.get_by_role("toolbar", name="Selected tracks")
    expect(bar).to_be_visible()
    page.locator(".rows").evaluate("(rows) => rows.scrollTo(0, rows.scrollHeight)")
    page.wait_for_function(
        "() => Math.max(...[...document.querySelectorAll('.row')].map((row) => row.getBoundingClientRect().bottom))"
        " <= document.querySelector('.bulk').getBoundingClientRect().top"
    )

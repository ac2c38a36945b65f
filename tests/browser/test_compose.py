"""Compose: what it says before and after a click, what it keeps, and where things are on the screen."""

from __future__ import annotations

import threading

import pytest

from music_catalog.service import making

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

ALL = 24
CLOCKS = "A clockmaker repairs a tiny music box for his granddaughter."


def compose(page, *, text=CLOCKS, length_s="2"):
    form = page.locator(".compose")
    form.get_by_text("Options", exact=True).click()
    form.get_by_label("Quality").select_option("preview")
    form.get_by_label("Length, seconds").fill(length_s)
    form.get_by_label("Context").fill(text)


def test_the_panel_says_what_will_happen_and_follows_what_was_made(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    verdict = page.locator(".verdict")
    compose(page)
    expect(verdict).to_contain_text("Will make a new track")
    assert service.store.tracks.count() == ALL
    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".served")).to_contain_text("Made:")
    expect(verdict).to_contain_text("Will reuse this track")
    expect(verdict.locator(".verdict-track")).to_contain_text("clockmaker")
    # A track that goes to the trash elsewhere on the page cannot be reused any more.
    page.get_by_role("link", name="Tracks", exact=True).click()
    row = page.locator(".row", has_text="clockmaker")
    row.get_by_role("checkbox").check()
    page.get_by_role("toolbar", name="Selected tracks").get_by_role("button", name="Trash").click()
    page.get_by_role("link", name="Compose", exact=True).click()
    expect(verdict).to_contain_text("Will make a new track")


def test_what_was_written_and_chosen_survives_loading_the_page_again(open_page, site):
    page = open_page(f"{site}/#/compose?text=The+harbour+at+noon.")
    expect(page.get_by_label("Context")).to_have_value("The harbour at noon.")
    compose(page)
    page.get_by_label("Role").select_option("background_bed")
    page.get_by_label("Moods").fill("calm")
    page.get_by_label("Moods").blur()
    page.reload()
    expect(page.get_by_label("Context")).to_have_value(CLOCKS)
    expect(page.get_by_label("Quality")).to_have_value("preview")
    expect(page.get_by_label("Role")).to_have_value("background_bed")
    expect(page.get_by_label("Moods")).to_have_value("calm")
    expect(page.locator(".reading").get_by_text("Nearest tracks")).to_be_visible()
    # Another text that comes with an address is taken over.
    page.goto(f"{site}/#/compose?text=The+harbour+at+night.")
    expect(page.get_by_label("Context")).to_have_value("The harbour at night.")


def test_the_progress_is_in_sight_with_the_options_open(own_site, open_page, gate):
    address, _ = own_site
    page = open_page(f"{address}/#/tracks", width=1440, height=900)
    page.locator(".row:not(.is-waiting)").first.get_by_role("button", name="Play").click()
    expect(page.locator("#player")).to_be_visible()
    page.get_by_role("link", name="Compose", exact=True).click()
    compose(page)
    gate.open.clear()
    page.get_by_role("button", name="Find or make").click()
    job = page.locator(".outcome .job")
    expect(job).to_contain_text("Making, 50 %")
    box, player = job.bounding_box(), page.locator("#player").bounding_box()
    assert box["y"] + box["height"] <= player["y"]
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelled")


def test_cancelling_works_up_to_the_storing(own_site, open_page, monkeypatch):
    address, service = own_site
    shape, held = making.shape, threading.Event()

    def held_shape(raw, config):
        assert held.wait(20)
        return shape(raw, config)

    monkeypatch.setattr(making, "shape", held_shape)
    page = open_page(f"{address}/#/compose")
    compose(page)
    page.get_by_role("button", name="Find or make").click()
    job = page.locator(".outcome .job")
    expect(job).to_contain_text("Finishing")
    assert job.locator("progress").get_attribute("value") is None
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelling")
    held.set()
    expect(job).to_contain_text("Cancelled")
    expect(page.locator(".toast")).to_have_count(0)
    assert service.store.tracks.count() == ALL


def test_a_catalog_of_previews_offers_its_nearest_track_for_a_default_request(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    page.get_by_label("Context").fill("Snow falls on the sleeping village and a lantern burns low.")
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("Will make a new track")
    expect(verdict).to_contain_text("The nearest track does not meet the requirements")
    expect(verdict).to_contain_text("Quality: preview, standard needed")
    verdict.get_by_role("button", name="Use this one").click()
    expect(page.locator(".served")).to_contain_text("Chosen: Snow falls")
    expect(verdict).to_contain_text("Will reuse this track")
    (judgement,) = service.store.judgements.list()
    assert (judgement.verdict, judgement.rating) == ("rated", 4)
    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".served")).to_contain_text("Reused: Snow falls")
    assert service.store.tracks.count() == ALL


def test_why_not_this_one_and_either_answer_from_any_track(own_site, open_page, axe):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    compose(page, text="The heroes storm the gate at dawn.", length_s="3.9")
    other = page.locator(".card", has=page.get_by_role("heading", name="Another track in mind?"))
    other.get_by_label("Search for another track").fill("tavern laughter merry")
    tavern = other.locator(".candidate").first
    expect(tavern).to_contain_text("The tavern fills with laughter")
    tavern.get_by_role("button", name="Why not this one?").click()
    expect(tavern.locator(".reasons li").first).to_contain_text("alike in meaning")
    assert axe(page) == []
    tavern.get_by_role("button", name="It doesn't fit").click()
    expect(page.locator(".toast")).to_contain_text("Won't be used for requests like this")
    assert [one.verdict for one in service.store.judgements.list()] == ["rejected"]
    page.locator(".toast").get_by_role("button", name="Undo").click()
    first = page.locator(".candidates").first.locator(".candidate").first
    first.get_by_role("button", name="Use this anyway").click()
    expect(page.locator(".served")).to_contain_text("Chosen:")
    assert [one.verdict for one in service.store.judgements.list()] == ["rated", "allowed", "rejected"]


def test_history_composes_with_the_original_text_and_choices(own_site, open_page):
    address, service = own_site
    whole = f"{CLOCKS} {'It plays a waltz that nobody remembers, and snow covers the square outside. ' * 4}".strip()
    made = service.generate(
        whole, quality="preview", duration_s=2.0, backend="procedural", preset="jazz_lounge"
    )
    assert made.track.summary != whole
    served = service.find_or_make(
        "Someone hums on the stairs.", reuse="always", quality="preview", duration_s=2
    )
    page = open_page(f"{address}/#/history")
    lines = page.locator(".history-line")
    expect(lines.nth(0)).to_contain_text(f"Served: {served.track.summary}")
    lines.nth(1).get_by_role("link", name="Compose again").click()
    form = page.locator(".compose")
    expect(form.get_by_label("Context")).to_have_value(whole)
    expect(form.get_by_label("Length, seconds")).to_have_value("2")
    expect(form.get_by_label("Quality")).to_have_value("preview")
    expect(form.get_by_label("Style")).to_have_value("jazz_lounge")
    # What is kept by the address does not come back over what is written later.
    form.get_by_label("Context").fill(CLOCKS)
    page.reload()
    expect(form.get_by_label("Context")).to_have_value(CLOCKS)

"""Titles of tracks, several takes of one request, and two tracks side by side."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_a_track_is_renamed_in_its_details_found_by_that_and_renamed_back(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    page = open_page(f"{address}/#/tracks?track={track.id}")
    heading = page.locator("#detail-title")
    expect(heading).to_have_text(track.summary)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("Zephyr overture")
    page.get_by_label("Title", exact=True).press("Escape")
    expect(heading).to_have_text(track.summary)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("Zephyr overture")
    page.get_by_label("Title", exact=True).press("Enter")
    expect(heading).to_have_text("Zephyr overture")
    expect(page.locator(".row", has_text="Zephyr overture")).to_be_visible()
    assert service.get(track.id).title == "Zephyr overture"
    page.locator(".toast", has_text="renamed").get_by_role("button", name="Undo").click()
    expect(heading).to_have_text(track.summary)
    assert service.get(track.id).title == ""

"""The list of tracks in a real browser: what keys act on, what is exported and selected, what a search leaves."""

from __future__ import annotations

import re

import pytest

from music_catalog.models import Filter

pytest.importorskip("uvicorn", reason="the page needs the extra serve: pip install 'music-catalog[serve]'")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

ALL = 24


def rows(page):
    return page.locator(".row:not(.is-waiting)")


def open_id(page):
    return re.search(r"track=([a-z0-9-]+)", page.url)[1]


def rated(service):
    return {track.id: track.rating for track in service.store.tracks.list() if track.rating}


# Keys


def test_keys_act_on_the_open_track_and_say_on_which(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.locator(".row-title").click()
    first = open_id(page)
    page.locator(".mini a").first.click()
    expect(page.locator("#detail-title")).not_to_have_text(
        rows(page).first.locator(".row-title").text_content()
    )
    other = open_id(page)
    assert other != first
    name = page.locator("#detail-title").text_content()
    page.keyboard.press("5")
    expect(page.locator(".toast", has_text="rated 5 of 5")).to_contain_text(f"“{name}”")
    assert rated(service) == {other: 5}
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="as before")).to_be_visible()
    assert rated(service) == {}

    page.keyboard.press("Delete")
    expect(page.locator(".toast", has_text="moved to the trash")).to_contain_text(f"“{name}”")
    assert [track.id for track in service.store.tracks.list(Filter(state="trashed"))] == [other]


def test_on_a_deep_link_keys_act_on_the_linked_track(own_site, open_page):
    address, service = own_site
    linked = service.store.tracks.list(order="created_at", limit=1)[0]
    page = open_page(f"{address}/#/tracks?track={linked.id}")
    expect(page.locator("#detail-title")).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.locator("#count")).to_have_text(f"{ALL - 1} tracks")
    assert [track.id for track in service.store.tracks.list(Filter(state="trashed"))] == [linked.id]


def test_keys_act_on_no_row_that_nobody_went_to(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.locator(".toast", has_text="Choose a track first")).to_be_visible()
    assert service.store.tracks.count() == ALL
    # The button of a row takes the keys to that row.
    rows(page).nth(3).get_by_role("button", name="Play").click()
    name = rows(page).nth(3).locator(".row-title").text_content()
    page.keyboard.press("4")
    expect(page.locator(".toast", has_text="rated 4 of 5")).to_contain_text(f"“{name}”")
    expect(rows(page).nth(3).locator(".row-rating")).to_have_text("★★★★☆")


def test_a_rating_can_be_cleared(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    detail.get_by_role("radio", name="2 of 5").check()
    detail.get_by_role("button", name="Clear rating").click()
    expect(detail.get_by_text("Not rated")).to_be_visible()
    assert rated(service) == {}
    page.keyboard.press("3")
    expect(detail.get_by_text("3 of 5", exact=True)).to_be_visible()
    page.keyboard.press("0")
    expect(detail.get_by_text("Not rated")).to_be_visible()
    assert rated(service) == {}

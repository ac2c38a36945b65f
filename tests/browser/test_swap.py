"""A track of a playlist is replaced by another take of it, in its place."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_a_take_comes_in_the_place_of_another(own_site, open_page, axe):
    address, service = own_site
    first, old, last = [track.id for track in service.store.tracks.list(limit=3)]
    new = service.again(old, variation=True).track.id
    own = service.collections.create("Podcast", [first, old, last])
    page = open_page(f"{address}/#/collection?id={own.id}&track={new}")

    def held():
        return [*service.collections.get(own.id).track_ids]

    page.get_by_role("button", name="Replace take 1 in “Podcast” by the open one").click()
    note = page.locator(".toast", has_text="“Podcast” has the other take now.")
    expect(note).to_be_visible()
    expect(page.locator(".collection .row").nth(1)).to_contain_text("variation")
    assert held() == [first, new, last]
    note.get_by_role("button", name="Undo").click()
    expect(page.locator(".collection .row").nth(1)).not_to_contain_text("variation")
    assert held() == [first, old, last]
    page.goto(f"{address}/#/collection?id={own.id}&track={old}")
    page.get_by_role("button", name="Use take 2 instead in “Podcast”").click()
    expect(page).to_have_url(f"{address}/#/collection?id={own.id}&track={new}")
    assert held() == [first, new, last]
    assert axe(page) == []
    page.goto(f"{address}/#/tracks?track={old}")
    expect(page.locator("#detail .mini", has_text="open here")).to_be_visible()
    expect(page.get_by_role("button", name="Replace take")).to_have_count(0)


def test_a_take_that_is_made_beside_an_open_track_is_offered_at_once(own_site, open_page):
    address, service = own_site
    first, old = [track.id for track in service.store.tracks.list(limit=2)]
    own = service.collections.create("Podcast", [first, old])
    page = open_page(f"{address}/#/collection?id={own.id}&track={old}")
    page.get_by_role("button", name="Make a variation").click()
    page.get_by_role("button", name="Use take 2 instead in “Podcast”").click(timeout=30_000)
    expect(page.locator(".toast", has_text="“Podcast” has the other take now.")).to_be_visible()
    assert service.collections.get(own.id).track_ids[0] == first
    assert service.collections.get(own.id).track_ids[1] != old

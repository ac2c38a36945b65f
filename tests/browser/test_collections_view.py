"""Collections in a real browser: playlists made by hand, their order, saved searches, downloads and links."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the page needs the extra serve: pip install 'music-catalog[serve]'")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def rows(page):
    return page.locator(".view:not([hidden]) .row:not(.is-waiting)")


def names(page):
    return rows(page).locator(".row-title").all_text_contents()


def ids(service, name):
    return [*service.collections.get(name).track_ids]


def playlist(service, name="Podcast", size=4):
    return service.collections.create(name, [track.id for track in service.store.tracks.list()[:size]])


def name_it(page, text):
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(text)
    dialog.locator("[type=submit]").click()


def test_tracks_are_added_from_a_row_the_selection_and_the_open_track(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).nth(2).hover()
    rows(page).nth(2).get_by_role("button", name="Add to a list").click()
    name_it(page, "Podcast")
    expect(page.locator(".collections a")).to_have_text("Podcast1")
    expect(page.locator(".toast").get_by_role("button", name="Open")).to_be_visible()
    for at in (0, 1):
        rows(page).nth(at).locator(".row-check").click()
    page.locator(".bulk").get_by_role("button", name="Add to playlist").click()
    page.get_by_role("dialog").get_by_role("button", name="Podcast").click()
    expect(page.locator(".toast", has_text="2 tracks added to “Podcast”")).to_be_visible()
    listed = [track.id for track in service.store.tracks.list(limit=4)]
    assert ids(service, "Podcast") == [listed[2], listed[0], listed[1]]
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".collections a")).to_have_text("Podcast1")
    rows(page).nth(3).locator(".row-title").click()
    page.locator("#detail-title").wait_for()
    page.keyboard.press("p")
    page.get_by_role("dialog").get_by_role("button", name="Podcast").click()
    expect(page.locator(".collections a")).to_have_text("Podcast2")
    assert ids(service, "Podcast") == [listed[2], listed[3]]


def test_a_playlist_is_ordered_by_drag_and_by_keyboard(own_site, open_page):
    address, service = own_site
    first, second, third, fourth = (own := playlist(service)).track_ids
    page = open_page(f"{address}/#/collection?id={own.id}")
    expect(rows(page)).to_have_count(4)
    shown = names(page)
    handle = rows(page).nth(3).locator(".row-handle")
    box, target = handle.bounding_box(), rows(page).nth(1).bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, target["y"] + 2, steps=4)
    page.mouse.up()
    expect(rows(page).nth(1).locator(".row-title")).to_have_text(shown[3])
    assert ids(service, own.id) == [first, fourth, second, third]
    rows(page).nth(0).locator(".row-handle").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # before the list is shown anew
    expect(page.locator("#announcer")).to_have_text("Moved to 3 of 4")
    assert ids(service, own.id) == [fourth, second, first, third]
    expect(rows(page).nth(2).locator(".row-handle")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#announcer")).to_have_text("Moved to 4 of 4")
    assert ids(service, own.id) == [fourth, second, third, first]


def test_it_plays_in_its_order_past_what_is_gone(own_site, open_page):
    address, service = own_site
    own = playlist(service)
    service.store.tracks.trash(own.track_ids[1])
    page = open_page(f"{address}/#/collection?id={own.id}")
    expect(rows(page).nth(1)).to_contain_text("In the trash")
    shown = names(page)
    page.get_by_role("button", name="Play all").click()
    expect(page.locator(".bar-title")).to_have_text(shown[0])
    page.keyboard.press("Shift+L")
    expect(page.locator(".bar-title")).to_have_text(shown[2])
    service.store.tracks.restore(own.track_ids[1])
    page.reload()
    expect(rows(page)).to_have_count(4)
    expect(page.get_by_text("In the trash")).to_have_count(0)


def test_it_is_renamed_thinned_and_deleted_with_undo(own_site, open_page):
    address, service = own_site
    own = playlist(service)
    page = open_page(f"{address}/#/collection?id={own.id}", allow=("422",))
    rows(page).nth(1).get_by_role("button", name=re.compile("^Take ")).click()
    expect(rows(page)).to_have_count(3)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(rows(page)).to_have_count(4)
    assert ids(service, own.id) == [*own.track_ids]
    service.collections.create("Taken")
    page.get_by_role("button", name="Rename").click()
    name_it(page, "taken")
    expect(page.locator("#name-problem")).to_contain_text("Choose another one")
    name_it(page, "Evening news")
    expect(page.get_by_role("heading", level=1, name="Evening news")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".collections a:visible")).to_have_text(["Taken0"])
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".collections a:visible")).to_have_text(["Evening news4", "Taken0"])


def test_a_saved_search_is_always_fresh_and_its_query_can_be_edited(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/tracks?mood=epic", allow=("422", "Failed to load"))
    page.get_by_role("button", name="Save this search").click()
    name_it(page, "Battles")
    page.locator(".collections a", has_text="Battles").click()
    expect(page.locator("#collection-count")).to_contain_text("4 tracks")
    expect(rows(page)).to_have_count(4)
    expect(page.locator(".row-handle:visible")).to_have_count(0)
    rows(page).first.locator(".row-title").click()
    page.locator("#detail-title").wait_for()
    page.keyboard.press("Delete")
    expect(page.locator("#collection-count")).to_contain_text("3 tracks")
    assert service.collections.get("Battles").query == "mood:epic"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Edit the search").click()
    name_it(page, "stile:x")
    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    name_it(page, "mood:happy")
    expect(page.locator("#collection-count")).to_contain_text("4 tracks")
    assert service.collections.get("Battles").query == "mood:happy"


def test_a_collection_and_a_selection_are_downloaded_as_they_are(own_site, open_page):
    address, service = own_site
    own = playlist(service)
    order = [own.track_ids[each] for each in (2, 0, 3, 1)]
    service.collections.replace(own.id, order)
    page = open_page(f"{address}/#/collection?id={own.id}")

    def download(of, name):
        of.locator(".download-menu summary").click()
        with page.expect_download() as event:
            of.get_by_role("link", name=name).click()
        return Path(event.value.path()).read_bytes()

    view = page.locator(".view.collection")
    assert re.findall(rb"tracks/([\w-]+)/audio", download(view, "Playlist")) == [
        each.encode() for each in order
    ]
    with zipfile.ZipFile(io.BytesIO(download(view, "Audio files"))) as archive:
        assert [name.split("-")[-1] for name in archive.namelist()[:4]] == [f"{each}.wav" for each in order]
        assert archive.testzip() is None
    page.goto(f"{address}/#/tracks")
    for at in (0, 2):
        rows(page).nth(at).locator(".row-check").click()
    assert download(page.locator(".bulk"), "Table").count(b"\n") == 3


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_keeps_people_from_using_it(own_site, open_page, axe, width):
    address, service = own_site
    own = playlist(service)
    service.store.tracks.trash(own.track_ids[1])
    page = open_page(f"{address}/#/collection?id={own.id}", width=width, allow=("404",))
    expect(rows(page)).to_have_count(4)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Rename").click()
    assert axe(page) == []
    page.goto(f"{address}/#/collection?id=0123456789ab")
    expect(page.get_by_role("heading", name="This collection is not there")).to_be_visible()

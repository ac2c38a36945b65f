"""The list of tracks in a real browser: what keys act on, what is exported and selected, what a search leaves."""

from __future__ import annotations

import itertools
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


# Exports


def exported(page, name):
    page.get_by_label("More", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    return waiting.value.path().read_text("utf-8")


def shown_ids(page):
    hrefs = page.locator(".row-title").evaluate_all("(links) => links.map((one) => one.getAttribute('href'))")
    return [re.search(r"track=([a-z0-9-]+)", href)[1] for href in hrefs]


@pytest.mark.parametrize("place", ["q=snow+lantern", "q=snow+lantern&by=words", "sort=created_at&mood=scary"])
def test_an_export_is_the_list_that_is_shown(open_page, site, place):
    page = open_page(f"{site}/#/tracks?{place}", height=2400)
    expect(rows(page)).to_have_count(4)
    playlist = exported(page, "Playlist of this list")
    assert re.findall(r"tracks/([a-z0-9-]+)/audio", playlist) == shown_ids(page)


def test_an_export_of_the_trash_has_what_is_in_the_trash(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/tracks?trashed=1")
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    assert exported(page, "Playlist of this list").strip() == "#EXTM3U"
    gone = service.store.tracks.list(limit=1)[0]
    service.store.tracks.trash(gone.id)
    page.reload()
    expect(rows(page)).to_have_count(1)
    assert gone.id in exported(page, "Everything in this list")


# What a search leaves


def test_words_that_match_nothing_say_so(open_page, site):
    page = open_page(site)
    search = page.get_by_label("Search tracks")
    search.fill("xyzzyqq plugh")
    expect(page.get_by_role("heading", name="Nothing matches “xyzzyqq plugh”")).to_be_visible()
    expect(page.locator("#count")).to_have_text("0 tracks")
    search.fill("snow lantern")
    expect(page.locator("#count")).to_have_text("4 tracks")
    expect(rows(page).first.locator(".row-score")).to_have_text(re.compile("(Strong|Good) match"))


def test_a_slip_is_answered_with_what_may_have_been_meant(open_page, site):
    page = open_page(site)
    search = page.get_by_label("Search tracks")
    search.fill("clam")
    expect(page.locator(".search-meant")).to_contain_text("No track mentions “clam”. Did you mean calm?")
    page.get_by_role("button", name="calm", exact=True).click()
    expect(search).to_have_value("calm")
    expect(page.locator("#count")).to_have_text("12 tracks")
    expect(page.locator(".search-meant")).to_be_hidden()
    search.fill("mood:clam")
    page.get_by_role("button", name="mood:calm", exact=True).click()
    expect(page.locator("#count")).to_have_text("12 tracks")


# Tags


def test_a_tag_is_a_facet_and_can_be_clicked(own_site, open_page):
    address, service = own_site
    one, two = service.store.tracks.list(limit=2)
    service.store.tracks.update(one.id, tags=("episode one",))
    service.store.tracks.update(two.id, tags=("episode one", "opening"))
    page = open_page(address)
    facet = page.locator(".facet-value[data-facet=tag][data-value='episode one']")
    expect(facet.locator(".facet-count")).to_have_text("2")
    facet.click()
    expect(page.locator("#count")).to_have_text("2 tracks")
    rows(page).nth(1).get_by_role("button", name="#opening").click()
    expect(page.locator("#count")).to_have_text("1 track")
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    rows(page).nth(1).locator(".row-title").click()
    page.locator("#detail").get_by_role("button", name="#opening").click()
    expect(page.locator("#count")).to_have_text("1 track")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").get_by_text("tag:favourite")).to_be_visible()


# The selection


def tools(page):
    return page.get_by_role("toolbar", name="Selected tracks")


def test_a_range_takes_rows_that_were_never_loaded(open_page, many):
    page = open_page(many)
    rows(page).first.get_by_role("checkbox").check()
    page.locator(".rows").evaluate("(list) => list.scrollTo(0, 5000 * 64)")
    row = page.locator(".row[data-index='5000']")
    expect(row).not_to_have_class(re.compile("is-waiting"))
    row.get_by_role("checkbox").click(modifiers=["Shift"])
    expect(tools(page)).to_contain_text("5,001 selected")
    page.keyboard.press("Escape")
    expect(tools(page)).to_be_hidden()


def test_the_whole_list_by_keyboard_and_back(open_page, site):
    page = open_page(f"{site}/#/tracks?mood=calm")
    expect(page.locator("#count")).to_have_text("12 tracks")
    page.locator("main").focus()
    page.keyboard.press("Control+a")
    expect(tools(page)).to_contain_text("12 selected")
    assert rows(page).locator("input:checked").count() == rows(page).count()
    page.keyboard.press("Escape")
    expect(tools(page)).to_be_hidden()


def test_a_selection_outlives_a_search_and_is_changed_with_undo(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.get_by_role("checkbox").check()
    page.get_by_label("Search tracks").fill("waves beach")
    expect(rows(page).first.locator(".row-title")).to_contain_text("Waves")
    page.locator(".facet-value[data-facet=environment][data-value=ocean]").click()
    expect(page.locator("#count")).to_have_text("4 tracks")
    rows(page).first.get_by_role("checkbox").check()
    expect(tools(page)).to_contain_text("2 selected")

    tools(page).get_by_label("Rate the selected tracks").select_option("4")
    note = page.locator(".toast", has_text="2 tracks rated 4 of 5")
    expect(note).to_be_visible()
    assert list(rated(service).values()) == [4, 4]
    note.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="2 tracks as before")).to_be_visible()
    assert rated(service) == {}
    tag = tools(page).get_by_label("Add a tag")
    tag.fill("keep")
    tag.press("Enter")
    note = page.locator(".toast", has_text="2 tracks tagged #keep")
    expect(note).to_be_visible()
    assert len([track for track in service.store.tracks.list() if track.tags]) == 2
    note.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="2 tracks as before")).to_be_visible()
    assert [track for track in service.store.tracks.list() if track.tags] == []


# The address


def test_going_back_empties_a_search_field_that_has_the_cursor(open_page, site):
    page = open_page(f"{site}/#/history")
    expect(page.locator(".history-line").first).to_be_visible()
    page.get_by_role("link", name="Tracks", exact=True).click()
    page.locator(".facet-value[data-facet=mood][data-value=calm]").click()
    expect(page.locator("#count")).to_have_text("12 tracks")
    search = page.get_by_label("Search tracks")
    search.fill("snow lantern")
    expect(page.locator("#count")).to_have_text("4 tracks")
    page.go_back()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    expect(search).to_have_value("")


# Phones and tablets


def test_a_phone_has_the_whole_player_and_a_selection(open_page, site):
    page = open_page(site, width=360, height=740, has_touch=True, is_mobile=True)
    second = rows(page).nth(1).locator(".row-title").text_content()
    rows(page).first.get_by_role("button", name="Play").tap()
    player = page.get_by_role("region", name="Player")
    player.get_by_role("button", name="Repeat").tap()
    player.get_by_role("button", name="Next track").tap()
    expect(player.locator(".bar-title")).to_have_text(second)
    player.get_by_role("button", name="Previous track").tap()
    page.get_by_label("More", exact=True).tap()
    page.get_by_role("button", name="Select tracks").tap()
    rows(page).first.get_by_role("checkbox").tap()
    rows(page).nth(1).get_by_role("checkbox").tap()
    expect(tools(page)).to_contain_text("2 selected")
    page.goto(f"{site}/#/map")
    expect(page.locator(".legend-value").first).to_be_visible()
    expect(page.get_by_text("Listen on hover")).to_be_hidden()
    expect(page.get_by_text("With the keyboard")).to_be_hidden()


def test_a_click_beside_the_filters_closes_them_and_opens_nothing(open_page, site):
    page = open_page(site, width=768, height=900)
    expect(rows(page).first).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    expect(page.locator(".side-head")).to_contain_text(f"{ALL} tracks")
    page.mouse.click(700, 500)
    expect(page.locator(".side")).to_be_hidden()
    assert "track=" not in page.url
    expect(page.locator("#detail")).to_be_hidden()


# Polish


def test_waveforms_of_all_rows_are_as_wide(own_site, open_page):
    address, service = own_site
    service.store.tracks.update(service.store.tracks.list(limit=1)[0].id, rating=4)
    page = open_page(address)
    expect(rows(page).first.locator(".row-rating")).to_have_text("★★★★☆")
    widths = "(all) => [...new Set(all.map((one) => Math.round(one.getBoundingClientRect().width)))].length"
    assert page.locator(".row .wave").evaluate_all(widths) == 1


def test_the_first_list_on_its_way_is_no_blank_page(open_page, site):
    page = open_page("about:blank")
    held = []
    page.route("**/api/tracks?*", lambda route: held.append(route))
    page.goto(site)
    expect(page.locator(".tracks")).to_have_attribute("aria-busy", "true")
    drawn = "getComputedStyle(document.querySelector('.rows-list')).backgroundImage"
    assert "gradient" in page.evaluate(drawn)
    held[0].continue_()
    expect(rows(page).first).to_be_visible()
    assert page.evaluate(drawn) == "none"


def test_titles_from_right_to_left_keep_their_beginning(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    hebrew = "\u05d2\u05dc\u05d9\u05dd \u05de\u05ea\u05e0\u05e4\u05e6\u05d9\u05dd \u05e2\u05dc \u05d4\u05d7\u05d5\u05e3"
    service.store.tracks.update(track.id, tags=("x" * 60,))
    page = open_page(address)
    page.route(
        "**/api/tracks?*",
        lambda route: route.fulfill(
            response=(answer := route.fetch()), body=answer.text().replace(track.summary, hebrew)
        ),
    )
    page.reload()
    title = rows(page).first.locator(".row-title")
    expect(title).to_have_text(hebrew)
    assert title.evaluate("(one) => one.matches(':dir(rtl)')")

    # A long tag keeps its button within the details.
    title.click()
    close = page.locator("#detail").get_by_role("button", name="Remove the tag")
    box, panel = close.bounding_box(), page.locator("#detail").bounding_box()
    assert box["x"] + box["width"] <= panel["x"] + panel["width"]


def test_an_impossible_rating_in_the_address_is_told(open_page, site):
    page = open_page(f"{site}/#/tracks?rating=99", allow=("422",))
    expect(page.get_by_role("alert").filter(has_text="rating")).to_be_visible()


def test_headings_of_the_list_skip_no_level(open_page, site):
    page = open_page(site)
    expect(page.get_by_role("heading", name="Mood")).to_be_visible()
    levels = (
        page.locator("main").get_by_role("heading").evaluate_all("(all) => all.map((one) => +one.tagName[1])")
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_search_is_among_the_first_stops_of_the_keyboard(open_page, site):
    page = open_page(site)
    expect(rows(page).first).to_be_visible()
    stops = []
    while len(stops) < 12 and "search" not in stops:
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id"))
    assert stops[-1] == "search"


# The history


def test_a_search_of_the_history_narrows(open_page, site):
    page = open_page(f"{site}/#/history")
    lines = page.locator(".history-line")
    expect(lines).to_have_count(ALL)
    search = page.get_by_label("Search the history")
    search.fill("xyzzyqq plugh")
    expect(page.get_by_text("No request matches.")).to_be_visible()
    search.fill("tavern merry song")
    expect(lines).to_have_count(4)
    expect(page.locator(".history-view .count")).to_have_text("4 requests")


def test_the_history_does_not_end_at_two_hundred(own_site, open_page):
    address, service = own_site
    for number in range(ALL, 205):
        service.find(f"Nobody has asked for number {number}.", duration_s=30.0)
    page = open_page(f"{address}/#/history?looks=1")
    lines = page.locator(".history-line")
    expect(page.locator(".history-view .count")).to_have_text("The last 200 requests")
    page.get_by_role("button", name="Show 200 more").click()
    expect(lines).to_have_count(205)
    expect(page.get_by_role("button", name="Show 200 more")).to_be_hidden()


def test_a_selection_is_changed_in_one_write(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    page.locator("main").focus()
    page.keyboard.press("Control+a")
    expect(tools(page)).to_contain_text(f"{ALL} selected")
    before = service.store.tracks.version()
    tools(page).get_by_label("Rate the selected tracks").select_option("5")
    expect(page.locator(".toast", has_text=f"{ALL} tracks rated 5 of 5")).to_be_visible()
    assert service.store.tracks.version() == before + 1
    assert set(rated(service).values()) == {5}
    expect(rows(page).first.locator(".row-rating")).to_have_text("★★★★★")
    page.keyboard.press("Delete")
    note = page.locator(".toast", has_text=f"{ALL} tracks moved to the trash")
    note.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text=f"{ALL} tracks back in the catalog")).to_be_visible()
    assert service.store.tracks.version() == before + 3
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")

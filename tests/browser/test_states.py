"""What stands where nothing is, where something fails, and in a view that is opened for the first time."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_without_stories_nothing_stands_in_their_place(open_page, site):
    page = open_page(f"{site}/#/story")
    page.wait_for_load_state("networkidle")
    assert page.locator("section[aria-label='Earlier stories']").text_content() == ""


def test_what_fails_in_several_places_is_told_once(open_page, site):
    page = open_page(site, allow=("500",))
    page.route(
        "**/api/**", lambda route: route.fulfill(status=500, json={"detail": "The catalog is being moved."})
    )
    page.reload()
    expect(page.get_by_role("heading", name="This could not be loaded")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".toast", has_text="The catalog is being moved.")).to_have_count(1)


@pytest.mark.parametrize("view", ["scene", "story"])
def test_the_button_of_a_file_looks_like_the_others(open_page, site, view):
    page = open_page(f"{site}/#/{view}")
    page.locator("input[type=file]").first.wait_for()
    look = """(part) => getComputedStyle(document.querySelector('input[type=file]'), part).borderRadius"""
    assert page.evaluate(look, "::file-selector-button") == page.evaluate(
        "getComputedStyle(document.querySelector('main .button')).borderRadius"
    )


@pytest.mark.parametrize("width", [1440, 768, 360])
def test_how_well_a_track_matches_stands_on_one_line_beside_its_words(open_page, site, width):
    page = open_page(f"{site}/#/tracks?q=waves%20roll%20onto%20an%20empty%20beach", width=width)
    match = page.locator(".row-score", has_text="Strong match").first
    expect(match).to_be_visible()
    box = match.bounding_box()
    assert box["height"] < 28
    over = """(all) => all.filter((one) => {
        const sub = one.querySelector('.row-sub');
        const end = sub.getBoundingClientRect().right - parseFloat(getComputedStyle(sub).paddingRight);
        return one.querySelector('.row-score').getBoundingClientRect().left < end - 1;
    }).length"""
    assert page.locator(".row:not(.is-waiting)").evaluate_all(over) == 0

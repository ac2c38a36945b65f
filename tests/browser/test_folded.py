"""Takes stand under the first of them in the list; a click or T opens and closes them in their place."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


@pytest.fixture
def with_takes(own_site):
    """Return the address, the service, the oldest track and its two variations."""
    address, service = own_site
    first = service.store.tracks.list(limit=1, order="created_at")[0]
    takes = [service.again(first.id, variation=True).track for _ in range(2)]
    return address, service, first, takes


def shown(page):
    """Return the ids of the rows in sight and beyond, in their order."""
    links = page.locator(".tracks .row .row-title")
    return [link.get_attribute("href").partition("track=")[2] for link in links.all()]


def test_takes_are_folded_under_their_first_and_open_by_click_and_key(with_takes, open_page, axe):
    address, _, first, takes = with_takes
    page = open_page(f"{address}/#/tracks?sort=created_at", height=2600)
    count = page.get_by_role("button", name=f"3 takes of {first.summary}")
    expect(count).to_be_visible()
    assert shown(page)[0] == first.id
    assert not {take.id for take in takes} & {*shown(page)}
    expect(page.locator(".count").first).to_contain_text("26 tracks")
    count.click()
    expect(count).to_have_attribute("aria-expanded", "true")
    assert shown(page)[:3] == [first.id, *(take.id for take in takes)]
    assert axe(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}/#/tracks?sort=created_at&track={takes[0].id}")
    page.keyboard.press("Escape")
    page.locator(".row").nth(1).locator(".row-title").focus()
    page.keyboard.press("t")
    expect(count).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".row").nth(0).locator(".row-title")).to_be_focused()
    page.keyboard.press("t")
    expect(count).to_have_attribute("aria-expanded", "true")
    page.set_viewport_size({"width": 360, "height": 740})
    expect(count).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_sorting_searching_and_selecting_keep_working_with_takes(with_takes, open_page):
    address, service, first, takes = with_takes
    page = open_page(f"{address}/#/tracks", height=2600)
    count = page.get_by_role("button", name=f"3 takes of {first.summary}")
    count.click()
    order = shown(page)
    assert len(order) == 26
    assert order[-2:] == [take.id for take in takes]
    page.get_by_label("Sort").select_option("created_at")
    expect(page.locator(".row").nth(1)).to_have_class("row is-take")
    assert shown(page)[:3] == [first.id, *(take.id for take in takes)]
    rows = page.locator(".row")
    rows.nth(1).locator("input").click()
    expect(page.get_by_role("toolbar", name="Selected tracks")).to_contain_text("1 selected")
    rows.nth(3).locator("input").click(modifiers=["Shift"])
    expect(page.get_by_role("toolbar", name="Selected tracks")).to_contain_text("3 selected")
    page.get_by_role("button", name="Clear", exact=True).click()
    count.click()
    rows.nth(0).locator("input").click()
    rows.nth(1).locator("input").click(modifiers=["Shift"])
    expect(page.get_by_role("toolbar", name="Selected tracks")).to_contain_text("4 selected")
    page.keyboard.press("Escape")
    page.locator("h1").first.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Control+a")
    expect(page.get_by_role("toolbar", name="Selected tracks")).to_contain_text("26 selected")
    page.get_by_role("toolbar", name="Selected tracks").get_by_role("button", name="Clear").click()
    count.click()
    page.locator(".row").nth(1).locator(".row-title").focus()
    page.keyboard.press("4")
    expect(page.locator(".row").nth(1).get_by_label("rated 4 of 5")).to_be_visible()
    assert service.get(takes[0].id).rating == 4
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name=f"2 takes of {first.summary}")).to_have_attribute(
        "aria-expanded", "true"
    )
    assert service.get(takes[0].id).state == "trashed"

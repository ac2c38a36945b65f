"""The facets beside the list of tracks."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_choosing_a_style_keeps_the_others_in_sight_with_their_counts(site, open_page):
    page = open_page(site)
    styles = page.locator(".facet-value[data-facet=style]")
    expect(styles.first).to_be_visible()
    before = styles.all_text_contents()
    assert len(before) > 1
    first, second = (styles.nth(at).locator(".facet-count").text_content() for at in (0, 1))
    styles.nth(0).click()
    expect(page.locator("#count")).to_have_text(f"{first} tracks")
    assert styles.all_text_contents() == before
    styles.nth(1).click()
    expect(page.locator("#count")).to_have_text(f"{int(first) + int(second)} tracks")


def test_the_others_stay_in_sight_in_a_search_too(site, open_page):
    page = open_page(f"{site}/#/tracks?q=rain+library+waves+beach")
    styles = page.locator(".facet-value[data-facet=style]")
    expect(styles.first).to_be_visible()
    before = styles.all_text_contents()
    assert len(before) > 1
    styles.nth(1).click()
    expect(styles.nth(1)).to_have_attribute("aria-pressed", "true")
    assert styles.all_text_contents() == before

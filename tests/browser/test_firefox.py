"""The main flows of the page in a Firefox, most by the tests for Chromium. BROWSER=firefox runs any other there."""

from __future__ import annotations

import firefox
import pytest
from running import until
from test_collections_view import test_a_playlist_is_ordered_by_drag_and_by_keyboard  # noqa: F401
from test_page import (  # noqa: F401
    test_history_lists_the_requests,
    test_making_shows_progress_and_can_be_cancelled,
    test_playing_seeking_and_going_on_while_browsing,
    test_search_as_you_type_and_facets,
    test_the_map_opens_plays_and_filters_by_lasso,
)
from test_scene_view import give, recording
from test_story import test_a_story_is_given_made_heard_and_downloaded  # noqa: F401

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


@pytest.fixture(scope="module")
def browser():
    """A Firefox for the module."""
    with sync_api.sync_playwright() as playwright, firefox.running(playwright) as started:
        yield started


def test_what_is_chosen_for_a_context_is_used(open_page, site):
    page = open_page(f"{site}/#/compose")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Moods").press_sequentially("tense")
    page.keyboard.press("Tab")
    page.get_by_label("Context").fill("Waves roll onto an empty beach at dusk.")
    expect(page.locator(".understood figcaption")).to_contain_text("you said so")
    expect(page.locator(".reading").get_by_text("Nearest tracks")).to_be_visible()


def test_a_voice_is_mixed_over_a_track(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/scene?bed={service.store.tracks.list(limit=1)[0].id}")
    give(page, "my voice.wav", recording("WAV"))
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(page.get_by_role("heading", name="Your voice over")).to_be_visible(timeout=30_000)
    until(page, "document.querySelector('.scene audio').duration > 6.9")

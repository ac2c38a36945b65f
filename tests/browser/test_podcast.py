"""From ten tracks to a podcast: a playlist, a new take in the place of one, a voice over it, and the files."""

from __future__ import annotations

import zipfile

import pytest
from test_scene_view import MIXING_MS, give, recording

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_a_playlist_for_a_podcast_is_built_changed_put_under_a_voice_and_downloaded(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows = page.locator(".row:not(.is-waiting)")
    for place in range(10):
        rows.nth(place).get_by_role("checkbox").check()
    page.get_by_role("button", name="Add to playlist").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Podcast")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("heading", name="Podcast")).to_be_visible()
    (own,) = service.collections.list()
    before = [*own.track_ids]
    assert len(before) == 10

    page.locator(".collection .row-title").first.click()
    page.get_by_role("button", name="Make a variation").click()
    page.get_by_role("button", name="Use take 2 instead in “Podcast”").click(timeout=30_000)
    page.get_by_role("link", name="Put under a voice").click()
    give(page, "intro.wav", recording("WAV"))
    page.get_by_role("button", name="Mix", exact=True).click()
    link = page.get_by_role("link", name="Download the mix")
    expect(link).to_be_visible(timeout=MIXING_MS)
    with page.expect_download() as got:
        link.click()
    assert got.value.suggested_filename == "intro with music.wav"

    page.goto(f"{address}/#/collection?id={own.id}")
    page.locator(".collection").get_by_text("Download", exact=True).click()
    with page.expect_download() as got:
        page.locator(".collection").get_by_role("link", name="Audio files, .zip").click()
    held = service.collections.get(own.id).track_ids
    assert held[0] not in before
    assert [*held[1:]] == before[1:]
    assert sum(name.endswith(".wav") for name in zipfile.ZipFile(got.value.path()).namelist()) == 10

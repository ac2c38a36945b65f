"""The story view: a text is given, its music made with progress, heard part by part, downloaded, cancelled."""

from __future__ import annotations

import json

import pytest
import soundfile
from running import until
from test_scene_view import recording

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect
MAKING_MS = 120_000
STORY = """The forest lay calm at dawn, and birds sang softly.

A storm broke over the harbour; panic, thunder and furious waves.

At last the forest lay calm at dawn again, and birds sang softly."""


def begin(page, text=STORY):
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_text("Options", exact=True).click()
    page.locator(".story").get_by_label("Quality").select_option("preview")
    page.get_by_role("button", name="Make the music").click()


def test_a_story_is_given_made_heard_and_downloaded(own_site, open_page, axe, tmp_path):
    address, _ = own_site
    page = open_page(address)
    page.get_by_role("link", name="Story", exact=True).click()
    page.get_by_role("button", name="Make the music").click()
    expect(page.get_by_role("alert")).to_have_text("Give the text of a story first.")
    assert axe(page) == []
    begin(page)
    expect(page.get_by_text("3 parts")).to_be_visible()
    expect(page.get_by_role("heading", name="The forest lay calm")).to_be_visible(timeout=MAKING_MS)
    expect(page.locator(".story .job")).to_have_count(0)
    assert "?id=" in page.url
    scenes = page.locator(".story-scene")
    expect(scenes).to_have_count(3)
    expect(scenes.nth(2)).to_contain_text("as in scene 1")
    expect(scenes.nth(1).locator("li")).to_contain_text("A storm broke")
    expect(page.get_by_role("img", name="Mood and energy over")).to_be_visible()
    page.get_by_role("button", name="Play from").nth(1).click()
    until(page, "document.querySelector('.story audio').currentTime > 2")
    expect(page.locator("[data-now]")).to_contain_text("A storm broke")
    scenes.nth(0).get_by_role("button", name="Play").first.click()
    until(page, "document.querySelector('.story audio').paused")
    with page.expect_download() as got:
        page.get_by_role("link", name="Download the whole").click()
    assert got.value.suggested_filename == "story-mix.flac"
    got.value.save_as(tmp_path / "whole.flac")
    assert soundfile.info(tmp_path / "whole.flac").duration > 10
    assert axe(page) == []
    page.reload()
    expect(page.locator(".story-scene")).to_have_count(3)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("dispatchEvent(new Event('themetoggle'))")
    assert axe(page) == []


def test_a_story_that_is_being_made_is_found_again_and_cancelled(own_site, open_page, gate):
    address, _ = own_site
    gate.open.clear()
    page = open_page(f"{address}/#/story")
    begin(page, "A clockmaker repairs a tiny music box in a calm workshop, long ago.")
    expect(page.locator(".story .job-state")).to_contain_text("%")
    page.reload()
    expect(page.locator(".story .job-state")).to_contain_text("%")
    page.locator(".story .job").get_by_role("button", name="Cancel").click()
    expect(page.locator(".story .job-state")).to_have_text("Cancelled")
    gate.open.set()
    expect(page.locator(".story-scene")).to_have_count(0)


def test_a_file_of_parts_with_a_recording_gives_stems(own_site, open_page):
    address, _ = own_site
    page = open_page(f"{address}/#/story")
    lines = [json.dumps({"text": text, "environment": "forest"}) for text in STORY.split("\n\n")[::2]]
    give = page.get_by_label("Story file").set_input_files
    give({"name": "my story.jsonl", "mimeType": "text/plain", "buffer": "\n".join(lines).encode()})
    expect(page.get_by_text("2 parts")).to_be_visible()
    page.get_by_text("Voice", exact=True).click()
    page.get_by_label("Voice of part 2", exact=True).set_input_files(
        {"name": "voice.wav", "mimeType": "audio/wav", "buffer": recording("WAV")}
    )
    page.get_by_role("button", name="Make the music").click()
    expect(page.get_by_role("heading", name="my story")).to_be_visible(timeout=MAKING_MS)
    with page.expect_download() as got:
        page.get_by_role("link", name="Voice alone").click()
    assert got.value.suggested_filename == "story-voice.flac"
    expect(page.get_by_role("link", name="Music alone")).to_be_visible()
    give({"name": "wrong.jsonl", "mimeType": "text/plain", "buffer": b'{"no": "text"}'})
    expect(page.get_by_role("alert")).to_have_text(
        "Line 1 of “wrong.jsonl” is no part of a story. Each line needs a text."
    )

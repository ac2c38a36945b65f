"""The scene view: a voice is sent, music found or made for it, and the mix heard and downloaded."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from running import until

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect
RATE = 16_000
MIXING_MS = 60_000


def recording(form):
    """Return two seconds of noise with pauses, as the bytes of a file."""
    at = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(1).normal(0, 0.2, len(at)) * (at % 0.75 < 0.5)
    file = io.BytesIO()
    soundfile.write(file, np.clip(noise, -1, 1), RATE, format=form)
    return file.getvalue()


def give(page, name, content):
    page.get_by_label("Voice recording").set_input_files(
        {"name": name, "mimeType": "audio/wav", "buffer": content}
    )


def test_a_voice_is_mixed_over_a_track_heard_and_downloaded(own_site, open_page, axe, tmp_path):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    page = open_page(f"{address}/#/tracks?track={track.id}")
    page.get_by_role("link", name="Put under a voice").click()
    expect(page).to_have_url(f"{address}/#/scene?bed={track.id}")
    expect(page.locator(".served-title")).to_contain_text(track.summary)
    assert axe(page) == []
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Choose or record a voice first.")
    for name, form in (("my voice.wav", "WAV"), ("my voice.mp3", "MP3")):
        give(page, name, recording(form))
        page.get_by_role("button", name="Mix", exact=True).click()
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=MIXING_MS)
        expect(page.get_by_role("heading", name="Your voice over")).to_be_visible()
        until(page, "document.querySelector('.scene audio').duration > 6.9")
        with page.expect_download() as got:
            page.get_by_role("link", name="Download the mix").click()
        assert got.value.suggested_filename == "my voice with music.wav"
        got.value.save_as(tmp_path / "mix.wav")
        samples, rate = soundfile.read(tmp_path / "mix.wav", always_2d=True)
        assert len(samples) / rate == pytest.approx(7.0, abs=0.2)
        assert samples[: 2 * rate].any()
    page.locator(".scene audio").evaluate("(audio) => audio.play()")
    page.get_by_role("button", name=f"Play {track.summary}").click()
    until(page, "document.querySelector('.scene audio').paused")
    assert axe(page) == []


def test_a_file_that_is_no_recording_is_told_and_a_mix_is_cancelled(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    page = open_page(f"{address}/#/scene?bed={track.id}", allow=("422", "Failed to load"))
    expect(page.locator(".served-title")).to_be_visible()
    problem = page.get_by_role("alert")
    give(page, "notes.txt", b"no sound at all")
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(problem).to_contain_text("notes.txt” holds no sound that can be read here")
    give(page, "notes.wav", b"no sound at all")
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(problem).to_contain_text("the recording is no WAV, FLAC or OGG file")
    page.route("**/mix?*", lambda route: None)  # no answer
    give(page, "voice.wav", recording("WAV"))
    page.get_by_role("button", name="Mix", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Mix", exact=True)).to_be_enabled()
    expect(page.locator(".scene audio")).to_have_count(0)


def test_music_for_a_scene_is_made_and_chosen(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/scene", width=360, height=780)
    page.get_by_role("button", name="Find or make the music").click()
    expect(page.get_by_role("alert")).to_have_text("Describe the scene first.")
    page.get_by_label("Music", exact=True).fill("A clockmaker repairs a tiny music box in a calm workshop.")
    page.get_by_role("button", name="Find or make the music").click()
    expect(page.locator(".scene .served-title")).to_be_visible(timeout=MIXING_MS)
    newest = service.store.tracks.list(limit=1, order="-created_at")[0]
    assert newest.loopable
    expect(page).to_have_url(f"{address}/#/scene?bed={newest.id}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

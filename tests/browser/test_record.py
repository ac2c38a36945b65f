"""A voice is recorded in the page with a microphone that Chromium feigns; a refusal is one plain sentence."""

from __future__ import annotations

import io

import pytest
import soundfile
from conftest import NO_BROWSER, NO_PLAYWRIGHT
from running import chromium

sync_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
expect = sync_api.expect
MIXING_MS = 60_000
KEEP_SENT = """() => {
  const ask = fetch;
  window.fetch = (url, more) => (more?.body && (window.sent = more.body), ask(url, more));
}"""
FEIGNED = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def browser():
    """A browser with a feigned microphone, which beeps."""
    if chromium() is None:
        pytest.skip(NO_BROWSER)
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--mute-audio", *FEIGNED])
        yield started
        started.close()


def test_a_recorded_voice_is_mixed_and_can_be_heard_and_discarded_before(own_site, open_page, axe):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    page = open_page(f"{address}/#/scene?bed={track.id}")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("button", name="Stop, 0:02")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_label("Your recording")).to_be_visible()
    assert axe(page) == []
    page.evaluate(KEEP_SENT)
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(page.get_by_role("heading", name="Your voice over")).to_be_visible(timeout=MIXING_MS)
    sent = page.evaluate("async () => [...new Uint8Array(await window.sent.arrayBuffer())]")
    voice = soundfile.info(io.BytesIO(bytes(sent)))
    assert (voice.format, voice.channels) == ("WAV", 1)
    assert 1.5 < voice.duration < 6
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_label("Your recording")).to_have_count(0)
    page.get_by_role("button", name="Mix", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Choose or record a voice first.")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("NotAllowedError", "The microphone is not allowed here."),
        ("NotFoundError", "No microphone was found."),
        ("AbortError", "The microphone gives no sound."),
    ],
)
def test_a_microphone_that_is_refused_or_missing_is_told(own_site, open_page, error, says):
    page = open_page(f"{own_site[0]}/#/scene")
    page.evaluate(
        "(name) => (navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name); })",
        error,
    )
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(says)
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_enabled()

"""How a track sounds, in its details: beats and sections with the zoom of the waveform, the spectrogram, the words."""

from __future__ import annotations

import re

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

WORDS = {
    "beat": "120 bpm, 7 beats from 0:00 to 0:03",
    "key": "A minor",
    "sections": "A 0:00–0:02, B 0:02–0:03",
    "loudness": "quiet (−30.0 LUFS)",
    "sound": "dark (centre 640 Hz)",
    "suggests": "not known",
    "heard": "not heard",
}
FOUND = {
    "duration_s": 3.9,
    "tempo_bpm": 120.0,
    "beats": [0.25 + 0.5 * at for at in range(7)],
    "sections": [
        {"start_s": 0.0, "end_s": 2.0, "label": "A"},
        {"start_s": 2.0, "end_s": 3.9, "label": "B"},
    ],
    "words": WORDS,
}


def opened(open_page, address, found=None, **options):
    page = open_page("about:blank", **options) if found else open_page(address, **options)
    if found:
        page.route("**/structure", lambda route: route.fulfill(json=found))
        page.goto(address)
    page.locator(".row-title").first.click()
    expect(page.get_by_role("heading", name="How it sounds")).to_be_visible()
    return page, page.get_by_role("complementary", name="Track details")


def test_a_short_track_says_what_cannot_be_told(open_page, site):
    _, detail = opened(open_page, site)
    expect(detail.get_by_text("Too short to tell.").first).to_be_visible()
    expect(detail.get_by_text("Not heard.")).to_be_visible()
    expect(detail.locator(".bands")).to_be_hidden()
    expect(detail.locator(".ticks")).to_be_hidden()


def test_sections_play_and_follow_the_zoom(open_page, site):
    page, detail = opened(open_page, site, FOUND)
    expect(detail.get_by_text("120 bpm, 7 beats from 0:00 to 0:03.")).to_be_visible()
    first = detail.get_by_role("button", name="Play section A, 0:00 to 0:02")
    second = detail.get_by_role("button", name="Play section B, 0:02 to 0:03")
    wave, left = detail.locator(".wave").bounding_box(), first.bounding_box()
    assert left["x"] == pytest.approx(wave["x"], abs=2)
    assert left["width"] == pytest.approx(wave["width"] * 2 / 3.9, abs=2)
    path = detail.locator(".ticks path")
    assert path.get_attribute("d").count("M") == 7
    whole = detail.locator(".ticks").get_attribute("viewBox")
    detail.get_by_text("Loop or download a part").click()
    detail.get_by_role("button", name="Zoom in").click()
    expect(detail.locator(".ticks")).not_to_have_attribute("viewBox", whole)
    assert first.bounding_box()["width"] > left["width"] * 0.9
    detail.get_by_role("button", name="Zoom in").click()
    detail.get_by_role("button", name="Zoom in").click()
    detail.get_by_label("Scroll the waveform").fill("0.8")
    expect(first).to_be_hidden()
    second.click()
    at_s = "import('/static/lib/player/player.js').then(({ player }) => player.time_s)"
    assert page.evaluate(at_s) == pytest.approx(2.0, abs=1.0)


def test_the_spectrogram_is_a_switch_that_is_remembered(open_page, site):
    page, detail = opened(open_page, site, FOUND)
    picture = detail.locator(".spectrogram")
    expect(picture).to_be_hidden()
    detail.get_by_role("checkbox", name="Spectrogram").check()
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    expect(picture).to_have_js_property("naturalWidth", 1000)
    page.reload()
    expect(detail.get_by_role("checkbox", name="Spectrogram")).to_be_checked()
    expect(picture).to_be_visible()
    detail.get_by_role("checkbox", name="Spectrogram").uncheck()
    expect(picture).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_screen_and_reads_well(open_page, site, axe, scheme):
    page, detail = opened(open_page, site, FOUND, width=360, height=740, color_scheme=scheme)
    detail.get_by_role("checkbox", name="Spectrogram").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe(page) == []


def test_without_an_answer_the_rest_of_the_details_holds(open_page, site):
    page = open_page("about:blank", allow=("500",))
    page.route(
        "**/structure",
        lambda route: route.fulfill(status=500, json={"title": "Damage", "detail": "It is gone."}),
    )
    page.goto(site)
    page.locator(".row-title").first.click()
    detail = page.get_by_role("complementary", name="Track details")
    expect(detail.get_by_text("It is gone.")).to_be_visible()
    expect(detail.get_by_text(re.compile("^Prompt$"))).to_be_visible()


def test_the_map_places_tracks_by_sound(open_page, site, axe):
    page = open_page(f"{site}/#/map?lasso=-1,-1 1,-1 1,1")
    expect(page.locator(".legend-value").first).to_be_visible()
    page.get_by_role("group", name="Place by").get_by_role("button", name="Sound").click()
    expect(page.locator(".map-help")).to_contain_text("Near means alike in timbre, tempo and loudness.")
    expect(page).to_have_url(re.compile("near=sound"))
    assert "lasso" not in page.url
    assert axe(page) == []
    page.get_by_role("group", name="Place by").get_by_role("button", name="Text").click()
    expect(page.locator(".map-help")).to_contain_text("Near means alike in meaning.")

"""The map: many tracks, places and looks that stay, zoom, names, and what stands there when it is empty."""

from __future__ import annotations

import re
import statistics

import pytest
from fakes import WordHashEncoder
from measure import lassos
from running import serving

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

PLACES = "fetch('/api/map').then((a) => a.json()).then(({ points }) => points.map((p) => [p.id, p.x, p.y]))"
LOOKS = """[...document.querySelectorAll('.legend-value')].map((one) =>
    [one.dataset.value, one.querySelector('.swatch').dataset.look])"""


def opened(open_page, address, *, patience_ms=5_000):
    page = open_page(f"{address}/#/map")
    expect(page.locator(".legend-value").first).to_be_visible(timeout=patience_ms)
    return page


def draw_around_everything(page):
    box = page.locator(".map-canvas").bounding_box()
    left, top = box["x"] + 3, box["y"] + 3
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=12)
    page.mouse.up()


def test_a_lasso_around_ten_thousand_tracks_stays_short_in_the_address(open_page, many):
    page = opened(open_page, many, patience_ms=30_000)  # vectors of 10,000 tracks are read and placed
    draw_around_everything(page)
    expect(page.get_by_role("heading", name="10,000 tracks picked")).to_be_visible()
    assert len(page.url) < 2_000
    again = open_page(page.url)
    expect(again.get_by_role("heading", name="10,000 tracks picked")).to_be_visible()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing picked")).to_be_visible()


def test_the_frame_that_shows_a_pick_of_ten_thousand_is_worked_out_within_100_ms(open_page, many):
    page = opened(open_page, many, patience_ms=30_000)
    took = lassos(page, page.context.new_cdp_session(page), 3)
    assert statistics.median(work for _, work in took) < 100


def test_places_and_looks_stay_when_tracks_are_added(own_site, open_page):
    address, service = own_site
    page = opened(open_page, address)
    places = {one[0]: one[1:] for one in page.evaluate(PLACES)}
    looks = dict(page.evaluate(LOOKS))
    for number in range(10):
        service.generate(
            {
                "text": f"A brass band marches past number {number}.",
                "mood_tags": ["epic" if number % 2 else "tense"],
            },
            quality="preview",
            duration_s=1.0,
            backend="procedural",
        )
    page.reload()
    expect(page.locator(".legend-value[data-value=tense]")).to_be_visible()
    after = {one[0]: one[1:] for one in page.evaluate(PLACES)}
    assert {track: after[track] for track in places} == places
    assert len(after) == len(places) + 10
    now = dict(page.evaluate(LOOKS))
    assert {value: now[value] for value in looks} == looks
    assert len(set(now.values())) == len(now)


def tip(page):
    return page.locator(".map-tip").get_attribute("style")


def test_the_map_zooms_and_moves(open_page, site, axe):
    page = opened(open_page, site)
    canvas = page.locator(".map-canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map-tip")).to_be_visible()
    title, whole = page.locator(".map-tip strong").text_content(), tip(page)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Show all").click()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map-tip strong")).to_have_text(title)
    assert tip(page) == whole
    for key in ("+", "+"):
        page.keyboard.press(key)
    camera = "import('/static/views/map/camera.js').then(({ Camera }) => { const c = new Camera(); c.resize(800, 600); "
    assert page.evaluate(f"{camera} c.zoomBy(4, [200, 100]); return c.at([200, 100]) }})") == pytest.approx(
        page.evaluate(f"{camera} return c.at([200, 100]) }})")
    )
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert tip(page) != whole
    page.get_by_role("button", name="Move", exact=True).click()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 150, steps=4)
    page.mouse.up()
    expect(page.get_by_role("heading", name="Nothing picked")).to_be_visible()
    page.mouse.wheel(0, 400)
    assert axe(page) == []


MODULES = """async () => {
    const { groupsOf, styleOf } = await import('/static/views/map/groups.js');
    const { partNames } = await import('/static/views/map/names.js');
    const { spread } = await import('/static/views/map/spread.js');
    const many = Array.from({ length: 3000 }, (_, at) => ({ mood: `mood ${at % 30}`, x: 0.5, y: 0.5 }));
    const groups = groupsOf(many, 'mood');
    spread(many);
    const steps = new Set(many.map((point) => point.step.map((one) => one.toFixed(2)).join()));
    for (const [at, point] of many.entries()) point.at = at % 30 ? [500, 300] : [40, 40];
    return {
        others: groups.some((group) => group.value === 'others'),
        looks: new Set(groups.map(({ at }) => JSON.stringify(styleOf(at)))).size,
        steps: steps.size,
        names: partNames(many, 'mood', 800, 600).map((one) => one.text),
    };
}"""


def test_no_group_of_others_outgrows_the_rest_and_every_track_has_a_place_of_its_own(open_page, site):
    page = opened(open_page, site)
    found = page.evaluate(MODULES)
    assert found["others"] is False
    assert found["looks"] == 30
    assert found["steps"] == 3000
    assert found["names"] == ["Mood 0"]


def test_an_empty_map_says_so(tmp_path, open_page):
    from music_catalog import MusicService

    with (
        MusicService.open(tmp_path / "home", encoder=WordHashEncoder()) as service,
        serving(service) as address,
    ):
        page = open_page(f"{address}/#/map")
        expect(page.get_by_role("heading", name="Nothing to map yet")).to_be_visible()
        expect(page.get_by_role("link", name="Compose the first one")).to_have_attribute(
            "href", re.compile("compose")
        )

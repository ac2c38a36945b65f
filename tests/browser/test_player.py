"""The player in a real browser: what plays next, what repeats, what a failure leaves, and that nothing piles up."""

from __future__ import annotations

import re

import pytest
from running import until

pytest.importorskip("uvicorn", reason="the page needs the extra serve: pip install 'music-catalog[serve]'")
soundfile = pytest.importorskip("soundfile")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def rows(page):
    return page.locator(".row:not(.is-waiting)")


def bar(page):
    return page.get_by_role("region", name="Player")


def name_of(row):
    return row.locator(".row-title").text_content()


def playing_title(page):
    return bar(page).locator(".bar-title")


def is_playing(page):
    expect(bar(page).get_by_role("button", name="Pause", exact=True)).to_be_visible()


PLAYER = "import('/static/lib/player/player.js').then(({ player }) => %s)"


def seek(page, fraction):
    page.evaluate(PLAYER % f"player.seek({fraction})")


def test_a_track_that_failed_can_be_played_again(open_page, site):
    page = open_page(site, allow=("ERR_FAILED", "Failed to load"))
    page.route("**/audio*", lambda route: route.abort())
    row = rows(page).nth(1)
    row.get_by_role("button", name="Play").click()
    expect(page.locator(".toast", has_text="cannot be played now")).to_be_visible()
    expect(bar(page).get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(row.get_by_role("button", name="Play")).to_be_visible()
    page.unroute("**/audio*")
    row.get_by_role("button", name="Play").click()
    is_playing(page)
    until(page, PLAYER % "player.time_s > 0.3")


def test_a_list_goes_on_after_a_loop(open_page, own_site):
    address, service = own_site
    loop = service.generate(
        "Rain on a tent.", loopable=True, quality="preview", duration_s=1.0, backend="procedural"
    )
    assert loop.track.loopable
    page = open_page(address)
    expect(rows(page).first.locator(".row-marks")).to_have_text("loop")
    second = name_of(rows(page).nth(1))
    rows(page).first.get_by_role("button", name="Play").click()
    expect(playing_title(page)).to_have_text(second)


def test_repeat_is_remembered(open_page, site):
    page = open_page(site)
    rows(page).first.get_by_role("button", name="Play").click()
    repeat = bar(page).get_by_role("button", name="Repeat")
    expect(repeat).to_have_attribute("aria-pressed", "false")
    repeat.click()
    rows(page).nth(2).get_by_role("button", name="Play").click()
    expect(playing_title(page)).to_have_text(name_of(rows(page).nth(2)))
    expect(repeat).to_have_attribute("aria-pressed", "true")
    page.reload()
    rows(page).first.get_by_role("button", name="Play").click()
    expect(repeat).to_have_attribute("aria-pressed", "true")
    first = name_of(rows(page).first)
    seek(page, 0.97)
    page.wait_for_timeout(600)
    expect(playing_title(page)).to_have_text(first)
    is_playing(page)


def test_the_queue_goes_on_past_what_was_loaded_after_another_search(open_page, many):
    page = open_page(many)
    expect(page.locator("#count")).to_have_text("10,000 tracks")
    page.locator(".rows").evaluate("(list) => list.scrollTo(0, 40 * 64)")
    row = page.locator(".row[data-index='41']")
    expect(row).not_to_have_class(re.compile("is-waiting"))
    row.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()  # else each second brings the next track
    number = int(re.search(r"Track (\d+)", name_of(row))[1])
    page.get_by_label("Search tracks").fill("mood:tense")
    expect(page.locator("#count")).to_have_text("5,000 tracks")
    # Sixty tracks are a page: the last steps need one that was never loaded.
    for step in range(1, 22):
        bar(page).get_by_role("button", name="Next track").click()
        expect(playing_title(page)).to_contain_text(f"Track {number - step} of")


def counts(page):
    page.wait_for_load_state("networkidle")
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.enable")
    client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    client.detach()
    return metrics["Nodes"], metrics["JSEventListeners"]


def test_twenty_visits_leave_no_nodes_and_no_listeners(open_page, site):
    page = open_page(site)

    def visit():
        for view, there in (
            ("history", ".history-line"),
            ("map", ".legend-value"),
            ("compose", ".compose"),
            ("tracks", ".row"),
        ):
            page.evaluate(f"location.hash = '#/{view}'")
            expect(page.locator(there).first).to_be_visible()
        page.evaluate("document.querySelector('.row-title').click()")
        expect(page.locator(".mini").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()

    rows(page).first.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()
    for _ in range(3):
        visit()
    nodes, listeners = counts(page)
    for _ in range(20):
        visit()
    later_nodes, later_listeners = counts(page)
    assert later_nodes <= nodes * 1.1
    assert later_listeners <= listeners * 1.1


# Beside the page


def test_one_tab_plays_at_a_time(open_page, site):
    page = open_page(site)
    rows(page).first.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()
    is_playing(page)
    other = page.context.new_page()
    other.goto(site)
    rows(other).nth(1).get_by_role("button", name="Play").click()
    is_playing(other)
    expect(bar(page).get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.bring_to_front()
    bar(page).get_by_role("button", name="Play", exact=True).click()
    is_playing(page)
    expect(bar(other).get_by_role("button", name="Play", exact=True)).to_be_visible()


CATCH_HANDLERS = """
    globalThis.handlers = {};
    const { setActionHandler } = MediaSession.prototype;
    MediaSession.prototype.setActionHandler = function (name, run) {
        handlers[name] = run;
        return setActionHandler.call(this, name, run);
    };
"""


def test_the_keys_of_the_machine_and_the_lock_screen(open_page, site):
    page = open_page("about:blank")
    page.add_init_script(CATCH_HANDLERS)
    page.goto(site)
    first, second = name_of(rows(page).first), name_of(rows(page).nth(1))
    rows(page).first.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()
    is_playing(page)
    session = "navigator.mediaSession"
    assert page.evaluate(f"[{session}.metadata.title, {session}.playbackState]") == [first, "playing"]
    page.evaluate("handlers.nexttrack()")
    expect(playing_title(page)).to_have_text(second)
    assert page.evaluate(f"{session}.metadata.title") == second
    page.evaluate("handlers.pause()")
    expect(bar(page).get_by_role("button", name="Play", exact=True)).to_be_visible()
    assert page.evaluate(f"{session}.playbackState") == "paused"
    page.evaluate("handlers.seekto({ seekTime: 2 })")
    assert page.evaluate(PLAYER % "player.time_s") == pytest.approx(2, abs=0.1)
    page.evaluate("handlers.play()")
    is_playing(page)


def test_the_queue_is_in_view(open_page, site):
    page = open_page(site)
    names = page.locator(".row-title").all_text_contents()
    rows(page).first.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()
    bar(page).get_by_role("button", name="Queue").click()
    queue = page.get_by_role("region", name="Queue")
    expect(queue.locator(".mini-title").first).to_have_text(names[1])
    expect(queue).to_contain_text("Repeat is on")
    assert queue.locator(".mini-title").all_text_contents()[:5] == names[1:6]
    queue.locator(".mini").nth(2).get_by_role("button", name="Play").click()
    expect(playing_title(page)).to_have_text(names[3])
    expect(queue.locator(".mini-title").first).to_have_text(names[4])
    page.keyboard.press("Escape")
    expect(queue).to_be_hidden()


# Loops


CATCH_SOURCES = """
    globalThis.started = [];
    const { start } = AudioBufferSourceNode.prototype;
    AudioBufferSourceNode.prototype.start = function (when, offset) {
        const { loop, loopStart: from, loopEnd: to, buffer } = this;
        started.push({ loop, from, to, frames: buffer.length, rate: buffer.sampleRate, offset });
        return start.call(this, when, offset);
    };
"""


def test_a_loop_has_no_gap(open_page, site):
    page = open_page("about:blank")
    page.add_init_script(CATCH_SOURCES)
    page.goto(site)
    rows(page).first.get_by_role("button", name="Play").click()
    bar(page).get_by_role("button", name="Repeat").click()
    until(page, "started.length > 0")
    track = page.evaluate(PLAYER % "player.track")
    (source,) = page.evaluate("started")
    # All samples of the file and no other, round and round, at the rate of the file.
    assert (source["loop"], source["from"], source["rate"]) == (True, 0, track["sample_rate"])
    assert source["frames"] == round(track["duration_s"] * track["sample_rate"])
    assert source["to"] == pytest.approx(track["duration_s"])
    is_playing(page)
    seek(page, 0.98)
    until(page, PLAYER % "player.fraction > 0.1 && player.fraction < 0.9")
    is_playing(page)
    bar(page).get_by_role("button", name="Pause", exact=True).click()
    held = page.evaluate(PLAYER % "player.time_s")
    page.wait_for_timeout(300)
    assert page.evaluate(PLAYER % "player.time_s") == pytest.approx(held, abs=0.02)
    bar(page).get_by_role("button", name="Play", exact=True).click()
    until(page, PLAYER % f"player.time_s > {held} + 0.1")
    assert page.evaluate("started.at(-1).offset") == pytest.approx(held, abs=0.05)

    bar(page).get_by_role("button", name="Repeat").click()
    second = name_of(rows(page).nth(1))
    seek(page, 0.97)
    expect(playing_title(page)).to_have_text(second)


def test_a_part_is_marked_looped_and_downloaded(open_page, site):
    page = open_page("about:blank")
    page.add_init_script(CATCH_SOURCES)
    page.goto(site)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    wave = detail.locator(".detail-wave canvas")
    box = wave.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    page.mouse.up()
    expect(bar(page)).to_be_hidden()  # dragging is no click
    first, end = detail.get_by_label("Part from, seconds"), detail.get_by_label("Part to, seconds")
    assert float(first.input_value()) == pytest.approx(3.9 * 0.25, abs=0.05)
    assert float(end.input_value()) == pytest.approx(3.9 * 0.5, abs=0.05)
    first.fill("0.5")
    end.fill("1.25")
    end.press("Tab")

    detail.get_by_role("button", name="Loop this part").click()
    is_playing(page)
    expect(detail.get_by_role("button", name="Loop this part")).to_have_attribute("aria-pressed", "true")
    until(page, "started.length > 0")
    source = page.evaluate("started.at(-1)")
    assert (source["loop"], source["from"], source["to"]) == (True, 0.5, 1.25)
    for _ in range(10):
        page.wait_for_timeout(150)
        assert 0.45 <= page.evaluate(PLAYER % "player.time_s") <= 1.3
    is_playing(page)

    with page.expect_download() as waiting:
        detail.get_by_role("link", name="WAV download of the part").click()
    sound = soundfile.info(waiting.value.path())
    assert sound.frames == round(1.25 * sound.samplerate) - round(0.5 * sound.samplerate)
    assert waiting.value.suggested_filename.endswith("-0.50-1.25s.wav")

    detail.get_by_role("button", name="Loop this part").click()
    until(page, PLAYER % "player.time_s > 1.5")
    detail.get_by_role("button", name="Whole track").click()
    expect(end).to_have_value("3.900")


def test_the_waveform_zooms(open_page, site):
    page = open_page(site)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    detail.get_by_text("Loop or download a part").click()
    expect(detail.get_by_label("Scroll the waveform")).to_be_hidden()
    for _ in range(2):
        detail.get_by_role("button", name="Zoom in").click()
    view = "document.querySelector('.detail-wave canvas').wave.view"
    assert page.evaluate(view) == [0.375, 0.625]
    scroll = detail.get_by_label("Scroll the waveform")
    scroll.fill("0.75")
    assert page.evaluate(view) == [0.75, 1]
    # A click plays from where it looks.
    box = detail.locator(".detail-wave canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + 20)
    is_playing(page)
    until(page, PLAYER % "player.fraction > 0.79 && player.fraction < 0.95")
    detail.get_by_role("button", name="Zoom out").click()
    detail.get_by_role("button", name="Zoom out").click()
    assert page.evaluate(view) == [0, 1]

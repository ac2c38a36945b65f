"""The page in a real browser: what a reader sees, hears, types and clicks."""

from __future__ import annotations

import dataclasses
import re
import types

import pytest
from running import until

from music_catalog.errors import Unavailable
from music_catalog.generator import Cancelled
from music_catalog.generator.errors import GeneratorError

pytest.importorskip("uvicorn", reason="the page needs the extra serve: pip install 'music-catalog[serve]'")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect

CALM, SNOW, ALL = 12, 4, 24


def rows(page):
    return page.locator(".row:not(.is-waiting)")


def titles(page):
    return page.locator(".row-title").all_text_contents()


def bar(page):
    return page.get_by_role("region", name="Player")


def position_s(page):
    return int(bar(page).get_by_role("slider", name="Position").get_attribute("aria-valuenow"))


def moved_to(page, least_s):
    until(page, f"document.querySelector('.bar-seek').getAttribute('aria-valuenow') >= {least_s}")


def is_playing(page):
    expect(bar(page).get_by_role("button", name="Pause", exact=True)).to_be_visible()


# Listening


def test_playing_seeking_and_going_on_while_browsing(open_page, site):
    page = open_page(site)
    answers = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    row = rows(page).nth(1)
    name = row.locator(".row-title").text_content()
    row.get_by_role("button", name="Play").click()
    expect(bar(page).locator(".bar-title")).to_have_text(name)
    is_playing(page)
    bar(page).get_by_role("button", name="Repeat").click()
    moved_to(page, 1)

    box = row.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    moved_to(page, 2)
    is_playing(page)
    assert {206} == {status for url, status in answers if "/audio" in url}

    page.get_by_role("link", name="Compose", exact=True).click()
    expect(page.get_by_role("heading", name="Compose")).to_be_visible()
    is_playing(page)
    expect(bar(page).locator(".bar-title")).to_have_text(name)


def test_clicking_a_waveform_plays_another_track_from_there(open_page, site):
    page = open_page(site)
    rows(page).nth(0).get_by_role("button", name="Play").click()
    is_playing(page)
    row = rows(page).nth(3)
    box = row.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    expect(bar(page).locator(".bar-title")).to_have_text(row.locator(".row-title").text_content())
    moved_to(page, 2)


def test_waveforms_are_drawn_from_what_the_service_measured(open_page, site):
    page = open_page(site)
    expect(rows(page).first).to_be_visible()
    drawn = """() => {
        const canvas = document.querySelector('.row canvas');
        const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const tall = new Set();
        for (let x = 0; x < width; x += 3) {
            let inked = 0;
            for (let y = 0; y < height; y += 1) inked += data[4 * (y * width + x) + 3] > 0;
            tall.add(inked);
        }
        return tall.size;
    }"""
    until(page, f"({drawn})() > 4")


# Finding


def test_search_as_you_type_and_facets(open_page, site):
    page = open_page(site)
    page.get_by_label("Search tracks").press_sequentially("waves beach dusk")
    expect(rows(page).first.locator(".row-title")).to_contain_text("Waves roll onto an empty beach")
    assert "q=waves+beach+dusk" in page.url
    page.get_by_role("button", name="Clear the search").click()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")

    calm = page.locator(".facet-value[data-facet=mood][data-value=calm]")
    expect(calm.locator(".facet-count")).to_have_text(str(CALM))
    calm.click()
    expect(page.locator("#count")).to_have_text(f"{CALM} tracks")
    expect(calm).to_have_attribute("aria-pressed", "true")
    assert all("calm" in text for text in page.locator(".row-sub").all_text_contents())
    page.locator(".facet-value[data-facet=environment][data-value=snow]").click()
    expect(page.locator("#count")).to_have_text(f"{SNOW} tracks")
    assert all(title.startswith("Snow falls") for title in titles(page))

    page.get_by_role("button", name="Remove the filter Environment").click()
    expect(page.locator("#count")).to_have_text(f"{CALM} tracks")
    page.go_back()
    expect(page.locator("#count")).to_have_text(f"{SNOW} tracks")


def test_the_query_language_and_what_it_does_not_understand(open_page, site):
    page = open_page(site, allow=("422", "400"))
    search = page.get_by_label("Search tracks")
    search.fill("mood:calm environment:rain")
    expect(page.locator("#count")).to_have_text(f"{SNOW} tracks")
    search.fill("length:quick")
    expect(page.get_by_role("alert").filter(has_text="length")).to_be_visible()
    search.fill("")
    expect(page.get_by_role("alert").filter(has_text="length")).to_have_count(0)
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")


def test_sorting(open_page, site):
    page = open_page(site)
    expect(rows(page).first).to_be_visible()
    newest = titles(page)[0]
    page.get_by_label("Sort by").select_option("created_at")
    expect(rows(page).first.locator(".row-title")).to_have_text(
        "Waves roll onto an empty beach at dusk, slow and peaceful"
    )
    assert newest != titles(page)[0]
    assert "sort=created_at" in page.url


def test_an_empty_list_says_what_to_do(open_page, site):
    page = open_page(f"{site}/#/tracks?q=length:500..")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear everything").click()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")


# Details


def test_deep_links_open_the_same_view(open_page, site):
    page = open_page(f"{site}/#/tracks?q=length:..20&mood=calm&sort=created_at")
    expect(page.locator("#count")).to_have_text(f"{CALM} tracks")
    expect(page.get_by_label("Search tracks")).to_have_value("length:..20")
    rows(page).nth(2).locator(".row-title").click()
    heading = page.get_by_role("complementary", name="Track details").get_by_role("heading", level=2)
    name = heading.text_content()

    again = open_page(page.url)
    expect(again.locator("#count")).to_have_text(f"{CALM} tracks")
    expect(again.locator("#detail-title")).to_have_text(name)
    expect(again.locator(".chip", has_text="Calm")).to_be_visible()
    again.keyboard.press("Escape")
    expect(again.locator("#detail")).to_be_hidden()


def test_details_say_how_a_track_was_made(open_page, site):
    page = open_page(site)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    for text in ("AI-generated", "procedural", "Seed", "Weights' licence", "Prompt", "Context"):
        expect(detail.get_by_text(text).first).to_be_visible()
    detail.get_by_text("Configuration,").click()
    tempo = detail.get_by_role("row", name=re.compile("^duration_s"))
    expect(tempo).to_contain_text("3.9")
    expect(tempo).to_contain_text("caller")
    with page.expect_download() as waiting:
        detail.get_by_role("link", name="FLAC").click()
    assert waiting.value.suggested_filename.endswith(".flac")
    detail.get_by_role("button", name="Text", exact=True).click()
    expect(detail.locator(".mini")).to_have_count(6)
    detail.get_by_role("checkbox", name="Spectrogram").check()
    until(page, "document.querySelector('.spectrogram').naturalWidth > 100")


def test_similar_by_sound(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    by_text, by_sound = (detail.get_by_role("button", name=name, exact=True) for name in ("Text", "Sound"))
    expect(by_text).to_have_attribute("aria-pressed", "true")
    expect(detail.locator(".mini")).to_have_count(6)
    by_sound.click()
    expect(by_sound).to_have_attribute("aria-pressed", "true")
    expect(by_text).to_have_attribute("aria-pressed", "false")
    shown = page.url.partition("track=")[2]
    near = [hit.track.id for hit in service.similar(shown, by="sound", limit=6)]
    links = detail.locator(".mini a")
    for place, track_id in enumerate(near):
        expect(links.nth(place)).to_have_attribute("href", re.compile(track_id))
    assert near != [hit.track.id for hit in service.similar(shown, limit=6)]


def test_a_late_answer_does_not_replace_a_later_one(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    held = []
    page.route("**/similar?by=text*", lambda route: held.append(route))
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    detail.get_by_role("button", name="Sound", exact=True).click()
    first = detail.locator(".mini a").first
    shown = page.url.partition("track=")[2]
    (near,) = service.similar(shown, by="sound", limit=1)
    expect(first).to_have_attribute("href", re.compile(near.track.id))
    with page.expect_response("**/similar?by=text*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(first).to_have_attribute("href", re.compile(near.track.id))


def test_a_silent_track_says_why_nothing_sounds_like_it(own_site, open_page, gate, monkeypatch):
    address, service = own_site
    make = gate.inner.generate_music

    def silent(prompt, config, **more):
        audio = make(prompt, config, **more)
        return dataclasses.replace(audio, samples=audio.samples * 0)

    monkeypatch.setattr(gate, "inner", types.SimpleNamespace(generate_music=silent))
    quiet = service.generate("Nothing at all.", quality="preview", duration_s=1.0, backend="procedural").track
    page = open_page(f"{address}/#/tracks?track={quiet.id}")
    detail = page.get_by_role("complementary", name="Track details")
    detail.get_by_role("button", name="Sound", exact=True).click()
    expect(detail.get_by_text("silent or too short to be compared by sound")).to_be_visible()


def test_looking_while_typing_leaves_no_line_in_the_history(own_site, open_page):
    address, service = own_site
    before = service.store.requests.list()
    page = open_page(f"{address}/#/compose")
    for text in ("A quiet", "A quiet pond at dawn, herons and mist."):
        page.get_by_label("Context").fill(text)
        expect(page.locator(".reading").get_by_text("Nearest tracks")).to_be_visible()
        expect(page.locator(".reading")).not_to_have_attribute("aria-busy", "true")
    assert service.store.requests.list() == before


def test_rating_tagging_and_noting(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.locator(".row-title").click()
    detail = page.get_by_role("complementary", name="Track details")
    detail.get_by_role("radio", name="4 of 5").check()
    expect(detail.get_by_text("4 of 5", exact=True)).to_be_visible()
    expect(rows(page).first.locator(".row-rating")).to_have_text("★★★★☆")
    detail.get_by_label("Add a tag").fill("episode one")
    detail.get_by_label("Add a tag").press("Enter")
    expect(detail.locator(".chip", has_text="#episode one")).to_be_visible()
    detail.get_by_label("Note").fill("for the opening")
    detail.get_by_label("Note").blur()
    expect(rows(page).first.locator(".row-sub")).to_contain_text("#episode one")
    track_id = re.search(r"track=([a-z0-9-]+)", page.url)[1]
    until(page, f"fetch('/api/tracks/{track_id}').then((a) => a.json()).then((t) => t.note !== '')")

    track = service.store.tracks.get(track_id)
    assert (track.rating, track.tags, track.note) == (4, ("episode one",), "for the opening")


# The trash, and many at once


def test_trash_with_undo_and_bulk(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    rows(page).nth(0).get_by_role("checkbox").check()
    rows(page).nth(2).get_by_role("checkbox").click(modifiers=["Shift"])
    tools = page.get_by_role("toolbar", name="Selected tracks")
    expect(tools).to_contain_text("3 selected")
    tools.get_by_label("Add a tag").fill("keep")
    tools.get_by_role("button", name="Tag", exact=True).click()
    expect(page.locator(".row-sub", has_text="#keep")).to_have_count(3)

    tools.get_by_role("button", name="Trash").click()
    expect(page.locator("#count")).to_have_text(f"{ALL - 3} tracks")
    assert service.store.tracks.count() == ALL - 3
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    assert service.store.tracks.count() == ALL

    expect(tools).to_be_hidden()
    page.get_by_label("More", exact=True).click()
    page.get_by_role("link", name="Open the trash").click()
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()


def test_a_second_tag_for_a_selection_keeps_the_first(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).nth(0).get_by_role("checkbox").check()
    rows(page).nth(1).get_by_role("checkbox").check()
    tag = page.get_by_label("Add a tag to the selected tracks")
    for word in ("keep", "opening"):
        tag.fill(word)
        tag.press("Enter")
        expect(page.locator(".row-sub", has_text=f"#{word}")).to_have_count(2)
    tagged = [track.tags for track in service.store.tracks.list() if track.tags]
    assert tagged == [("keep", "opening")] * 2


# Composing


def test_compose_explains_reuse_and_why_others_were_not(open_page, site):
    page = open_page(f"{site}/#/compose")
    overrides = page.get_by_text("Options", exact=True)
    overrides.click()
    page.get_by_label("Quality").select_option("preview")
    page.get_by_label("Length, seconds").fill("3.9")
    page.get_by_label("Moods").fill("calm")
    page.get_by_label("Context").fill("Waves roll onto an empty beach at dusk, slow and peaceful, far away.")
    reading = page.locator(".reading")
    expect(reading.get_by_text("Nearest tracks")).to_be_visible()
    first = reading.locator(".candidate").first
    expect(first).to_contain_text("Waves roll onto an empty beach")
    expect(first).to_contain_text("alike in meaning")
    # The encoder of the tests has no certificate, so that only a named score reuses anything but a repeat.
    expect(first).to_contain_text("so far only repeats are")
    page.get_by_label("Minimum match").fill("0.3")
    page.get_by_label("Minimum match").blur()
    expect(reading.get_by_role("heading", name="Will reuse this track")).to_be_visible()
    expect(first).to_contain_text("Reused")
    refused = reading.locator(".candidate-word", has_text=re.compile("Not near enough|mood differs"))
    expect(refused.first).to_be_visible()
    expect(reading.get_by_text("Read in the text", exact=True)).to_be_visible()
    expect(reading.get_by_text("Chosen for it")).to_be_visible()

    page.get_by_label("Length, seconds").fill("9")
    page.get_by_label("Length, seconds").blur()
    expect(reading.get_by_text("Near in meaning, but ruled out")).to_be_visible()
    expect(reading.locator(".is-ruled").first).to_contain_text("Too short: 3.9 s, at least 8.1 s needed")


def test_what_was_read_in_a_text_shows_its_source(open_page, site):
    page = open_page(f"{site}/#/compose")
    page.get_by_label("Context").fill("The parcel is in the hall, beside the second door.")
    understood = page.locator(".understood")
    # The encoder of the tests has no heads, so that example sentences decide what the words leave open.
    moods = understood.locator("dl > div", has=page.get_by_text("Moods", exact=True))
    expect(moods.locator(".source")).to_contain_text("like example sentences")
    expect(understood.locator("figcaption")).to_contain_text("like example sentences")

    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Moods").fill("calm")
    page.get_by_label("Moods").blur()
    expect(moods.locator(".source")).to_have_text("you said so")
    expect(understood.locator("figcaption")).to_contain_text("you said so")


def test_making_shows_progress_and_can_be_cancelled(own_site, open_page, gate):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Quality").select_option("preview")
    page.get_by_label("Length, seconds").fill("2")
    page.get_by_label("Context").fill("A clockmaker repairs a tiny music box for his granddaughter.")
    gate.open.clear()
    page.get_by_role("button", name="Find or make").click()
    job = page.locator(".outcome .job")
    expect(job).to_contain_text("Making, 50 %")
    expect(page.get_by_role("button", name="Making 50 %")).to_be_visible()

    page.get_by_role("link", name="Tracks", exact=True).click()
    expect(page.locator("#count")).to_have_text(f"{ALL} tracks")
    page.get_by_role("link", name="Compose", exact=True).click()
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelled")
    assert service.store.tracks.count() == ALL

    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".outcome .job")).to_contain_text("Making, 50 %")
    gate.open.set()
    expect(page.locator(".served")).to_contain_text("Made:")
    assert service.store.tracks.count() == ALL + 1
    page.locator(".served").get_by_role("button", name="Play").click()
    is_playing(page)

    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".served")).to_contain_text("Reused:")
    page.locator(".served").get_by_role("button", name="Does not fit").click()
    expect(page.locator(".toast", has_text="be used for requests like this")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("Will make a new track")
    assert [one.verdict for one in service.store.judgements.list()] == ["rejected"]
    page.get_by_role("link", name="Tracks", exact=True).click()
    expect(rows(page).first.locator(".row-title")).to_contain_text("clockmaker")


def test_a_variation_comes_from_the_details(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    rows(page).first.locator(".row-title").click()
    original = re.search(r"track=([a-z0-9-]+)", page.url)[1]
    page.get_by_role("button", name="Make a variation").click()
    page.locator(".toast", has_text="Ready").get_by_role("button", name="Open").click()
    until(page, f"!location.hash.includes('{original}')")
    made = service.store.tracks.get(re.search(r"track=([a-z0-9-]+)", page.url)[1])
    assert made.variant_of == original
    assert made.seed != service.store.tracks.get(original).seed
    expect(page.locator("#count")).to_have_text(f"{ALL + 1} tracks")


def test_history_lists_the_requests(own_site, open_page):
    address, service = own_site
    service.find_or_make(
        {
            "text": "The tavern fills with laughter and a merry song.",
            "environment": "tavern",
            "mood_tags": ["happy"],
        },
        quality="preview",
        duration_s=3.9,
        backend="procedural",
        seed=3,
    )
    page = open_page(f"{address}/#/history")
    line = page.locator(".history-line").first
    expect(line).to_contain_text("The tavern fills")
    expect(line).to_contain_text("Reused")
    page.get_by_label("Search the history").fill("lantern")
    expect(page.locator(".history-line").first).to_contain_text("Snow falls")
    assert "q=lantern" in page.url


def test_history_shows_what_was_served_without_making_over_time(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    again = service.find_or_make(track.context, reuse="always", quality="preview", duration_s=3.9)
    assert again.action == "reused"
    period = service.statistics().over_time.periods[-1]
    assert 0 < period.share < 1
    page = open_page(f"{address}/#/history")
    chart = page.locator(".trend-chart")
    expect(chart).to_have_attribute("role", "img")
    requests = period.reused + period.made
    assert f"{period.reused} of {requests} requests" in chart.get_attribute("aria-label")
    full, part = (
        float(chart.locator(name).last.get_attribute("height")) for name in (".trend-all", ".trend-part")
    )
    assert part / full == pytest.approx(period.share)
    page.get_by_text("The numbers").focus()
    page.keyboard.press("Enter")
    cells = page.locator(".trend-table tbody tr").first.locator("td")
    expect(cells).to_have_text(
        [f"{round(100 * period.share)} %", str(requests), str(period.reused), re.compile(r"\d.* s")]
    )
    expect(page.locator(".figures")).to_contain_text("Tracks reused")


def test_history_marks_look_ups_and_failures(own_site, open_page, gate, monkeypatch):
    address, service = own_site
    repeat = {
        "text": "The tavern fills with laughter and a merry song.",
        "environment": "tavern",
        "mood_tags": ["happy"],
    }
    choices = {"quality": "preview", "duration_s": 3.9, "backend": "procedural", "seed": 3}
    assert service.find(repeat, **choices) is not None
    assert service.find("Nobody asked for such a thing yet.", duration_s=30.0) is None

    def broken(prompt, config, **more):
        raise GeneratorError("out of memory")

    monkeypatch.setattr(gate, "inner", types.SimpleNamespace(generate_music=broken))
    with pytest.raises(Unavailable):
        service.generate("A glacier calves into the bay.", quality="preview", backend="procedural")

    page = open_page(f"{address}/#/history")
    line = page.locator(".history-line")
    expect(line).to_have_count(ALL + 1)
    expect(line.first).to_contain_text("A glacier calves")
    expect(line.first.locator(".history-action")).to_have_text("Failed")
    expect(page.locator(".history-action", has_text="Reused")).to_have_count(0)
    page.get_by_label("Show look-ups too").check()
    expect(line).to_have_count(ALL + 3)
    expect(line.nth(1).locator(".history-action")).to_contain_text("Nothing fitted")
    expect(line.nth(2)).to_contain_text("The tavern fills")
    expect(line.nth(2).locator(".history-action")).to_contain_text("Found")


def test_a_cancelled_request_says_so_in_the_history(own_site, open_page):
    address, service = own_site

    def cancel(done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        service.generate("Geese cross the moon.", duration_s=1.0, backend="procedural", on_progress=cancel)
    page = open_page(f"{address}/#/history")
    line = page.locator(".history-line").first
    expect(line).to_contain_text("Geese cross the moon")
    expect(line.locator(".history-action")).to_have_text("Cancelled")


# The map


def test_the_map_opens_plays_and_filters_by_lasso(open_page, site):
    page = open_page(f"{site}/#/map")
    canvas = page.locator(".map-canvas")
    expect(page.locator(".legend-value").first).to_be_visible()
    box = canvas.bounding_box()
    corners = [(4, 4), (box["width"] - 4, 4), (box["width"] - 4, box["height"] - 4), (4, box["height"] - 4)]
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    expect(page.get_by_role("heading", name=f"{ALL} tracks picked")).to_be_visible()
    assert page.url.count("pick=") == ALL
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing picked")).to_be_visible()

    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map-tip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#detail-title")).to_be_visible()
    is_playing(page)
    page.get_by_role("button", name="Style", exact=True).click()
    assert "by=style" in page.url


# The keyboard


def test_everything_by_keyboard(own_site, open_page):
    address, service = own_site
    page = open_page(address)
    expect(rows(page).first).to_be_visible()
    press = page.keyboard.press
    press("/")
    expect(page.get_by_label("Search tracks")).to_be_focused()
    page.keyboard.type("snow lantern")
    expect(rows(page).first.locator(".row-title")).to_contain_text("Snow falls")
    press("ArrowDown")
    expect(rows(page).first.locator(".row-title")).to_be_focused()
    press("ArrowDown")
    expect(rows(page).nth(1).locator(".row-title")).to_be_focused()
    press(" ")
    is_playing(page)
    press("k")
    expect(bar(page).get_by_role("button", name="Play", exact=True)).to_be_visible()
    before = position_s(page)
    press("ArrowRight")
    assert position_s(page) >= before
    assert position_s(page) >= 3
    press("j")
    assert position_s(page) == 0
    press("l")
    assert position_s(page) >= 3
    press("x")
    expect(page.get_by_role("toolbar", name="Selected tracks")).to_contain_text("1 selected")
    press("3")
    expect(rows(page).nth(1).locator(".row-rating")).to_have_text("★★★☆☆")
    press("Enter")
    expect(page.locator("#detail")).to_be_visible()
    press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert [track.rating for track in service.store.tracks.list() if track.rating] == [3]


# How it looks, and to whom


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["tracks", "compose", "map", "history"])
def test_no_finding_of_axe(open_page, site, axe, view, scheme):
    page = open_page(f"{site}/#/{view}", color_scheme=scheme)
    if view == "tracks":
        rows(page).first.get_by_role("button", name="Play").click()
        rows(page).first.get_by_role("checkbox").check()
        rows(page).first.locator(".row-title").click()
        expect(page.locator(".mini").first).to_be_visible()
    elif view == "compose":
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Quality").select_option("preview")
        page.get_by_label("Length, seconds").fill("3.9")
        page.get_by_label("Context").fill("Rain on the library windows.")
        expect(page.locator(".candidate").first).to_be_visible()
    else:
        expect(page.locator(".legend-value, .history-line").first).to_be_visible()
    assert axe(page) == []


@pytest.mark.parametrize(
    ("view", "there"),
    [
        ("tracks", ".row-title"),
        ("compose", ".compose"),
        ("scene", "main h1"),
        ("story", "main h1"),
        ("map", ".legend-value"),
        ("history", ".history-line"),
    ],
)
def test_no_finding_of_axe_on_a_phone(open_page, site, axe, view, there):
    page = open_page(f"{site}/#/{view}", width=360, height=740)
    expect(page.locator(there).first).to_be_attached()
    assert axe(page) == []


def test_dark_mode_follows_the_system_and_the_choice_is_kept(open_page, site):
    page = open_page(site, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    assert sum(map(int, re.findall(r"\d+", dark))) < 150
    page.get_by_role("button", name="Light theme").click()
    light = page.evaluate(ground)
    assert sum(map(int, re.findall(r"\d+", light))) > 600
    page.reload()
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("view", ["tracks", "compose", "map", "history"])
def test_nothing_sticks_out_at_360_pixels(open_page, site, view):
    page = open_page(f"{site}/#/{view}", width=360, height=740)
    page.wait_for_load_state("networkidle")
    if view == "tracks":
        rows(page).first.get_by_role("button", name="Play").click()
    wide = """() => [...document.querySelectorAll('body *')]
        .filter((e) => e.checkVisibility() && !e.closest('.side, .sr, svg') && e.getBoundingClientRect().right > 361)
        .map((e) => e.className || e.tagName)"""
    assert page.evaluate(wide) == []
    if view == "tracks":
        page.get_by_role("button", name="Filters").click()
        page.locator(".facet-value[data-facet=mood][data-value=calm]").click()
        expect(page.locator("#count")).to_have_text(f"{CALM} tracks")


def test_hostile_text_is_shown_and_never_run(own_site, open_page):
    address, service = own_site
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    track = service.generate(
        {
            "text": f"{attack} waves",
            "query": attack,
            "summary_of_topic": f"{attack} waves",
            "mood_tags": [attack],
        },
        quality="preview",
        duration_s=1.0,
        backend="procedural",
    ).track
    service.store.tracks.update(track.id, tags=(attack[:40],), note=attack)
    page = open_page(f"{address}/#/tracks?track={track.id}")
    expect(rows(page).first.locator(".row-title")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#detail-title")).to_contain_text("<script>")
    rows(page).first.get_by_role("button", name="Play").click()
    for view in ("map", "history", "compose"):
        page.goto(
            f"{address}/#/{view}?track={track.id}&q={attack}&pick={track.id}&text={attack}&mood={attack}"
        )
        page.wait_for_load_state("networkidle")
    assert page.locator("img[onerror], main script, aside script, section script").count() == 0


COUNT_LISTENERS = """
    globalThis.listeners = { change: 0, job: 0 };
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (name, ...rest) {
        if (["Player", "Jobs"].includes(this?.constructor.name) && name in listeners) listeners[name] += 1;
        return addEventListener.call(this ?? globalThis, name, ...rest);
    };
    EventTarget.prototype.removeEventListener = function (name, ...rest) {
        if (["Player", "Jobs"].includes(this?.constructor.name) && name in listeners) listeners[name] -= 1;
        return removeEventListener.call(this ?? globalThis, name, ...rest);
    };
"""


def test_play_buttons_that_are_gone_leave_no_listeners(open_page, site):
    page = open_page("about:blank")
    page.add_init_script(COUNT_LISTENERS)
    page.goto(f"{site}/#/history")
    expect(page.locator(".history-line")).to_have_count(ALL)
    before = page.evaluate("listeners.change")
    search = page.get_by_label("Search the history")
    for words in ("lantern", "tavern", "waves"):
        search.fill(words)
        expect(page.locator(".history-line").first).to_contain_text(words, ignore_case=True)
    assert page.evaluate("listeners.change") == before

    page.locator(".history-line").first.get_by_role("button", name="Play").click()
    is_playing(page)
    expect(page.locator(".history-line").first.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator(".history-line").first.get_by_role("button", name="Play")).to_be_visible()


def test_jobs_that_ended_leave_nothing_behind(own_site, open_page):
    address, _ = own_site
    page = open_page("about:blank")
    page.add_init_script(COUNT_LISTENERS)
    page.goto(f"{address}/#/compose")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Quality").select_option("preview")
    page.get_by_label("Length, seconds").fill("1")
    page.get_by_label("Context").fill("A clockmaker repairs a tiny music box.")
    before = page.evaluate("listeners.job")
    for made in range(1, 4):
        page.get_by_role("button", name="Always make new").click()
        until(page, f"fetch('/api/tracks').then((a) => a.json()).then((list) => list.total === {ALL + made})")
        expect(page.locator(".tray-button")).to_be_hidden()
    assert page.evaluate("listeners.job") == before
    assert page.evaluate("import('/static/lib/jobs.js').then(({ jobs }) => jobs.live.size)") == 0


# Many


def test_ten_thousand_rows_with_a_screenful_of_elements(open_page, many):
    page = open_page(many)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    expect(page.locator("#count")).to_have_text("10,000 tracks")
    assert page.locator(".row").count() < 40
    before = len(requests)
    page.locator(".rows").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    expect(page.locator(".row-title", has_text="Track 0 ")).to_be_visible()
    assert page.locator(".row").count() < 40
    # Only the last pages are fetched, none of those that passed by.
    assert len([url for url in requests[before:] if "/api/tracks?" in url]) <= 2
    page.keyboard.press("/")
    page.keyboard.type("mood:tense rating:4..")
    expect(page.locator("#count")).to_have_text("2,500 tracks")
    assert page.locator(".row").count() < 40
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000

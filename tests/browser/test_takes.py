"""Titles of tracks, several takes of one request, and two tracks side by side."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


def test_a_track_is_renamed_in_its_details_found_by_that_and_renamed_back(own_site, open_page):
    address, service = own_site
    track = service.store.tracks.list(limit=1)[0]
    page = open_page(f"{address}/#/tracks?track={track.id}")
    heading = page.locator("#detail-title")
    expect(heading).to_have_text(track.summary)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("Zephyr overture")
    page.get_by_label("Title", exact=True).press("Escape")
    expect(heading).to_have_text(track.summary)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("Zephyr overture")
    page.get_by_label("Title", exact=True).press("Enter")
    expect(heading).to_have_text("Zephyr overture")
    expect(page.locator(".row", has_text="Zephyr overture")).to_be_visible()
    assert service.get(track.id).title == "Zephyr overture"
    page.locator(".toast", has_text="renamed").get_by_role("button", name="Undo").click()
    expect(heading).to_have_text(track.summary)
    assert service.get(track.id).title == ""


MAKING_MS = 120_000  # three tracks, one after the other, on a machine that may be busy
CLOCKS = "A clockmaker repairs a tiny music box for his granddaughter."


def test_three_takes_are_made_heard_at_one_level_and_one_is_kept(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    page.add_init_script(
        "window.sounds = []; window.Audio = class extends Audio {"
        " constructor(...all) { super(...all); window.sounds.push(this); } }"
    )
    page.reload()
    form = page.locator(".compose")
    form.get_by_text("Options", exact=True).click()
    form.get_by_label("Quality").select_option("preview")
    form.get_by_label("Length, seconds").fill("6")
    form.get_by_label("Context").fill(CLOCKS)
    page.get_by_role("button", name="Make 3 takes").click()
    expect(page.locator(".takes .job")).to_have_count(3)
    expect(page.get_by_role("button", name="Keep C", exact=True)).to_be_visible(timeout=MAKING_MS)
    takes = service.store.tracks.list(limit=3)
    assert len({track.seed for track in takes}) == 3
    assert len({track.key for track in takes}) == 1
    page.get_by_role("button", name="Play A", exact=True).click()
    position = page.locator(".compare-position")
    expect(position).not_to_have_value("0")
    page.get_by_role("button", name="Pause A", exact=True).click()
    before_s = float(position.input_value())
    page.get_by_role("button", name="Play B", exact=True).click()
    expect(page.get_by_role("button", name="Pause B", exact=True)).to_have_attribute("aria-pressed", "true")
    assert float(position.input_value()) >= before_s > 0
    expect(page.get_by_role("button", name="Play A", exact=True)).to_be_visible()
    page.get_by_role("button", name="Play C", exact=True).click()
    # As decibels, what each is turned down by evens out what was measured.
    volumes = page.evaluate("sounds.slice(-3).map((one) => 20 * Math.log10(one.volume))")
    made = sorted(takes, key=lambda track: track.created_at)
    heard = [track.loudness_lufs + volume for track, volume in zip(made, volumes, strict=True)]
    assert heard == pytest.approx([min(track.loudness_lufs for track in made)] * 3, abs=0.05)
    page.get_by_role("button", name="Keep B", exact=True).click()
    expect(page.locator(".served")).to_contain_text("Kept:")
    toast = page.locator(".toast", has_text="2 tracks moved to the trash")
    expect(toast).to_be_visible()
    assert [service.get(track.id).state for track in made] == ["trashed", "ready", "trashed"]
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="back in the catalog")).to_be_visible()
    assert [service.get(track.id).state for track in made] == ["ready"] * 3


def test_two_selected_tracks_stand_side_by_side_and_a_variation_with_its_first(own_site, open_page, axe):
    address, service = own_site
    first = service.store.tracks.list(limit=1)[0]
    varied = service.again(first.id, variation=True).track
    page = open_page(f"{address}/#/tracks")
    rows = page.locator(".row:not(.is-waiting)")
    for at in (0, 1):
        rows.nth(at).get_by_role("checkbox").check()
    page.get_by_role("toolbar", name="Selected tracks").get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="Side by side")
    expect(dialog.get_by_role("region")).to_have_count(2)
    for fact in ("Loudness", "Tempo", "Made for", "Mood"):
        expect(dialog.get_by_text(fact, exact=True)).to_have_count(2)
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.goto(f"{address}/#/tracks?track={varied.id}")
    takes = page.locator(".detail-section", has=page.get_by_role("heading", name="Takes"))
    expect(takes.locator(".mini")).to_have_count(2)
    expect(takes).to_contain_text("First")
    expect(takes).to_contain_text("Take 2, open here")

"""The queue is put in another order by dragging and by keys, and tracks are taken out of it."""

from __future__ import annotations

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect


@pytest.fixture
def queue(open_page, site):
    """Return the page, with the first row playing and the queue open, and the queue."""
    page = open_page(site, height=1000)
    page.locator(".row").first.get_by_role("button", name="Play").click()
    page.keyboard.press("r")  # tracks are short, and the machine may be busy: none ends by itself
    page.get_by_role("button", name="Queue", exact=True).click()
    queue = page.get_by_role("region", name="Queue")
    expect(queue.locator(".mini-title").nth(19)).to_be_visible()
    return page, queue


def titles(queue):
    return queue.locator(".mini-title").all_text_contents()


def test_tracks_are_moved_by_keys_and_play_in_that_order(queue, axe):
    page, queue = queue
    before = titles(queue)
    queue.get_by_role("button", name="Move").first.focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(queue.locator(".mini-title").first).to_have_text(before[1])
    page.keyboard.press("Alt+ArrowDown")
    expect(queue.locator(".mini-title").nth(2)).to_have_text(before[0])
    assert titles(queue) == [before[1], before[2], before[0], *before[3:]]
    assert axe(page) == []
    player = page.get_by_role("region", name="Player")
    for wanted in (before[1], before[2], before[0], before[3]):
        page.keyboard.press("Shift+L")
        expect(player.locator(".bar-title")).to_have_text(wanted)
    for wanted in (before[0], before[2]):
        page.evaluate("import('/static/lib/player/player.js').then(({ player }) => player.seek(0))")
        page.keyboard.press("Shift+J")
        expect(player.locator(".bar-title")).to_have_text(wanted)


def test_tracks_are_dragged_and_taken_out_and_nothing_is_trashed(queue):
    page, queue = queue
    before = titles(queue)
    handle, third = (
        queue.get_by_role("button", name="Move").first.bounding_box(),
        queue.locator(".mini").nth(2),
    )
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    box = third.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 4, steps=6)
    page.mouse.up()
    expect(queue.locator(".mini-title").nth(2)).to_have_text(before[0])
    queue.get_by_role("button", name="out of the queue").first.click()
    expect(queue.locator(".mini-title").first).to_have_text(before[2])
    queue.get_by_role("button", name="Move").first.focus()
    page.keyboard.press("Delete")
    expect(queue.locator(".mini-title").first).to_have_text(before[0])
    assert titles(queue)[:3] == [before[0], *before[3:5]]
    expect(page.locator(".toast")).to_have_count(0)
    page.keyboard.press("Shift+L")
    expect(page.get_by_role("region", name="Player").locator(".bar-title")).to_have_text(before[0])

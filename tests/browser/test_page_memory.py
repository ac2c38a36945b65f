"""Memory stays flat over plays and changes of the view. `measure.py` does the same at length."""

from __future__ import annotations

import pytest
from measure import change_views, figures, play

pytest.importorskip("playwright.sync_api", reason="no playwright here: `make test-browser` installs it")


def test_plays_and_views_leave_nothing_behind(open_page, site):
    page = open_page(site)
    if page.context.browser.browser_type.name != "chromium":
        pytest.skip("only Chromium tells what it holds")
    session = page.context.new_cdp_session(page)
    page.locator(".row:not(.is-waiting)").first.wait_for()
    play(page, 20)
    change_views(page, 6)
    first = figures(page, session)
    play(page, 60)
    change_views(page, 24)
    last = figures(page, session)
    assert last["listeners"] <= first["listeners"] + 10
    assert last["nodes"] <= first["nodes"] + 100
    assert last["heap_mb"] <= first["heap_mb"] + 1

"""Measure the page by hand, `python tests/browser/measure.py`: memory over plays and views, and a lasso's last frame.

It prints the heap after a collection, the elements and the listeners before and after 500 plays and 204 changes of
the view, and how long the browser works on the frame after a lasso around 10,000 tracks is let go. Times are those that
the page's own thread ran, so that other programs on the machine count little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]
VIEWS = ("compose", "scene", "story", "map", "history", "tracks")
# A pixel is read from the canvas, so that all that was drawn on it is done.
WATCH = """() => {
    const canvas = document.querySelector('.map-canvas');
    let began;
    canvas.addEventListener('pointerup', () => (began = performance.now()), { once: true, capture: true });
    window.shown = new Promise((done) => canvas.addEventListener('pointerup', () => requestAnimationFrame(() => {
        canvas.getContext('2d').getImageData(0, 0, 1, 1);
        done(performance.now() - began);
    }), { once: true }));
}"""
PLAYER = "import('/static/lib/player/player.js').then(({ player }) => %s)"


def figures(page: Any, session: Any) -> dict[str, float]:
    """Return the heap in MB, the elements of the document, and the nodes and listeners that the browser holds."""
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    page.wait_for_timeout(200)
    held = session.send("Memory.getDOMCounters")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    elements = page.evaluate("document.querySelectorAll('*').length")
    return {
        "heap_mb": round(heap, 2),
        "elements": elements,
        "nodes": held["nodes"],
        "listeners": held["jsEventListeners"],
    }


def show(name: str, values: dict[str, float]) -> None:
    """Print one line of figures."""
    print(f"{name:24}", "  ".join(f"{key} {value:g}" for key, value in values.items()), flush=True)


def play(page: Any, plays: int) -> None:
    """Play one track after the other, as the next key does."""
    page.locator(".row").first.get_by_role("button", name="Play").click()
    step = "player.step(%d).then(() => null)"
    for number in range(plays):
        forward = number // 10 % 2 == 0
        page.evaluate(PLAYER % "player.seek(0)")
        page.evaluate(PLAYER % (step % (1 if forward else -1)))


def change_views(page: Any, changes: int) -> None:
    """Go through the views by the links at the top."""
    for number in range(changes):
        view = VIEWS[number % len(VIEWS)]
        page.locator(f"nav [data-view={view}]").click()
        page.locator(f"body[data-view={view}]").wait_for()


def lassos(page: Any, session: Any, rounds: int) -> list[tuple[float, float]]:
    """Draw lassos around all tracks; return for each the milliseconds from its end to a drawn picture: by the clock,
    and what the page's thread works in them.
    """
    page.locator(".legend-value").first.wait_for(timeout=120_000)
    page.wait_for_timeout(1_000)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    box = page.locator(".map-canvas").bounding_box()
    left, top = box["x"] + 3, box["y"] + 3
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    took = []
    for _ in range(rounds):
        page.mouse.move(left, top)
        page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
            page.mouse.move(x, y, steps=12)
        page.wait_for_timeout(500)
        page.evaluate(WATCH)
        before = worked(session)
        page.mouse.up()
        shown = page.evaluate("() => window.shown")
        took.append((shown, worked(session) - before))
        page.get_by_role("button", name="Clear", exact=True).click()
        page.wait_for_timeout(500)
    return took


def worked(session: Any) -> float:
    """Return the milliseconds that the page's thread has run."""
    found = session.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(one["value"] for one in found if one["name"] == "TaskDuration"))


def main() -> None:
    """Measure and print."""
    from fakes import WordHashEncoder
    from many_tracks import fill
    from playwright.sync_api import sync_playwright
    from running import chromium, serving

    from music_catalog import MusicService

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--plays", type=int, default=500)
    parser.add_argument("--views", type=int, default=204)
    parser.add_argument("--lassos", type=int, default=7)
    parser.add_argument("--only", choices=["memory", "lasso"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        fill(home, asked.tracks)
        with MusicService.open(home, encoder=WordHashEncoder()) as service, serving(service) as address:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--mute-audio"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(120_000)
            session = page.context.new_cdp_session(page)
            session.send("HeapProfiler.enable")
            page.goto(address)
            page.locator(".row:not(.is-waiting)").first.wait_for()
            if asked.only != "lasso":
                play(page, 20)
                change_views(page, len(VIEWS))
                show("at first", figures(page, session))
                play(page, asked.plays)
                show(f"after {asked.plays} plays", figures(page, session))
                change_views(page, -(-asked.views // len(VIEWS)) * len(VIEWS))
                show(f"after {asked.views} views", figures(page, session))
            if asked.only != "memory":
                page.goto(f"{address}/#/map")
                took = lassos(page, session, asked.lassos)
                whole, work = (statistics.median(column) for column in zip(*took, strict=True))
                print(
                    f"lasso around {asked.tracks:,} tracks: {whole:.0f} ms, {work:.0f} of them work (median)"
                )
            browser.close()


if __name__ == "__main__":
    main()

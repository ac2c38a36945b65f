"""How soon the page shows rows, with few tracks and with many, in one run.

    python tests/benchmarks/catalog/page.py [--rows 100 10000] [--rounds 9]

Serves synthetic catalogs to a Chromium on this machine and prints medians in milliseconds, as the browser's own clock
counts them: from the start of the navigation to the first rows; from the last key of a query to its rows; from a click
on a facet to its rows; from a jump to the end of the list to the last row. A comparison holds inside one run only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "browser"))

from fakes import WordHashEncoder
from many_tracks import fill
from running import chromium, serving

from music_catalog import MusicService

CHANGED = """async ([act, text]) => {
    const list = document.querySelector('.rows-list');
    const before = text === null ? document.querySelector('#count').textContent : null;
    const began = performance.now();
    const shown = new Promise((done, failed) => {
        const look = () => {
            const titles = [...list.querySelectorAll('.row-title')].map((one) => one.textContent);
            const matches = titles.some((one) => one && (text === null || one.startsWith(text)));
            const count = document.querySelector('#count').textContent;
            if (matches && count !== before) requestAnimationFrame(() => done(performance.now() - began));
            else if (performance.now() - began > 20_000) failed(new Error(`no rows for ${act}`));
            else requestAnimationFrame(look);
        };
        look();
    });
    if (act === 'facet') document.querySelector('.facet-value[data-facet=style]').click();
    else if (act === 'end') document.querySelector('.rows').scrollTo(0, 1e9);
    else {
        const search = document.querySelector('#search');
        search.value = act;
        search.dispatchEvent(new Event('input'));
    }
    return shown;
}"""
FIRST = """async () => {
    const shown = () => [...document.querySelectorAll('.row-title')].some((one) => one.textContent);
    while (!shown()) await new Promise(requestAnimationFrame);
    return performance.now();
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skipped: no playwright here; `make test-browser` installs it")
        return
    path = chromium()
    if path is None:
        print("skipped: no browser here; install chromium or set CHROMIUM")
        return
    print(
        f"{'median of ' + str(options.rounds) + ', ms':28}" + "".join(f"{rows:>10,}" for rows in options.rows)
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        columns = [measure(browser, rows, options.rounds) for rows in options.rows]
        browser.close()
    for name in columns[0]:
        print(f"{name:28}" + "".join(f"{statistics.median(column[name]):10.0f}" for column in columns))


def measure(browser, rows: int, rounds: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "home", rows)
        service = MusicService.open(Path(folder) / "home", encoder=WordHashEncoder())
        with service, serving(service) as address:
            for _ in range(rounds + 1):
                for name, ms in once(browser, address, rows).items():
                    took.setdefault(name, []).append(ms)
    # The first round warms the service up.
    return {name: each[1:] for name, each in took.items()}


def once(browser, address: str, rows: int) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address, wait_until="commit")
    took = {"first rows": page.evaluate(FIRST)}
    page.wait_for_load_state("networkidle")
    took["last row, jumped to"] = page.evaluate(CHANGED, ["end", "Track 0 "])
    took["rows of a facet"] = page.evaluate(CHANGED, ["facet", None])
    page.locator(".facet-value[data-facet=style]").first.click()
    page.locator("#count", has_text=f"{rows:,} tracks").wait_for()
    took["rows of a filter, typed"] = page.evaluate(CHANGED, ["mood:tense rating:4..", None])
    took["rows of a search, typed"] = page.evaluate(CHANGED, ["rain over the harbour", None])
    page.close()
    return took


if __name__ == "__main__":
    main()

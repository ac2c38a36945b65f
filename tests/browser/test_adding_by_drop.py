"""Music of one's own: chosen or dropped on the list, added with its licence, and what cannot be read is told."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
)
expect = sync_api.expect
ADDING_MS = 60_000


def piece(seed):
    time = np.arange(6 * 22_050) / 22_050
    hz = 220.0 * 2.0 ** (np.random.default_rng(seed).integers(0, 24, 64)[(time * 4).astype(int)] / 12)
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / 22_050), 22_050, format="FLAC")
    return file.getvalue()


def test_chosen_files_are_added_with_their_licence(own_site, open_page, axe):
    address, service = own_site
    page = open_page(f"{address}/#/tracks", allow=("422",))
    page.get_by_label("More", exact=True).first.click()
    page.get_by_role("button", name="Add music from files").click()
    page.get_by_label("Audio files").set_input_files(
        [
            {"name": "Smoky Bar.flac", "mimeType": "audio/flac", "buffer": piece(1)},
            {"name": "broken.mp3", "mimeType": "audio/mpeg", "buffer": b"nonsense" * 50},
        ]
    )
    page.get_by_label("Licence").fill("CC-BY-4.0")
    page.get_by_role("button", name="Add", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 track added, 1 could not be added", timeout=ADDING_MS)
    expect(dialog).to_contain_text("broken.mp3")
    assert not axe(page)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".row", has_text="Smoky Bar").first).to_be_visible()
    (track,) = service.browse("by:imported").tracks
    assert (track.title, track.license) == ("Smoky Bar", "CC-BY-4.0")


def test_dropped_files_ask_for_their_licence(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/tracks")
    data = base64.b64encode(piece(2)).decode()
    page.evaluate(
        """data => {
          const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "Dropped.flac", { type: "audio/flac" }));
          const target = document.querySelector(".view.tracks");
          target.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        data,
    )
    expect(page.get_by_role("heading", name="Add 1 file")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("1 track added", timeout=ADDING_MS)
    assert {track.title for track in service.browse("by:imported").tracks} == {"Dropped"}

"""Plugins on the page: generators that packages bring stand beside the catalog's own in Compose."""

from __future__ import annotations

import pytest
from plugged import GENERATOR, plug

__all__ = ["plug"]

expect = pytest.importorskip(
    "playwright.sync_api", reason="no playwright here: `make test-browser` installs it"
).expect

CLOCKS = "A clockmaker repairs a tiny music box for his granddaughter."


@pytest.fixture
def tone(plug):
    """Install a package whose generator is named tone, and two that claim one name, which is refused."""
    source = GENERATOR.format(license="MIT")
    plug("tone-package", "tone_module", source, generator={"tone": "tone_module:Tone"})
    for number in "12":
        plug(f"twin-{number}", f"twin_{number}", source, generator={"twin": f"twin_{number}:Tone"})


@pytest.mark.usefixtures("tone")
def test_a_plugin_is_offered_and_makes_what_is_asked_of_it(own_site, open_page):
    address, service = own_site
    page = open_page(f"{address}/#/compose")
    form = page.locator(".compose")
    form.get_by_text("Options", exact=True).click()
    made_by = form.get_by_label("Made by")
    expect(made_by.locator("option")).to_have_text(
        ["Best that is here", "Procedural", "MusicGen (MLX)", "tone"]
    )
    form.get_by_label("Quality").select_option("preview")
    form.get_by_label("Length, seconds").fill("2")
    form.get_by_label("Context").fill(CLOCKS)
    made_by.select_option("tone")
    # It stays chosen when the page is loaded again, though the list comes later than the form.
    page.reload()
    expect(made_by).to_have_value("tone")
    page.get_by_role("button", name="Find or make").click()
    expect(page.locator(".served")).to_contain_text("Made:")
    (track,) = service.browse(query="backend:tone").tracks
    assert (track.backend, track.model, track.weights_license) == ("tone", "tone-1", "MIT")
    expect(page.locator(".verdict")).to_contain_text("Will reuse this track")

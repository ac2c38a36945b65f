"""A real browser on a real service: Chromium, uvicorn, and a catalog of procedural tracks made once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from pathlib import Path

import firefox
import pytest
from fakes import WordHashEncoder
from running import chromium, serving

NO_PLAYWRIGHT = "no playwright here: `make test-browser` installs it"
NO_BROWSER = "no browser here: install chromium (Debian: apt-get install chromium) or set CHROMIUM to one"
PATIENCE_MS = 10_000
CONTEXTS = (
    (
        "Waves roll onto an empty beach at dusk, slow and peaceful.",
        {"environment": "ocean", "mood_tags": ["calm"]},
    ),
    ("The heroes storm the gate in a furious, chaotic battle.", {"mood_tags": ["epic", "chaotic"]}),
    (
        "Soft rain taps on the library windows while students read.",
        {"environment": "rain", "mood_tags": ["calm"]},
    ),
    ("The tavern fills with laughter and a merry song.", {"environment": "tavern", "mood_tags": ["happy"]}),
    (
        "Snow falls on the sleeping village and a lantern burns.",
        {"environment": "snow", "mood_tags": ["calm"]},
    ),
    ("Something breathes behind the door of the abandoned ward.", {"mood_tags": ["scary", "dark"]}),
)
VARIANTS = ("", "far from home", "as told by the sailors", "in the old book")
LENGTH_S = 3.9
"""Below 4 s tempo and key are not measured, which would take most of the time."""


class Gate:
    """A real generator that waits half-way while it is held."""

    def __init__(self, inner):
        self.inner = inner
        self.open = threading.Event()
        self.open.set()

    def generate_music(self, prompt, config, *, melody=None, continue_from=None, on_progress=None):
        for step in range(1, 21):
            if on_progress:
                on_progress(step, 20)
            while step == 10 and not self.open.wait(0.01):
                if on_progress:
                    on_progress(step, 20)
        return self.inner.generate_music(prompt, config, melody=melody, continue_from=continue_from)


@pytest.fixture(scope="session")
def gate():
    from music_catalog.generator import load_generator

    return Gate(load_generator("procedural", "small"))


@pytest.fixture(scope="session")
def catalog_home(tmp_path_factory, gate):
    """Make two dozen real tracks, once for the session; tests work on copies."""
    from music_catalog import MusicService

    if chromium() is None and firefox.firefox() is None:
        pytest.skip(NO_BROWSER)
    home = tmp_path_factory.mktemp("browser") / "home"
    texts = [
        {"text": f"{text[:-1]}, {variant}." if variant else text, **known}
        for variant in VARIANTS
        for text, known in CONTEXTS
    ]
    with MusicService.open(home, encoder=WordHashEncoder(), generators=lambda *_: gate) as service:
        for number, text in enumerate(texts):
            service.generate(text, quality="preview", duration_s=LENGTH_S, backend="procedural", seed=number)
    return home


@contextlib.contextmanager
def _service(home, gate):
    from music_catalog import MusicService

    with MusicService.open(home, encoder=WordHashEncoder(), generators=lambda *_: gate) as service:
        yield service


@pytest.fixture(scope="module")
def site(catalog_home, gate, tmp_path_factory):
    """The address of a service on a copy of the catalog; tests that change nothing share it."""
    home = shutil.copytree(catalog_home, tmp_path_factory.mktemp("site") / "home")
    with _service(home, gate) as service, serving(service) as address:
        yield address


@pytest.fixture
def own_site(catalog_home, gate, tmp_path):
    """The address of a service on a catalog of the test's own, and the service itself."""
    home = shutil.copytree(catalog_home, tmp_path / "home")
    with _service(home, gate) as service, serving(service) as address:
        yield address, service
        gate.open.set()


@pytest.fixture(scope="module")
def browser():
    """A browser for the module. It is closed at the module's end: its event loop would disturb other tests."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    if os.environ.get("BROWSER") == "firefox":
        with playwright_api.sync_playwright() as playwright, firefox.running(playwright) as started:
            yield started
        return
    path = chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    with playwright_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--mute-audio"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page. The test fails when the page writes an error to the console."""
    contexts, complaints = [], []

    def open_(address, *, width=1280, height=800, allow=(), **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )
        if browser.browser_type.name == "firefox":
            page.add_init_script(firefox.SILENT)

        def collect(message):
            if message.type == "error" and not any(text in message.text for text in allow):
                complaints.append(f"{message.text} {message.location.get('url', '')}")

        page.on("console", collect)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="session")
def axe():
    """Return a function that lists in words what keeps people from using a page, but for minor findings."""
    package = pytest.importorskip(
        "axe_playwright_python", reason="no axe here: `make test-browser` installs it"
    )
    source = (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")

    def check(page):
        page.evaluate(source)
        violations = page.evaluate("async () => JSON.stringify((await axe.run()).violations)")
        return [
            f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes'][:3]]}"
            for one in json.loads(violations)
            if one["impact"] != "minor"
        ]

    return check


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The address of a service on 10,000 tracks that share one file of sound."""
    from many_tracks import fill

    from music_catalog import MusicService

    home = tmp_path_factory.mktemp("many") / "home"
    fill(home, 10_000)
    with MusicService.open(home, encoder=WordHashEncoder()) as service, serving(service) as address:
        yield address

"""Importing lancedb without its REST client: quicker, and nothing else is different."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = """
import sys
sys.path.insert(0, "tests")
from homes import add, open_store, vector_of
store = open_store({home!r})
track = add(store, "a")
assert store.tracks.search(vector_of("a"))[0][0] == track
assert [found.id for found, _ in store.tracks.search_words("calm")] == ["a"]
store.care.compact()
client = [name for name in sys.modules if name.startswith("lance_namespace_urllib3_client")]
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_catalog_does_its_work_without_the_client(tmp_path):
    assert run(WORK.format(home=str(tmp_path / "home")) + "print(len(client))").strip() == "0"


def test_the_client_is_there_for_whoever_needs_it(tmp_path):
    more = """
import lance_namespace
from lance_namespace import CreateTableRequest
request = CreateTableRequest(id=["a"])
from lance_namespace_urllib3_client.models import CreateTableRequest as Real
assert type(request) is Real and isinstance(request, CreateTableRequest)
print(request.id)
"""
    assert run(WORK.format(home=str(tmp_path / "home")) + more).strip() == "['a']"


def test_what_was_imported_before_is_left_alone(tmp_path):
    first = "import lancedb\nimport lance_namespace_urllib3_client.models as before\n"
    more = (
        "import lance_namespace_urllib3_client.models as after\nassert before is after\nprint(bool(client))"
    )
    assert run(first + WORK.format(home=str(tmp_path / "home")) + more).strip() == "True"


def test_a_version_that_uses_the_client_is_imported_as_it_is(tmp_path):
    broken = """
from music_catalog.disk import stand_ins
def refuse(self, name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise TypeError("a class of the client is used while lancedb is imported")
stand_ins._Module.__getattr__ = refuse
"""
    assert run(broken + WORK.format(home=str(tmp_path / "home")) + "print(bool(client))").strip() == "True"


def test_a_class_made_of_a_stand_in_is_refused():
    code = """
from music_catalog.disk.stand_ins import without_rest_client
try:
    with without_rest_client():
        from lance_namespace_urllib3_client.models import CreateTableRequest
        class Mine(CreateTableRequest):
            pass
except ImportError as error:
    print(error)
"""
    assert "Mine is made of a class" in run(code)

"""The short way of a request that a track of another one serves: it gives what a look-up would give, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from sample_texts import SHORT

from music_catalog import MusicService, cli
from music_catalog.commands.shortcut import CERTIFICATES, KeptCall
from music_catalog.disk.lance import Connection
from music_catalog.models import Judgement
from music_catalog.reuse import certificate, music_certificate
from music_catalog.reuse.terms import BY_HAND
from music_catalog.store.requests import ANSWERING, Requests
from music_catalog.text import encoder as encoders
from music_catalog.upkeep.backup import back_up
from music_catalog.upkeep.restore import restore

ROOT = Path(__file__).resolve().parents[3]
MADE = "The company was founded in 1921 and makes bearings for railway carriages at two plants in the north."
REUSED = "The council voted 7 to 2 on Tuesday to move the bus depot to the old brickworks by 2028."
OTHER = "The Treaty of Utrecht, signed in 1713, ended the War of the Spanish Succession."
PANIC = (
    "She ran screaming down the burning corridor while the ceiling crashed behind her and the children cried."
)
TYPED = {**SHORT, "variety": 1}


def open_service(home):
    return MusicService.open(home, encoder=encoders.load())


@pytest.fixture(scope="module")
def reused(tmp_path_factory):
    """Return a home with two tracks, of which one serves a request that it was not made for by its music."""
    home = tmp_path_factory.mktemp("reused") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATALOG_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
        with open_service(home) as service:
            service.find_or_make(MADE, **TYPED)
            service.find_or_make(PANIC, **TYPED)
            shutil.copytree(home / "lance", home.parent / "before")
            assert service.find_or_make(REUSED, **TYPED).decision.rule == "music"
    return home


@pytest.fixture
def home(reused, tmp_path):
    shutil.copytree(reused.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def service(home, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with open_service(home) as service:
        yield service


def call_of(service, typed=TYPED):
    return KeptCall(str(service.store.home), None, REUSED, typed)


def keep(service, typed=TYPED):
    """Look the request up, and keep its answer as the command line does."""
    result = service.find_or_make(REUSED, **typed)
    call_of(service, typed).keep(service, result)
    return result


def test_the_repeat_of_a_reuse_gives_what_a_look_up_gives(service):
    first = keep(service)
    assert (first.decision.rule, first.track.key == first.request.key) == ("exact", False)
    short = call_of(service).answer()
    long = json.loads(json.dumps(service.attach_soundtrack({"answer": REUSED}, **TYPED)["music"]))
    assert (short["id"], short["path"]) == (first.track.id, str(first.path))
    names = long.keys() & short.keys() - {"request_id", "action"}
    assert {name: short[name] for name in names} == {name: long[name] for name in names}
    lines = {line.id: line for line in service.store.requests.list()}
    written, looked_up = lines[short["request_id"]], lines[long["request_id"]]
    own = ("id", "created_at", "timings_s")
    assert written.model_dump(exclude={*own}) == looked_up.model_dump(exclude={*own})


def test_the_first_reuse_is_kept_at_once(service):
    result = service.find_or_make(OTHER, **TYPED)
    assert result.decision.rule == "music"
    call = KeptCall(str(service.store.home), None, OTHER, TYPED)
    call.keep(service, result)
    assert call.answer()["id"] == result.track.id


def test_other_requests_and_their_tracks_leave_it(service):
    first = keep(service)
    service.find_or_make(PANIC, **SHORT, seed=1)  # made
    service.find_or_make(OTHER, **TYPED)  # reused
    service.find_or_make(REUSED, **TYPED)  # the same again
    service.find(REUSED, **TYPED)
    service.find_or_make(REUSED, dry_run=True, fit="fits", **TYPED)
    service.find_or_make(REUSED, listener="ada", **TYPED)
    service.store.care.compact()
    assert call_of(service).answer()["id"] == first.track.id


def _reject(service, first):
    service.reject(first.track.id, first.request_id)


def _reject_near(service, first):
    near = service.find_or_make(REUSED.replace("2028", "2029"), **TYPED)
    assert near.track.id == first.track.id
    service.reject(first.track.id, near.request_id)


def _decide_anew(service, first):
    """Let the log hold another track for the request, which other terms led to."""
    (line,) = service.store.requests.list(rule="music", key=first.request.key)
    later = {"id": "later", "created_at": datetime.now(timezone.utc), "track_id": _other(service)}
    service.store.requests.append(line.model_copy(update=later))


def _other(service):
    return service.find_or_make(PANIC, **TYPED).track.id


CHANGED_ANSWER = {
    "rejected": _reject,
    "rejected for a near request": _reject_near,
    "in the trash": lambda service, first: service.store.tracks.trash(first.track.id),
    "made for the request since": lambda service, first: service.generate(REUSED, **SHORT),
    "another one decided since": _decide_anew,
    "another one chosen": lambda service, first: service.choose(_other(service), REUSED, **SHORT),
    "file gone": lambda service, first: first.path.unlink(),
    "file altered": lambda service, first: first.path.write_bytes(first.path.read_bytes()[::-1]),
}


@pytest.mark.parametrize("change", CHANGED_ANSWER)
def test_where_another_answer_is_right_it_is_not_given(service, change):
    first = keep(service)
    call = call_of(service)
    assert call.answer()["id"] == first.track.id
    CHANGED_ANSWER[change](service, first)
    assert call.answer() is None
    again = service.explain(REUSED, log=False, **TYPED)
    assert again.track is None or again.track.id != first.track.id
    if again.track:
        call.keep(service, again)
        assert call.answer()["id"] == again.track.id


def _delete(service, first):
    service.store.tracks.trash(first.track.id)
    service.store.care.purge()


def _roll_back(service, first):
    shutil.rmtree(service.store.home / "lance")
    shutil.copytree(service.store.home.parent / "before", service.store.home / "lance")


def _restore(service, first):
    home = service.store.home
    back_up(service.store, home.parent / "backup")
    service.close()
    restore(home.parent / "backup", home, force=True)
    (aside,) = home.glob("before-restore-*")
    shutil.copytree(aside / "cache", home / "cache", dirs_exist_ok=True)


def _leave_unfinished(service, first):
    note = service.store.home / "lance" / "requests.acked"
    before = note.read_bytes()
    service.find_or_make(OTHER, **TYPED)
    note.write_bytes(before)  # the writer died before it could note its commit


def _judge(service, first):
    service.store.judgements.append(
        Judgement(
            id="j",
            created_at=first.track.created_at,
            verdict="rejected",
            track_id=first.track.id,
            request_id=first.request_id,
            key=first.request.key,
        )
    )


def _copy_into(name, source):
    return lambda service, first: shutil.copyfile(source, service.store.home / name)


CHANGED_STATE = {
    "deleted": _delete,
    "row changed": lambda service, first: service.store.tracks.update(first.track.id, title="Depot"),
    "licence changed": lambda service, first: service.store.tracks.change(
        first.track.id, lambda _: {"weights_license": "unknown"}
    ),
    "row changed by another program": lambda service, first: service.store.tracks.table.durable.table.update(
        where=f"id = '{first.track.id}'", values={"title": "Depot"}
    ),
    "line changed by another program": lambda service, first: service.store.tables["requests"].table.delete(
        f"key = '{first.request.key}'"
    ),
    "judged by another replica": _judge,
    "tables put back from a copy": _roll_back,
    "restored": _restore,
    "commit unfinished": _leave_unfinished,
    "presets": lambda service, first: (service.store.home / "catalog.yaml").write_text("musicgen: {}"),
    "certificate": _copy_into("certificate.json", ROOT / "catalog/reuse/certificate.json"),
    "certificate on music": _copy_into("music-certificate.json", ROOT / "catalog/reuse/music.json"),
    "own brief": _copy_into("brief-0.safetensors", ROOT / "catalog/brief/brief.safetensors"),
}


@pytest.mark.parametrize("change", CHANGED_STATE)
def test_where_another_answer_may_be_right_it_is_looked_up(service, change):
    keep(service)
    call = call_of(service)
    assert call.answer() is not None
    CHANGED_STATE[change](service, service.explain(REUSED, log=False, **TYPED))
    assert call.answer() is None


@pytest.mark.parametrize(
    "flags",
    [
        {"fit": "fits"},
        {"reach": "scene"},
        {"max_false_reuse": 0.05},
        {"min_similarity": 0.1},
        {"reuse": "always"},
        {"variety": 2},
        {"duration_s": 3.0},
        {"preset": "documentary_neutral"},
    ],
    ids=str,
)
def test_a_call_with_other_flags_is_another_one(service, flags):
    keep(service)
    assert call_of(service, {**TYPED, **flags}).answer() is None


@pytest.mark.parametrize("flags", [{"fit": "fits"}, {"reach": "scene"}, {"reuse": "never"}], ids=str)
def test_what_is_decided_anew_each_time_is_not_kept(service, flags):
    result = service.find_or_make(REUSED, **TYPED)
    assert service.next_time(result, **TYPED_TERMS) is not None
    assert service.next_time(result, **{**TYPED_TERMS, **flags}) is None
    call = call_of(service, {**TYPED, **flags})
    call.keep(service, result)
    assert call.answer() is None


TYPED_TERMS = {"variety": 1}


def test_with_another_encoder_only_what_was_made_for_the_request_is_kept(service, monkeypatch):
    result = service.find_or_make(REUSED, **TYPED)
    monkeypatch.setenv("CATALOG_ENCODER", "some-folder")
    call = call_of(service)
    call.keep(service, result)
    assert call.answer() is None
    made = service.find_or_make(MADE, **TYPED)
    call = KeptCall(str(service.store.home), None, MADE, TYPED)
    call.keep(service, made)
    assert call.answer()["id"] == made.track.id


def test_an_error_of_the_look_up_is_not_that_of_the_call(service):
    result = service.find_or_make(REUSED, **TYPED)
    service.store.tables["requests"].close()
    for manifest in (service.store.home / "lance/requests.lance/_versions").iterdir():
        manifest.write_bytes(b"")
    shutil.rmtree(service.store.home / "cache/repeats")
    call_of(service).keep(service, result)
    assert call_of(service).answer() is None


def test_names_that_are_stated_twice_agree():
    assert {*BY_HAND} < {*ANSWERING}
    assert (certificate.CERTIFICATE, music_certificate.OWN) == CERTIFICATES


def test_in_python_a_repeat_of_a_reuse_needs_neither_lance_nor_an_encoder(service, home, monkeypatch):
    first = service.find_or_make(REUSED, **TYPED)
    monkeypatch.setattr(Connection, "connect", lambda self: pytest.fail("Lance was loaded"))
    monkeypatch.setattr(encoders.LocalEncoder, "encode_layers", lambda *_: pytest.fail("a text was encoded"))
    with open_service(home) as other:
        again = other.find_or_make(REUSED, **TYPED)
        assert (again.track.id, again.decision) == (first.track.id, first.decision)
        assert again.request == first.request
        for anew in ({"fit": "fits"}, {"reach": "scene"}, {"max_false_reuse": 0.05}):
            with pytest.raises(pytest.fail.Exception, match="Lance was loaded"):
                other.find_or_make(REUSED, dry_run=True, **TYPED, **anew)


def test_a_new_request_reads_no_line_of_the_log(service, monkeypatch):
    service.find_or_make(REUSED, **TYPED)
    monkeypatch.setattr(Requests, "list", lambda *_, **__: pytest.fail("a line was read"))
    assert service.find_or_make(OTHER, dry_run=True, **TYPED).decision.rule != "exact"


def test_a_repeat_of_a_reuse_imports_neither_lance_nor_an_encoder(home, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "no-share"))
    words = ["find-or-make", REUSED, "--duration", "2", "--quality", "preview", "--variety", "1"]
    code = (
        "import sys\nfrom music_catalog import cli\n"
        f"cli.catalog({[*words, '--home', str(home), '--json']!r}, standalone_mode=False)\n"
        "heavy = {'lancedb', 'pyarrow', 'numpy', 'pydantic', 'tokenizers', 'music_catalog.service'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )

    looked_up = json.loads(CliRunner().invoke(cli.catalog, [*words, "--home", str(home), "--json"]).stdout)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    again = json.loads(done.stdout)
    assert again["reason"] == "the same request was served before, by its music"
    assert again["id"] == looked_up["id"]
    assert again["request_id"] != looked_up["request_id"]

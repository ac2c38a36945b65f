from __future__ import annotations

import errno
import json
import re
from datetime import datetime, timezone
from pathlib import Path

import pytest

from music_catalog.errors import InputError, StorageError
from music_catalog.reuse import certificate, labels
from music_catalog.reuse.certificate import Bound, Certificate, identified, save, standing, version
from music_catalog.text import encoder

SHIPPED_ENCODER = encoder.load().identity


def a_certificate(**changes):
    values = {
        "made_at": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "source": "a test",
        "source_sha256": "0" * 64,
        "shipped_sha256": labels.shipped_sha256(),
        "encoder": "word-hash@1",
        "features": version(),
        "scenes": 3,
        "weights": dict.fromkeys(certificate.WEIGHTS, 0.0),
        "bounds": (Bound(max_false_reuse=0.1, threshold=0.8), Bound(max_false_reuse=0.2, threshold=None)),
    }
    return identified(Certificate(**{**values, **changes}))


def test_the_shipped_certificate_counts_for_the_shipped_encoder(tmp_path):
    counts = standing(tmp_path, SHIPPED_ENCODER)
    assert counts.note == ""
    assert counts.certificate.source_sha256 == labels.shipped_labels().sha256
    assert "authored" in counts.certificate.source
    bound = counts.certificate.at(0.1)
    assert 0 < bound.threshold < 1
    assert bound.false_reuse <= bound.upper_bound <= 0.1
    assert counts.certificate == identified(counts.certificate)


def test_another_encoder_has_no_certificate_until_one_is_made(tmp_path):
    counts = standing(tmp_path, "word-hash@1")
    assert counts.certificate is None
    assert "word-hash@1" in counts.note
    own = a_certificate()
    save(own, tmp_path / certificate.CERTIFICATE)
    assert standing(tmp_path, "word-hash@1").certificate == own


def test_the_users_own_certificate_wins_over_the_shipped_one(tmp_path):
    own = a_certificate(encoder=SHIPPED_ENCODER)
    save(own, tmp_path / certificate.CERTIFICATE)
    assert standing(tmp_path, SHIPPED_ENCODER).certificate == own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "other@2"}, "encoder other@2"),
        ({"features": "features-0/evidence-0"}, "way texts are read features-0"),
        ({"shipped_sha256": "f" * 64}, "shipped label set ffff"),
    ],
)
def test_a_certificate_expires_with_what_it_was_made_from(tmp_path, change, message):
    save(a_certificate(**change), tmp_path / certificate.CERTIFICATE)
    counts = standing(tmp_path, "word-hash@1")
    assert counts.certificate is None
    assert "has expired" in counts.note
    assert message in counts.note


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"id": "x"}', b"\xff\xfe", b" " * 1_100_000])
def test_a_damaged_certificate_is_said_so_and_does_not_count(tmp_path, data):
    (tmp_path / certificate.CERTIFICATE).write_bytes(data)
    counts = standing(tmp_path, SHIPPED_ENCODER)
    assert counts.certificate is None
    assert "certificate.json" in counts.note


def keep(path, **changes):
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**content, **changes}), "utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"topic": 0.0}}, "weights: the weight 'similarity' is missing"),
        ({"weights": {**dict.fromkeys(certificate.WEIGHTS, 0.0), "sound": 1.0}}, "'sound' is not known"),
        (
            {"weights": {**dict.fromkeys(certificate.WEIGHTS, 0.0), "exchanged": 1.0}},
            "'exchanged' is above 0",
        ),
        ({"made_at": "2026-01-01T00:00:00"}, "made_at: .*timezone"),
        ({"bounds": [{"max_false_reuse": 0.1, "threshold": -4}]}, "bounds.0.threshold: .*greater than"),
        ({"bounds": [{"max_false_reuse": 0.1, "threshold": 0.1}]}, "its id does not follow from its content"),
        ({"colour": "red"}, "colour: "),
    ],
)
def test_a_certificate_changed_by_hand_is_said_so_and_does_not_count(tmp_path, changes, message):
    path = tmp_path / certificate.CERTIFICATE
    save(a_certificate(encoder=SHIPPED_ENCODER), path)
    keep(path, **changes)
    counts = standing(tmp_path, SHIPPED_ENCODER)
    assert counts.certificate is None
    assert re.search(message, counts.note)
    assert "\n" not in counts.note


def test_a_decision_names_what_is_wrong_with_the_certificate_and_reuses_repeats_alone(open_service):
    service = open_service(min_similarity=None)
    save(a_certificate(encoder=service.encoder.identity), service.store.home / certificate.CERTIFICATE)
    keep(service.store.home / certificate.CERTIFICATE, weights={"topic": 9.0})
    asked = {"quality": "preview", "duration_s": 1.0, "role": "background_bed"}
    service.find_or_make("calm rain on the roof", **asked)
    result = service.explain("calm rain on a roof", **asked)
    assert (result.track, result.decision.rule) == (None, "uncertified")
    assert "the weight 'similarity' is missing" in result.warnings[-1]
    assert service.find("calm rain on the roof", **asked).decision.rule == "exact"


def test_the_id_follows_from_the_content():
    one = a_certificate()
    assert identified(one).id == one.id
    assert a_certificate(scenes=4).id != one.id


def test_a_bound_for_a_stricter_rate_serves_a_more_lenient_wish_and_not_the_other_way():
    one = a_certificate()
    assert one.at(0.15).threshold == one.at(0.1).threshold == one.at(0.5).threshold == 0.8
    assert one.at(0.09) is None


def test_saving_replaces_the_old_one_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / certificate.CERTIFICATE
    save(a_certificate(), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="the certificate cannot be written"):
        save(a_certificate(scenes=9), path)
    assert path.read_bytes() == before
    assert json.loads(before)["scenes"] == 3
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(InputError, match="between 0 and 1"):
        certificate.checked_rate(rate)


def test_files_that_did_not_change_are_read_once(tmp_path, monkeypatch):
    save(a_certificate(), tmp_path / certificate.CERTIFICATE)
    first = standing(tmp_path, "word-hash@1")
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or read_bytes(path))
    assert standing(tmp_path, "word-hash@1") == first
    assert read == []
    changed = a_certificate(source="another test")
    save(changed, tmp_path / certificate.CERTIFICATE)
    assert standing(tmp_path, "word-hash@1").certificate == changed
    assert read == [certificate.CERTIFICATE]

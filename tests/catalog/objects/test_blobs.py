from __future__ import annotations

import re

import pytest
from fake_s3 import BUCKET, object_server

from music_catalog.errors import StorageError
from music_catalog.objects.address import parse_address
from music_catalog.objects.blobs import Blobs
from music_catalog.objects.probe import check_conditions


def test_objects_are_created_once_and_swapped_while_unchanged(blobs):
    first = blobs.create("a/one", b"1")
    assert first is not None
    assert blobs.create("a/one", b"2") is None
    second = blobs.swap("a/one", b"3", first)
    assert second is not None
    assert blobs.swap("a/one", b"4", first) is None
    assert blobs.get_marked("a/one") == (b"3", second)
    assert blobs.swap("a/none", b"1", first) is None


def test_objects_are_read_listed_and_deleted(blobs):
    assert blobs.get("none") is None
    assert blobs.size("none") is None
    for name in ("b/two", "a/one"):
        blobs.put(name, name.encode())
    assert [(blob.path, blob.size_bytes) for blob in blobs.list()] == [("a/one", 5), ("b/two", 5)]
    assert [blob.path for blob in blobs.list("b")] == ["b/two"]
    assert blobs.size("a/one") == 5
    blobs.delete("a/one")
    blobs.delete("a/one")
    assert blobs.get("a/one") is None


def test_a_store_with_conditions_passes_the_probe_and_nothing_stays(blobs):
    check_conditions(blobs)
    assert not list(blobs.list())


@pytest.mark.parametrize("lost", [0, 2])
def test_a_store_that_loses_the_answer_to_a_write_passes_the_probe(blobs, server, monkeypatch, lost):
    """The first write is a create and the third one a swap; both are done, and sent again."""
    answer, writes = server.answer, []

    def losing(method, target, headers, body):
        told = answer(method, target, headers, body)
        if method == "PUT":
            writes.append(target)
            if len(writes) == lost + 1:
                return 503, {}, b""
        return told

    monkeypatch.setattr(server, "answer", losing)
    check_conditions(blobs)
    assert not list(blobs.list())
    assert len(writes) == 5


def test_a_store_that_ignores_conditions_is_refused(monkeypatch):
    with object_server(monkeypatch, ignores_conditions=True) as server:
        blobs = Blobs(parse_address(f"s3://{BUCKET}/home"))
        with pytest.raises(StorageError, match="ignores the conditions"):
            check_conditions(blobs)
        assert not server.objects


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "no permission"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "AWS_ACCESS_KEY_ID"),
        (400, "ExpiredToken", "have expired"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (301, "PermanentRedirect", "AWS_REGION"),
        (501, "NotImplemented", "cannot do this"),
        (418, "Teapot", "refused"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_cure(blobs, server, status, code, says):
    server.refusal = status, code
    for ask in (lambda: blobs.get("x"), lambda: blobs.create("x", b""), lambda: list(blobs.list())):
        with pytest.raises(StorageError, match=says) as refused:
            ask()
        _is_clean(str(refused.value))
        assert refused.value.__cause__ is None


def test_a_bucket_that_is_not_there_is_told(server):
    blobs = Blobs(parse_address("s3://nowhere/home"))
    for ask in (lambda: blobs.get("x"), lambda: blobs.put("x", b""), lambda: list(blobs.list())):
        with pytest.raises(StorageError, match="no such bucket; create it"):
            ask()


def test_a_server_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr("music_catalog.objects.blobs.RETRIES", 0)
    options = {"aws_endpoint": "http://127.0.0.1:1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    blobs = Blobs(parse_address("s3://music/home", options))
    with pytest.raises(StorageError, match="does not answer; check the endpoint"):
        blobs.get("x")


def _is_clean(text: str) -> None:
    assert "\n" not in text
    assert not re.search("listener|a-secret|Signature=|Debug source", text), text

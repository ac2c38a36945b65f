"""The audio of a track over HTTP: whole, in parts, and in other formats."""

from __future__ import annotations

import io

import anyio
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from music_catalog.errors import Damage
from music_catalog.web.ranges import file_response, parse


def ranged(client, track_id, header, **headers):
    return client.get(f"/api/tracks/{track_id}/audio", headers={"Range": header, **headers})


def test_altered_audio_is_not_sent(client, made):
    store = client.app.state.shared.service.store
    path = store.audio.path_of(store.tracks.get(made["id"]))
    assert client.get(f"/api/tracks/{made['id']}/audio").status_code == 200
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for what in ("audio", "audio?format=flac", "peaks"):
        answer = client.get(f"/api/tracks/{made['id']}/{what}")
        assert (answer.status_code, answer.json()["exit_code"]) == (500, Damage.exit_code), what


def test_audio_comes_whole_and_in_parts(client, made):
    whole = client.get(f"/api/tracks/{made['id']}/audio")
    data = whole.content
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"] == f'"{made["track"]["audio_sha256"]}"'
    assert len(data) == made["track"]["audio_bytes"]
    for header, start, stop in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(data)),
        ("bytes=-50", len(data) - 50, len(data)),
        ("bytes=-999999999", 0, len(data)),
        (f"bytes=10-{len(data) + 5}", 10, len(data)),
        ("bytes=5-9,0-6", 0, 10),
        ("bytes=0-0", 0, 1),
        ("bytes=0-9,99999999-", 0, 10),
    ):
        part = ranged(client, made["id"], header)
        assert part.status_code == 206, header
        assert part.content == data[start:stop]
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        assert part.headers["content-length"] == str(stop - start)


def test_audio_is_sent_while_every_worker_is_at_work(tmp_path):
    data = bytes(range(256)) * 4096
    (tmp_path / "audio.wav").write_bytes(data)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    sent = []

    async def send(message):
        sent.append(message.get("body", b""))

    async def sending():
        workers = anyio.to_thread.current_default_thread_limiter()
        for _ in range(int(workers.total_tokens)):
            workers.acquire_on_behalf_of_nowait(object())
        file = (tmp_path / "audio.wav").open("rb")
        answer = file_response(file, request, etag="a", media_type="audio/wav", headers={})
        with anyio.fail_after(20):
            await answer(request.scope, anyio.sleep_forever, send)

    anyio.run(sending)
    assert b"".join(sent) == data


def test_several_parts_come_in_one_answer(client, made):
    data = client.get(f"/api/tracks/{made['id']}/audio").content
    answer = ranged(client, made["id"], "bytes=0-9, 100-109, -4")
    assert answer.status_code == 206
    assert len(answer.content) == int(answer.headers["content-length"])
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = answer.content.split(b"\r\n--" + boundary)[1:]
    assert parts[-1] == b"--\r\n"
    payload = [part.split(b"\r\n\r\n", 1) for part in parts[:-1]]
    assert [content for _, content in payload] == [data[:10], data[100:110], data[-4:]]
    assert f"Content-Range: bytes 100-109/{len(data)}".encode() in payload[1][0]
    assert all(b"Content-Type: audio/wav" in head for head, _ in payload)


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0", "bytes=99999999-100000000,99999999-"])
def test_parts_that_are_not_there_are_refused(client, made, header):
    answer = ranged(client, made["id"], header)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{made['track']['audio_bytes']}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=a-b", "bytes=9-5", "items=0-9", "bytes=" + "0-1," * 200 + "0-1"]
)
def test_a_range_that_is_none_is_passed_over(client, made, header):
    answer = ranged(client, made["id"], header)
    assert (answer.status_code, len(answer.content)) == (200, made["track"]["audio_bytes"])


def test_a_part_of_another_file_is_not_sent(client, made):
    etag = f'"{made["track"]["audio_sha256"]}"'
    assert ranged(client, made["id"], "bytes=0-9", **{"If-Range": etag}).status_code == 206
    for other in ('"other"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ranged(client, made["id"], "bytes=0-9", **{"If-Range": other}).status_code == 200


def test_a_file_the_caller_has_is_not_sent_again(client, made):
    for end in ("audio", "peaks", "spectrogram.png"):
        path = f"/api/tracks/{made['id']}/{end}"
        etag = client.get(path).headers["etag"]
        answer = client.get(path, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_tells_what_get_would_send(client, made):
    path = f"/api/tracks/{made['id']}/audio"
    head = client.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(made["track"]["audio_bytes"])
    part = client.request("HEAD", path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"], part.content) == (206, "10", b"")


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_audio_comes_in_other_formats_with_a_telling_name(client, made, form):
    answer = client.get(f"/api/tracks/{made['id']}/audio?format={form}&download=1")
    assert answer.headers["content-type"] == f"audio/{form}"
    name = answer.headers["content-disposition"]
    assert name.startswith('attachment; filename="')
    assert name.endswith(f'{made["id"]}.{form}"')
    info = soundfile.info(io.BytesIO(answer.content))
    assert (info.format.lower(), info.duration) == (form, pytest.approx(1.0, abs=0.05))
    again = client.get(f"/api/tracks/{made['id']}/audio?format={form}", headers={"Range": "bytes=0-3"})
    assert again.content == answer.content[:4]


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_part_is_cut_to_the_sample(client, made, form):
    path = f"/api/tracks/{made['id']}/audio?format={form}"
    whole, rate = soundfile.read(io.BytesIO(client.get(path).content), dtype="int16")
    answer = client.get(f"{path}&start_s=0.2501&end_s=0.7&download=1")
    part, part_rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    first, end = round(0.2501 * rate), round(0.7 * rate)
    assert part_rate == rate
    np.testing.assert_array_equal(part, whole[first:end])
    assert answer.headers["content-disposition"].endswith(f'{made["id"]}-0.25-0.70s.{form}"')
    rest, _ = soundfile.read(io.BytesIO(client.get(f"{path}&start_s=0.5").content), dtype="int16")
    np.testing.assert_array_equal(rest, whole[rate // 2 :])
    beginning, _ = soundfile.read(io.BytesIO(client.get(f"{path}&end_s=0.5").content), dtype="int16")
    np.testing.assert_array_equal(beginning, whole[: rate // 2])
    again = client.get(f"{path}&start_s=0.2501&end_s=0.7", headers={"Range": "bytes=0-3"})
    assert (again.status_code, again.content) == (206, answer.content[:4])
    assert soundfile.info(io.BytesIO(answer.content)).frames == end - first


def test_a_part_without_a_sample_is_refused(client, made):
    path = f"/api/tracks/{made['id']}/audio"
    for query in ("start_s=0.7&end_s=0.7", "start_s=5", "start_s=0.9&end_s=0.1"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert "cut nothing out" in answer.json()["detail"]
    for query in ("start_s=-1", "start_s=nan", "end_s=inf", "end_s=1e30"):
        assert client.get(f"{path}?{query}").status_code == 422


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 50),
    ranges=st.lists(
        st.tuples(st.integers(0, 60) | st.none(), st.integers(0, 60) | st.none()), min_size=1, max_size=6
    ),
)
def test_ranges_name_the_bytes_of_the_header(size, ranges):
    header = "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in ranges)
    spans = parse(header, size)
    wrong = any((a is None and b is None) or (a is not None and b is not None and b < a) for a, b in ranges)
    if wrong:
        assert spans is None
        return
    wanted = set()
    for a, b in ranges:
        wanted |= (
            set(range(max(0, size - b), size))
            if a is None
            else set(range(a, size if b is None else min(size, b + 1)))
        )
    assert [byte for start, stop in spans for byte in range(start, stop)] == sorted(wanted)

"""Music from a service: the two shapes of API, and everything that a service may do wrong."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from music_catalog.generator import Audio, Cancelled, GeneratorError, audio
from music_catalog.generator.remote import ace_step, exchange
from music_catalog.generator.remote.generator import HttpGenerator
from tests.music_server import music, music_server

CONFIG = {"duration_s": 12.0, "seed": 7, "negative_prompt": "vocals"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let nothing wait longer than it must."""
    monkeypatch.setattr(ace_step, "POLL_S", 0.01)
    monkeypatch.setattr(exchange, "WAITS_S", (0.01,))


def ace(server, **settings):
    return HttpGenerator(url=server.url, api="ace-step", model="ACE-Step 1.5", license="MIT", **settings)


def plain(server, **settings):
    return HttpGenerator(url=f"{server.url}/make", model="some-model", license="Apache-2.0", **settings)


def length_of(name):
    return lambda body: music(float(body[name]), int(body.get("seed", 0)))


def test_a_task_of_ace_step_is_handed_in_asked_after_and_fetched():
    with music_server() as server:
        told = []
        made = ace(server, options={"inference_steps": 8}).generate_music(
            "soft piano", CONFIG, on_progress=lambda *step: told.append(step)
        )
    assert server.asked == [
        {
            "prompt": "soft piano",
            "lyrics": "[Instrumental]",
            "audio_duration": 12.0,
            "seed": 7,
            "use_random_seed": False,
            "batch_size": 1,
            "audio_format": "wav",
            "inference_steps": 8,
        }
    ]
    assert server.paths[0] == "/release_task"
    assert server.paths[1:4] == ["/query_result"] * 3
    assert server.paths[4].startswith("/v1/audio?path=%2Fsrv%2Fout%2F")
    expected = audio.read(music(12.0, 7))
    assert np.array_equal(made.samples, expected.samples)
    assert made.provenance["model"] == "ACE-Step 1.5"
    assert made.provenance["weights_license"] == "MIT"
    assert made.provenance["seed"] == 7
    assert told[0] == (0, 1)
    assert told[-1] == (1, 1)


@pytest.mark.parametrize(("asked_s", "sent_s"), [(3.0, 10.0), (45.0, 45.0), (900.0, 600.0)])
def test_ace_step_gets_a_length_that_it_takes(asked_s, sent_s):
    with music_server(failed=True) as server, pytest.raises(GeneratorError):
        ace(server).generate_music("x", {**CONFIG, "duration_s": asked_s})
    assert server.asked[0]["audio_duration"] == sent_s


def test_a_service_that_answers_with_audio_is_asked_in_its_own_words():
    with music_server(made=length_of("seconds")) as server:
        fields = {"prompt": "inputs", "duration_s": "seconds", "negative_prompt": ""}
        made = plain(server, fields=fields, options={"steps": 50}).generate_music("soft piano", CONFIG)
    assert server.asked == [{"inputs": "soft piano", "seconds": 12.0, "seed": 7, "steps": 50}]
    assert made.duration_s == 12.0
    assert made.provenance["weights_license"] == "Apache-2.0"


@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
def test_every_format_that_the_catalog_reads_is_taken(format):
    with music_server(made=lambda body: music(12.0, format=format, rate=44_100)) as server:
        assert plain(server).generate_music("x", CONFIG).sample_rate == 44_100


def answers(status, body=b"{}", **headers):
    def answer(handler):
        handler.send(status, body, **headers)
        return True

    return answer


def hangs_up(handler):
    handler.connection.close()
    handler.close_connection = True
    return True


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_that_was_not_taken_is_sent_again(status):
    with music_server(faults=[answers(status), answers(status)]) as server:
        assert ace(server, retries=2).generate_music("x", CONFIG).duration_s == 12.0
    assert len(server.asked) == 1
    with (
        music_server(faults=[answers(status)] * 2) as server,
        pytest.raises(GeneratorError, match=str(status)),
    ):
        ace(server, retries=1).generate_music("x", CONFIG)


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_gave_up_may_have_handed_the_task_on(status):
    with (
        music_server(faults=[answers(status)]) as server,
        pytest.raises(GeneratorError, match=f"status {status}"),
    ):
        ace(server, retries=5).generate_music("x", CONFIG)
    assert server.paths == ["/release_task"]
    with music_server(faults=[lambda _: False, answers(status)]) as server:
        assert ace(server).generate_music("x", CONFIG).duration_s == 12.0
    assert len(server.asked) == 1


def test_a_task_that_may_have_begun_is_not_handed_in_again_but_what_only_reads_is_asked_again():
    with (
        music_server(faults=[hangs_up]) as server,
        pytest.raises(GeneratorError, match="broke off its answer"),
    ):
        ace(server, retries=5).generate_music("x", CONFIG)
    assert len(server.paths) == 1

    def passes(handler):
        return False

    with music_server(faults=[passes, hangs_up, passes, hangs_up]) as server:
        assert ace(server).generate_music("x", CONFIG).duration_s == 12.0
    assert len(server.asked) == 1


def test_a_service_that_does_not_run_is_told_without_its_address():
    with music_server() as server:
        gone = ace(server, retries=0)
    with pytest.raises(GeneratorError, match=r"the service of ACE-Step 1\.5 cannot be reached") as refused:
        gone.generate_music("x", CONFIG)
    assert "127.0.0.1" not in str(refused.value)


def test_a_service_that_never_answers_is_left_at_its_time():
    def waits(handler):
        time.sleep(5)
        return True

    began = time.monotonic()
    with music_server(faults=[waits]) as server:
        with pytest.raises(GeneratorError, match=r"made nothing within 1 s; .*timeout_s"):
            plain(server, timeout_s=1).generate_music("x", CONFIG)
        assert time.monotonic() - began < 4.5, "the deadline did not end the request"
    with music_server(polls=10**9) as server, pytest.raises(GeneratorError, match="made nothing within 1 s"):
        ace(server, timeout_s=1).generate_music("x", CONFIG)


def test_a_caller_who_cancels_is_let_go_while_the_service_works():
    calls = []

    def cancel(done, total):
        calls.append(done)
        if len(calls) == 3:
            raise Cancelled("stop")

    def waits(handler):
        time.sleep(5)
        return True

    for server_of, make in (({"faults": [waits]}, plain), ({"polls": 10**9}, ace)):
        calls.clear()
        with music_server(**server_of) as server, pytest.raises(Cancelled):
            make(server).generate_music("x", CONFIG, on_progress=cancel)


SILENT = audio.encode(Audio(np.zeros((12 * 48_000, 2), np.float32), 48_000))
WRONG = {
    "nothing": (b"", "answered with nothing"),
    "text": (b"<html>not here</html>", "no WAV, FLAC or OGG"),
    "cut": (music(12.0)[:3_000], "no WAV, FLAC or OGG|made 0"),
    "short": (music(5.0), r"made 5\.0 s where 12 s"),
    "long": (music(80.0, rate=8_000), "no WAV, FLAC or OGG.*80"),
    "silent": (SILENT, "nothing but silence"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("make", [ace, plain])
def test_what_is_no_such_music_is_refused(data, words, make):
    with music_server(made=lambda body: data) as server, pytest.raises(GeneratorError, match=words):
        make(server).generate_music("x", CONFIG)


def test_an_answer_without_end_is_cut_off():
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/wav")
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(bytes(1_000_000))
        return True

    with music_server(faults=[endless]) as server, pytest.raises(GeneratorError, match="answered more than"):
        plain(server).generate_music("x", CONFIG)


def test_a_key_is_sent_and_never_told(monkeypatch):
    monkeypatch.setenv("MUSIC_KEY", "secret-key")
    with music_server(key="secret-key") as server:
        assert ace(server, api_key_env="MUSIC_KEY").generate_music("x", CONFIG).duration_s == 12.0
        with pytest.raises(GeneratorError, match=r"401.*Invalid API key.*api_key_env"):
            ace(server).generate_music("x", CONFIG)
    echo = answers(400, b'{"detail": "bad key secret-key"}')
    with music_server(faults=[echo]) as server, pytest.raises(GeneratorError, match=r"\*\*\*") as refused:
        ace(server, api_key_env="MUSIC_KEY").generate_music("x", CONFIG)
    assert "secret-key" not in str(refused.value)
    monkeypatch.delenv("MUSIC_KEY")
    with pytest.raises(GeneratorError, match="MUSIC_KEY of its key is not set"):
        HttpGenerator(url="http://x", model="m", license="MIT", api_key_env="MUSIC_KEY").generate_music(
            "x", CONFIG
        )


LONG = "x" * 195
ECHOES = {
    "refusal": b'{"data": null, "code": 401, "error": "no rights for secret-key"}',
    "refusal that is cut": f'{{"data": null, "code": 401, "error": "{LONG}secret-key"}}'.encode(),
    "status that is cut": None,
}


@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
def test_a_key_that_a_service_repeats_is_told_in_no_message(body, monkeypatch):
    monkeypatch.setenv("MUSIC_KEY", "secret-key")
    fault = answers(200, body) if body else answers(400, f'{{"detail": "{LONG}secret-key"}}'.encode())
    with music_server(faults=[fault]) as server, pytest.raises(GeneratorError) as refused:
        ace(server, api_key_env="MUSIC_KEY").generate_music("x", CONFIG)
    assert "secr" not in str(refused.value)


@pytest.mark.parametrize("before", ["no rights for ", LONG])
def test_a_key_in_the_reason_of_a_failed_task_is_not_told(before, monkeypatch):
    monkeypatch.setenv("MUSIC_KEY", "secret-key")

    def fails(handler):
        result = json.dumps([{"error": f"{before}secret-key"}])
        body = {"data": [{"task_id": "1", "status": 2, "result": result}], "code": 200, "error": None}
        return answers(200, json.dumps(body).encode())(handler)

    taken = answers(200, b'{"data": {"task_id": "1"}, "code": 200, "error": null}')
    with (
        music_server(faults=[taken, fails]) as server,
        pytest.raises(GeneratorError, match="failed at") as it,
    ):
        ace(server, api_key_env="MUSIC_KEY").generate_music("x", CONFIG)
    assert "secr" not in str(it.value)


@pytest.mark.parametrize(
    "file",
    ["http://169.254.169.254/latest", "//elsewhere.example/x.wav", "file:///etc/passwd", "", "http://[bad"],
)
def test_a_file_on_another_server_is_not_fetched(file):
    with music_server(file=lambda path: file) as server:
        with pytest.raises(GeneratorError, match=r"another server|names no file"):
            ace(server).generate_music("x", CONFIG)
        assert not any(path.startswith("/v1/audio") for path in server.paths)


def test_redirects_are_not_followed():
    with music_server() as other, music_server(faults=[answers(302, Location=other.url)]) as server:
        with pytest.raises(GeneratorError, match="redirects are not followed"):
            plain(server).generate_music("x", CONFIG)
        assert other.paths == []


BODIES = {
    "no json": (b"nonsense", "something other than ACE-Step's JSON"),
    "a list": (b"[]", "something other than ACE-Step's JSON"),
    "an error": (b'{"data": null, "code": 500, "error": "no model"}', "no model"),
    "no task": (b'{"data": {}, "code": 200, "error": null}', "without a task_id"),
    "deep": (b"[" * 100_000, "something other than ACE-Step's JSON"),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_an_answer_of_another_shape_is_told(body, words):
    with music_server(faults=[answers(200, body)]) as server, pytest.raises(GeneratorError, match=words):
        ace(server).generate_music("x", CONFIG)


def test_a_task_that_failed_or_was_forgotten_is_told():
    with (
        music_server(failed=True) as server,
        pytest.raises(GeneratorError, match=r"failed at its task.*out of memory"),
    ):
        ace(server).generate_music("x", CONFIG)
    forgotten = b'{"data": [], "code": 200, "error": null}'
    with (
        music_server(faults=[lambda _: False, answers(200, forgotten)]) as server,
        pytest.raises(GeneratorError, match="does not know the task"),
    ):
        ace(server).generate_music("x", CONFIG)


REFUSED = {
    "url": ({"url": "ftp://x"}, "url must be the address"),
    "secret": ({"url": "http://me:word@x"}, "no user name, password"),
    "api": ({"api": "other"}, "api is 'other'; valid: prompt, ace-step"),
    "licence": ({"license": ""}, "license must be a text"),
    "key": ({"api_key_env": "sk-123"}, "never the key itself"),
    "time": ({"timeout_s": 0}, "timeout_s is 0"),
    "nan": ({"timeout_s": float("nan")}, "timeout_s is nan"),
    "retries": ({"retries": 1.5}, "retries is 1.5; it must be a whole number"),
    "fields": ({"fields": {"mood": "x"}}, "fields has 'mood'"),
    "unknown": ({"adress": "x"}, "'adress' is no setting of http"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_settings_that_cannot_be_used_are_refused(change, words):
    with pytest.raises(GeneratorError, match=words) as refused:
        HttpGenerator(**{"url": "http://x", "model": "m", "license": "MIT", **change})
    assert "word" not in str(refused.value) or words.endswith("password")


def test_what_a_service_needs_is_named():
    with pytest.raises(GeneratorError, match="license is missing; set it under backends"):
        HttpGenerator(url="http://x", model="m")

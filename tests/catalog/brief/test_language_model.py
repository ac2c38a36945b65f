"""The user's language model: valid answers are believed and kept, and no fault of its server harms a request."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import closing
from socket import socket

import pytest
from chat_server import GOOD, drips, fails, raw, says, serve, silent
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import presets
from music_catalog.brief import language_model
from music_catalog.brief.endpoint import MAX_ANSWER_BYTES, EndpointError, complete
from music_catalog.brief.language_model import LanguageModel, Unread
from music_catalog.presets import Reader

STYLES = presets.load().styles
TEXT = "Soft rain taps on the library windows."
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "briefs"


def a_model(url, folder, **settings):
    return LanguageModel(Reader(base_url=url, model="tiny", **settings), STYLES, folder)


def refused(model, text=TEXT):
    """Return the sentence with which a model gives no brief."""
    with pytest.raises(Unread) as caught:
        model.read("", text)
    return str(caught.value)


def answer_bodies():
    """Return values that look like answers, right and wrong in every part."""
    anything = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    message = st.fixed_dictionaries({}, optional={"content": anything, "refusal": anything, "role": anything})
    choice = anything | st.fixed_dictionaries({}, optional={"message": anything | message})
    choices = anything | st.lists(choice, max_size=2)
    error = anything | st.fixed_dictionaries({}, optional={"message": anything, "detail": anything})
    return anything | st.fixed_dictionaries(
        {}, optional={"choices": choices, "error": error, "detail": error}
    )


# What is asked, and what is believed


def test_a_good_answer_is_the_brief(folder):
    with serve(says(GOOD)) as server:
        stated = a_model(server.url, folder).read("What is it like?", TEXT)
    assert stated.model_dump(mode="json") == {**GOOD, "serious": 2.0}
    assert server.paths == ["/v1/chat/completions"]
    (asked,) = server.asked
    assert (asked["model"], asked["temperature"], asked["stream"]) == ("tiny", 0.0, False)
    (message,) = asked["messages"]
    assert message["role"] == "user"
    assert TEXT in message["content"]
    assert "What is it like?" in message["content"]
    assert all(f"- {name}: {style.description}" in message["content"] for name, style in STYLES.items())
    form = asked["response_format"]["json_schema"]["schema"]
    assert form["properties"]["fits"]["items"]["enum"] == list(STYLES)
    assert "Authorization" not in server.headers[0]


def test_a_temperature_of_null_is_left_to_the_server(folder):
    with serve(says(GOOD)) as server:
        a_model(server.url, folder, temperature=None).read("", TEXT)
    assert "temperature" not in server.asked[0]


def test_what_is_written_around_the_answer_is_passed_over(folder):
    draft = json.dumps({**GOOD, "fits": ["sad_piano"]})
    final = json.dumps({**GOOD, "why": {"because": "it rains"}})
    with serve(says(f"<think>Perhaps {draft}?</think>Here it is:\n```json\n{final}\n```")) as server:
        assert a_model(server.url, folder).read("", TEXT).fits == ("quiet_room", "ambient_lofi")


def test_of_a_long_text_the_beginning_and_the_end_are_shown(folder):
    text = f"FIRST {'word ' * 20_000} LAST"
    with serve(says(GOOD)) as server:
        a_model(server.url, folder).read("", text)
    content = server.asked[0]["messages"][0]["content"]
    assert "FIRST" in content
    assert "LAST" in content
    assert len(content) < 16_000


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_server_that_knows_no_schema_is_asked_for_a_json_object_from_then_on(folder, status):
    with serve(fails(status, "response_format is not supported"), says(GOOD)) as server:
        model = a_model(server.url, folder)
        model.read("", TEXT)
        model.read("", "Another text.")
    assert server.formats == ["json_schema", "json_object", "json_object"]


def test_a_server_that_knows_no_response_format_is_asked_without(folder):
    with serve(fails(400), fails(400), says(GOOD)) as server:
        assert a_model(server.url, folder).read("", TEXT).fits
    assert server.formats == ["json_schema", "json_object", None]


def test_a_fault_that_looks_like_a_refused_format_does_not_loosen_it_for_good(folder):
    with serve(*[fails(400, "the prompt is too long")] * 3, says(GOOD)) as server:
        model = a_model(server.url, folder)
        assert "the prompt is too long" in refused(model)
        model.ask("", "Another text.")
    assert server.formats == ["json_schema", "json_object", None, "json_schema"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({**GOOD, "fits": ["quiet_rooms"]}, "did you mean quiet_room"),
        ({**GOOD, "passable": ["polka"]}, "passable names the unknown style 'polka'"),
        ({**GOOD, "valence": 2}, "valence is 2"),
        ({**GOOD, "fits": []}, "fits is empty"),
        ({**GOOD, "text_kind": "haiku"}, "text_kind is 'haiku'"),
        ({"fits": ["quiet_room"]}, "valence is missing"),
        ("It rains, so play something soft.", "no JSON object"),
        (None, "no JSON object"),
    ],
)
def test_a_wrong_answer_is_refused_once_with_the_reason(folder, wrong, told):
    with serve(says(wrong), says(GOOD)) as server:
        assert a_model(server.url, folder).read("", TEXT).fits == tuple(GOOD["fits"])
    first, second = server.asked
    assert second["messages"][:1] == first["messages"]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert told in second["messages"][-1]["content"]


# What is kept


def test_the_same_text_is_not_asked_again_by_this_or_another_process(folder):
    with serve(says(GOOD)) as server:
        model = a_model(server.url, folder)
        first = model.read("", TEXT)
        assert model.read("", TEXT) == first
        assert a_model(server.url, folder).read("", TEXT) == first
        assert len(server.asked) == 1
        for other in ({"query": "Why?"}, {"text": "Another."}):
            model.read(**{"query": "", "text": TEXT, **other})
        assert len(server.asked) == 3


def test_another_model_or_other_styles_are_asked_anew(folder):
    with serve(says(GOOD)) as server:
        a_model(server.url, folder).read("", TEXT)
        LanguageModel(Reader(base_url=server.url, model="large"), STYLES, folder).read("", TEXT)
        fewer = {name: style for name, style in STYLES.items() if name != "sport_drive"}
        LanguageModel(Reader(base_url=server.url, model="tiny"), fewer, folder).read("", TEXT)
        assert len(server.asked) == 3


def test_a_damaged_file_is_asked_for_again(folder):
    with serve(says(GOOD)) as server:
        model = a_model(server.url, folder)
        model.read("", TEXT)
        (file,) = folder.iterdir()
        assert file.stat().st_mode & 0o077 == 0
        for damage in (b"", b"\xff", file.read_bytes().replace(b"quiet_room", b"lullaby___")):
            file.write_bytes(damage)
            assert model.read("", TEXT).fits == tuple(GOOD["fits"])
        assert len(server.asked) == 4


def test_the_folder_does_not_grow_without_bound(folder, monkeypatch):
    from music_catalog.brief import kept

    monkeypatch.setattr(kept, "MOST_KEPT", 20)
    monkeypatch.setattr(kept, "PRUNED_EVERY", 1)
    store = kept.Kept(folder)
    for number in range(60):
        store.put(f"{number:02x}", {"number": number})
    assert len([*folder.iterdir()]) <= 20
    assert store.get(f"{59:02x}") == {"number": 59}


# What fails


def test_garbage_twice_gives_a_sentence_and_is_not_kept(folder):
    with serve(says("music?")) as server:
        sentence = refused(a_model(server.url, folder))
        assert "no valid brief" in sentence
        assert len(server.asked) == 2
        assert not folder.exists()


def test_one_odd_text_does_not_shut_the_others_out_but_three_do(folder):
    with serve(says("music?")) as server:
        model = a_model(server.url, folder)
        for number in range(3):
            assert "is not asked" not in refused(model, f"Text {number}.")
        asked = len(server.asked)
        assert "is not asked for another" in refused(model, "Text 4.")
        assert len(server.asked) == asked


BAD = {
    "401": (fails(401, "Incorrect API key provided"), "status 401"),
    "403": (fails(403), "status 403"),
    "404": (fails(404, "model 'tiny' not found"), "model 'tiny' not found"),
    "429": (fails(429), "too much to do"),
    "500": (fails(500, "out of memory"), "out of memory"),
    "500 without words": (raw(500, b"<html>"), "status 500; look into its log"),
    "no completion": (raw(200, b'{"choices": []}'), "something other than a chat completion"),
    "a list": (raw(200, b"[[[[" * 10_000), "something other than a chat completion"),
    "no JSON": (raw(200, b"<html>hello</html>"), "something other than a chat completion"),
    "no HTTP": (lambda exchange: exchange.write(b"hello\r\n\r\n"), "broke off"),
    "cut": (lambda exchange: exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), "broke off"),
    "nothing": (lambda exchange: None, "broke off"),
    "huge": (raw(200, b" " * (MAX_ANSWER_BYTES + 70_000)), "answered more than 1,000,000 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_server_that_fails_is_left_alone_for_a_while_by_every_process(folder, name):
    answer, words = BAD[name]
    with serve(answer) as server:
        model = a_model(server.url, folder)
        sentence = refused(model)
        assert words in sentence
        assert "\n" not in sentence
        assert server.url not in sentence
        assert len(server.asked) == 1
        for each in (model, a_model(server.url, folder)):
            assert "is not asked for another" in refused(each, "Another text.")
        assert len(server.asked) == 1


@settings(max_examples=60, deadline=None)
@given(
    status=st.sampled_from([200, 201, 400, 401, 500]),
    body=st.binary(max_size=200) | answer_bodies().map(lambda value: json.dumps(value).encode()),
)
def test_whatever_a_server_answers_is_a_text_or_a_failure(server_of_anything, status, body):
    server, endpoint = server_of_anything
    server.answers[:] = [raw(status, body)]
    messages = [{"role": "user", "content": "?"}]
    try:
        given_back = complete(endpoint, messages, None, time.monotonic() + 20)
    except EndpointError as failure:
        given_back = str(failure)
        told = given_back.isprintable() and server.url not in given_back
    else:
        told = status == 200
    assert told, given_back
    given_back.encode("utf-8")


@pytest.fixture(scope="module")
def server_of_anything():
    with serve(says(GOOD)) as server:
        yield server, Reader(base_url=server.url, model="tiny")


def test_half_a_surrogate_pair_is_told_to_the_model_like_any_mistake(folder):
    with serve(raw(200, b'{"choices":[{"message":{"content":"\\ud83c"}}]}'), says(GOOD)) as server:
        assert a_model(server.url, folder).read("", TEXT).fits
        assert len(server.asked) == 2


def test_a_server_that_is_not_there_is_told_as_such(folder):
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        sentence = refused(a_model(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", folder))
    assert "cannot be reached" in sentence


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    ],
    ids=["silent", "slow body", "slow header"],
)
def test_a_server_that_takes_too_long_is_given_up_at_the_timeout(folder, answer):
    with serve(answer) as server:
        began = time.monotonic()
        sentence = refused(a_model(server.url, folder, timeout_s=0.4))
        # Without the deadline a slow answer would go on until the test's own timeout.
        assert time.monotonic() - began < 20
        for thread in threading.enumerate():
            if thread.name == "language-model":
                # Its connection was closed, so it ends although the server goes on.
                thread.join(20)
                assert not thread.is_alive()
    assert "did not answer within 0.4 s" in sentence


def test_the_second_try_has_only_the_time_that_is_left(folder):
    def slowly(exchange):
        exchange.server.ended.wait(0.3)
        says("music?")(exchange)

    with serve(slowly, silent) as server:
        assert "did not answer within 1.5 s" in refused(a_model(server.url, folder, timeout_s=1.5))
        assert len(server.asked) == 2


def test_after_the_pause_it_is_asked_again(folder, monkeypatch):
    monkeypatch.setattr(language_model, "PAUSE_S", 0.05)
    with serve(fails(500), says(GOOD)) as server:
        model = a_model(server.url, folder)
        refused(model)
        time.sleep(0.1)
        assert model.read("", TEXT).fits
        assert a_model(server.url, folder).read("", "Another text.").fits


def test_a_kept_answer_is_given_also_while_the_server_is_left_alone(folder):
    with serve(says(GOOD), fails(500)) as server:
        model = a_model(server.url, folder)
        first = model.read("", TEXT)
        refused(model, "Another text.")
        assert model.read("", TEXT) == first


def test_a_home_that_cannot_be_written_keeps_the_pause_in_memory(tmp_path):
    with serve(fails(500)) as server:
        model = a_model(server.url, tmp_path / "not" / "there")
        refused(model)
        assert "is not asked for another" in refused(model)
        assert len(server.asked) == 1


# The key


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("READER_KEY", KEY)
    return {"api_key_env": "READER_KEY"}


def test_the_key_travels_in_the_header_alone(folder, key):
    with serve(says(GOOD)) as server:
        a_model(server.url, folder, **key).read("", TEXT)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(server.asked)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_key(folder, key, status):
    with (
        serve(says(GOOD)) as elsewhere,
        serve(fails(status, Location=f"{elsewhere.url}/chat/completions")) as server,
    ):
        sentence = refused(a_model(server.url, folder, **key))
        assert elsewhere.asked == []
    assert "redirects are not followed" in sentence


def test_the_key_is_in_no_sentence_log_or_file(folder, key, caplog):
    answers = [answer for answer, _ in BAD.values()]
    echo = [fails(401, f"Incorrect key {KEY}"), raw(401, json.dumps({"detail": KEY * 3}).encode())]
    redirect = fails(307, KEY, Location="http://127.0.0.1:9/")
    with caplog.at_level(logging.DEBUG):
        for answer in (*answers, *echo, redirect, says(f"my key is {KEY}")):
            with serve(answer) as server:
                model = a_model(server.url, folder, **key)
                with pytest.raises(Unread) as caught:
                    model.ask("", TEXT)
                chain = [caught.value, caught.value.__cause__]
                assert KEY not in repr([str(one) for one in chain])
                assert caught.value.__suppress_context__
    assert KEY not in caplog.text
    assert all(KEY.encode() not in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("value", ["", "  ", "two words", "new\nline", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_not_sent_and_not_shown(folder, monkeypatch, value):
    monkeypatch.setenv("READER_KEY", value)
    with serve(says(GOOD)) as server:
        sentence = refused(a_model(server.url, folder, api_key_env="READER_KEY"))
        assert server.asked == []
    assert "READER_KEY" in sentence
    assert not value.strip() or value not in sentence


def test_a_proxy_of_the_environment_is_not_for_this_machine(folder, monkeypatch):
    with serve(fails(500)) as proxy, serve(says(GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        assert a_model(server.url, folder).read("", TEXT).fits
        assert proxy.asked == []

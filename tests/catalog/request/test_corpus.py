"""Reading a corpus: JSON Lines, a folder, a LanceDB table, or texts; samples; and what is refused."""

from __future__ import annotations

import json

import lancedb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.errors import InputError, StorageError
from music_catalog.models import Context
from music_catalog.request.corpus import read_corpus

TEXTS = ["Calm rain on the roof.", "A sword fight at the gate.", "How to bleed a radiator."]


def places(sample):
    return [text.place for text in sample.texts]


def lines(path, *values):
    path.write_text(
        "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values), "utf-8"
    )
    return path


@pytest.fixture
def database(tmp_path):
    folder = tmp_path / "chunks.db"
    table = [{"id": number, "text": text, "note": f"note {number}"} for number, text in enumerate(TEXTS)]
    connection = lancedb.connect(str(folder))
    connection.create_table(
        "chunks", data=[*table, {"id": 3, "text": None, "note": "x"}, {"id": 4, "text": " ", "note": "y"}]
    )
    connection.create_table("numbers", data=[{"id": 1}])
    return folder


def test_json_lines_hold_texts_and_payloads(tmp_path):
    path = lines(
        tmp_path / "a.jsonl", "\ufeff" + json.dumps(TEXTS[0]), " ", {"question": "Why?", "answer": TEXTS[1]}
    )
    sample = read_corpus(path)
    assert places(sample) == ["line 1", "line 3"]
    assert [text.source for text in sample.texts] == [TEXTS[0], {"question": "Why?", "answer": TEXTS[1]}]
    assert sample.total == 2


def test_a_column_names_another_key(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"body": TEXTS[0], "text": "x"}, {"body": TEXTS[1]})
    assert [text.source for text in read_corpus(str(path), column="body").texts] == TEXTS[:2]


def test_empty_texts_are_left_out_of_json_lines_as_they_are_of_tables(tmp_path):
    empty = ["", " ", {"text": ""}, {"answer": None}, {"text": None, "query": "Why?"}]
    path = lines(tmp_path / "a.jsonl", *map(json.dumps, empty), {"text": None, "answer": TEXTS[0]})
    sample = read_corpus(path)
    assert (places(sample), sample.total) == (["line 6"], 6)
    path = lines(tmp_path / "c.jsonl", {"text": "", "answer": TEXTS[1]}, {"text": " ", "answer": ""})
    assert places(read_corpus(path)) == ["line 1"]
    path = lines(tmp_path / "b.jsonl", {"body": None}, {"body": " "}, {"body": TEXTS[1], "text": ""})
    assert [text.source for text in read_corpus(path, column="body").texts] == [TEXTS[1]]


def test_a_folder_has_no_columns(tmp_path):
    (tmp_path / "a.txt").write_text(TEXTS[0], "utf-8")
    with pytest.raises(InputError, match="column='body' is for JSON Lines and tables"):
        read_corpus(tmp_path, column="body")


def test_a_folder_holds_a_text_a_file(tmp_path):
    for name, text in (
        ("b.txt", TEXTS[0]),
        ("a/c.MD", TEXTS[1]),
        ("a.pdf", "no"),
        (".git/x.txt", "no"),
        ("e.txt", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    sample = read_corpus(tmp_path)
    assert [(text.place, text.source) for text in sample.texts] == [("a/c.MD", TEXTS[1]), ("b.txt", TEXTS[0])]


def test_a_table_holds_a_text_a_row(database):
    sample = read_corpus(database, table="chunks")
    assert [text.source for text in sample.texts] == TEXTS
    assert places(sample) == ["row 0", "row 1", "row 2"]
    assert sample.total == 5
    assert read_corpus(database, table="chunks", column="note").texts[4].source == "y"


def test_texts_are_taken_as_they_are():
    sources = [TEXTS[0], {"text": TEXTS[1]}, Context(text=TEXTS[2])]
    sample = read_corpus(iter(sources))
    assert [text.source for text in sample.texts] == sources
    assert places(sample) == ["text 1", "text 2", "text 3"]
    assert places(read_corpus([TEXTS[0], "", {"text": " "}, TEXTS[1]])) == ["text 1", "text 4"]


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 5))
def test_a_sample_is_a_part_in_order_and_the_same_each_time(total, count, seed):
    texts = [f"text number {number}" for number in range(total)]
    sample = read_corpus(texts, sample=count, sample_seed=seed)
    drawn = [text.source for text in sample.texts]
    assert len(drawn) == min(total, count)
    assert [text for text in texts if text in set(drawn)] == drawn
    assert read_corpus(texts, sample=count, sample_seed=seed) == sample
    assert sample.total == total


def test_each_kind_is_sampled_alike(tmp_path, database):
    texts = [f"text number {number}" for number in range(20)]
    path = lines(tmp_path / "a.jsonl", *texts[:0], *[json.dumps(text) for text in texts])
    lancedb.connect(str(database)).create_table("many", data=[{"text": text} for text in texts])
    folder = tmp_path / "files"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number:02}.txt").write_text(text, "utf-8")
    drawn = [text.source for text in read_corpus(texts, sample=5, sample_seed=3).texts]
    for other in (
        read_corpus(path, sample=5, sample_seed=3),
        read_corpus(folder, sample=5, sample_seed=3),
        read_corpus(database, table="many", sample=5, sample_seed=3),
    ):
        assert [text.source for text in other.texts] == drawn
    assert [text.source for text in read_corpus(texts, sample=5, sample_seed=4).texts] != drawn


@pytest.mark.parametrize(
    ("content", "options", "refusal"),
    [
        ('"a"\n{"x": ', {}, "line 2 is not JSON"),
        ('"a"\n{"x": 1}', {}, "line 2: the context has no text"),
        ('{"text": ""}', {}, "holds no text"),
        ('["a", "b"]', {}, "line 1 is a JSON array; write one text or object on each line"),
        ('["a"]', {"column": "body"}, "line 1 is a JSON array"),
        ("", {}, "holds no text"),
        ('"a"', {"sample": 0}, "sample is 0; read at least 1 text"),
        ('"a"', {"column": "body"}, "line 1 has no text under column 'body'"),
        ('{"x": "y"}', {"column": "body"}, r"no text under column 'body' \(x\)"),
        ('{"body": " "}', {"column": "body"}, "holds no text"),
        ('"a"', {"table": "t"}, "is no folder"),
        ('"\udcff"', {}, "line 1 is not UTF-8 text"),
    ],
)
def test_a_file_that_is_refused(tmp_path, content, options, refusal):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=refusal):
        read_corpus(path, **options)


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({}, "is a LanceDB database; pass table='chunks', or another of numbers"),
        ({"table": "chunk"}, "no table 'chunk' in .*; its tables: chunks, numbers"),
        (
            {"table": "chunks", "column": "body"},
            "no text column 'body'; pass column='text', or another of note",
        ),
        ({"table": "numbers"}, "none of its columns is text"),
        ({"table": "chunks", "column": "id"}, "no text column 'id'"),
    ],
)
def test_a_table_that_is_refused(database, options, refusal):
    with pytest.raises(InputError, match=refusal):
        read_corpus(database, **options)


def test_a_folder_that_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file ends in"):
        read_corpus(tmp_path)
    with pytest.raises(InputError, match="it holds no Lance table"):
        read_corpus(tmp_path, table="chunks")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_corpus(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"a.txt: the context is not UTF-8"):
        read_corpus(tmp_path)


def test_texts_that_are_refused():
    with pytest.raises(InputError, match="text 2: the context is a int"):
        read_corpus(["a", 3])
    with pytest.raises(InputError, match="the corpus holds no text"):
        read_corpus([])


def test_a_damaged_table_is_told_in_one_sentence(tmp_path):
    (tmp_path / "t.lance").mkdir()
    with pytest.raises(StorageError, match=r"the table t in .* cannot be opened") as caught:
        read_corpus(tmp_path, table="t")
    assert "\n" not in str(caught.value)

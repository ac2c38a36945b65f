"""Embedding a catalog on an object store anew beside its replicas: no row is lost, and none keeps a former vector."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
from fake_s3 import BUCKET
from homes import (
    DIMENSION,
    ENCODER,
    OTHER,
    Axes,
    a_judgement,
    a_record,
    add,
    open_store,
    stored,
    vector_of,
)

from music_catalog.errors import Busy, EncoderMismatch, InputError
from music_catalog.models import Filter
from music_catalog.store import care, track_table
from music_catalog.store.homes import remote_care
from music_catalog.store.rows import NewTrack, from_whole_track_row
from music_catalog.store.schema import TRACK_COLUMNS, track_schema
from music_catalog.store.vectors import lines, reembedding

HOME = f"s3://{BUCKET}/home"
SAME_LENGTH = "same@1/8"


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch):
    monkeypatch.setattr(reembedding, "AT_ONCE", 2)
    monkeypatch.setattr(lines, "AT_ONCE", 2)


@pytest.fixture
def replica(server, monkeypatch, tmp_path):
    """Return a function that opens the home once more, as on another machine."""
    opened = []

    def open_(**options):
        monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / f"machine-{len(opened)}"))
        opened.append(open_store(HOME, **options))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def writer(replica):
    """A replica of the former encoder, which has made four tracks."""
    store = replica()
    store.tracks.insert_all([NewTrack(stored(store, name), vector_of(name)) for name in "abcd"])
    return store


def axes_store(replica):
    return replica(encoder=OTHER, dimension=4)


def whole(store, *names, encoder=OTHER, dimension=4):
    """Raise AssertionError unless the rows of `names` and no others are there, each with a vector of `encoder`."""
    table = store.tracks.table.durable
    table.refresh()
    assert sorted(table.schema.names) == sorted(track_schema(dimension, encoder).names)
    assert not any(table.schema.field(name).nullable for name in reembedding.SWITCHED)
    assert store.tracks.table.stored_encoder == encoder
    rows = store.tracks.table.read(None, columns=(*TRACK_COLUMNS, "vector", "sound", "ear"))
    assert sorted(from_whole_track_row(row).id for row in rows) == [*names]
    assert {(row["encoder"], len(row["vector"])) for row in rows} == {(encoder, dimension)}


def overtaken(monkeypatch, module, name, by):
    """Let `by` run once, when the function of that name is called, before it does what it does."""
    act, done = getattr(module, name), []

    def late(*args, **options):
        if not done:
            done.append(True)
            by()
        return act(*args, **options)

    monkeypatch.setattr(module, name, late)


def refused():
    raise KeyboardInterrupt


def test_rows_that_replicas_add_and_change_meanwhile_are_kept_and_embedded(writer, replica):
    seen = []

    def meanwhile():
        add(writer, "e")
        writer.tracks.update("a", rating=5)
        seen.extend(track.id for track, _ in writer.tracks.search(vector_of("b"), limit=1))

    store, encode = axes_store(replica), Axes(at="the context of d", then=meanwhile)
    assert store.care.reembed(encode, OTHER) == 5
    assert seen == ["b"]
    assert sorted(text[-1] for text in encode.texts) == [*"aabcde"]
    whole(store, *"abcde")
    assert store.tracks.get("a").rating == 5
    assert {track.id for track, _ in store.tracks.search([1.0, 0.0, 0.0, 0.0], limit=2)} == {"a", "e"}
    store.tracks.insert(stored(store, "f", encoder=OTHER), [0.0, 0.0, 0.0, 1.0])
    assert store.tracks.count() == 6


def test_a_replica_of_the_former_encoder_is_told_what_to_do(writer, replica):
    assert writer.tracks.search(vector_of("a"), limit=1)[0][0].id == "a"
    axes_store(replica).care.reembed(Axes(), OTHER)
    # What it knows is at most 5 s old.
    assert writer.tracks.search(vector_of("a"), limit=1)[0][0].id == "a"
    writer.tracks.table.durable.refresh()
    for late in (lambda: writer.tracks.search(vector_of("a")), lambda: add(writer, "e")):
        with pytest.raises(
            EncoderMismatch, match=f"embedded anew with {OTHER} .* start it again with {OTHER}"
        ):
            late()
    assert writer.tracks.update("a", rating=3).rating == 3
    with pytest.raises(
        EncoderMismatch, match=r"test@1/8, .* `catalog doctor --reembed` or use the former encoder"
    ):
        replica().tracks.search(vector_of("a"))
    whole(axes_store(replica), *"abcd")


def test_a_run_that_died_between_merges_is_gone_on_with(writer, replica):
    with pytest.raises(KeyboardInterrupt):
        axes_store(replica).care.reembed(Axes(at="the context of c", then=refused), OTHER)
    assert writer.tracks.search(vector_of("a"), limit=1)[0][0].id == "a"
    writer.tracks.update("d", rating=2)
    writer.care.compact()
    store, encode = axes_store(replica), Axes()
    assert store.care.reembed(encode, OTHER) == 4
    assert sorted(text[-1] for text in encode.texts) == ["c", "d"]
    whole(store, *"abcd")
    assert store.tracks.get("d").rating == 2


def test_a_run_that_died_after_the_switch_encodes_nothing_again(writer, replica, monkeypatch):
    overtaken(monkeypatch, care, "finish", refused)
    with pytest.raises(KeyboardInterrupt):
        axes_store(replica).care.reembed(Axes(), OTHER)
    store, encode = axes_store(replica), Axes()
    assert {track.id for track, _ in store.tracks.search([1.0, 0.0, 0.0, 0.0], limit=1)} == {"a"}
    assert store.care.reembed(encode, OTHER) == 4
    assert encode.texts == []
    whole(store, *"abcd")


@pytest.mark.cluster
def test_what_was_filled_for_another_encoder_is_dropped(writer, replica):
    with pytest.raises(KeyboardInterrupt):
        replica(encoder="third@1/4", dimension=4).care.reembed(
            Axes(at="the context of c", then=refused), "third@1/4"
        )
    store, encode = axes_store(replica), Axes()
    assert store.care.reembed(encode, OTHER) == 4
    assert len(encode.texts) == 4
    whole(store, *"abcd")


@pytest.mark.parametrize("act", ["insert", "change"])
@pytest.mark.cluster
def test_a_commit_in_the_moment_of_the_switch_makes_it_begin_anew(writer, replica, monkeypatch, act):
    store = axes_store(replica)

    def commit():
        add(writer, "e") if act == "insert" else writer.tracks.update("a", rating=4)
        store.tracks.table.durable.refresh()  # as another thread of this process does

    overtaken(monkeypatch, reembedding, "_renames", commit)
    store.care.reembed(Axes(), OTHER)
    whole(store, *("abcde" if act == "insert" else "abcd"))
    assert store.tracks.get("a").rating == (4 if act == "change" else None)


@pytest.mark.parametrize("knows", [True, False])
def test_a_row_that_the_switch_overtook_is_refused_and_leaves_nothing(writer, replica, monkeypatch, knows):
    """Vectors of one length: those of the former encoder would pass for new ones."""
    store = replica(encoder=SAME_LENGTH)

    dies = [True] * knows

    def encode(texts):
        if "the context of c" in texts and dies:
            dies.pop()
            raise KeyboardInterrupt
        return [vector_of(f"{text} anew") for text in texts]

    if knows:  # the columns are there, and the replica writes to all of them
        with pytest.raises(KeyboardInterrupt):
            store.care.reembed(encode, SAME_LENGTH)
    overtaken(monkeypatch, track_table, "insert_missing", lambda: store.care.reembed(encode, SAME_LENGTH))
    with pytest.raises(EncoderMismatch, match=f"start it again with {SAME_LENGTH}"):
        add(writer, "e")
    whole(store, *"abcd", encoder=SAME_LENGTH, dimension=DIMENSION)


@pytest.mark.parametrize("at", ["begin", "switch"])
@pytest.mark.cluster
def test_a_change_of_a_row_that_is_overtaken_is_kept(writer, replica, monkeypatch, at):
    store, change = axes_store(replica), {}

    def run_to_the_end():
        store.care.reembed(Axes(), OTHER)

    def run_until_filled():
        with pytest.raises(KeyboardInterrupt):
            store.care.reembed(Axes(at="the context of d", then=refused), OTHER)

    # The row is read before the columns come, and written when its new vector is there already.
    overtaken(monkeypatch, track_table, "replace_rows", run_until_filled if at == "begin" else run_to_the_end)
    change["changed"] = writer.tracks.update("a", rating=5)
    assert change["changed"].rating == 5
    store.care.reembed(Axes(), OTHER)
    whole(store, *"abcd")
    assert store.tracks.get("a").rating == 5


def test_a_row_of_a_writer_that_died_frozen_is_embedded_at_last(writer, replica, monkeypatch):
    store = replica(encoder=SAME_LENGTH)

    def frozen_one():
        # Written by a replica that had looked before the run began, and whose process ends with its merge.
        late = stored(writer, "e")
        row = track_table.to_track_row(late, vector_of("e"))
        lance = store.tracks.table.durable.opened()
        track_table.insert_missing(lance, [row], track_schema(DIMENSION, ENCODER), alone=True)

    overtaken(monkeypatch, reembedding, "_embed_strays", frozen_one)
    store.care.reembed(lambda texts: [vector_of(f"{text} anew") for text in texts], SAME_LENGTH)
    whole(store, *"abcde", encoder=SAME_LENGTH, dimension=DIMENSION)
    near = store.tracks.search(vector_of("the context of e anew"), limit=1)
    assert near[0][0].id == "e"
    assert near[0][1] == pytest.approx(1.0, abs=1e-5)


def test_strays_are_read_and_embedded_some_at_a_time(writer, replica, monkeypatch):
    table, seen, read = writer.tracks.table.durable, [], reembedding.read

    def counted(of, predicate, columns, **options):
        rows = read(of, predicate, columns, **options)
        seen.append(len(rows) if "vector" in columns else 0)
        return rows

    monkeypatch.setattr(reembedding, "read", counted)
    encode = lambda texts: [vector_of(f"{text} anew") for text in texts]  # noqa: E731
    reembedding._embed_strays(table, encode, SAME_LENGTH, lambda track: track.context)
    assert seen == [0, 2, 2]
    assert {row["encoder"] for row in writer.tracks.table.read(None, columns=("encoder",))} == {SAME_LENGTH}


def test_of_lines_with_one_key_a_single_vector_is_read(writer):
    for name in ("one", "two", "three"):
        writer.requests.append(a_record(name, key="same"), vector_of("same"))
    writer.requests.append(a_record("bare", key="bare"))
    table, read = writer.requests.table.durable, []
    query = table.query
    table.query = lambda *asked: read.append(query(*asked)) or read[-1]
    found = lines.vectors_by(table, "key", [{"key": "same"}, {"key": "bare"}, {"key": "none"}])
    assert {*found} == {"same"}
    assert [each.num_rows for each in read if "vector" in each.column_names] == [1]


def test_one_run_at_a_time(writer, replica, monkeypatch):
    monkeypatch.setattr(remote_care, "WAIT_S", 0.1)

    def another():
        with pytest.raises(Busy, match="another process still holds the embedding of s3://music/home"):
            axes_store(replica).care.reembed(Axes(), OTHER)

    store, encode = axes_store(replica), Axes(at="the context of c", then=another)
    assert store.care.reembed(encode, OTHER) == 4
    whole(store, *"abcd")


def test_a_run_whose_place_was_taken_stops(writer, replica, monkeypatch):
    @contextlib.contextmanager
    def lost(*_):
        yield SimpleNamespace(confirm=lambda: False)

    with monkeypatch.context() as patch:
        patch.setattr(remote_care, "lease", lost)
        with pytest.raises(Busy, match="another process may have taken over the embedding"):
            axes_store(replica).care.reembed(Axes(), OTHER)
    assert writer.tracks.search(vector_of("a"), limit=1)[0][0].id == "a"

    def other_run():
        table = writer.tracks.table.durable
        table.refresh()
        reembedding.drop_columns(table, [name for name in table.schema.names if name.endswith("_next")])

    overtaken(monkeypatch, reembedding, "_switch", other_run)
    with pytest.raises(Busy, match="another run embeds it anew"):
        axes_store(replica).care.reembed(Axes(), OTHER)


def test_a_run_that_was_frozen_drops_no_columns(writer, replica, monkeypatch):
    """Those that it takes for left over may be of the run that took its place."""
    claim, table = SimpleNamespace(confirm=lambda: True), writer.tracks.table.durable

    @contextlib.contextmanager
    def held(*_):
        yield claim

    def lost():
        claim.confirm = lambda: False

    monkeypatch.setattr(remote_care, "lease", held)
    third = replica(encoder="third@1/4", dimension=4)
    with pytest.raises(KeyboardInterrupt):
        third.care.reembed(Axes(at="the context of c", then=refused), "third@1/4")
    overtaken(monkeypatch, reembedding, "_drop_others", lost)
    with pytest.raises(Busy, match="may have taken over"):
        axes_store(replica).care.reembed(Axes(), OTHER)
    table.refresh()
    assert "vector_next" in table.schema.names
    claim.confirm = lambda: True
    overtaken(monkeypatch, care, "finish", lost)
    with pytest.raises(Busy, match="may have taken over"):
        axes_store(replica).care.reembed(Axes(), OTHER)
    table.refresh()
    assert "vector_former" in table.schema.names


def test_a_run_that_was_frozen_leaves_the_lines_of_the_run_that_took_its_place(replica, monkeypatch):
    """It finds no request of its own encoder any more, and would take every judgement's vector away for good."""
    writer, claims, reembed_lines = replica(), [], care.reembed_lines
    add(writer, "a")
    writer.requests.append(a_record("one", key="one"), vector_of("one"))
    writer.judgements.append(a_judgement("j", key="one"), vector_of("one"))
    writer.requests.close()
    encode = lambda texts: [vector_of(f"{text} anew") for text in texts]  # noqa: E731

    @contextlib.contextmanager
    def held(*_):
        claims.append(SimpleNamespace(confirm=lambda: True))
        yield claims[-1]

    def frozen(table, *rest):
        if table.name == "judgements" and len(claims) == 1:
            replica(encoder="later@1/8").care.reembed(encode, "later@1/8")
            claims[0].confirm = lambda: False
            table.refresh()
        reembed_lines(table, *rest)

    monkeypatch.setattr(remote_care, "lease", held)
    monkeypatch.setattr(care, "reembed_lines", frozen)
    with pytest.raises(Busy, match="may have taken over"):
        replica(encoder=SAME_LENGTH).care.reembed(encode, SAME_LENGTH)
    log = replica(encoder="later@1/8").judgements.table
    assert [row["encoder"] for row in log.rows(vectors=True) if row["vector"] is not None] == ["later@1/8"]


def test_vectors_of_several_lengths_are_refused(writer, replica):
    lengths = iter((4, 4, 5, 5))
    with pytest.raises(InputError, match=r"vectors of lengths \[4, 5\]; all must be of one length"):
        axes_store(replica).care.reembed(lambda texts: [np.ones(next(lengths)) for _ in texts], OTHER)
    assert len(writer.tracks.list(Filter(state=None))) == 4


@pytest.mark.parametrize(("encoder", "length"), [(OTHER, 4), (SAME_LENGTH, 8)])
@pytest.mark.cluster
def test_the_logs_get_new_vectors_and_lines_that_come_meanwhile_are_kept(replica, encoder, length):
    writer = replica()
    track = add(writer, "a", context_sha256="a" * 64)
    for name, key, context in (
        ("same", "one", "a" * 64),
        ("other", "two", "b" * 64),
        ("more", "three", "c" * 64),
    ):
        record = a_record(name, key=key, context_sha256=context, summary=f"the context of {key}")
        writer.requests.append(record, vector_of(key))
    writer.requests.append(a_record("bare", key="four", context_sha256="d" * 64))
    for name, key in (("j", "two"), ("k", "unknown")):
        writer.judgements.append(a_judgement(name, verdict="rejected", rating=None, key=key), vector_of(key))
    writer.requests.close()
    dies = [True]

    def encode(texts):
        if "the context of two" in texts:
            if dies:
                raise KeyboardInterrupt
            writer.judgements.append(a_judgement("late", key="two"), vector_of("two"))
        return [vector_of(text)[:length] for text in texts]

    store = replica(encoder=encoder, dimension=length)
    with pytest.raises(KeyboardInterrupt):
        store.care.reembed(encode, encoder)
    dies.clear()
    store = replica(encoder=encoder, dimension=length)
    for log in (store.requests.table, store.judgements.table):  # each is what its checksum is of
        assert not [row for row in log.rows(vectors=True) if row["vector"] is None and row["vector_sha256"]]
    store.care.reembed(encode, encoder)
    vectors = store.requests.table.vectors(encoder)
    assert {*vectors} == {"same", "other", "more"}
    assert np.allclose(vectors["same"], store.tracks.table.vectors_of([track.id])["a"])
    near = store.judgements.table.nearest(vectors["other"], encoder, 5)
    assert {line.id for line, _ in near} == {"j", "late"} if length == DIMENSION else {"j"}
    assert len(store.requests.list()) == 4
    assert {line.id for line in store.judgements.list()} == {"j", "k", "late"}
    assert store.requests.table.dimension == store.judgements.table.dimension == length
    assert not {"vector_next", "vector_former"} & {*store.requests.table.durable.schema.names}


def test_lines_that_a_run_emptied_get_the_former_vectors_back_with_the_former_encoder(replica):
    writer = replica()
    add(writer, "a")
    for name in ("one", "two"):
        writer.requests.append(a_record(name, key=name, context_sha256=name, summary=name), vector_of(name))
    writer.judgements.append(a_judgement("j", key="one"), vector_of("one"))
    writer.requests.close()
    dies = lambda texts: refused() if "one" in texts else [vector_of(text)[:4] for text in texts]  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        axes_store(replica).care.reembed(dies, OTHER)
    writer.requests.table.durable.refresh()
    line = writer.requests.list(id="one")[0]
    assert writer.requests.vector_of(line) is None  # it has none for now, and that is no error
    assert writer.requests.table.nearest(vector_of("one"), ENCODER, 5) == []
    store = replica()
    store.care.reembed(lambda texts: [vector_of(text) for text in texts], ENCODER)
    for log in (store.requests.table, store.judgements.table):
        assert not [row for row in log.rows(vectors=True) if row["vector"] is None]
    found = store.requests.table.vectors(ENCODER)
    assert {*found} == {"one", "two"}
    assert found["one"] @ vector_of("one") == pytest.approx(np.linalg.norm(vector_of("one")), rel=1e-5)


def test_care_makes_the_index_of_the_new_vectors(writer, replica, monkeypatch):
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.LEAST_VECTORS", 2)
    monkeypatch.setattr("music_catalog.store.schema.FAR_ROWS", 2)
    monkeypatch.setattr("music_catalog.disk.remote.maintenance.EVERY_FRAGMENTS", 100)
    writer.care.compact()
    assert writer.tracks.table.durable.unindexed("vector") == []
    store = replica(encoder=SAME_LENGTH)
    assert store.care.compact_due() == []
    store.care.reembed(lambda texts: [vector_of(f"{text} anew") for text in texts], SAME_LENGTH)
    table, wanted = store.tracks.table.durable, vector_of("the context of b anew")
    assert table.unindexed("vector") is None
    assert store.tracks.search(wanted, limit=1)[0][0].id == "b"
    assert store.care.compact_due() == ["tracks"]
    assert table.unindexed("vector") == []
    assert store.care.compact_due() == []
    assert store.tracks.search(wanted, limit=1)[0][0].id == "b"

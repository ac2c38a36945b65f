"""Values show themselves in one line, and in a notebook with a waveform and a player; hits become tables."""

from __future__ import annotations

import base64
import importlib.util
import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from sample_texts import CALM, PANIC, SHORT

from music_catalog import Hits
from music_catalog.errors import MissingExtra
from music_catalog.models import StatedBrief, Track, display

ATTACK = "<script>alert('x')</script> \" & rain"
MOST = 400
"""Characters of the longest line; a result had 7,661."""


class Tags(HTMLParser):
    """The names of the elements of a page, and whether each that was opened is closed."""

    def __init__(self, page):
        super().__init__()
        self.names, self.open = set(), []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag not in ("br", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def result(service):
    return service.find_or_make(CALM, **SHORT)


def test_a_value_is_one_line(service, result):
    brief = {"fits": ["ambient_lofi"], "valence": 0.5, "energy": -0.5}
    read = service.explain(CALM, brief=brief, **SHORT).request.brief
    hits = service.search("forest")
    values = [
        result,
        result.track,
        result.decision,
        result.request,
        hits,
        hits[0],
        service.find(CALM, **SHORT),
    ]
    for value in (*values, read, service.browse(), service.explain(PANIC, **SHORT)):
        for text in (repr(value), str(value)):
            assert "\n" not in text
            assert len(text) <= MOST
    assert repr(result).startswith(f"<Result generated <Track {result.track.id} ")
    assert repr(hits).startswith("<1 hit: ")
    assert repr(Hits([*hits] * 5)).startswith("<5 hits: ")
    assert "ambient_lofi 0." in repr(read)


def test_the_whole_content_stays_within_reach(result):
    assert type(result).model_validate(result.model_dump()) == result
    assert StatedBrief.model_fields.keys() >= {"fits", "passable"}


def test_a_notebook_shows_title_waveform_player_and_why(service, result):
    page = result._repr_html_()
    assert Tags(page).names >= {"strong", "svg", "path", "audio"}
    (data,) = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    assert base64.b64decode(data) == result.path.read_bytes()
    assert result.reason.split(";")[0] in page
    for shown in (
        result.track,
        service.find(CALM, **SHORT),
        service.search("forest"),
        service.search("forest")[0],
    ):
        assert Tags(shown._repr_html_()).names >= {"svg", "audio"}
    assert service.explain(PANIC, **SHORT)._repr_html_() is None
    assert Tags(service.search("forest", mood="furious")._repr_html_()).names == {"em"}


def test_a_drawing_shows_where_it_is_loud(service, tmp_path):
    import numpy as np

    from music_catalog.generator import Audio, audio

    samples = np.concatenate([np.zeros((8000, 1), np.float32), np.full((8000, 1), 0.5, np.float32)])
    file = tmp_path / "half.wav"
    file.write_bytes(audio.encode(Audio(samples=samples, sample_rate=8000)))
    tops = [float(top) for top in re.findall(r"M\d+ ([\d.]+)V", display._waveform(file, file.stat().st_size))]
    assert len(tops) == display.WIDTH // display.BAR
    assert set(tops[: len(tops) // 2 - 1]) == {display.HEIGHT / 2}
    assert set(tops[len(tops) // 2 + 1 :]) == {display.HEIGHT / 4}


def test_everything_in_a_page_is_escaped(result):
    values = {**result.track.model_dump(), "summary": ATTACK, "mood_tags": (ATTACK,), "style": ATTACK}
    track = Track.model_validate(values).at_home(result.path.parents[2])
    shown = result.model_copy(update={"track": track, "reason": ATTACK, "warnings": (ATTACK,)})
    for page in (
        shown._repr_html_(),
        track._repr_html_(),
        track.as_html(result.path.with_name(ATTACK.replace("/", ""))),
    ):
        assert "script" not in Tags(page).names
        assert "&lt;script&gt;alert(" in page


def test_a_large_file_is_named_and_not_put_into_the_page(service, result, monkeypatch):
    size = result.track.audio_bytes
    hits = Hits([*service.search("forest")] * 3)
    assert result.track.as_html(result.path, room=size).count("<audio") == 1
    for room, players in ((size - 1, 0), (size, 1), (2 * size + 1, 2)):
        monkeypatch.setattr(display, "PLAYED_BYTES", room)
        page = hits._repr_html_()
        assert page.count("<audio") == players
        assert page.count(f"<code>{result.path}</code>") == 3 - players
    assert "<audio" not in result.track.as_html(result.path, room=size - 1)


def test_a_file_that_is_gone_is_said_to_be(result):
    result.path.unlink()
    page = result._repr_html_()
    assert "cannot be read" in page
    assert not Tags(page).names & {"svg", "audio"}


def test_hits_are_a_list_and_a_table(service, result):
    hits = service.search("forest")
    assert isinstance(hits, list)
    assert isinstance(hits[:1], Hits)
    assert [*hits[:1]] == [hits[0]]
    table = hits.to_arrow()
    (row,) = table.to_pylist()
    assert (row["id"], row["path"]) == (result.track.id, str(result.path))
    assert row["score"] == hits[0].score
    assert row["mood_tags"] == [*result.track.mood_tags]
    assert row["created_at"] == result.track.created_at
    assert table.schema.field("tempo_bpm").type == pa.float64()
    nothing = service.search("forest", mood="furious").to_arrow()
    assert nothing.num_rows == 0
    assert nothing.schema == table.schema


def test_hits_become_a_data_frame_or_say_what_is_missing(service, result):
    hits = service.search("forest")
    if importlib.util.find_spec("pandas") is None:
        with pytest.raises(MissingExtra, match="the package pandas is not installed; pip install pandas"):
            hits.to_pandas()
    else:
        assert hits.to_pandas()["id"].tolist() == [result.track.id]

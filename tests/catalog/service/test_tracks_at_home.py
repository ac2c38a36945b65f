"""A track that a service returns knows its file, one word may stand for several, and a closed service refuses."""

from __future__ import annotations

import pickle

import pytest
from sample_texts import CALM, SHORT

from music_catalog import InputError, MusicService, NotFound, Track

CALLS = {
    "add": ("song.mp3",),
    "add_bytes": (b"", "song.mp3"),
    "again": ("an-id",),
    "attach_soundtrack": ({"answer": CALM},),
    "brief_schema": (),
    "browse": (),
    "calibrate": (),
    "choose": ("an-id", CALM),
    "collected": ("a list",),
    "decline": ("an-id", CALM),
    "embed": ("rain",),
    "explain": (CALM,),
    "find": (CALM,),
    "find_or_make": (CALM,),
    "find_or_make_all": ([CALM],),
    "generate": (CALM,),
    "get": ("an-id",),
    "history": (),
    "key_of": (CALM,),
    "known_names": (),
    "log_cancelled": (CALM,),
    "make_stock": (None,),
    "plan_stock": ([CALM], 1),
    "rate": ("an-id", 3),
    "reject": ("an-id",),
    "reuse": (CALM,),
    "scene": (CALM,),
    "search": ("rain",),
    "similar": ("an-id",),
    "states_licenses": ("song.mp3",),
    "statistics": (),
    "stock": ([CALM], 1),
    "stream_music": (CALM,),
    "suggest_presets": ("rain",),
    "tracks_table": (),
    "undo_add": ("last",),
    "warm": (),
    "weigh": ("an-id", CALM),
}


def test_every_track_of_a_service_knows_its_file(service):
    made = service.find_or_make(CALM, **SHORT)
    track = service.get(made.track.id)
    assert track == made.track
    assert service.get(made.track.id[:8]) == track
    tracks = [
        track,
        made.track,
        service.find_or_make(CALM, **SHORT).track,
        service.find(CALM, **SHORT).track,
        service.search("forest")[0].track,
        service.browse().tracks[0],
        service.rate(track.id, 4),
        pickle.loads(pickle.dumps(track)),
    ]
    assert {each.path for each in tracks} == {made.path}
    assert made.path.is_file()


def test_an_unknown_track_is_refused_in_one_sentence(service):
    made = service.find_or_make(CALM, **SHORT).track
    with pytest.raises(NotFound, match=f"there is no track 'x{made.id}'; near it are {made.id}"):
        service.get(f"x{made.id}")
    with pytest.raises(InputError, match="track_id is 7; pass a text"):
        service.get(7)


def test_a_track_that_came_from_elsewhere_has_no_path(service):
    track = service.find_or_make(CALM, **SHORT).track
    copied = Track.model_validate(track.model_dump())
    assert copied == track
    with pytest.raises(NotFound, match=f"did not come from a service.*service.get\\('{track.id}'\\)"):
        print(copied.path)


def test_one_word_may_stand_for_several(service):
    made = service.find_or_make(CALM, mood_tags="peaceful", **SHORT)
    assert made.request.context.mood_tags == ("peaceful",)
    assert made.request.key == service.key_of(CALM, mood_tags=["peaceful"], **SHORT)
    mood = made.track.mood_tags[0]
    assert service.search("forest", mood=mood) == service.search("forest", mood=(mood,)) != []
    assert service.search("forest", mood="furious") == []
    brief = {"fits": "ambient_lofi", "valence": 0.1, "energy": -0.4}
    assert service.explain(CALM, brief=brief, **SHORT).request.style == "ambient_lofi"


def test_a_closed_service_refuses_everything_in_one_sentence(open_service):
    service = open_service()
    calls = {**CALLS, "next_time": (service.find_or_make(CALM, **SHORT),)}
    service.close()
    public = {name for name in dir(MusicService) if not name.startswith("_")}
    values = {name for name in public if isinstance(getattr(MusicService, name), property)}
    assert public - values - {"open", "close"} == calls.keys()
    for name in values | calls.keys():
        with pytest.raises(
            InputError, match=r"^the service is closed; open it again with MusicService.open\(...\)$"
        ):
            getattr(service, name)(*calls.get(name, ()))
    service.close()

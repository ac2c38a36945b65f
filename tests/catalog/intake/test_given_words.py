"""What names, tags, JSON, lists and a beets library say of music."""

from __future__ import annotations

import json
import sqlite3
import struct

import mutagen
import mutagen.flac
import mutagen.id3
import mutagen.oggvorbis
import numpy as np
import pytest
import soundfile as sf

from music_catalog.errors import InputError
from music_catalog.intake.finding import find, told
from music_catalog.intake.lists import beets_library, manifest, read_sidecar
from music_catalog.intake.tags import mended, read_tags
from music_catalog.intake.words import Words, from_name, key_name, merged, split_list


@pytest.fixture
def sound(tmp_path):
    """Return a function that writes a second of noise under a name and returns its path."""

    def write(name, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (22_050, 1)), 22_050, **options)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "title", "artist"),
    [
        ("03 - Jo Doe - Rainy Night.mp3", "Rainy Night", "Jo Doe"),
        ("rainy_night.wav", "rainy night", ""),
        ("07. Rain.flac", "Rain", ""),
        ("07 Rain.flac", "Rain", ""),
        ("Jo Doe - 12.ogg", "Jo Doe - 12", ""),
        ("1999.mp3", "1999", ""),
        ("99 Luftballons.mp3", "99 Luftballons", ""),
    ],
)
def test_the_name_of_a_file_is_a_title_and_an_artist(name, title, artist):
    words = from_name(name, "calm/rain")
    assert (words.title, words.artist, words.folder) == (title, artist, "calm/rain")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *[("Am", "A minor"), ("F#m", "F# minor"), ("Bb", "A# major"), ("8A", "A minor"), ("8B", "C major")],
        *[("C# major", "C# major"), ("d minor", "D minor"), ("Es-dur", ""), ("o", ""), ("", "")],
    ],
)
def test_keys_are_read_as_people_and_programs_write_them(text, key):
    assert key_name(text) == key


def test_what_comes_first_wins_and_who_said_it_is_kept():
    words = merged([("list", Words(title="A")), ("tags", Words(title="B", genres=("jazz",)))])
    assert (words.title, words.genres) == ("A", ("jazz",))
    assert words.said_by == {"title": "list", "genres": "tags"}
    assert split_list("lo-fi; hip hop/ambient, lo-fi") == ("lo-fi", "hip hop", "ambient")
    assert words.text == "A. Genre: jazz."


def test_id3_tags_are_read_and_bytes_of_the_wrong_alphabet_mended(sound):
    path = sound("a.mp3")
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TIT2(encoding=0, text="Café d'été"))  # Latin-1, as it says
    tags.add(mutagen.id3.TPE1(encoding=0, text="BjÃ¶rk"))  # UTF-8 under the name of Latin-1
    tags.add(mutagen.id3.TALB(encoding=0, text="don\x92t"))  # of Windows
    tags.add(mutagen.id3.TCON(encoding=3, text="17; Lo-Fi"))
    tags.add(mutagen.id3.TBPM(encoding=3, text="84"))
    tags.add(mutagen.id3.TKEY(encoding=3, text="Am"))
    tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="", text="for a rainy night"))
    tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="iTunNORM", text="0000 0001"))
    tags.add(mutagen.id3.TXXX(encoding=3, desc="LICENSE", text="CC-BY-4.0"))
    tags.save(path)
    words = read_tags(path)
    assert (words.title, words.artist, words.album) == ("Café d'été", "Björk", "don’t")
    assert (words.tempo_bpm, words.musical_key, words.license) == (84.0, "A minor", "CC-BY-4.0")
    assert words.comment == "for a rainy night"
    assert "Lo-Fi" in words.genres


def test_vorbis_comments_in_latin_1_are_read_right(sound):
    for name, kind in (("a.ogg", mutagen.oggvorbis.OggVorbis), ("a.flac", mutagen.flac.FLAC)):
        path = sound(name)
        file = kind(path)
        file["title"], file["genre"] = "Cafe XX ete", ["Musique", "Ambient"]
        file.save()
        data = path.read_bytes()
        assert data.count(b"Cafe XX ete") == 1
        if name.endswith("flac"):  # an Ogg page has a checksum, which mutagen does not look at
            path.write_bytes(data.replace(b"Cafe XX ete", b"Caf\xe9 XX \xe9t\xe9"[:11].ljust(11)))
        else:
            path.write_bytes(data.replace(b"Cafe XX ete", b"Caf\xe9 XX et\xe9"))
        assert read_tags(path).title.startswith("Café XX")
        assert read_tags(path).genres == ("Musique", "Ambient")


def test_the_info_of_a_wav_is_read_in_latin_1_and_utf_8(sound):
    for raw in ("Café".encode("latin-1"), "Café".encode()):
        path = sound("a.wav")
        text = raw + b"\x00" * (1 + len(raw) % 2 ^ 1)
        info = b"INFOINAM" + struct.pack("<I", len(text)) + text + b"\x00" * (len(text) % 2)
        data = path.read_bytes() + b"LIST" + struct.pack("<I", len(info)) + info
        path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
        assert read_tags(path).title == "Café"


@pytest.mark.parametrize("text", ["plain", "naïve", "漢字", "Ã©", "Ã\x83"])
def test_mending_leaves_what_is_right_alone(text):
    assert mended(text) == {"Ã©": "é"}.get(text, mended(text))
    assert mended("plain") == "plain"
    assert mended("naïve") == "naïve"
    assert mended("漢字") == "漢字"


def test_what_cannot_be_read_has_no_tags(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50))
    assert read_tags(path) == Words()
    assert read_tags(tmp_path / "none.mp3") == Words()


def test_a_file_of_this_program_is_known_again(tmp_path):
    mark = {
        "id": "abc",
        "ai_generated": True,
        "model": "small",
        "weights_license": "CC-BY-NC-4.0",
        "style": "s",
    }
    path = tmp_path / "a.flac"
    with sf.SoundFile(path, "w", 22_050, 1, "PCM_16", format="FLAC") as file:
        file.comment = json.dumps(mark)
        file.write(np.zeros(22_050))
    words = read_tags(path)
    assert (words.known_as, words.ai_generated, words.license) == ("abc", True, "CC-BY-NC-4.0")
    assert words.comment == ""


SIDECARS = {
    "audiocraft's data": (
        "a.json",
        {"title": "Rain", "artist": "x1", "key": "Am", "bpm": 92, "genre": "lofi", "moods": ["calm"]}
        | {"keywords": "rain, night", "description": "soft keys", "sample_rate": 32000, "duration": 3.0},
        {
            "title": "Rain",
            "tempo_bpm": 92.0,
            "musical_key": "A minor",
            "genres": ("lofi",),
            "moods": ("calm",),
        }
        | {"tags": ("rain", "night"), "description": "soft keys", "ai_generated": None},
    ),
    "audiocraft's sample": (
        "a.json",
        {"id": "1", "path": "a.wav", "conditioning": {"description": "slow jazz"}, "generation_args": {}},
        {"description": "slow jazz", "ai_generated": True, "made_by": "MusicGen"},
    ),
    "ACE-Step": (
        "a_input_params.json",
        {"task": "text2music", "prompt": "funk, bass", "lyrics": "", "infer_step": 60, "actual_seeds": [1]},
        {"description": "funk, bass", "ai_generated": True, "made_by": "ACE-Step"},
    ),
    "ACE-Step 1.5": (
        "a.json",
        {"caption": "bright pop", "bpm": 120, "keyscale": "D major", "language": "en"},
        {"description": "bright pop", "tempo_bpm": 120.0, "musical_key": "D major", "ai_generated": None},
    ),
    "one with nonsense": ("a.wav.json", {"bpm": "fast", "title": "T", "genre": 7}, {"title": "T"}),
}


@pytest.mark.parametrize("kind", SIDECARS)
def test_json_beside_a_file_is_read(tmp_path, kind):
    name, content, expected = SIDECARS[kind]
    (tmp_path / name).write_text(json.dumps(content))
    words = read_sidecar(tmp_path / "a.wav")
    assert {field: getattr(words, field) for field in expected} == expected


def test_lists_say_what_files_are(tmp_path):
    csv = tmp_path / "list.csv"
    csv.write_bytes(
        "path;title;genre;licence;bpm\nsub/a.wav;Café;jazz, swing;CC0-1.0;120\n".encode("latin-1")
    )
    found = manifest(csv)
    (words,) = found.values()
    assert [*found] == [str((tmp_path / "sub/a.wav").resolve())]
    assert (words.title, words.genres, words.license, words.tempo_bpm) == (
        "Café",
        ("jazz", "swing"),
        "CC0-1.0",
        120,
    )
    lines = tmp_path / "list.jsonl"
    lines.write_text('{"file": "b.wav", "prompt": "x", "loop": true}\n\n')
    (words,) = manifest(lines).values()
    assert (words.description, words.loopable) == ("x", True)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "title\nx\n", "row 2 .* names no file"),
        ("a.csv", "path,title\n ,x\n", "row 2 .* names no file"),
        ("a.csv", "path,bpm\na.wav,fast\n", "^bpm in row 2 .* 'fast'"),
        ("a.csv", "path,title\na.wav,A\nb.wav,Rain, at last\n", "^row 3 of .* has 3 cells for 2 columns"),
        ("a.jsonl", "[]", "no JSON object"),
        ("a.jsonl", "{", "row 1 .* no JSON"),
        ("a.csv", "", "no rows"),
        ("a.csv", "path,role\na.wav,bogus\n", r"^role in row 2 of .* is 'bogus'; valid: focus_track, loop"),
        ("a.csv", "path,role\na.wav,lop\n", "did you mean loop"),
        ("a.csv", "path,loop\na.wav,maybe\n", r"^loop in row 2 of .* is 'maybe'; write true or false"),
        (
            "a.jsonl",
            '{"path": "a.wav", "ai_generated": 2}',
            r"^ai_generated in row 1 of .* is 2; write true or false",
        ),
        (
            "a.csv",
            "path,title\na.wav,A\nb.wav,B\n./a.wav,C\n",
            r"^rows 2 and 4 of .* say different things of one file, \./a\.wav; keep one of them",
        ),
        (
            "a.jsonl",
            '{"path": "a.wav", "tags": {"a": 1}}',
            r"^tags in row 1 of .* is {'a': 1}; write a list of texts, or one text with commas",
        ),
        ("a.jsonl", '{"path": "a.wav", "mood": ["calm", ["x"]]}', r"^mood in row 1 of .*; write a list"),
        ("a.jsonl", '{"path": "a.wav", "title": ["A"]}', r"^title in row 1 of .* is \['A'\]; write a text"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_its_row(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        manifest(tmp_path / name, roles=("focus_track", "loop"))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_quotes_and_delimiters_in_a_cell_move_no_column(tmp_path, mark):
    title = f'He said "hi{mark} you" to me'
    cell = title.replace('"', '""')
    rows = (mark.join(("path", "title", "bpm", "license")), mark.join(("a.wav", f'"{cell}"', "90", "CC0")))
    (tmp_path / "a.csv").write_text("\n".join(rows) + mark + "\n")
    (words,) = manifest(tmp_path / "a.csv").values()
    assert words == Words(title=title, tempo_bpm=90, license="CC0")


def test_columns_of_other_names_and_the_same_row_again_are_passed_over(tmp_path):
    (tmp_path / "a.csv").write_text("file\tcolour\ttitle\na.wav\tred\tA\na.wav\tblue\tA\n")
    (words,) = manifest(tmp_path / "a.csv").values()
    assert words == Words(title="A")


def test_cells_of_blanks_are_empty_and_flags_and_roles_are_read_as_people_write_them(tmp_path):
    rows = [
        "path,bpm,title,name,loop,ai_generated,role",
        "a.wav, ,  ,Rain, ,\t, ",
        "b.wav,90,Sea,,t,off, Focus_Track ",
        "c.wav,,,,On,F,LOOP",
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    a, b, c = manifest(tmp_path / "a.csv", roles=("focus_track", "loop")).values()
    assert (a.tempo_bpm, a.title, a.loopable, a.ai_generated, a.role) == (None, "Rain", None, None, "")
    assert (b.tempo_bpm, b.title, b.loopable, b.ai_generated, b.role) == (
        90,
        "Sea",
        True,
        False,
        "focus_track",
    )
    assert (c.loopable, c.ai_generated, c.role) == (True, False, "loop")


def test_a_beets_library_is_read_from_its_database(tmp_path):
    database = sqlite3.connect(tmp_path / "library.db")
    database.execute("CREATE TABLE items (path BLOB, title TEXT, genre TEXT, bpm INTEGER, initial_key TEXT)")
    database.execute("INSERT INTO items VALUES (?, 'Rain', 'Lo-Fi, Jazz', 84, 'Am')", (b"/m/caf\xe9.mp3",))
    database.commit()
    database.close()
    found = beets_library(tmp_path / "library.db")
    ((path, words),) = found.items()
    assert told(path) == "/m/café.mp3"
    assert (words.title, words.genres, words.tempo_bpm, words.musical_key) == (
        "Rain",
        ("Lo-Fi", "Jazz"),
        84,
        "A minor",
    )
    (tmp_path / "other.db").write_bytes(b"no database at all")
    with pytest.raises(InputError, match="no beets library"):
        beets_library(tmp_path / "other.db")


def test_audio_files_are_found_once_and_in_order(tmp_path):
    for name in ("b.wav", "a.mp3", "notes.txt", ".hidden.wav", "sub/c.OPUS", ".git/d.wav"):
        path = tmp_path / "m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "m/link.wav").symlink_to(tmp_path / "m/b.wav")
    (tmp_path / "m/gone.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "m/sub/loop").symlink_to(tmp_path / "m")
    found = [*find([tmp_path / "m", tmp_path / "m/b.wav"])]
    assert [one.path.name for one in found] == ["a.mp3", "b.wav", "gone.wav", "c.OPUS"]
    assert [one.folder for one in found] == ["m", "m", "m", "m/sub"]


def test_a_line_separator_in_a_title_ends_no_row(tmp_path):
    row = {"path": "a.wav", "title": "Rain\u2028Night\x85"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    (words,) = manifest(tmp_path / "a.jsonl").values()
    assert words.title == "Rain Night"

"""A catalog of very many tracks. They are written in bulk and share one second of sound."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from builders import a_track
from fakes import WordHashEncoder

from music_catalog.disk.reading import to_arrow
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema
from music_catalog.store.store import Store

CHUNK_ROWS = 2_500
MOODS = (("calm", "warm"), ("tense", "dark"))
STYLES = ("ambient_lofi", "sad_piano", "action_drums", "jazz_lounge")
WORDS = ("rain", "harbour", "forest", "city", "night", "snow", "river", "desert", "tavern", "storm")


def fill(home: Path, count: int) -> None:
    """Fill a new catalog in `home` with `count` tracks: half of them calm, half tense, half of each rated 4."""
    encoder = WordHashEncoder()
    store = Store.open(home, encoder=encoder.identity, dimension=encoder.dimension)
    path, sha256, size = store.audio.put(_second_of_sound())
    places = [" ".join((WORDS[n % 10], WORDS[n // 10])) for n in range(100)]
    vectors = encoder.encode(places)
    began = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def track(number: int):
        return a_track(
            id=f"t{number}",
            key=f"key-{number}",
            created_at=began + timedelta(seconds=number),
            summary=f"Track {number} of the {places[number % 100]}",
            context=f"Track {number} of the {places[number % 100]}",
            mood_tags=MOODS[number % 2],
            style=STYLES[number % 4],
            rating=4 if number // 2 % 2 else None,
            duration_s=1.0,
            encoder=encoder.identity,
            audio_path=path,
            audio_sha256=sha256,
            audio_bytes=size,
        )

    store.tracks.insert(track(0), vectors[0])
    schema = track_schema(encoder.dimension, encoder.identity)
    for start in range(1, count, CHUNK_ROWS):
        numbers = range(start, min(count, start + CHUNK_ROWS))
        data = to_arrow([to_track_row(track(n), vectors[n % 100]) for n in numbers], schema)
        store.tracks.table.durable.commit("filling", lambda table, data=data: table.add(data))
    store.care.compact()
    store.close()


def _second_of_sound() -> bytes:
    import soundfile

    time = np.arange(32_000) / 32_000
    tone = 0.2 * np.sin(2 * np.pi * 220 * time) * np.linspace(0, 1, len(time))
    file = io.BytesIO()
    soundfile.write(file, np.repeat(tone[:, None], 2, axis=1), 32_000, format="WAV", subtype="FLOAT")
    return file.getvalue()

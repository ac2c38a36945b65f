"""How many copies of a recording are found by its fingerprint, and how many other recordings pass for copies.

    python tests/benchmarks/generator/copies.py [--seconds 30] [--seeds 2] [--known 0]

Every shipped style is rendered with several seeds. Each track is coded as MP3 of 64 to 320 kb/s and as Ogg Vorbis,
brought to another rate, made quieter and mono, and cut by 2 s at its beginning and its end, and looked up. Then
pairs of different tracks are compared, of the same style first. The rivals are equal bytes, and the cosine of the
sound vectors. With `--known N` the look-up is timed among so many random fingerprints.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soundfile as sf
import soxr
from timbre import render, styles

from music_catalog.generator.audio import timbre
from music_catalog.generator.listening.copies import KnownRecordings
from music_catalog.generator.listening.fingerprint import HOP_S, MAX_S, fingerprint, sparse
from music_catalog.generator.protocol import Audio

LIKE_COSINE = 0.995


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--known", type=int, default=0)
    options = parser.parse_args()
    tasks = [(*one, options.seconds, seed) for one in styles() for seed in range(options.seeds)]
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        tracks = list(pool.map(made, tasks, chunksize=1))
    print(f"{len(tracks)} tracks of {options.seconds:g} s, {len(styles())} styles")
    print(f"a fingerprint takes {1000 * np.mean([one['took'] for one in tracks]):.0f} ms")
    known = KnownRecordings([one["kept"] for one in tracks], [options.seconds] * len(tracks))
    print(f"{'copy':<24}found   by sound vector   most bits apart")
    total, all_found = 0, 0
    for kind in tracks[0]["copies"]:
        found, alike, apart = 0, 0, []
        for number, one in enumerate(tracks):
            prints, length, sound = one["copies"][kind]
            hit = known.find(prints, length)
            if hit and hit.number == number:
                found += 1
                apart.append(hit.apart)
            else:
                print(f"    not found: {one['style']} as {kind}: {hit}")
            alike += float(sound @ one["sound"]) >= LIKE_COSINE
        total, all_found = total + len(tracks), all_found + found
        print(
            f"  {kind:<22}{found / len(tracks):.3f}   {alike / len(tracks):.3f}{'':13}{max(apart, default=1):.3f}"
        )
    print(f"  {'all':<22}{all_found / total:.4f} of {total}")
    false = sum(1 for _ in false_pairs(tracks, options.seconds))
    pairs = len(tracks) * (len(tracks) - 1)
    like = np.stack([one["sound"] for one in tracks])
    close = int(((like @ like.T) >= LIKE_COSINE).sum()) - len(tracks)
    print(f"false pairs: {false} of {pairs:,} (by sound vector {close:,})")
    if options.known:
        time_lookup(tracks, options.known)


def made(task: tuple) -> dict:
    name, synthesis, seconds, seed = task
    audio = render(synthesis, seconds, seed)
    began = time.perf_counter()
    prints = fingerprint(audio)
    took = time.perf_counter() - began
    assert prints is not None
    copies = {kind: heard(copy) for kind, copy in copies_of(audio)}
    return {
        "style": name,
        "kept": sparse(prints),
        "prints": prints,
        "took": took,
        "sound": timbre.sound_vector(audio),
        "copies": copies,
    }


def heard(copy: Audio) -> tuple:
    prints = fingerprint(copy)
    return prints, copy.duration_s, timbre.sound_vector(copy)


def copies_of(audio: Audio) -> Iterator[tuple[str, Audio]]:
    for kbps, level in ((320, 0.0), (160, 0.5), (96, 0.75), (64, 0.875)):
        yield (
            f"mp3 {kbps} kb/s",
            coded(audio, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=level),
        )
    yield "ogg", coded(audio, "OGG", "VORBIS", compression_level=0.8)
    yield "opus", coded(Audio(soxr.resample(audio.samples, audio.sample_rate, 48_000), 48_000), "OGG", "OPUS")
    slow = Audio(soxr.resample(audio.samples, audio.sample_rate, 22_050), 22_050)
    yield "22,050 Hz", slow
    quiet = Audio((0.2 * audio.samples.mean(axis=1, keepdims=True)).astype(np.float32), audio.sample_rate)
    yield "mono, 14 dB less", quiet
    cut = round(2.0 * audio.sample_rate)
    yield "first 2 s cut", Audio(audio.samples[cut:], audio.sample_rate)
    yield "last 2 s cut", Audio(audio.samples[:-cut], audio.sample_rate)
    both = coded(
        Audio(audio.samples[cut + 37 :], audio.sample_rate),
        "MP3",
        "MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=0.75,
    )
    yield "first 2 s cut, mp3 96", both


def coded(audio: Audio, form: str, subtype: str, **options) -> Audio:
    sink = io.BytesIO()
    with sf.SoundFile(sink, "w", audio.sample_rate, audio.channels, subtype, format=form, **options) as file:
        for start in range(0, len(audio.samples), 65_536):
            file.write(audio.samples[start : start + 65_536])
    samples, rate = sf.read(io.BytesIO(sink.getvalue()), dtype="float32", always_2d=True)
    return Audio(samples, rate)


def false_pairs(tracks: list[dict], seconds: float) -> Iterator[tuple[int, int]]:
    for number, one in enumerate(tracks):
        others = [place for place in range(len(tracks)) if place != number]
        known = KnownRecordings([tracks[place]["kept"] for place in others], [seconds] * len(others))
        known._index()
        for kind, prints in (("itself", one["prints"]), *((k, c[0]) for k, c in one["copies"].items())):
            hit = known.find(prints, seconds)
            if hit:
                print(
                    f"    {one['style']} as {kind} passes for {tracks[others[hit.number]]['style']}: {hit.apart:.3f}"
                )
                yield number, others[hit.number]


def time_lookup(tracks: list[dict], count: int) -> None:
    generator = np.random.default_rng(0)
    frames = round(MAX_S / HOP_S / 32)
    kept = [generator.integers(0, 2**32, frames, dtype=np.uint32) for _ in range(count)]
    known = KnownRecordings(kept, [90.0] * count)
    began = time.perf_counter()
    known._index()
    print(f"an index of {count:,} recordings of 90 s and more is made in {time.perf_counter() - began:.1f} s")
    took = []
    for one in tracks[:20]:
        began = time.perf_counter()
        known.find(one["prints"], 90.0)
        took.append(time.perf_counter() - began)
    print(f"a look-up among them takes {1000 * np.median(took):.0f} ms")


if __name__ == "__main__":
    main()

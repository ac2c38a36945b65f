"""Print what scenes sound like in numbers: seams of all places, the mix under a voice, and the example story.

Everything is measured on the outputs by means of its own: plain STFT and levels, pyloudnorm, oversampling by scipy.
Run from the repository: `python -m tests.benchmarks.generator.scenes`. espeak-ng speaks where it is installed; else a
generated signal like speech does.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import scipy.signal
import soundfile
import yaml

from music_catalog import presets
from music_catalog.generator import Audio
from music_catalog.generator.audio.ducking import Ducking
from music_catalog.generator.audio.loop import cut_loop, extra_s
from music_catalog.generator.audio.seam import measure_seam
from music_catalog.generator.audio.timeline import Timeline, mix
from music_catalog.generator.synth.generator import ProceduralGenerator

RATE = 32_000
ROOT = Path(__file__).resolve().parents[3]
SPOKEN = ROOT / "tests" / "data" / "speechlike.flac"
STYLES = {
    name: preset["synthesis"]
    for file in ("styles.yaml", "environments.yaml")
    for name, preset in yaml.safe_load((Path(presets.__file__).parent / file).read_text("utf-8"))["musicgen"][
        "presets"
    ].items()
}


def rendered(style, duration_s, seed, loopable):
    config = {"duration_s": duration_s, "seed": seed, "loopable": loopable, "synthesis": STYLES[style]}
    return ProceduralGenerator().generate_music("x", config)


def spectral_change(samples):
    """Return how much the spectrum changes from each 32 ms to the next, hop 8 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.mean(axis=1), 1024)[::256] * np.hanning(1024)
    level = np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-2)
    return np.abs(level[4:] - level[:-4]).mean(axis=1)


def against_bars(samples):
    """Return the change at the seams of a loop played three times over, against the 95th percentile of bars inside."""
    thrice, length, bar = np.tile(samples, (3, 1)), len(samples), round(2.4 * RATE)
    change = spectral_change(thrice)
    spans = [
        change[(at - bar // 2) // 256 : (at + bar // 2) // 256].max()
        for at in range(bar, len(thrice) - bar, bar)
        if min(abs(at - length), abs(at - 2 * length)) > bar
    ]
    seams = [change[(s - 3200) // 256 - 4 : (s + 3200) // 256].max() for s in (length, 2 * length)]
    return max(seams) / np.quantile(spans, 0.95)


def seams(duration_s, seeds, styles):
    print(f"\nSeams, {duration_s:g} s, {len(styles)} styles and places, seeds {list(seeds)}")
    print(
        "  unusual: the meter, share of bars inside that are clearly less conspicuous; change: plain STFT, the seam"
    )
    print("  in a loop played three times over against the 95th percentile of bars inside")
    kinds = {"rendered round": [], "cut from a piece": [], "plain cut": [], "0.2 s missing": []}
    rng = np.random.default_rng(0)
    for style in styles:
        for seed in seeds:
            circle = rendered(style, duration_s, seed, True)
            piece = rendered(style, duration_s + extra_s(duration_s) + 3, seed, False)
            start = int(rng.integers(RATE, 3 * RATE))
            made = {
                "rendered round": circle.samples,
                "cut from a piece": cut_loop(piece, duration_s).samples,
                "plain cut": piece.samples[start : start + round(duration_s * RATE)],
                "0.2 s missing": circle.samples[: -round(0.2 * RATE)],
            }
            for kind, samples in made.items():
                kinds[kind].append((measure_seam(Audio(samples, RATE)).unusual, against_bars(samples)))
    for kind, values in kinds.items():
        unusual, change = np.array(values).T
        print(
            f"  {kind:17} unusual <= 0.95: {np.mean(unusual <= 0.95):6.1%}   median {np.median(unusual):.2f}   "
            f"change: median {np.median(change):.2f}, 95th percentile {np.quantile(change, 0.95):.2f}"
        )


def speech(folder):
    """Return two sentences with four seconds of silence between, and who spoke."""
    if shutil.which("espeak-ng"):
        path, who = Path(folder) / "spoken.wav", "espeak-ng"
        words = "The forest was quiet that morning. Only the brook could be heard, far away."
        subprocess.run(["espeak-ng", "-w", path, words], check=True, timeout=60)
    else:
        path, who = SPOKEN, "a generated signal like speech (espeak-ng is not installed)"
    spoken, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return Audio(np.concatenate([spoken, np.zeros((4 * rate, 1), np.float32), spoken]), rate), who


def lufs(samples, rate):
    return pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))


def peak_db(samples):
    dense = scipy.signal.resample_poly(samples.astype(np.float64), 8, 1, axis=0)
    return 20 * np.log10(np.abs(dense).max())


def windows_db(samples, rate, length_s=0.1):
    size = round(length_s * rate)
    cut = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size, samples.shape[1])
    return 10 * np.log10((cut**2).mean(axis=(1, 2)) + 1e-12)


def ducking():
    with tempfile.TemporaryDirectory() as folder:
        voice, who = speech(folder)
    print(f"\nUnder a voice ({who}), {voice.duration_s:.1f} s with a pause of 4 s; measured on the stems")
    print(
        "  bed                    role            voice   bed under it   difference   in the pause   "
        "fastest rise (allowed)   true peak"
    )
    for style in ("environment_forest", "environment_storm", "ambient_lofi", "action_drums"):
        loop = rendered(style, 20, 1, True)
        for role in ("narration_bed", "background_bed"):
            wanted = Ducking(**presets.load().role(role).ducking.model_dump())
            timeline = mix(loop, voice, loop=True, ducking=wanted)
            parts = list(timeline.render(timeline.safety_gain()))
            made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            alone = np.concatenate(
                [music for _, music in Timeline(timeline.beds, [], timeline.duration_s, RATE).blocks()]
            )
            spoken = np.repeat(windows_db(made["voice"], RATE) > -45, RATE // 10)
            voice_lufs = lufs(made["voice"][: len(spoken)][spoken], RATE)
            under = lufs(made["music"][: len(spoken)][spoken], RATE)
            gain = windows_db(made["music"], RATE) - windows_db(alone, RATE)
            pause = gain[round((2 + (voice.duration_s - 4) / 2 + 3.6) * 10)]
            # Sample against sample: between windows the rise would depend on where in them the music is loud.
            audible = np.abs(alone[:, 0]) > 1e-3
            exact = 20 * np.log10(np.abs(made["music"][audible, 0]) / np.abs(alone[audible, 0]))
            knots = np.arange(0, timeline.duration_s, 0.05)
            rise = np.diff(np.interp(knots, np.flatnonzero(audible) / RATE, exact)).max() / 0.05
            duck = timeline.beds[0].ducking
            print(
                f"  {style:22} {role:15} {voice_lufs:6.1f} {under:14.1f} {voice_lufs - under:12.1f} {pause:14.2f}   "
                f"{rise:6.2f} ({duck.depth_db / duck.release_s:5.2f}) dB/s   "
                f"{peak_db(made['mix']):8.2f}"
            )


def story(narrator):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "story.wav"
        line = [
            "score",
            str(ROOT / "examples" / "story.jsonl"),
            "--out",
            str(out),
            "--home",
            f"{folder}/home",
        ]
        line += ["--stems", f"{folder}/stems", "--backend", "procedural", "--quality", "standard", "--json"]
        line += ["--narrator", narrator] if narrator else []
        began = time.perf_counter()
        program = "import sys; from music_catalog import cli; sys.argv[0] = 'catalog'; cli.main()"
        done = subprocess.run(
            [sys.executable, "-c", program, *line], cwd=ROOT, capture_output=True, text=True, check=True
        )
        took = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        payload = json.loads(done.stdout)
        sheet = json.loads(out.with_suffix(".json").read_text("utf-8"))
        mixed, rate = soundfile.read(out, dtype="float32", always_2d=True)
        voice, _ = soundfile.read(Path(folder) / "stems" / "story.voice.wav", dtype="float32", always_2d=True)
        music, _ = soundfile.read(Path(folder) / "stems" / "story.music.wav", dtype="float32", always_2d=True)
    print(f"\nThe example story, one command, {'narrated by ' + narrator if narrator else 'without a voice'}")
    print(
        f"  {payload['chunks']} chunks, {len(payload['scenes'])} scenes, {payload['themes']} themes, "
        f"{payload['duration_s']:.0f} s of audio in {took:.0f} s, peak memory {memory:.0f} MB"
    )
    ids = [scene["track_id"] for scene in payload["scenes"]]
    print(
        f"  {len(set(ids))} tracks; back on purpose: {len(ids) - len({s['theme'] for s in payload['scenes']})}; "
        f"the same track in neighbouring scenes of other themes: "
        f"{sum(a['track_id'] == b['track_id'] and a['theme'] != b['theme'] for a, b in pairwise(payload['scenes']))}"
    )
    print(
        f"  seams of the loops: {sorted(round(s['seam'], 2) for s in payload['scenes'] if s['seam'] is not None)}"
    )
    beds = [cue for cue in sheet["cues"] if cue["kind"] == "music"]
    tempo = {scene["track_id"]: scene["tempo_bpm"] for scene in payload["scenes"]}
    off = []
    for before, after in pairwise(beds):
        bpm = next(value for name, value in tempo.items() if name in before["name"])
        if bpm:
            beats = (after["start_s"] - before["start_s"]) * bpm / 60
            off.append(abs(beats - round(beats)))
    if off:
        print(f"  cross-fades from tracks with a beat: {len(off)}, at most {max(off):.3f} beats off theirs")
    print(
        f"  true peak {peak_db(mixed):.2f} dBTP, loudest sample {np.abs(mixed).max():.3f}, "
        f"gain {payload['safety_gain']}"
    )
    print(f"  the mix is its stems to within {np.abs(mixed - voice - music).max():.1e}")
    if np.abs(voice).max() > 0:
        differences = []
        for cue in sheet["cues"]:
            if cue["kind"] == "voice":
                span = slice(round(cue["start_s"] * rate), round(cue["end_s"] * rate))
                differences.append(lufs(voice[span], rate) - lufs(music[span], rate))
        print(
            f"  voice over bed, chunk by chunk: least {min(differences):.1f} LU, median {np.median(differences):.1f} LU"
        )
        print(
            f"  loudness: voice {lufs(voice, rate):.1f}, music {lufs(music, rate):.1f}, "
            f"mix {lufs(mixed, rate):.1f} LUFS"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--all-styles", action="store_true", help="The seams of all styles, not of places alone."
    )
    parser.add_argument("--skip-story", action="store_true")
    args = parser.parse_args()
    places = [name for name in STYLES if name.startswith("environment_")]
    seams(args.duration, range(args.seeds), list(STYLES) if args.all_styles else places)
    ducking()
    if not args.skip_story:
        story("espeak-ng" if shutil.which("espeak-ng") else None)


if __name__ == "__main__":
    main()

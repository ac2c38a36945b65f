"""How long a converted checkpoint takes to load, and how much memory: random full-size weights, each form in a process.

    python tests/benchmarks/generator/weights.py [--size small] [--folder FOLDER]

What is written (2.4 GB for small) goes to a temporary folder, or stays in FOLDER for the next run. The files are in the
page cache when they are loaded; memory is the process's peak, against what the networks hold. On a processor the large
matrices are read where they are in the files, and only then count.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

SHAPES = {"small": {}, "medium": {"hidden_size": 1536, "num_hidden_layers": 48, "num_attention_heads": 24}}
SHAPES["medium"]["ffn_dim"] = 6144
TEXT = {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12, "feed_forward_proj": "relu"}
CODEC = {
    "target_bandwidths": [2.2],
    "sampling_rate": 32_000,
    "upsampling_ratios": [8, 5, 4, 4],
    "num_filters": 64,
    "codebook_size": 2048,
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}
FORMS = {"float32": ("float32", None), "float16": ("float16", None), "8 bits": (None, 8), "4 bits": (None, 4)}
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load or options.write:
        print(json.dumps(load(options.load) if options.load else write_forms(options.write, options.size)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        base = options.folder or Path(temporary)
        base.mkdir(parents=True, exist_ok=True)
        # Elsewhere, since the peak of a process counts what its parent had.
        in_process("--write", base, "--size", options.size)
        print(
            f"{'form':8} {'on disk':>8} {'load, fastest / median':>23} {'peak':>8} {'weights':>8} {'share':>6}"
        )
        for form in FORMS:
            report(form, base / form.replace(" ", "-"))


def report(form: str, folder: Path) -> None:
    runs = [in_process("--load", folder) for _ in range(RUNS)]
    seconds, peak, held = [one["seconds"] for one in runs], max(one["peak"] for one in runs), runs[0]["held"]
    disk = sum(file.stat().st_size for file in folder.iterdir())
    print(
        f"{form:8} {disk / 1e9:5.2f} GB {min(seconds):12.2f} / {statistics.median(seconds):.2f} s "
        f"{peak / 1e9:8.2f} GB {held / 1e9:5.2f} GB {peak / held:6.2f}",
        flush=True,
    )


def in_process(*arguments: object) -> dict[str, float]:
    line = [sys.executable, __file__, *map(str, arguments)]
    return json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)


def load(folder: Path) -> dict[str, float]:
    import mlx.core as mx

    from music_catalog.generator import cpu
    from music_catalog.generator.weights.checkpoint import load_networks
    from music_catalog.generator.weights.files import read_manifest
    from music_catalog.generator.weights.reading import read_weights, size_bytes

    for file in folder.iterdir():  # into the page cache
        with file.open("rb") as stream:
            while stream.read(1 << 24):
                pass
    before = time.perf_counter()
    dtype = read_manifest(folder)["dtype"]
    networks = cpu.keep_in_files(load_networks(folder, dtype=dtype), folder)
    held = size_bytes(networks)
    with cpu.ready(networks):
        read_weights(networks)
    cpu.accelerate(networks)
    seconds = time.perf_counter() - before
    mx.synchronize()
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"seconds": seconds, "peak": peak, "held": held}


def write_forms(base: Path, size: str) -> None:
    """Write a random checkpoint in each form that is not there yet."""
    from music_catalog.generator.weights.conversion import convert
    from music_catalog.generator.weights.hub import Source

    wanted = {form: base / form.replace(" ", "-") for form in FORMS}
    if all(folder.is_dir() for folder in wanted.values()):
        return
    with tempfile.TemporaryDirectory(dir=base) as temporary:
        random = Path(temporary) / "random"
        write_random(random, size)
        for form, folder in wanted.items():
            if not folder.is_dir():
                dtype, bits = FORMS[form]
                convert(random, folder, Source("random weights", None, "none"), dtype=dtype, bits=bits)


def write_random(folder: Path, size: str) -> None:
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_map
    from tokenizers import Tokenizer, models

    from music_catalog.generator.networks.encodec import EncodecConfig, EncodecModel
    from music_catalog.generator.networks.musicgen import MusicgenConfig, MusicgenDecoder
    from music_catalog.generator.networks.t5 import T5Config, T5Encoder
    from music_catalog.generator.weights.files import MANIFEST, sha256_of

    config = {"model_type": "musicgen", "text_encoder": TEXT, "audio_encoder": CODEC, "decoder": SHAPES[size]}
    networks = {
        "text_encoder": T5Encoder(T5Config.from_dict(TEXT)),
        "codec": EncodecModel(EncodecConfig.from_dict(CODEC)),
        "decoder": MusicgenDecoder(MusicgenConfig.from_dict(config)),
    }
    folder.mkdir()
    for name, network in networks.items():
        network.update(tree_map(lambda one: 0.02 * mx.random.normal(one.shape), network.parameters()))
        mx.save_safetensors(str(folder / f"{name}.safetensors"), dict(tree_flatten(network.parameters())))
    (folder / "config.json").write_text(json.dumps(config))
    Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    files = {
        file.name: {"size": file.stat().st_size, "sha256": sha256_of(file)}
        for file in sorted(folder.iterdir())
    }
    manifest = {
        "format": 1,
        "source": "random weights",
        "license": "none",
        "dtype": "float32",
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))


if __name__ == "__main__":
    main()

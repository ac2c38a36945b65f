"""Time and memory of one guided decoding step of MusicGen, on random weights of the real size.

    python tests/benchmarks/generator/musicgen.py                              # small, float32 first of all
    python tests/benchmarks/generator/musicgen.py --size large --base float16  # on a GPU
    python tests/benchmarks/generator/musicgen.py --variants --compiled        # no other types, but traced steps

Rows compare, in one run on one machine: our generation loop; a plain MLX loop as a first port would have it (text
keys and values computed anew in every step and for both halves, three products for q, k and v, a cache that grows
by concatenation, one synchronization per step); and the decoder of `transformers` with its cache. Each stands in a
process of its own, and they take turns of a few steps, so that a busy moment of the machine meets all of them; what
takes seconds a step has one step in each of two turns. The floor is the time to read once, at the fastest bandwidth
measured in the same turns, every weight a step needs. Peak memory is the process's on a CPU, the allocator's on a
GPU, and is set against our loop's weights and cache.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))

SIZES = {  # hidden size, layers, heads, feed-forward size
    "tiny": (128, 2, 2, 256),
    "small": (1024, 24, 16, 4096),
    "medium": (1536, 48, 24, 6144),
    "large": (2048, 48, 32, 8192),
}
CODEBOOKS, VOCABULARY, TEXT_LENGTH, TEXT_SIZE = 4, 2048, 20, 768
WARM_UP = 4
READ_GB = 1.0
LONGEST_TURN_S, SLOW_TURNS = 0.8, 2


def main() -> None:
    options = parse()
    if options.child:
        serve(options)
        return
    first, types = options.batch[0], [variant for variant in options.variants if variant != options.base]
    runs = [("ours", options.base, batch) for batch in options.batch]
    runs += [("compiled", options.base, batch) for batch in options.batch if options.compiled]
    runs += [("ours", variant, first) for variant in types]
    runs += [("plain", options.base, first)]
    runs += [("transformers", options.base, batch) for batch in options.batch]
    reader = Worker(options, "bandwidth", options.base, 1)
    workers = [Worker(options, *run) for run in runs]
    about, *_ = [worker.wait() for worker in [reader, *workers]]
    for turn in range(options.rounds):
        for worker in [reader, *workers]:
            if turn < SLOW_TURNS or min(worker.seconds) < LONGEST_TURN_S:
                worker.take_turn()
    fastest_gb_s = READ_GB / min(reader.seconds)
    print(f"{options.size}, {about}, {fastest_gb_s:.1f} GB/s read")
    print(
        f"{'loop':<14}{'weights':<10}{'batch':>5}{'steps':>7}{'ms/step':>10}{'fastest':>9}{'floor':>8}",
        end="",
    )
    print(f"{'of floor':>10}{'rows/s':>9}{'peak GB':>9}{'of needs':>10}")
    for (loop, variant, batch), worker in zip(runs, workers, strict=True):
        seconds, fastest = statistics.median(worker.seconds), min(worker.seconds)
        floor = step_bytes(options.size, variant) / fastest_gb_s / 1e9
        print(f"{loop:<14}{variant:<10}{batch:>5}{len(worker.seconds):>7}{1e3 * seconds:>10.2f}", end="")
        print(
            f"{1e3 * fastest:>9.2f}{1e3 * floor:>8.2f}{fastest / floor:>9.2f}x{batch / seconds:>9.2f}", end=""
        )
        print(f"{worker.peak / 1e9:>9.2f}{worker.peak / needed_bytes(options, variant, batch):>9.2f}x")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--base", choices=["float32", "float16", "bfloat16"], default="float32")
    parser.add_argument(
        "--variants", nargs="*", default=["bfloat16", "8bit", "4bit"], help="more types, for ours"
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=6, help="turns of each loop")
    parser.add_argument("--steps", type=int, default=6, help="steps in one turn")
    parser.add_argument("--compiled", action="store_true", help="ours with traced steps as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


class Worker:
    """A loop in a process of its own, which runs some steps when asked to and is idle otherwise."""

    def __init__(self, options: argparse.Namespace, loop: str, variant: str, batch: int) -> None:
        command = [sys.executable, __file__, "--child", loop, "--size", options.size, "--batch", str(batch)]
        command += ["--variants", variant, "--rounds", str(options.rounds), "--steps", str(options.steps)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds: list[float] = []
        self.peak = 0

    def take_turn(self) -> None:
        assert self.process.stdin
        print(file=self.process.stdin, flush=True)
        answer = self._answer()
        self.seconds += answer["seconds"]
        self.peak = answer["peak"]

    def wait(self) -> str:
        """Return what the loop says of itself once it stands ready."""
        return self._answer()

    def _answer(self):
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} stopped; see above")
        return json.loads(line)


def serve(options: argparse.Namespace) -> None:
    """Run steps whenever a line comes in, until no more can come."""
    loop = LOOPS[options.child](options)
    about = next(loop)
    warming = 0.0
    for _ in range(WARM_UP):
        warming += clock(lambda: next(loop)) if warming < LONGEST_TURN_S else 0.0
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        # The first step of a turn finds the machine as the loop before left it.
        seconds = [clock(lambda: next(loop))]
        while sum(seconds) < LONGEST_TURN_S and len(seconds) <= options.steps:
            seconds.append(clock(lambda: next(loop)))
        print(json.dumps({"seconds": seconds[1:] or seconds, "peak": peak_bytes()}), flush=True)


# What a step has to read


def matrix_elements(size: str) -> int:
    """Count the weights that one step multiplies with; the text's keys and values are already there."""
    hidden, layers, _, feed_forward = SIZES[size]
    return layers * (6 * hidden**2 + 2 * hidden * feed_forward) + CODEBOOKS * VOCABULARY * hidden


def bytes_per_weight(variant: str) -> float:
    # Quantized groups of 64 weights carry a scale and a bias, two bytes each.
    return {"float32": 4, "float16": 2, "bfloat16": 2, "8bit": 1 + 4 / 64, "4bit": 0.5 + 4 / 64}[variant]


def step_bytes(size: str, variant: str) -> float:
    return matrix_elements(size) * bytes_per_weight(variant)


def needed_bytes(options: argparse.Namespace, variant: str, batch: int) -> float:
    """Return weights plus cache of our loop."""
    hidden, layers, _, _ = SIZES[options.size]
    plain = 2 if variant.endswith("bit") else bytes_per_weight(variant)
    weights = (matrix_elements(options.size) + layers * 2 * hidden**2) * bytes_per_weight(variant)
    weights += (CODEBOOKS * (VOCABULARY + 1) + TEXT_SIZE) * hidden * plain
    return weights + layers * 2 * 2 * batch * columns(options) * hidden * plain


def columns(options: argparse.Namespace) -> int:
    return WARM_UP + options.rounds * (1 + options.steps) + 2 * CODEBOOKS


# Each in a process of its own: generators whose first value tells about them and whose every further one is a step


def bandwidth(options: argparse.Namespace) -> Iterator[object]:
    import mlx.core as mx

    yield f"device {mx.default_device()}, OpenBLAS for the plain loop {load_openblas()}"
    if mx.default_device() == mx.Device(mx.gpu):
        numbers = mx.zeros((round(READ_GB * 1e9 / 4),), mx.float32)
        while True:
            mx.eval(numbers.sum())
            yield
    with ThreadPoolExecutor() as pool:
        parts = np.array_split(np.ones(round(READ_GB * 1e9 / 4), np.float32), pool._max_workers)
        while True:
            list(pool.map(np.max, parts))
            yield


def ours(options: argparse.Namespace, compiled: bool | None = None) -> Iterator[object]:
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_map

    from music_catalog.generator.cpu.decoder import ProcessorDecoder
    from music_catalog.generator.musicgen.generation import stream_codes
    from music_catalog.generator.networks.musicgen import Condition, MusicgenConfig, MusicgenDecoder, quantize

    (variant,), (batch,) = options.variants, options.batch
    hidden, layers, heads, feed_forward = SIZES[options.size]
    model = MusicgenDecoder(MusicgenConfig(hidden, layers, heads, feed_forward))
    bits = {"8bit": 8, "4bit": 4}.get(variant)
    on_gpu = mx.default_device() == mx.Device(mx.gpu)
    model.set_dtype(getattr(mx, ("float16" if on_gpu else "float32") if bits else variant))
    if bits:
        quantize(model, bits)
    # Nothing is computed yet, and of the parameters above never will be.
    model.update(tree_map(lambda one: small_numbers(one.shape).astype(one.dtype), model.parameters()))
    for _, parameter in tree_flatten(model.parameters()):
        mx.eval(parameter)  # one by one, so that no two types of all weights stand at once
    mx.reset_peak_memory()
    states = mx.random.normal((batch, TEXT_LENGTH, TEXT_SIZE))
    condition = Condition(states, mx.ones((batch, TEXT_LENGTH), mx.bool_))
    frames = columns(options) - CODEBOOKS
    decoder = model if on_gpu or compiled else ProcessorDecoder(model)
    yield "ours"
    yield from stream_codes(
        decoder, condition, frames=frames, seeds=range(batch), chunk_frames=1, compiled=compiled
    )


def plain(options: argparse.Namespace) -> Iterator[object]:
    load_openblas()
    import mlx.core as mx

    (variant,), (batch,) = options.variants, options.batch
    step = PlainDecoder(options.size, getattr(mx, variant), batch).step
    tokens = mx.full((batch, CODEBOOKS), VOCABULARY)
    yield "plain"
    while True:
        tokens = step(tokens)
        mx.eval(tokens)
        yield


def load_openblas() -> bool:
    """Let MLX, imported afterwards, bind the system's OpenBLAS where there is one: its own BLAS is far slower."""
    with contextlib.suppress(OSError):
        return bool(ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL))
    return False


class PlainDecoder:
    """The loop as a first port has it; right, but with nothing kept or fused."""

    def __init__(self, size: str, dtype, batch: int) -> None:
        import mlx.core as mx

        hidden, layers, self.heads, feed_forward = SIZES[size]
        shapes = dict.fromkeys(["q", "k", "v", "o", "cq", "ck", "cv", "co"], (hidden, hidden))
        shapes |= {"fc1": (feed_forward, hidden), "fc2": (hidden, feed_forward)}
        weight = lambda shape: small_numbers(shape).astype(dtype)  # noqa: E731
        self.layers = [{name: weight(shape) for name, shape in shapes.items()} for _ in range(layers)]
        self.embed = [weight((VOCABULARY + 1, hidden)) for _ in range(CODEBOOKS)]
        self.out = [weight((VOCABULARY, hidden)) for _ in range(CODEBOOKS)]
        text = weight((batch, TEXT_LENGTH, hidden))
        self.text = mx.concatenate([text, mx.zeros_like(text)])
        self.norm = mx.ones((hidden,), dtype), mx.zeros((hidden,), dtype)
        self.cache: list = [None] * layers
        mx.eval(self.layers, self.embed, self.out, self.text)

    def step(self, tokens):
        import mlx.core as mx
        import mlx.nn as nn

        tokens = mx.concatenate([tokens, tokens])
        x = sum(self.embed[k][tokens[:, k : k + 1]] for k in range(CODEBOOKS))
        norm = lambda x: mx.fast.layer_norm(x, *self.norm, 1e-5)  # noqa: E731
        for index, weights in enumerate(self.layers):
            at = norm(x)
            q, k, v = (self._split(at @ weights[name].T) for name in "qkv")
            if self.cache[index] is not None:
                k = mx.concatenate([self.cache[index][0], k], axis=2)
                v = mx.concatenate([self.cache[index][1], v], axis=2)
            self.cache[index] = k, v
            x = x + self._attend(q, k, v) @ weights["o"].T
            q = self._split(norm(x) @ weights["cq"].T)
            k, v = (self._split(self.text @ weights[name].T) for name in ("ck", "cv"))
            x = x + self._attend(q, k, v) @ weights["co"].T
            x = x + nn.gelu(norm(x) @ weights["fc1"].T) @ weights["fc2"].T
        logits = mx.stack([norm(x)[:, 0] @ head.T for head in self.out], axis=1).astype(mx.float32)
        conditional, unconditional = mx.split(logits, 2)
        guided = unconditional + 3.0 * (conditional - unconditional)
        smallest = mx.sort(guided, axis=-1)[..., -250, None]
        return mx.random.categorical(mx.where(guided >= smallest, guided, -mx.inf))

    def _split(self, x):
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)

    def _attend(self, q, k, v):
        import mlx.core as mx

        attended = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5)
        return attended.transpose(0, 2, 1, 3).reshape(q.shape[0], q.shape[2], -1)


def small_numbers(shape):
    """Return weights from a few random numbers again and again; drawing each one would take most of the time."""
    import mlx.core as mx

    few = mx.random.uniform(-0.02, 0.02, (10_007,))
    count = math.prod(shape)
    return mx.tile(few, -(-count // few.size))[:count].reshape(shape)


def transformers(options: argparse.Namespace) -> Iterator[object]:
    import torch
    from transformers import DynamicCache, EncoderDecoderCache, MusicgenDecoderConfig, MusicgenForCausalLM

    (variant,), (batch,) = options.variants, options.batch
    torch.set_num_threads(os.cpu_count() or 1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hidden, layers, heads, feed_forward = SIZES[options.size]
    config = MusicgenDecoderConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, ffn_dim=feed_forward
    )
    with torch.device("meta"):
        model = MusicgenForCausalLM(config).eval().to(getattr(torch, variant))
    model = model.to_empty(device=device)
    model.model.decoder.embed_positions.make_weights(2048, hidden)
    few = torch.empty(10_007).uniform_(-0.02, 0.02)
    for parameter in model.parameters():
        size = parameter.numel()
        parameter.data.copy_(few.repeat(-(-size // len(few)))[:size].reshape(parameter.shape))
    cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))
    text = torch.randn(2 * batch, TEXT_LENGTH, hidden, device=device, dtype=getattr(torch, variant))
    text[batch:] = 0
    tokens = torch.full((batch * CODEBOOKS, 1), VOCABULARY, device=device)
    yield "transformers"
    with torch.inference_mode():
        while True:
            output = model(
                tokens.repeat(2, 1), encoder_hidden_states=text, past_key_values=cache, use_cache=True
            )
            conditional, unconditional = output.logits[:, -1].float().chunk(2)
            guided = unconditional + 3.0 * (conditional - unconditional)
            guided[guided < guided.topk(250).values[:, -1:]] = -torch.inf
            tokens = torch.multinomial(guided.softmax(-1), 1)
            tokens.cpu()
            yield


def peak_bytes() -> int:
    """Return the process's peak on a CPU, that of the library's allocator on a GPU."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    mx = sys.modules.get("mlx.core")
    if mx and mx.default_device() == mx.Device(mx.gpu):
        return mx.get_peak_memory()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def clock(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


LOOPS: dict[str, Callable[[argparse.Namespace], Iterator[object]]] = {
    "bandwidth": bandwidth,
    "ours": ours,
    "compiled": lambda options: ours(options, compiled=True),
    "plain": plain,
    "transformers": transformers,
}

if __name__ == "__main__":
    main()

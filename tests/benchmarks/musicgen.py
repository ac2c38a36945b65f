"""Time and memory of one guided decoding step of MusicGen, on random weights of the real size.

    python tests/benchmarks/musicgen.py                                   # small, float32, batch 1 and 8
    python tests/benchmarks/musicgen.py --variants bfloat16 8bit 4bit     # ours in these as well
    python tests/benchmarks/musicgen.py --size large --base float16       # on a GPU

Rows compare, in one run on one machine: our generation loop; a plain MLX loop as a first port would have it (text
keys and values computed anew in every step and for both halves, three products for q, k and v, a cache that grows
by concatenation, one synchronization per step); and the decoder of `transformers` with its cache. Each runs in a
process of its own. The floor is the time to read once, at the measured bandwidth, every weight a step needs. Peak
memory is the process's on a CPU, the allocator's on a GPU, and is set against our loop's weights and cache.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from generator.blas import preload_openblas

SIZES = {  # hidden size, layers, heads, feed-forward size
    "tiny": (128, 2, 2, 256),
    "small": (1024, 24, 16, 4096),
    "medium": (1536, 48, 24, 6144),
    "large": (2048, 48, 32, 8192),
}
CODEBOOKS, VOCABULARY, TEXT_LENGTH, TEXT_SIZE = 4, 2048, 20, 768
WARM_UP = 4


def main() -> None:
    options = parse()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    variants = [options.base, *options.variants]
    runs = [("ours", variant, batch) for variant in variants for batch in options.batch]
    runs += [("compiled", options.base, batch) for batch in options.batch] if options.compiled else []
    runs += [("plain", options.base, options.batch[0])]
    runs += [("transformers", options.base, batch) for batch in options.batch]
    found = run_child(options, "bandwidth", options.base, 1)
    print(
        f"{options.size}, device {found['device']}, OpenBLAS {found['openblas']}, {found['gb_s']:.1f} GB/s read"
    )
    print(
        f"{'loop':<14}{'weights':<10}{'batch':>5}{'ms/step':>10}{'fastest':>9}{'floor':>8}{'of floor':>10}",
        end="",
    )
    print(f"{'rows/s':>9}{'peak GB':>9}{'of needs':>10}")
    for loop, variant, batch in runs:
        row = run_child(options, loop, variant, batch)
        floor = step_bytes(options.size, variant) / found["gb_s"] / 1e6
        print(
            f"{loop:<14}{variant:<10}{batch:>5}{row['ms']:>10.2f}{row['fastest']:>9.2f}{floor:>8.2f}", end=""
        )
        print(f"{row['ms'] / floor:>9.2f}x{1e3 * batch / row['ms']:>9.2f}{row['peak_gb']:>9.2f}", end="")
        print(f"{1e9 * row['peak_gb'] / needed_bytes(options, variant, batch):>9.2f}x", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--base", choices=["float32", "float16", "bfloat16"], default="float32")
    parser.add_argument("--variants", nargs="*", default=[], help="more types of weights for ours")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--compiled", action="store_true", help="ours with compiled steps as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_child(options: argparse.Namespace, child: str, base: str, batch: int) -> dict:
    command = [sys.executable, __file__, "--child", child, "--size", options.size, "--batch", str(batch)]
    command += ["--steps", str(options.steps), "--variants", base]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{child} {base} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


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
    columns = options.steps + WARM_UP + CODEBOOKS
    return weights + layers * 2 * 2 * batch * columns * hidden * plain


# Each measured in a process of its own


def bandwidth(options: argparse.Namespace) -> dict:
    openblas = preload_openblas()
    import mlx.core as mx

    gpu = mx.default_device() == mx.Device(mx.gpu)
    if gpu:
        data = mx.zeros((2**30,), mx.float32)
        mx.eval(data)
        seconds = min(clock(lambda: mx.eval(data.sum())) for _ in range(8))
    else:
        data = np.ones(2**28, np.float32)
        with ThreadPoolExecutor() as pool:
            parts = np.array_split(data, pool._max_workers)
            seconds = min(clock(lambda: list(pool.map(np.max, parts))) for _ in range(8))
    return {"gb_s": data.nbytes / seconds / 1e9, "device": str(mx.default_device()), "openblas": openblas}


def ours(options: argparse.Namespace, compiled: bool | None = None) -> dict:
    preload_openblas()
    import mlx.core as mx
    from mlx.utils import tree_flatten

    from generator.generation import generate_codes
    from generator.musicgen import Condition, MusicgenConfig, MusicgenDecoder, quantize

    (variant,), (batch,) = options.variants, options.batch
    hidden, layers, heads, feed_forward = SIZES[options.size]
    model = MusicgenDecoder(MusicgenConfig(hidden, layers, heads, feed_forward))
    bits = {"8bit": 8, "4bit": 4}.get(variant)
    model.set_dtype(mx.float16 if bits else getattr(mx, variant))
    if bits:
        quantize(model, bits)
    for _, parameter in tree_flatten(model.parameters()):
        mx.eval(parameter)  # one by one, so that no two types of all weights stand at once
    mx.reset_peak_memory()
    states = mx.random.normal((batch, TEXT_LENGTH, TEXT_SIZE))
    condition = Condition(states, mx.ones((batch, TEXT_LENGTH), mx.bool_))
    times: list[float] = []
    frames = options.steps + WARM_UP
    generate_codes(
        model,
        condition,
        frames=frames,
        seeds=range(batch),
        on_progress=lambda *_: times.append(time.perf_counter()),
        compiled=compiled,
    )
    return summary(np.diff(times)[WARM_UP:-1], peak_bytes(mx.get_peak_memory()))


def plain(options: argparse.Namespace) -> dict:
    preload_openblas()
    import mlx.core as mx

    (variant,), (batch,) = options.variants, options.batch
    step = PlainDecoder(options.size, getattr(mx, variant), batch).step
    tokens, times = mx.full((batch, CODEBOOKS), VOCABULARY), []
    for _ in range(options.steps + WARM_UP):
        begin = time.perf_counter()
        tokens = step(tokens)
        mx.eval(tokens)
        times.append(time.perf_counter() - begin)
    return summary(times[WARM_UP:], peak_bytes(mx.get_peak_memory()))


class PlainDecoder:
    """The loop as a first port has it; right, but with nothing kept or fused."""

    def __init__(self, size: str, dtype, batch: int) -> None:
        import mlx.core as mx

        hidden, layers, self.heads, feed_forward = SIZES[size]
        shapes = dict.fromkeys(["q", "k", "v", "o", "cq", "ck", "cv", "co"], (hidden, hidden))
        shapes |= {"fc1": (feed_forward, hidden), "fc2": (hidden, feed_forward)}
        weight = lambda shape: mx.random.uniform(-0.02, 0.02, shape).astype(dtype)  # noqa: E731
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


def transformers(options: argparse.Namespace) -> dict:
    import torch
    from transformers import DynamicCache, EncoderDecoderCache, MusicgenDecoderConfig, MusicgenForCausalLM

    (variant,), (batch,) = options.variants, options.batch
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hidden, layers, heads, feed_forward = SIZES[options.size]
    config = MusicgenDecoderConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, ffn_dim=feed_forward
    )
    with torch.device("meta"):
        model = MusicgenForCausalLM(config).eval().to(getattr(torch, variant))
    model = model.to_empty(device=device)
    model.model.decoder.embed_positions.make_weights(2048, hidden)
    for parameter in model.parameters():
        parameter.data.uniform_(-0.02, 0.02)
    cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))
    text = torch.randn(2 * batch, TEXT_LENGTH, hidden, device=device, dtype=getattr(torch, variant))
    text[batch:] = 0
    tokens, times = torch.full((batch * CODEBOOKS, 1), VOCABULARY, device=device), []
    with torch.inference_mode():
        for _ in range(options.steps + WARM_UP):
            begin = time.perf_counter()
            output = model(
                tokens.repeat(2, 1), encoder_hidden_states=text, past_key_values=cache, use_cache=True
            )
            conditional, unconditional = output.logits[:, -1].float().chunk(2)
            guided = unconditional + 3.0 * (conditional - unconditional)
            guided[guided < guided.topk(250).values[:, -1:]] = -torch.inf
            tokens = torch.multinomial(guided.softmax(-1), 1)
            tokens.cpu()
            times.append(time.perf_counter() - begin)
    allocated = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return summary(times[WARM_UP:], allocated or process_peak())


def peak_bytes(allocated: int) -> int:
    import mlx.core as mx

    return allocated if mx.default_device() == mx.Device(mx.gpu) else process_peak()


def process_peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def summary(seconds, peak: int) -> dict:
    times = [1e3 * float(one) for one in seconds]
    return {"ms": statistics.median(times), "fastest": min(times), "peak_gb": peak / 1e9}


def clock(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


CHILDREN: dict[str, Callable[[argparse.Namespace], dict]] = {
    "bandwidth": bandwidth,
    "ours": ours,
    "compiled": lambda options: ours(options, compiled=True),
    "plain": plain,
    "transformers": transformers,
}

if __name__ == "__main__":
    main()

"""How many kernels a GPU is handed for one step of MusicGen, counted on a processor.

The graph of one traced step, from one computed column of codes to the next, is walked as `stream_codes` hands it to
MLX, fused as `mx.compile` fuses it. Each primitive counts as the kernels that MLX's Metal backend launches for it:

- views (reshape, transpose, slice, split, broadcast and the like) none; a reshape of a broadcast one, since it copies;
- `concatenate` one per input; `slice_update` at a computed place two, its offset and the copy;
- everything else one: a product, a fused chain of element-wise operations, a reduction, a sort, random bits.

Layer norm, attention and our own sum with its norm (`networks/residual.py`) are one kernel each on a GPU, while MLX
lays them out as many operations on a processor. So the step is traced with a stand-in for each, `cumsum`, which is
one kernel and otherwise not used. Attention of one column also copies queries that are not contiguous; whether they
are is looked up in memory. Left out are kernels that depend on the device (attention in two passes from 1,024
columns on the larger chips, products split along their sum).

    python tests/dispatches.py
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

import mlx.core as mx

from music_catalog.generator.musicgen import generation
from music_catalog.generator.networks import residual
from music_catalog.generator.networks.musicgen import Condition, MusicgenConfig, MusicgenDecoder, quantize
from music_catalog.generator.networks.sampling import Sampling

LAYERS = {"small": 24, "medium": 48, "large": 48}
"""Blocks of each size. How wide a block is changes no count, so that narrow ones are traced."""
VIEWS = {
    "AsStrided",
    "Broadcast",
    "BroadcastAxes",
    "Depends",
    "ExpandDims",
    "Flatten",
    "Full",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "StopGradient",
    "Transpose",
    "Unflatten",
}


@dataclass(frozen=True)
class Step:
    """The kernels of one step: in all, and of each primitive."""

    kernels: int
    of: Counter[str]


def count_step(
    layers: int, *, bits: int | None = None, melody: bool = False, books: int = 4, **sampling
) -> Step:
    """Return the kernels of one guided step of a decoder with so many blocks."""
    config = MusicgenConfig(
        hidden_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        ffn_dim=128,
        vocab_size=256,
        num_codebooks=books,
        audio_channels=books // 4,
        text_dim=32,
        melody=melody,
    )
    model = MusicgenDecoder(config)
    model.set_dtype(mx.float16)
    if bits:
        quantize(model, bits)
    condition = Condition(mx.zeros((1, 6, 32)), mx.ones((1, 6), mx.bool_))
    with one_kernel_each() as copied:
        graph = _third_step(model, condition, Sampling(**sampling), compiled=True)
        _third_step(model, condition, Sampling(**sampling), compiled=False)
    of = _kernels(graph)
    of["copy of queries"] = sum(copied)
    return Step(of.total(), +of)


@contextmanager
def one_kernel_each():
    """Put stand-ins in the place of layer norm and attention; yield, per attention of a column, whether it copies."""
    copied = []

    def norm(x, weight, bias, eps):
        return mx.depends([mx.cumsum(x, axis=-1)], [weight, bias])[0]

    def attention(queries, keys, values, *, scale, mask=None):
        if eager() and queries.shape[2] == 1:
            mx.eval(queries)
            copied.append(not memoryview(queries).c_contiguous)
        known = [keys, values, *([mask] if isinstance(mask, mx.array) else [])]
        return mx.depends([mx.cumsum(queries, axis=-1)], known)[0]

    def sum_and_norm(*, inputs, **_):
        x, y, weight, bias, _ = inputs
        both = mx.depends([mx.cumsum(y, axis=-1)], [x, weight, bias])[0]
        return [both, both]

    fast = {"layer_norm": norm, "scaled_dot_product_attention": attention}
    with patch.multiple(mx.fast, **fast), patch.object(residual, "_kernel", lambda _: sum_and_norm):
        yield copied


def kernels_of(size: str, **form) -> int:
    """Return the kernels of one step of a size; each block adds the same, so that two small decoders tell all."""
    two, three = (count_step(layers, **form).kernels for layers in (2, 3))
    return two + (LAYERS[size] - 2) * (three - two)


_state = {"eager": False}


def eager() -> bool:
    return _state["eager"]


def _third_step(model, condition, sampling, *, compiled: bool) -> str:
    """Return the graph of the third column of codes: what comes before is computed already."""
    graphs: list[str] = []
    real = mx.async_eval

    def watched(*arrays):
        if len(graphs) < 3:
            text = StringIO()
            mx.export_to_dot(text, *arrays)
            graphs.append(text.getvalue())
            # The step that is built after the third hand-over is the one whose attention is looked at.
            _state["eager"] = not compiled and len(graphs) == 3
        else:
            _state["eager"] = False
        real(*arrays)

    with patch.object(generation.mx, "async_eval", watched):
        options = {"frames": 12, "seeds": [0], "sampling": sampling, "compiled": compiled}
        for _ in generation.stream_codes(model, condition, **options):
            pass
    _state["eager"] = False
    return graphs[2]


def _kernels(graph: str) -> Counter[str]:
    """Return the kernels of each primitive in a graph in the language of DOT."""
    names = {}
    for node, name in re.findall(r"(\d+) \[label =\"([^\"]+)\"", graph):
        names[node] = name
    made_by = {array: node for node, array in re.findall(r"^(\d+) -> (\"\w+\")", graph, re.M)}
    inputs: dict[str, list[str]] = {}
    for array, node in re.findall(r"^(\"\w+\") -> (\d+)", graph, re.M):
        inputs.setdefault(node, []).append(array)
    counted: Counter[str] = Counter()
    for node, name in names.items():
        known = [names[made_by[array]] for array in inputs.get(node, []) if array in made_by]
        if name == "Concatenate":
            counted[name] += len(inputs.get(node, []))
        elif name == "DynamicSliceUpdate":
            counted[name] += 2
        elif name == "Reshape" and known[:1] == ["Broadcast"]:
            counted["Reshape of Broadcast"] += 1
        elif name not in VIEWS:
            counted["Compiled" if name.startswith("Compiled") else name] += 1
    return counted


FORMS = {
    "float16": {},
    "float16, stereo": {"books": 8},
    "float16, melody": {"melody": True},
    "8 or 4 bits": {"bits": 8},
}

if __name__ == "__main__":
    for form, options in FORMS.items():
        print(f"{form:16}", ", ".join(f"{size} {kernels_of(size, **options)}" for size in LAYERS))
    print("float16, 2 blocks:", dict(count_step(2).of.most_common()))

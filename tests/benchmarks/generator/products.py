"""Time of the matrix products of one decoding step on a processor, at the shapes of MusicGen small.

    python tests/benchmarks/generator/products.py [--rows 2 16] [--rounds 12] [--threads 2] [--beside OTHER.py ...]

The rivals take turns in one process, in another order each time, so that a busy moment of the machine meets all of
them: our loops, numpy with its BLAS, ONNX Runtime where `onnx` and `onnxruntime` are installed, and other files with
the functions of `generator/cpu/products.py` (`--beside`). The weights of all layers are larger than a cache. Ratios are
to our loops, fastest and median. All results are compared first.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[3]))

import numba
import numpy as np
import threadpoolctl

from music_catalog.generator.cpu import products
from music_catalog.generator.cpu.matrices import BFLOAT16, FLOAT16, FLOAT32, Weights

SIZE, LAYERS, VOCABULARY, CODEBOOKS = 1024, 24, 2048, 4
# Per layer: q, k and v in one; attention's output; the text's queries and output; the feed-forward pair.
LAYER = [(3 * SIZE, SIZE), (SIZE, SIZE), (SIZE, SIZE), (SIZE, SIZE), (4 * SIZE, SIZE), (SIZE, 4 * SIZE)]
KINDS = {"float32": FLOAT32, "float16": FLOAT16, "bfloat16": BFLOAT16, "8bit": 8, "4bit": 4}
GROUP = 64
PAUSE_S = (
    0.05  # the threads of some rivals spin for a while after their work, which would slow down the next one
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[2, 16])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="files in place of products.py")
    parser.add_argument(
        "--kind", choices=KINDS, default="float32", help="below float32 only our loops take part"
    )
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    threadpoolctl.threadpool_limits(options.threads)
    draw = np.random.default_rng(0)
    shapes = LAYER * options.layers + [(CODEBOOKS * VOCABULARY, SIZE)]
    weights = [draw.normal(scale=0.02, size=shape).astype(np.float32) for shape in shapes]
    for rows in options.rows:
        inputs = {size: draw.normal(size=(rows, size)).astype(np.float32) for size in (SIZE, 4 * SIZE)}
        x = [inputs[weight.shape[1]] for weight in weights]
        compare(rows, rivals(x, weights, options), options.rounds)


def rivals(x, weights, options) -> dict[str, Callable[[], list[np.ndarray]]]:
    """Return the rivals by name; each computes the products of one step."""
    stored = [store(weight, options.kind) for weight in weights]
    chosen = {"ours": loops(products, x, stored)}
    for path in options.beside:
        chosen[path.stem] = loops(module_of(path), x, stored)
    if options.kind == "float32":
        chosen["numpy"] = lambda: [one @ weight.T for one, weight in zip(x, weights, strict=True)]
        if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
            chosen["ONNX Runtime"] = onnx_runtime(x, weights, options.threads)
    return chosen


def compare(rows: int, steps: dict[str, Callable[[], list[np.ndarray]]], rounds: int) -> None:
    first, *others = (step() for step in steps.values())  # the first step compiles
    for other in others:
        for ours, theirs in zip(first, other, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds):
        names = list(steps)
        random.Random(turn).shuffle(names)
        for name in names:
            time.sleep(PAUSE_S)
            step = steps[name]
            begin = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begin)
    fastest, median = min(seconds["ours"]), statistics.median(seconds["ours"])
    print(f"{rows} rows         fastest ms  median ms   fastest and median, of ours")
    for name, times in seconds.items():
        best, middle = min(times), statistics.median(times)
        print(f"{name:16}{1e3 * best:10.1f}{1e3 * middle:11.1f}{best / fastest:12.2f}{middle / median:8.2f}")


def store(weight: np.ndarray, kind: str) -> Weights:
    """Return weights in a type; their values matter only in float32, where they are compared."""
    outputs, inputs = weight.shape
    if kind == "float32":
        return Weights.of(weight)
    if kind in ("float16", "bfloat16"):
        return Weights.of(np.full((outputs, inputs), 0x2001, np.uint16), KINDS[kind])
    scales = np.full((outputs, inputs // GROUP), 0.01, np.float32)
    return Weights.of(np.full((outputs, inputs * KINDS[kind] // 8), 7, np.uint8), KINDS[kind], scales, scales)


def loops(module: ModuleType, x, stored) -> Callable[[], list[np.ndarray]]:
    out = [
        np.empty((len(one), len(weights.stored)), np.float32) for one, weights in zip(x, stored, strict=True)
    ]

    def step() -> list[np.ndarray]:
        for one, weights, result in zip(x, stored, out, strict=True):
            module.product(one, *weights, module.SET, result)
        return out

    return step


def module_of(path: Path) -> ModuleType:
    """Import a file as a neighbour of `products.py`, so that its relative imports work."""
    spec = importlib.util.spec_from_file_location(f"music_catalog.generator.cpu.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def onnx_runtime(x, weights, threads: int) -> Callable[[], list[np.ndarray]]:
    """Return one graph of all products; the runtime packs the weights once, when it loads them."""
    import onnx
    import onnxruntime

    nodes, inputs, outputs, constants = [], {}, [], []
    for number, (one, weight) in enumerate(zip(x, weights, strict=True)):
        name, size = f"x{one.shape[1]}", one.shape[1]
        inputs[name] = one
        nodes.append(onnx.helper.make_node("MatMul", [name, f"w{number}"], [f"y{number}"]))
        outputs.append(onnx.helper.make_tensor_value_info(f"y{number}", 1, [len(one), len(weight)]))
        # The weights go in as values beside the graph, as the graph itself may not exceed 2 GB.
        where = onnx.TensorProto(name=f"w{number}", data_type=1, dims=[size, len(weight)], data_location=1)
        where.external_data.add(key="location", value="weights")
        constants.append(where)
    values = [onnx.helper.make_tensor_value_info(name, 1, list(one.shape)) for name, one in inputs.items()]
    graph = onnx.helper.make_graph(nodes, "products", values, outputs, constants)
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 17)])
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    turned = [np.ascontiguousarray(weight.T) for weight in weights]
    held = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in turned]
    settings.add_external_initializers([f"w{number}" for number in range(len(held))], held)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, inputs) if held and turned else []


if __name__ == "__main__":
    main()

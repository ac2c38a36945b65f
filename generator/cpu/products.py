"""Matrix products and convolutions for a processor, of float32 with weights in the type they are stored in.

A decoding step multiplies one row or two with every weight, so it lasts as long as the weights take to be read: they
are read once, on all cores. Up to eight rows are multiplied with them by dot products, and more with one number of each
row in a lane of a vector; the windows of a convolution with its outputs in the lanes. A result does not depend on the
number of cores, which share the outputs and never one sum.

Inner loops are written in the compiler's own language, as it would not keep so many sums in registers itself. They
are in this file because the cache of what is compiled knows no other.
"""

# mypy: disable-error-code="misc,untyped-decorator,no-untyped-def,call-arg,no-untyped-call"
# (numba is untyped, and compiles what it decorates for the types it is called with; of intrinsics it passes the first
# argument itself)
# ruff: noqa: ANN001, ANN202, ANN201, ARG001

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import prange, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from .matrices import BFLOAT16, FLOAT16
from .threads import compiled

__all__ = ["ADD", "GELU", "SET", "by_lanes", "convolve", "product"]


SET, ADD, GELU = 0, 1, 2
"""What becomes of a product: it is the output, is added to it, or its GELU is."""

_FEATURES = binding.get_host_cpu_features()
_VECTOR = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx2") else 4  # numbers in a register
_CHUNK = 32  # outputs that a core computes at a time
_TILE = 4  # of which it computes so many at once

_DOTS = 8  # the most rows that are multiplied by dot products, up to four at once
_PART = 1024  # inputs of more: those of four rows stay in a core's first cache

# Lanes, and the inputs with sums of their own, so that one has not to wait for another: in all half of the registers.
_NARROW = 16, {16: 4, 8: 1, 4: 1}[_VECTOR]
_WIDE = (32, 2) if _VECTOR == 16 else _NARROW
_BLOCK = 256  # inputs that are multiplied at a time in lanes
_WINDOWS = 64  # of a convolution, that a core computes at a time

_ALIGNED = 16  # numbers, to which rows are lengthened that are copied
_LINE = 64  # bytes of a cache's line

# 1 - Phi(x) = (1 + a1 z + ... + a6 z^6)^-16 / 2 with z = x / sqrt(2): Abramowitz and Stegun, 7.1.28.
_A1, _A2, _A3 = np.float32(0.0705230784), np.float32(0.0422820123), np.float32(0.0092705272)
_A4, _A5, _A6 = np.float32(0.0001520143), np.float32(0.0002765672), np.float32(0.0000430638)


@compiled(parallel=True)
def product(x, stored, kind, scales, biases, finish, out):
    """Multiply x (rows, inputs) with what `Weights` holds into out (rows, outputs).

    `out` may be narrower, to leave the last outputs away.
    """
    rows, outputs = x.shape[0], stored.shape[0]
    dots = rows <= _DOTS
    heard = _in_rows(x) if dots else _in_lanes(x)
    for chunk in prange(-(-outputs // _CHUNK)):
        first = chunk * _CHUNK
        last = min(first + _CHUNK, outputs)
        made = np.empty((rows, _CHUNK), np.float32)
        if dots:
            _multiply_rows(heard, stored, kind, scales, biases, x.shape[1], first, last, made)
        else:
            _multiply_lanes(heard, stored, kind, scales, biases, first, last, made)
        _finish(made, finish, out, first)


@compiled(parallel=True)
def convolve(x, step, lanes, bias, out):
    """Multiply windows of x (numbers,), each `step` numbers after the one before, with weights as of `by_lanes`.

    Writes out (windows, outputs) with `bias` (outputs,) added.
    """
    windows, size = out.shape[0], lanes.shape[1]
    if windows < _TILE:
        longer = np.zeros((_TILE - 1) * step + size, np.float32)
        longer[: len(x)] = x
        x = longer
    vectors = lanes.shape[0]
    for task in prange(-(-windows // _WINDOWS) * vectors):
        _multiply_windows(x, step, lanes, task % vectors, bias, task // vectors * _WINDOWS, out)


def by_lanes(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights (outputs, inputs) as (vectors, inputs, lanes): of outputs, the last of them zero."""
    outputs, inputs = weight.shape
    width = _NARROW[0] if outputs <= _NARROW[0] else _WIDE[0]
    whole = np.pad(weight, [(0, -outputs % width), (0, 0)])
    return np.ascontiguousarray(whole.reshape(-1, width, inputs).swapaxes(1, 2))


# In what follows indices are unsigned where loops have to run in vectors, as numba looks whether others are negative,
# and arrays are handed on whole, as counting the references to slices of them takes as long as the loops.


@compiled()
def _multiply_windows(x, step, lanes, vector, bias, start, out):
    """Multiply some windows, from the one at `start` on, with one vector of outputs."""
    windows, outputs = out.shape
    _, size, width = lanes.shape
    tiles = -(-min(_WINDOWS, windows - start) // _TILE)
    # The last tile of all overlaps the one before it rather than the end of x.
    highest = max(0, windows - _TILE)
    sums = np.zeros((tiles, _TILE, width), np.float32)
    for at in range(0, size, _BLOCK):
        count, lane = min(_BLOCK, size - at), (vector * size + at) * width
        for tile in range(tiles):
            heard, to = min(start + tile * _TILE, highest) * step + at, tile * _TILE * width
            if width == _NARROW[0]:
                _add_narrow(lanes, lane, count, x, heard, step, sums, to, lanes, lane, 0, 63)
            else:
                _add_wide(lanes, lane, count, x, heard, step, sums, to, lanes, lane, 0, 63)
    first = np.uintp(vector * width)
    for tile in range(tiles):
        window = min(start + tile * _TILE, highest)
        for i in range(min(_TILE, windows)):
            for output in range(min(np.uintp(width), np.uintp(outputs) - first)):
                out[window + i, first + output] = sums[tile, i, output] + bias[first + output]


@compiled(parallel=True)
def _in_lanes(x):
    """Return x (rows, inputs) as (vectors, inputs, lanes): of rows, the last of them zero."""
    rows, inputs = x.shape
    width = _NARROW[0] if rows <= _NARROW[0] else _WIDE[0]
    lanes = np.empty((-(-rows // width), inputs, width), np.float32)
    blocks = -(-inputs // _BLOCK)
    for task in prange(lanes.shape[0] * blocks):
        vector, first = np.uintp(task // blocks), np.uintp(task % blocks * _BLOCK)
        last = min(first + np.uintp(_BLOCK), np.uintp(inputs))
        for lane in range(np.uintp(width)):
            row = vector * np.uintp(width) + lane
            for i in range(first, last):
                lanes[vector, i, lane] = x[row, i] if row < np.uintp(rows) else np.float32(0)
    return lanes


@compiled()
def _multiply_lanes(lanes, stored, kind, scales, biases, first, last, made):
    """Multiply rows in lanes with the weights of some outputs, four at a time."""
    vectors, inputs, width = lanes.shape
    sums = np.zeros((vectors, _CHUNK, width), np.float32)
    copy = np.empty((_TILE, _BLOCK + _ALIGNED), np.float32)
    for at in range(0, inputs, _BLOCK):
        count = min(_BLOCK, inputs - at)
        for output in range(first, last, _TILE):
            ahead = _place_ahead(output, at, _BLOCK, first, last, stored, inputs, kind)
            to = output - first
            weights, start, stride = _ready(stored, kind, scales, biases, output, at, count, 1, copy)
            _multiply_vectors(lanes, at, count, weights, start, stride, sums, to, stored, ahead, kind)
    for row in range(made.shape[0]):
        vector, lane = row // width, row % width
        for i in range(np.uintp(last - first)):
            made[row, i] = sums[vector, i, lane]


@compiled()
def _multiply_vectors(lanes, at, count, weights, start, stride, sums, output, stored, ahead, kind):
    """Add the products of all vectors, from input `at` on, with so many weights of four outputs to sums."""
    vectors, inputs, width = lanes.shape
    row_bytes, pace = stored.shape[1] * stored.itemsize, _pace(kind)
    for vector in range(vectors):
        lane, to = (vector * inputs + at) * width, (vector * _CHUNK + output) * width
        if width == _NARROW[0]:
            _add_narrow(lanes, lane, count, weights, start, stride, sums, to, stored, ahead, row_bytes, pace)
        else:
            _add_wide(lanes, lane, count, weights, start, stride, sums, to, stored, ahead, row_bytes, pace)


@compiled(inline=True)
def _place_ahead(output, at, inputs_at_once, first, last, stored, inputs, kind):
    """Return the byte where the weights begin that are multiplied next: of more outputs, inputs, or the next chunk."""
    row_bytes = stored.shape[1] * stored.itemsize
    if output + _TILE < last:
        return (output + _TILE) * row_bytes + _bytes(kind, at)
    if at + inputs_at_once < inputs:
        return first * row_bytes + _bytes(kind, at + inputs_at_once)
    return min(last, stored.shape[0] - _TILE) * row_bytes


@compiled()
def _in_rows(x):
    """Return x (rows, inputs) as (1, rows, inputs), with zeros after the inputs and after more than two rows."""
    rows, inputs = x.shape
    whole = rows if rows <= 2 else -(-rows // _TILE) * _TILE
    longer = np.zeros((1, whole, -(-inputs // _ALIGNED) * _ALIGNED + _ALIGNED), np.float32)
    for row in range(rows):
        for i in range(np.uintp(inputs)):
            longer[0, row, i] = x[row, i]
    return longer


@compiled()
def _multiply_rows(x, stored, kind, scales, biases, inputs, first, last, made):
    """Multiply rows as of `_in_rows` with the weights of some outputs, four at a time."""
    rows = x.shape[1]
    part = _PART if rows > _TILE else inputs
    copy = np.zeros((_TILE, min(inputs, part) + _ALIGNED), np.float32)
    sums = np.zeros((_CHUNK, rows), np.float32)
    for at in range(0, inputs, part):
        count = min(part, inputs - at)
        for output in range(first, last, _TILE):
            ahead = _place_ahead(output, at, part, first, last, stored, inputs, kind)
            weights, start, stride = _ready(stored, kind, scales, biases, output, at, count, _VECTOR, copy)
            _multiply_tile(weights, start, stride, count, x, at, sums, output - first, stored, ahead, kind)
    for row in range(made.shape[0]):
        for i in range(np.uintp(last - first)):
            made[row, i] = sums[i, row]


@compiled()
def _multiply_tile(weights, start, stride, count, x, at, sums, total, stored, ahead, kind):
    """Add the products of all rows, from input `at` on, with so many weights of four outputs to sums."""
    _, rows, width = x.shape
    row_bytes, bits = stored.shape[1] * stored.itemsize, _bytes(kind, 8)
    for row in range(0, rows, _TILE):
        # With each of the first two groups, two rows are fetched of what is multiplied next.
        byte, apart = (ahead + row // 2 * row_bytes, row_bytes) if row <= _TILE else (ahead, 0)
        heard, to = row * width + at, total * rows + row
        if rows == 1:
            _add_dots(
                weights, start, stride, count, x, heard, width, sums, to, rows, stored, byte, apart, bits
            )
        elif rows == 2:
            _add_dots_of_two(
                weights, start, stride, count, x, heard, width, sums, to, rows, stored, byte, apart, bits
            )
        else:
            _add_dots_of_four(
                weights, start, stride, count, x, heard, width, sums, to, rows, stored, byte, apart, bits
            )


@compiled()
def _finish(made, finish, out, first):
    at, width = np.uintp(first), min(_CHUNK, out.shape[1] - first)
    for row in range(out.shape[0]):
        for i in range(np.uintp(max(0, width))):
            if finish == ADD:
                out[row, at + i] += made[row, i]
            elif finish == GELU:
                out[row, at + i] = _gelu(made[row, i])
            else:
                out[row, at + i] = made[row, i]


@compiled()
def _gelu(x):
    """Return x times the normal distribution at x, within 2e-6."""
    z = abs(x) * np.float32(0.5**0.5)
    power = np.float32(1) + z * (_A1 + z * (_A2 + z * (_A3 + z * (_A4 + z * (_A5 + z * _A6)))))
    power *= power
    power *= power
    power *= power
    power *= power
    return max(x, np.float32(0)) - abs(x) * np.float32(0.5) / power


def _ready(stored, kind, scales, biases, output, first, count, vector, copy):
    """Return an array of four outputs' weights from input `first` on, where they begin in it and how far apart.

    `count` of each have to be there, or as many as whole vectors hold. They are where they are stored or in `copy`.
    In compiled functions, which alone call it, `_ready_of` chooses what this is.
    """


@overload(_ready)
def _ready_of(stored, kind, scales, biases, output, first, count, vector, copy):
    if stored.dtype == types.float32:
        return _ready_float32
    return _ready_half if stored.dtype == types.uint16 else _ready_quantized


def _ready_float32(stored, kind, scales, biases, output, first, count, vector, copy):
    if count % vector == 0:
        return stored, output * stored.shape[1] + first, stored.shape[1]
    for row in range(_TILE):
        for i in range(count):
            copy[row, i] = stored[output + row, first + i]
    return copy, 0, copy.shape[1]


def _ready_half(stored, kind, scales, biases, output, first, count, vector, copy):
    if kind == BFLOAT16:
        _unpack_bfloat16(stored, output, first, count, copy)
    else:
        _unpack_float16(stored, output, first, count, copy)
    return copy, 0, copy.shape[1]


def _ready_quantized(stored, kind, scales, biases, output, first, count, vector, copy):
    if kind == 8:
        _unpack_8bit(stored, scales, biases, output, first, count, copy)
    else:
        _unpack_4bit(stored, scales, biases, output, first, count, copy)
    return copy, 0, copy.shape[1]


@compiled()
def _unpack_bfloat16(halves, output, first, count, out):
    at = np.uintp(first)
    for row in range(out.shape[0]):
        for i in range(np.uintp(count)):
            bits = np.uint32(np.uint32(halves[output + row, at + i]) << np.uint32(16))
            out[row, i] = np.uint32(bits).view(np.float32)


@compiled()
def _unpack_float16(halves, output, first, count, out):
    at = np.uintp(first)
    for row in range(out.shape[0]):
        for i in range(np.uintp(count)):
            half = np.uint32(halves[output + row, at + i])
            # The exponent counts from 15, not from 127; the product puts that right, for subnormals as well.
            size = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
            sign = np.float32(1) if half < np.uint32(0x8000) else np.float32(-1)
            out[row, i] = np.uint32(size).view(np.float32) * np.float32(2.0**112) * sign


@compiled()
def _unpack_8bit(packed, scales, biases, output, first, count, out):
    size = packed.shape[1] // scales.shape[1]
    for row in range(out.shape[0]):
        for group in range(first // size, (first + count) // size):
            scale, bias = scales[output + row, group], biases[output + row, group]
            at, there = np.uintp(group * size), np.uintp(group * size - first)
            for i in range(np.uintp(size)):
                out[row, there + i] = np.float32(packed[output + row, at + i]) * scale + bias


@compiled()
def _unpack_4bit(packed, scales, biases, output, first, count, out):
    size = 2 * packed.shape[1] // scales.shape[1]
    for row in range(out.shape[0]):
        for group in range(first // size, (first + count) // size):
            scale, bias = scales[output + row, group], biases[output + row, group]
            at, there = np.uintp(group * size // 2), np.uintp(group * size - first)
            for i in range(np.uintp(size // 2)):
                pair = np.int32(packed[output + row, at + i])
                out[row, there + np.uintp(2) * i] = np.float32(pair & np.int32(15)) * scale + bias
                out[row, there + np.uintp(2) * i + np.uintp(1)] = (
                    np.float32(pair >> np.int32(4)) * scale + bias
                )


@compiled(inline=True)
def _bytes(kind, inputs):
    """Return how many bytes hold so many weights."""
    bits = 16 if kind in (BFLOAT16, FLOAT16) else kind
    return inputs * bits // 8


@compiled()
def _pace(kind):
    """Return the logarithm of the inputs in which one of a tile's lines has to be fetched, of all its rows."""
    inputs, pace = 8 * _LINE // _bytes(kind, 8) // _TILE, 0
    while inputs > 1:
        inputs, pace = inputs // 2, pace + 1
    return pace


@intrinsic
def _add_dots(_, weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits):
    """Add the dot products of four outputs' weights with one row.

    `count` numbers of each output begin at number `start` of `weights` and `stride` after those of the one before;
    those of a row at number `first` of `x`, as many as whole vectors hold, and `width` after those of the row before;
    the sums (4, `rows`) at number `total` of `sums`. Meanwhile as much, in weights of `bits`, is brought into the cache
    from `byte` of `ahead` on, and `apart` bytes after that.
    """
    given = weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits
    return types.void(*given), partial(_build_dots, 1)


@intrinsic
def _add_dots_of_two(
    _, weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits
):
    """Do so with two rows."""
    given = weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits
    return types.void(*given), partial(_build_dots, 2)


@intrinsic
def _add_dots_of_four(
    _, weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits
):
    """Do so with four rows."""
    given = weights, start, stride, count, x, first, width, sums, total, rows, ahead, byte, apart, bits
    return types.void(*given), partial(_build_dots, 4)


def _build_dots(together: int, context: Any, builder: Any, signature: Any, values: Any) -> Any:
    weights, x, sums = (_numbers(context, builder, signature, values, at) for at in (0, 4, 7))
    ahead = builder.bitcast(_numbers(context, builder, signature, values, 10), _BYTE.as_pointer())
    start, stride, count, first, width, total, rows, byte, apart, bits = (
        values[at] for at in (1, 2, 3, 5, 6, 8, 9, 11, 12, 13)
    )
    vector = ir.VectorType(_NUMBER, _VECTOR)
    outputs = [_place(builder, weights, start, stride, i) for i in range(_TILE)]
    heard = [_place(builder, x, first, width, i) for i in range(together)]
    fetched = [_place(builder, ahead, byte, apart, i) for i in range(2)]
    before, loop, done = builder.block, *map(builder.append_basic_block, ("inputs", "done"))
    builder.branch(loop)

    builder.position_at_end(loop)
    at, *held = builder.phi(_SIZE), *(builder.phi(vector) for _ in range(_TILE * together))
    for place in fetched:
        _fetch(builder, builder.gep(place, [builder.lshr(builder.mul(at, bits), _SIZE(3))]))
    rows_now = [_load(builder, builder.gep(place, [at]), vector) for place in heard]
    pairs = [(_load(builder, builder.gep(place, [at]), vector), row) for place in outputs for row in rows_now]
    made = [_fused(builder, sum_, *pair) for sum_, pair in zip(held, pairs, strict=True)]
    _go_on(builder, before, done, at, _SIZE(0), builder.add(at, _SIZE(_VECTOR)), count, held, made)

    for i, sum_ in enumerate(made):
        place = _place(builder, sums, builder.add(total, _SIZE(i % together)), rows, i // together)
        builder.store(builder.fadd(builder.load(place), _total(builder, sum_)), place)
    return context.get_dummy_value()


@intrinsic
def _add_narrow(_, lanes, lane, count, rows, first, stride, sums, total, ahead, byte, row_bytes, pace):
    """Add the products of vectors with numbers of four rows to four vectors.

    The `count` vectors begin at number `lane` of `lanes`; the rows of numbers, each `stride` after the one before, at
    number `first` of `rows`; the sums at number `total` of `sums`. Meanwhile four rows of `row_bytes` are brought into
    the cache from `byte` of `ahead` on, a line of one of them in 2 ** `pace` vectors.
    """
    given = lanes, lane, count, rows, first, stride, sums, total, ahead, byte, row_bytes, pace
    return types.void(*given), partial(_build_lanes, *_NARROW)


@intrinsic
def _add_wide(_, lanes, lane, count, rows, first, stride, sums, total, ahead, byte, row_bytes, pace):
    """Do so with wide vectors."""
    given = lanes, lane, count, rows, first, stride, sums, total, ahead, byte, row_bytes, pace
    return types.void(*given), partial(_build_lanes, *_WIDE)


def _build_lanes(width: int, apart: int, context: Any, builder: Any, signature: Any, values: Any) -> Any:
    lanes, rows, sums = (_numbers(context, builder, signature, values, at) for at in (0, 3, 6))
    ahead = builder.bitcast(_numbers(context, builder, signature, values, 8), _BYTE.as_pointer())
    lane, count, first, stride, total, byte, row_bytes, pace = (
        values[at] for at in (1, 2, 4, 5, 7, 9, 10, 11)
    )
    vector = ir.VectorType(_NUMBER, width)
    unset, everywhere = vector(ir.Undefined), ir.VectorType(_INDEX, width)(None)
    starts = [_place(builder, rows, first, stride, i) for i in range(_TILE)]
    places = [_place(builder, sums, total, _SIZE(width), i) for i in range(_TILE)]
    whole = builder.and_(count, _SIZE(-apart))

    def loop(steps: int, start: Any, end: Any) -> None:
        before, inputs, done = builder.block, *map(builder.append_basic_block, ("inputs", "done"))
        builder.branch(inputs)
        builder.position_at_end(inputs)
        at, *held = builder.phi(_SIZE), *(builder.phi(vector) for _ in range(_TILE * steps))
        line = builder.lshr(at, pace)
        row, part = builder.and_(line, _SIZE(_TILE - 1)), builder.lshr(line, _SIZE(_TILE.bit_length() - 1))
        offset = builder.add(builder.mul(row, row_bytes), builder.mul(part, _SIZE(_LINE)))
        _fetch(builder, builder.gep(ahead, [builder.add(byte, offset)]))
        made: list[Any] = []
        for step in range(steps):
            here = builder.add(at, _SIZE(step))
            heard = _load(builder, _place(builder, lanes, lane, _SIZE(width), here), vector)
            for place in starts:
                single = builder.insert_element(unset, builder.load(builder.gep(place, [here])), _INDEX(0))
                each = builder.shuffle_vector(single, unset, everywhere)
                made.append(_fused(builder, held[len(made)], each, heard))
        _go_on(builder, before, done, at, start, builder.add(at, _SIZE(steps)), end, held, made)
        for i, place in enumerate(places):
            sum_ = _load(builder, place, vector)
            for one in made[i::_TILE]:
                sum_ = builder.fadd(sum_, one)
            builder.store(sum_, builder.bitcast(place, vector.as_pointer()), align=4)

    for steps, start, end in ((apart, _SIZE(0), whole), (1, whole, count)):
        with builder.if_then(builder.icmp_signed("<", start, end)):
            loop(steps, start, end)
    return context.get_dummy_value()


_SIZE, _INDEX, _BYTE, _NUMBER = ir.IntType(64), ir.IntType(32), ir.IntType(8), ir.FloatType()


def _numbers(context: Any, builder: Any, signature: Any, values: Any, at: int) -> Any:
    """Return where the numbers of an array begin that is an argument."""
    return context.make_array(signature.args[at])(context, builder, values[at]).data


def _place(builder: Any, numbers: Any, start: Any, stride: Any, count: Any) -> Any:
    """Return the place `count` strides after the start."""
    times = _SIZE(count) if isinstance(count, int) else count
    return builder.gep(numbers, [builder.add(start, builder.mul(stride, times))])


def _load(builder: Any, place: Any, vector: Any) -> Any:
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=4)


def _fused(builder: Any, sum_: Any, a: Any, b: Any) -> Any:
    """Return the sum and a product in one operation."""
    return builder.fadd(sum_, builder.fmul(a, b, flags=["contract"]), flags=["contract"])


def _total(builder: Any, vector: Any) -> Any:
    """Return the sum of a vector's numbers, halves first."""
    width = vector.type.count
    while width > 1:
        width //= 2
        halves = (
            builder.shuffle_vector(vector, vector, ir.VectorType(_INDEX, width)([*range(at, at + width)]))
            for at in (0, width)
        )
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, _INDEX(0))


def _go_on(
    builder: Any, before: Any, done: Any, at: Any, start: Any, following: Any, end: Any, held: Any, made: Any
) -> None:
    """End a loop's block: `at` goes from `start` to `end`, and what is held is zero first and then what was made."""
    at.add_incoming(start, before)
    at.add_incoming(following, builder.block)
    for phi, later in zip(held, made, strict=True):
        phi.add_incoming(phi.type(None), before)
        phi.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, end), builder.block, done)
    builder.position_at_end(done)


def _fetch(builder: Any, place: Any) -> None:
    """Have the line of a place brought into the nearest cache, to be read."""
    flag = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [place.type, flag, flag, flag])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
    builder.call(fetch, [place, flag(0), flag(3), flag(1)])

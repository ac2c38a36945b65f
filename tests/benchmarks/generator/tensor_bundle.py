"""Read a TensorFlow checkpoint (a TensorBundle: `.index` and `.data-00000-of-00001`) without TensorFlow.

The index is a table in the format of LevelDB whose values are BundleEntryProto messages. Every block and every tensor
has a CRC-32C, which is checked. Sources: leveldb/doc/table_format.md, tensorflow/core/protobuf/tensor_bundle.proto.
The constants of a frozen graph are read too (tensorflow/core/framework/graph.proto, node_def.proto, tensor.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_bundle", "read_constants"]

FOOTER_BYTES, TRAILER_BYTES = 48, 5
MAGIC = 0xDB4775248B80FB57
NUMBER_TYPES = {1: "<f4", 3: "<i4", 9: "<i8"}
"""TensorFlow's number of a type -> numpy's name: float32, int32, int64."""


def read_bundle(folder: Path) -> dict[str, NDArray[np.generic]]:
    """Return name -> tensor. Raises ValueError where a checksum or the format is not as it should be."""
    index = (folder / ".index").read_bytes()
    data = (folder / ".data-00000-of-00001").read_bytes()
    footer = index[-FOOTER_BYTES:]
    if int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError(
            f"{folder / '.index'} is no table of LevelDB: its last 8 bytes are {footer[-8:].hex()}"
        )
    _, at = _varint(footer, 0)
    _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    tensors = {}
    for _, handle in _entries(_block(index, offset, size)):
        offset, at = _varint(handle, 0)
        size, at = _varint(handle, at)
        for key, value in _entries(_block(index, offset, size)):
            if key:  # the empty key holds the header of the bundle
                tensors[key.decode()] = _tensor(key.decode(), value, data)
    return tensors


def read_constants(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return name -> tensor for the constants of a frozen graph that are floats with content of their own."""
    constants = {}
    for number, node in _fields(path.read_bytes()):
        if number != 1 or not isinstance(node, bytes):
            continue
        values = [value for field, value in _fields(node) if field == 5]
        name = b"".join(
            value for field, value in _fields(node) if field == 1 and isinstance(value, bytes)
        ).decode()
        for value in values:
            attribute = dict(_fields(value))
            tensor = (
                dict(_fields(dict(_fields(attribute[2])).get(8, b""))) if attribute[1] == b"value" else {}
            )
            if tensor.get(1) == 1 and tensor.get(4):
                sizes = [int(dict(_fields(dim)).get(1, 0)) for field, dim in _fields(tensor[2]) if field == 2]
                constants[name] = np.frombuffer(tensor[4], "<f4").reshape(sizes)
    return constants


def _block(index: bytes, offset: int, size: int) -> bytes:
    """Return the content of a block without its trailer: one byte of compression and a checksum."""
    content = index[offset : offset + size]
    trailer = index[offset + size : offset + size + TRAILER_BYTES]
    if trailer[0] != 0:
        raise ValueError(
            f"the block at byte {offset} is compressed (kind {trailer[0]}); only plain ones are read"
        )
    if _masked(_crc32c(content + trailer[:1])) != int.from_bytes(trailer[1:], "little"):
        raise ValueError(f"the block at byte {offset} does not have its checksum; the file is damaged")
    return content


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value); a key repeats the start of the one before, whose length is stated."""
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


def _tensor(name: str, entry: bytes, data: bytes) -> NDArray[np.generic]:
    """Return the tensor that a BundleEntryProto describes: 1 type, 2 shape, 4 offset, 5 size, 6 checksum."""
    fields = dict(_fields(entry))
    shape = [int(dict(_fields(dim)).get(1, 0)) for number, dim in _fields(fields.get(2, b"")) if number == 2]
    offset, size = int(fields.get(4, 0)), int(fields[5])
    content = data[offset : offset + size]
    if _masked(_crc32c(content)) != fields[6]:
        raise ValueError(f"the tensor {name} does not have its checksum; the file is damaged")
    return np.frombuffer(content, NUMBER_TYPES[int(fields[1])]).reshape(shape)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (number, value) of the fields of a protocol buffer message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind == 2:
            length, at = _varint(message, at)
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            size = {1: 8, 5: 4}[kind]
            yield tag >> 3, int.from_bytes(message[at : at + size], "little")
            at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the number of seven bits a byte that starts at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _table() -> list[int]:
    """Return the CRC-32C (Castagnoli) of each byte."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CASTAGNOLI = _table()


def _crc32c(content: bytes) -> int:
    crc, table = 0xFFFFFFFF, CASTAGNOLI
    for byte in content:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    """Return a checksum as it is stored: rotated, and moved by a constant."""
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF

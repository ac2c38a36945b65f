"""What the benchmark of the synthesizer's sound rests on: its table of tags, and the reader of checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from renders import STYLES

FOLDER = Path(__file__).parent / "benchmarks" / "generator"
sys.path.insert(0, str(FOLDER))

from tensor_bundle import FOOTER_BYTES, MAGIC, _crc32c, _masked, read_bundle  # noqa: E402


def test_every_style_has_expected_tags():
    table = yaml.safe_load((FOLDER / "expected_tags.yaml").read_text("utf-8"))
    assert table["styles"].keys() == STYLES.keys()
    for style in table["styles"].values():
        assert style["mtt"]
        assert style["msd"]
        assert set(style["instruments"]) <= table["instruments"].keys()


def test_the_checksum_is_castagnolis():
    assert _crc32c(b"123456789") == 0xE3069283


def test_a_checkpoint_is_read_and_a_flipped_bit_is_refused(tmp_path):
    numbers = np.arange(6, dtype="<f4").reshape(2, 3)
    write_bundle(tmp_path, "layer/kernel", numbers)
    read = read_bundle(tmp_path)
    assert list(read) == ["layer/kernel"]
    np.testing.assert_array_equal(read["layer/kernel"], numbers)
    data = tmp_path / ".data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[5] ^= 1
    data.write_bytes(content)
    with pytest.raises(ValueError, match=r"layer/kernel does not have its checksum"):
        read_bundle(tmp_path)


def write_bundle(folder, name, numbers):
    """Write one tensor as TensorFlow does."""
    content = numbers.tobytes()
    shape = b"".join(b"\x12\x02\x08" + bytes([size]) for size in numbers.shape)
    entry = b"\x08\x01\x12" + bytes([len(shape)]) + shape + b"\x28" + bytes([len(content)])
    entry += b"\x35" + _masked(_crc32c(content)).to_bytes(4, "little")
    index = bytearray()
    tensors = add_block(index, [(b"", b""), (name.encode(), entry)])
    other = add_block(index, [])
    handles = other + add_block(index, [(b"z", tensors)])
    index += handles.ljust(FOOTER_BYTES - 8, b"\0") + MAGIC.to_bytes(8, "little")
    (folder / ".index").write_bytes(index)
    (folder / ".data-00000-of-00001").write_bytes(content)


def add_block(index, entries):
    """Append a block of (key, value) and return its handle: offset and size."""
    block = b"".join(bytes([0, len(key), len(value)]) + key + value for key, value in entries)
    block += bytes(4) + (1).to_bytes(4, "little")
    handle = bytes([len(index), len(block)])
    index += block + b"\0" + _masked(_crc32c(block + b"\0")).to_bytes(4, "little")
    return handle

"""Fit the weighted means of tokens that the brief reads (`catalog/brief/pools.py`), for `fit_brief.py`.

    python tests/benchmarks/catalog/fit_pools.py --eval-dir DIR [--cache FILE] [--out FILE]

Queries and values are trained together with a network like that of the brief, on the texts that the brief is fitted to;
of a text of an application both rows are read, as there. Then they stand still: `fit_brief.py` trains the network anew
on what they give. All texts are encoded for it, whose tokens take some 3 GB of memory; about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from brief_network import train
from brief_readings import POOLS_FILE, read_all
from brief_texts import Texts, applications_of, as_sent, gather, prepared
from music_labels import read_all_labels

from music_catalog import presets
from music_catalog.brief.supervisor import behind_description
from music_catalog.models import Context
from music_catalog.text.encoder import Encoder, embed_tokens, load
from music_catalog.text.parsed import in_english, parse

MEANS, VALUES = 8, 32
"""How many means are taken, and how many values are kept of each."""
EPOCHS = 10
RATES = {"lr": 1e-3, "weight_decay": 0.1}
MOST_TOKENS = 192
"""A longer text is cut here while the means are fitted."""
ALIKE = 24
"""Batches of texts of about one length are made of so many batches drawn at once."""


def tokens_of(row: dict[str, Any], encoder: Encoder) -> NDArray[np.float16]:
    """Return the states of the tokens of a text, behind its application where it has one."""
    parsed = parse(Context(text=row["text"]), encoder, None)
    tokens = parsed.tokens
    if "application" in row:
        described = in_english(row["application"], encoder, parsed)
        tokens = embed_tokens(encoder, behind_description(described, parsed.plain)).tokens
    assert tokens is not None
    return tokens[:MOST_TOKENS].astype(np.float16)


class Pooling(torch.nn.Module):
    """The means of the tokens of texts, as `music_catalog.brief.pools.Pools` takes them."""

    rates = RATES
    width = MEANS * VALUES

    def __init__(self, tokens: Callable[[int], NDArray[np.float16]], lengths: NDArray[np.int64]) -> None:
        super().__init__()
        self._tokens, self._lengths = tokens, lengths
        dimension = tokens(0).shape[1]
        self.queries = torch.nn.Linear(dimension, MEANS, bias=False)
        self.values = torch.nn.Linear(dimension, MEANS * VALUES, bias=False)
        self.middle = torch.zeros(self.width)
        with torch.no_grad():
            self.middle = self(torch.randperm(len(lengths))[:512]).mean(0)

    def batches(self, order: Any, size: int) -> Iterator[Any]:
        """Yield batches of texts of about one length in a drawn order."""
        batches = []
        for some in order.split(size * ALIKE):
            by_length = some[np.argsort(self._lengths[some], kind="stable")]
            batches += by_length.split(size)
        return (batches[place] for place in torch.randperm(len(batches)))

    def forward(self, rows: Any) -> Any:
        """Return the values of the texts `rows`, shape (texts, width)."""
        some = [self._tokens(row) for row in rows.tolist()]
        longest = max(map(len, some))
        states = np.zeros((len(some), longest, some[0].shape[1]), dtype=np.float16)
        there = np.zeros((len(some), longest), dtype=bool)
        for number, one in enumerate(some):
            states[number, : len(one)], there[number, : len(one)] = one, True
        read = torch.as_tensor(states).float()
        scores = self.queries(read).masked_fill(~torch.as_tensor(there)[:, :, None], -30.0)
        values = self.values(read).view(len(some), longest, MEANS, VALUES)
        return (torch.softmax(scores, 1)[..., None] * values).sum(1).flatten(1) - self.middle


def fit(texts: Texts, tokens: Callable[[int], NDArray[np.float16]], lengths: NDArray[np.int64]) -> Pooling:
    """Train the means; `tokens` returns the states of a row of `texts`, `lengths` tells how many there are."""
    _, inputs, compared, said, shares, taken = prepared(texts, texts.part == "fit")
    torch.manual_seed(0)
    pooling = Pooling(lambda place: tokens(taken[place]), lengths[taken])
    train(inputs, compared, said, shares, pools=pooling, epochs=EPOCHS)
    return pooling


def write(path: Path, pooling: Pooling, identity: str) -> None:
    """Write the file that `fit_brief.py` reads."""
    from safetensors.numpy import save_file

    arrays = {
        "queries": pooling.queries.weight.detach().numpy(),
        "values": pooling.values.weight.detach().numpy().reshape(MEANS, VALUES, -1),
    }
    about = {"encoder": identity, "labels": "as those of brief.safetensors"}
    whole = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in arrays.items()}
    save_file(whole, str(path), metadata={"about": json.dumps(about)})
    print(f"wrote {path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--eval-dir", type=Path, required=True, help="the folder of public data sets")
    parser.add_argument(
        "--cache", type=Path, help="keep what is read of each text in this file for later runs"
    )
    parser.add_argument("--out", type=Path, default=POOLS_FILE, help="write the means here")
    options = parser.parse_args()
    reader, styles = load(), dict(presets.load(None).styles)
    labelled = [row for row in read_all_labels(options.eval_dir) if "part" not in row]
    vectors = reader.encode([style.description for style in styles.values()])
    readings = [
        one._replace(pooled=one.pooled[:0])
        for one in read_all([*map(as_sent, labelled)], reader, options.cache)
    ]
    texts = gather(labelled, readings, styles, vectors, applications_of(labelled, reader))
    states = []
    for number, row in enumerate(labelled):
        states.append(tokens_of(row, reader))
        print(f"\rencoded {number + 1:,} of {len(labelled):,}", end="", file=sys.stderr)
    print(file=sys.stderr)
    write(options.out, fit(texts, states.__getitem__, np.array([*map(len, states)])), reader.identity)


if __name__ == "__main__":
    main()

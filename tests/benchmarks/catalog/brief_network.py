"""Train the network of `catalog/brief/reader.py` on labelled texts. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Network", "Targets", "log_likelihood", "steadied", "train"]

Array = NDArray[Any]

HIDDEN = 384
EPOCHS, BATCH = 15, 128
LEARNING_RATE, DECAY = 2e-3, 0.3
SHARED_RATE = 2e-2
"""For the weights of the comparisons: few, large and not decayed, so that they hold for styles never fitted."""
DROPPED_INPUTS, DROPPED_HIDDEN = 0.25, 0.5
MOOD_WEIGHT = 3.0
"""Of the squared errors of valence and energy, beside a log-likelihood that is a sum over the styles."""
LIST_WEIGHT = 1.0
"""Of the cross-entropy between a softmax over the styles and those that fit, all alike (Cao and others 2007): what is
picked is the first of a list."""
MOOD_PENALTY = 0.01
"""Of the ridge regression of valence and energy, a text."""
FITS, PASSABLE = 2, 1


@dataclass(frozen=True)
class Targets:
    """What judges said of each text, one row a text."""

    grades: Array
    """0 wrong, 1 passable, 2 fits; shape (texts, styles)."""
    judged: Array
    """Whether the style was on offer, shape (texts, styles)."""
    moods: Array
    """Valence, energy (-1 to 1) and seriousness (0 to 3) of the music, shape (texts, 3)."""
    kinds: Array
    """Number of the kind of text, shape (texts,)."""
    cultures: Array
    """Number of the culture, -1 where neither it nor the seriousness was judged, shape (texts,)."""


@dataclass(frozen=True)
class Network:
    """Weights as `music_catalog.brief.reader.BriefModel` has them, float32."""

    hidden: Array
    """Shape (hidden, inputs + 1)."""
    weights: Array
    """Shape (styles, inputs + hidden)."""
    bias: Array
    compared: Array
    step: float
    moods: Array
    """Shape (3, inputs + hidden + 1)."""
    kinds: Array
    cultures: Array

    def read(self, inputs: Array) -> Array:
        """Return the inputs with the hidden layer beside them, shape (texts, inputs + hidden)."""
        hidden = inputs @ self.hidden[:, :-1].T + self.hidden[:, -1]
        return np.concatenate([inputs, np.maximum(hidden, 0)], axis=1)

    def scores(self, inputs: Array, compared: Array) -> Array:
        """Return the score of each style, shape (texts, styles)."""
        return np.asarray(self.read(inputs) @ self.weights.T + self.bias + compared @ self.compared)

    def head(self, head: Array, inputs: Array) -> Array:
        """Return what a head says of each text, shape (texts, outputs)."""
        return np.asarray(self.read(inputs) @ head[:, :-1].T + head[:, -1])


def train(
    inputs: Array,
    compared: Array,
    targets: Targets,
    shares: Array,
    seed: int = 0,
    *,
    pools: Any = None,
    epochs: int = EPOCHS,
) -> Network:
    """Train a hidden layer, with a straight way beside it, for all targets at once (Caruana 1997).

    `shares` are the chances of each text to be read in an epoch, shape (texts,). `pools`, where given, are trained with
    the network: a torch module that returns further inputs of texts; see `fit_pools.py`.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    count, width = len(inputs), inputs.shape[1] + (pools.width if pools else 0)
    sizes = [targets.grades.shape[1], 3, int(targets.kinds.max()) + 1, int(targets.cultures.max()) + 1]
    x, c = torch.tensor(inputs, dtype=torch.float32), torch.tensor(compared, dtype=torch.float32)
    grades, judged = torch.tensor(targets.grades), torch.tensor(targets.judged)
    moods = torch.tensor(targets.moods, dtype=torch.float32)
    kinds, cultures = torch.tensor(targets.kinds), torch.tensor(targets.cultures)
    first = torch.nn.Linear(width, HIDDEN)
    heads = torch.nn.ModuleList(torch.nn.Linear(width + HIDDEN, size) for size in sizes)
    for head in heads:
        torch.nn.init.zeros_(head.weight[:, :width])
        torch.nn.init.zeros_(head.bias)
    shared = torch.nn.Parameter(torch.zeros(compared.shape[2]))
    log_step = torch.nn.Parameter(torch.tensor(0.3))
    optimizer = torch.optim.AdamW(
        [
            {"params": [*first.parameters(), *heads.parameters()], "weight_decay": DECAY},
            {"params": [shared, log_step], "weight_decay": 0.0, "lr": SHARED_RATE},
            *([{"params": [*pools.parameters()], **pools.rates}] if pools else []),
        ],
        lr=LEARNING_RATE,
        fused=True,
    )
    drop_input, drop_hidden = torch.nn.Dropout(DROPPED_INPUTS), torch.nn.Dropout(DROPPED_HIDDEN)
    steps = epochs * -(-int(shares.sum()) // BATCH)
    share = torch.tensor(shares)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: max(0.0, 1 - done / steps))
    cross_entropy = torch.nn.functional.cross_entropy
    for _ in range(epochs):
        order = torch.randperm(count)
        order = order[torch.rand(count)[order] < share[order]]
        for rows in pools.batches(order, BATCH) if pools else order.split(BATCH):
            read = torch.cat([x[rows], pools(rows)], 1) if pools else x[rows]
            hidden = drop_hidden(torch.relu(first(drop_input(read))))
            outputs = [head(torch.cat([read, hidden], 1)) for head in heads]
            score = outputs[0] + c[rows] @ shared
            loss = -(log_likelihood(score, log_step.exp(), grades[rows]) * judged[rows]).sum(1).mean()
            fitting = ((grades[rows] == FITS) & judged[rows]).float()
            fitting = fitting / fitting.sum(1, keepdim=True).clamp_min(1)
            listed = torch.log_softmax(score.masked_fill(~judged[rows], -30.0), 1)
            loss = loss - LIST_WEIGHT * (fitting * listed).sum(1).mean()
            known = cultures[rows] >= 0
            error = (outputs[1][:, :2] - moods[rows, :2]) ** 2
            graver = (outputs[1][known, 2] - moods[rows[known], 2]) ** 2
            loss = loss + MOOD_WEIGHT * error.sum(1).mean() + 0.5 * graver.mean()
            loss = loss + cross_entropy(outputs[2], kinds[rows])
            loss = loss + cross_entropy(outputs[3][known], cultures[rows][known])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    def array(value: Any) -> Array:
        return np.asarray(value.detach().numpy(), dtype=np.float32)

    def with_bias(layer: Any) -> Array:
        return np.column_stack([array(layer.weight), array(layer.bias)])

    return Network(
        hidden=with_bias(first),
        weights=array(heads[0].weight),
        bias=array(heads[0].bias),
        compared=array(shared),
        step=float(log_step.detach().exp()),
        moods=with_bias(heads[1]),
        kinds=with_bias(heads[2]),
        cultures=with_bias(heads[3]),
    )


def steadied(network: Network, inputs: Array, moods: Array) -> Network:
    """Return the network with the mean of its own weights of valence and energy and of a ridge regression's.

    The regression reads the same inputs and hidden layer. Both together correlate better with the labels than either
    (docs/FITTING.md).
    """
    read, wanted = network.read(inputs), moods[:, :2].astype(np.float64)
    middle, usual = read.mean(axis=0), wanted.mean(axis=0)
    read -= middle
    kernel = (read.T @ read).astype(np.float64) + MOOD_PENALTY * len(read) * np.eye(read.shape[1])
    weights = np.linalg.solve(kernel, read.T @ (wanted - usual))
    fitted = np.column_stack([weights.T, usual - middle @ weights])
    mean = np.concatenate([(network.moods[:2] + fitted) / 2, network.moods[2:]])
    return replace(network, moods=mean.astype(np.float32))


def log_likelihood(score: Any, step: Any, grades: Any) -> Any:
    """Return that of an ordinal logistic regression (McCullagh 1980), shape (texts, styles)."""
    import torch

    passes, fits = torch.sigmoid(score), torch.sigmoid(score - step)
    between = torch.log((passes - fits).clamp_min(1e-7))
    wrong = torch.log(1 - passes + 1e-9)
    return torch.where(
        grades == FITS, torch.log(fits + 1e-9), torch.where(grades == PASSABLE, between, wrong)
    )

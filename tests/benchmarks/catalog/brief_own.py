"""Fit and measure the network of `catalog/brief/own.py`, which scores styles that the brief was not fitted to.

`music_fit/own_styles.jsonl` holds styles that language models invented as users write them, in lists of about 50;
`own_labels.jsonl` which of a list serve a text. The lists of the part "test" were judged under texts that nothing is
fitted to; neither these styles nor these texts are seen by what is measured. `fit_brief.py` runs this.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from brief_network import log_likelihood
from brief_texts import FITS, FOLDS, PASSABLE, WRONG, Model, Texts, folds_of, model_of
from music_labels import read_own_labels, read_own_styles
from numpy.typing import NDArray

from music_catalog.brief import own
from music_catalog.brief import reader as brief
from music_catalog.text.encoder import Encoder

__all__ = ["OwnLabels", "gather_own", "measure_own", "scores_apart", "train_own"]

Array = NDArray[Any]

HIDDEN, EPOCHS, BATCH = 128, 20, 100
LEARNING_RATE, DECAY, SHARED_RATE = 2e-3, 0.5, 2e-2
DROPPED_INPUTS, DROPPED_HIDDEN, DROPPED_SAID = 0.2, 0.3, 0.2
SCORE_SCALE, MOOD_SCALE = 0.3, 3.0
"""Bring what the weights apply to to one size."""
FITTED_TEXTS = 4000
"""So many texts judged with the fitted styles stand beside those judged with the invented ones."""
HALVINGS = 3


@dataclass(frozen=True)
class OwnLabels:
    """The judgements of one list of styles."""

    names: list[str]
    inputs: Array
    """What the network reads of each style, shape (styles, inputs)."""
    vectors: Array
    """Of the descriptions, shape (styles, dimension)."""
    texts: Array
    """Row of each text, shape (texts,)."""
    compared: Array
    """Shape (texts, styles, comparisons)."""
    grades: Array
    """WRONG, PASSABLE or FITS, shape (texts, styles)."""
    part: str
    second: bool
    """Whether a second judge read these texts."""


def gather_own(texts: Texts, readings: list[Any], described: Array, reader: Encoder) -> list[OwnLabels]:
    """Return the judgements of every list, with what the model reads of texts and styles."""
    row_of = {row["id"]: number for number, row in enumerate(texts.rows)}
    styles, usual, found = read_own_styles(), described.mean(axis=0), []
    for (number, part, second), rows in read_own_labels().items():
        some = {row["name"]: _style(row) for row in styles if row["list"] == number}
        names = list(some)
        vectors = reader.encode([style.description for style in some.values()])
        rows = [row for row in rows if row["id"] in row_of]
        grades = np.zeros((len(rows), len(names)), dtype=np.int64)
        compared = []
        for place, row in enumerate(rows):
            grades[place, [names.index(name) for name in row["passable"]]] = PASSABLE
            grades[place, [names.index(name) for name in row["fits"]]] = FITS
            at = row_of[row["id"]]
            layers, read, text, *_ = readings[at]
            compared.append(brief.compare(text, layers[-1], read, some, vectors, usual))
        at = np.array([row_of[row["id"]] for row in rows])
        inputs = own.inputs(names, list(some.values()), reader)
        found.append(OwnLabels(names, inputs, vectors, at, np.stack(compared), grades, part, second))
    return found


def _style(row: dict[str, Any]) -> Any:
    """Return a style of the file as a preset gives it. No place's sounds are among them."""
    return SimpleNamespace(
        **{**row, "moods": tuple(row["moods"]), "topics": tuple(row["topics"])}, environment=None
    )


def scores_apart(texts: Texts, model: Model) -> tuple[Array, Array]:
    """Return the scores of the fitted styles, shape (texts, styles), and the mood, shape (texts, 2), of every text.

    The model is surer of texts that it was fitted to than of others. So each of these is read by one that was fitted
    without it.
    """
    fitting = texts.part == "fit"
    fold = np.where(fitting, folds_of(texts), FOLDS)
    scores, moods = np.zeros(texts.grades.shape), np.zeros((len(fitting), 2))
    for number in range(FOLDS + 1):
        here = fold == number
        one = model if number == FOLDS else model_of(texts, fitting & ~here)
        network, inputs = one.network, one.inputs(texts, here)
        scores[here] = network.read(inputs) @ network.weights.T + network.bias
        moods[here] = network.head(network.moods, inputs)[:, :2]
    return scores, np.clip(moods, -1, 1)


def train_own(
    texts: Texts,
    lists: list[OwnLabels],
    styles: Array,
    apart: tuple[Array, Array],
    step: float,
    known: Any = slice(None),
) -> own.OwnStyles:
    """Train the network. `styles` are the inputs of the fitted styles; only those numbered `known` count."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    scores, moods = apart
    fitting = np.flatnonzero(texts.part == "fit")
    some = np.random.default_rng(0).choice(fitting, min(FITTED_TEXTS, len(fitting)), replace=False)
    said = own.said(scores[:, known], moods)
    scale = np.array([SCORE_SCALE] * (said.shape[1] - 3) + [MOOD_SCALE] * 2 + [1.0])
    middle = said[fitting].mean(axis=0) * (scale != 1)
    every = np.ones((1, 1), dtype=bool)
    sets = [(one.inputs, one.texts, one.compared, one.grades, every) for one in lists]
    old = texts.compared[some][:, known], texts.grades[some][:, known], texts.judged[some][:, known]
    sets.append((styles[known], some, *old))
    centre = np.concatenate([one[0] for one in sets]).mean(axis=0)
    x = torch.tensor((said - middle) * scale, dtype=torch.float32)
    batches = [
        (
            torch.tensor(one - centre, dtype=torch.float32),
            x[torch.tensor(rows)],
            torch.tensor(compared, dtype=torch.float32),
            torch.tensor(grades),
            torch.tensor(np.broadcast_to(judged, grades.shape).copy()),
        )
        for one, rows, compared, grades, judged in sets
    ]
    hidden, out = torch.nn.Linear(len(centre), HIDDEN), torch.nn.Linear(HIDDEN, x.shape[1])
    torch.nn.init.zeros_(out.weight)
    shared = torch.nn.Parameter(torch.zeros(texts.compared.shape[2]))
    optimizer = torch.optim.AdamW(
        [
            {"params": [*hidden.parameters(), *out.parameters()], "weight_decay": DECAY},
            {"params": [shared], "weight_decay": 0.0, "lr": SHARED_RATE},
        ],
        lr=LEARNING_RATE,
    )
    dropped = [torch.nn.Dropout(share) for share in (DROPPED_INPUTS, DROPPED_HIDDEN, DROPPED_SAID)]
    steps = EPOCHS * sum(-(-len(one[1]) // BATCH) for one in batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: max(0.0, 1 - done / steps))
    order = np.random.default_rng(0)
    for _ in range(EPOCHS):
        turns = [
            (number, rows)
            for number, one in enumerate(batches)
            for rows in torch.randperm(len(one[1])).split(BATCH)
        ]
        for turn in order.permutation(len(turns)):
            number, rows = turns[turn]
            inputs, read, compared, grades, judged = batches[number]
            weights = out(dropped[1](torch.relu(hidden(dropped[0](inputs)))))
            # The last weight is the bias: it is never dropped.
            given = torch.cat([dropped[2](read[rows][:, :-1]), read[rows][:, -1:]], dim=1)
            score = given @ weights.T + compared[rows] @ shared
            loss = -(log_likelihood(score, torch.tensor(step), grades[rows]) * judged[rows]).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    first, bias = (one.detach().numpy().astype(float) for one in (hidden.weight, hidden.bias))
    last = np.column_stack([out.weight.detach().numpy(), out.bias.detach().numpy()]).astype(float)
    # Fold the middles and scales into the weights, so that they apply to what `own.said` gives.
    last *= scale[:, None]
    last[-1] -= middle @ last
    return own.OwnStyles(
        hidden=np.column_stack([first, bias - first @ centre]).astype(np.float32),
        out=last.astype(np.float32),
        compared=shared.detach().numpy(),
    )


def measure_own(
    texts: Texts,
    lists: list[OwnLabels],
    styles: Array,
    described: Array,
    model: Model,
    chances: Array,
    penalty: float,
) -> None:
    """Print how well styles are picked that nothing was fitted to, beside rivals and beside the fitted styles."""
    apart, network = scores_apart(texts, model), model.network
    train = [one for one in lists if one.part == "fit"]
    test = [one for one in lists if one.part == "test" and not one.second]
    fitted = train_own(texts, train, styles, apart, network.step)
    _agreement(lists)
    rows: dict[str, list[Array]] = {}
    beside, alone, chance = [], [], []
    for one in test:
        said = own.said(apart[0][one.texts], apart[1][one.texts])
        score = said @ fitted.weights(one.inputs).T + one.compared @ fitted.compared
        shares = brief.likeness(described, one.vectors, penalty)
        alike = said[:, :-3] @ shares.T + one.compared @ network.compared
        usual = ((one.grades == FITS).mean(0) + (one.grades > WRONG).mean(0)).argmax()
        for name, picked in (
            ("the network for own styles", score.argmax(1)),
            ("likeness of descriptions", alike.argmax(1)),
            ("nearest description", one.compared[:, :, 3].argmax(1)),
            ("the style most often right", np.full(len(score), usual)),
        ):
            rows.setdefault(name, []).append(np.take_along_axis(one.grades, picked[:, None], 1)[:, 0])
        chance.append(np.stack([brief._sigmoid(score).ravel(), (one.grades > WRONG).ravel()]))
        both = brief._sigmoid(score) + brief._sigmoid(score - network.step)
        known = chances[one.texts]
        every = np.concatenate([texts.grades[one.texts], one.grades], axis=1)
        picked = np.concatenate([known, both], axis=1).argmax(axis=1)
        grade = np.take_along_axis(every, picked[:, None], 1)[:, 0]
        beside.append(np.column_stack([grade, picked >= known.shape[1]]))
        alone.append(np.take_along_axis(texts.grades[one.texts], known.argmax(1)[:, None], 1)[:, 0])
    count = sum(len(one.texts) for one in test)
    print(
        f"\nstyles that nothing was fitted to, {len(test)} sets of about 50, {count} judgements of fresh texts"
    )
    for name, grades in rows.items():
        print(f"{name:28}{_shares(np.concatenate(grades))}")
    said_to_pass, passes = np.concatenate(chance, axis=1)
    for least, most in ((0, 0.1), (0.1, 0.4), (0.4, 0.6), (0.6, 0.9), (0.9, 1)):
        here = (said_to_pass >= least) & (said_to_pass < most)
        print(
            f"chance {least:.0%} to {most:.0%}: {here.sum():,} pairs, of which {passes[here].mean():.1%} pass"
        )
    grade, own_picked = np.concatenate(beside).T
    mine = own_picked == 1
    print(f"beside the fitted styles: one of them is picked for {mine.mean():.1%}: {_shares(grade[mine])}")
    print(f"all picks {_shares(grade)}; without such styles {_shares(np.concatenate(alone))}")
    _measure_halves(texts, train, styles, apart, network.step, texts.part == "test")


def _measure_halves(
    texts: Texts, lists: list[OwnLabels], styles: Array, apart: tuple[Array, Array], step: float, where: Any
) -> None:
    """Print how well a style is picked among half of the shipped ones that were left out of the fit."""
    count, shares = len(styles), []
    for seed in range(HALVINGS):
        for left_out in np.array_split(np.random.default_rng(seed).permutation(count), 2):
            known = np.setdiff1d(np.arange(count), left_out)
            fitted = train_own(texts, lists, styles, apart, step, known)
            said = own.said(apart[0][where][:, known], apart[1][where])
            compared, grades = texts.compared[where][:, left_out], texts.grades[where][:, left_out]
            score = said @ fitted.weights(styles[left_out]).T + compared @ fitted.compared
            seen = apart[0][where][:, left_out]
            usual = np.full(len(score), (grades > WRONG).mean(axis=0).argmax())
            picks = [score.argmax(1), usual, seen.argmax(1)]
            picked = [np.take_along_axis(grades, one[:, None], 1)[:, 0] for one in picks]
            shares.append([[np.mean(one == WRONG), np.mean(one == FITS)] for one in picked])
    ours, constant, known_best = np.mean(shares, axis=0)
    print(f"half the shipped styles left out, picked among those: wrong, fits {ours[0]:.1%}, {ours[1]:.1%};")
    print(f"most often right of them {constant[0]:.1%}, {constant[1]:.1%}", end="; ")
    print(f"fitted to them {known_best[0]:.1%}, {known_best[1]:.1%}")


def _agreement(lists: list[OwnLabels]) -> None:
    """Print how far a second judge agrees."""
    for again in (one for one in lists if one.second):
        first = {
            text: grades
            for one in lists
            if one.names == again.names and not one.second
            for text, grades in zip(one.texts, one.grades, strict=True)
        }
        pairs = [
            (first[text], grades)
            for text, grades in zip(again.texts, again.grades, strict=True)
            if text in first
        ]
        a, b = (np.stack(one) for one in zip(*pairs, strict=True))
        same, both = (
            np.mean((a > WRONG) == (b > WRONG)),
            np.corrcoef((a > WRONG).ravel(), (b > WRONG).ravel()),
        )
        print(
            f"\ntwo judges of invented styles, {len(pairs)} texts: {same:.1%} of passes and fails the same, ",
            end="",
        )
        print(f"r {both[0, 1]:.2f}")


def _shares(grades: Array) -> str:
    return f"wrong {np.mean(grades == WRONG):.1%}, fits {np.mean(grades == FITS):.1%}"

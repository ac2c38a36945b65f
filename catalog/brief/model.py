"""The fitted model of the brief, and the file that holds it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unavailable
from ..text.tensors import read_metadata, read_tensors
from .own import OwnStyles
from .pools import Pools
from .words import Vocabulary, Words

__all__ = ["DECLARED", "BriefModel", "read_model"]

Array = NDArray[np.float32]

DECLARED = 3
"""The last columns of `described`: what the preset declares beside its description."""


@dataclass(frozen=True, eq=False)
class BriefModel:
    """Fitted weights over `names`, the styles that the model was fitted to."""

    names: tuple[str, ...]
    digests: tuple[str, ...]
    """Of each style's description: under another one the style counts as one that was never fitted."""
    layers: tuple[int, ...]
    """The inner layers of the encoder whose vectors are read beside that of the last, 0 the first."""
    centre: Array
    """The mean of each input over the texts fitted to, shape (inputs,); it is taken off."""
    hidden: Array
    """Weights and bias of the hidden layer, shape (hidden, inputs + 1)."""
    weights: Array
    """Shape (styles, inputs + hidden)."""
    bias: Array
    """Shape (styles,)."""
    compared: Array
    """The weights of `compare`, shape (comparisons,)."""
    step: float
    """How much more it takes to fit than to pass."""
    affect: Array
    """Valence and energy of the music, shape (2, inputs + hidden + 1)."""
    described: Array
    """One row of `describe` for each style, shape (styles, descriptors)."""
    unseen_penalty: float
    """Of `reader.likeness`, which weighs the user's own styles in a model without `own`."""
    own: OwnStyles | None = None
    """The network for the user's own styles; None in a model that was written before there was one."""
    words: Words | None = None
    """What single words say; None in a model that was written before they were read."""
    reads_words: bool = False
    """Whether what words say is an input of the network. In a model that was written before, it is added to scores."""
    application_layers: tuple[int, ...] = ()
    """The layers of the encoder whose vectors of what the application is are read; none in a model written before."""
    pools: Pools | None = None
    """The weighted means of tokens that are read; None in a model that was written before."""
    text_kinds: tuple[str, ...] = ()
    cultures: tuple[str | None, ...] = ()
    scene: Array | None = None
    """Scores of `text_kinds` and `cultures`, and seriousness, shape (kinds + cultures + 1, inputs + hidden + 1)."""

    @property
    def width(self) -> int:
        """Number of inputs of a text."""
        return int(self.hidden.shape[1]) - 1

    @property
    def told(self) -> slice:
        """The inputs that tell what the application is: they stand before what words say."""
        dimension = self.described.shape[1] - DECLARED
        end = self.width - (len(self.words.scale) if self.words is not None and self.reads_words else 0)
        return slice(end - len(self.application_layers) * dimension, end)

    def read(self, inputs: Array) -> Array:
        """Return the inputs of a text with the hidden layer beside them, and 1; shape (inputs + hidden + 1,)."""
        inputs = inputs - self.centre
        hidden = np.maximum(self.hidden[:, :-1] @ inputs + self.hidden[:, -1], 0)
        return np.concatenate([inputs, hidden, [1.0]]).astype(np.float32)

    @property
    def compared_to_own(self) -> Array:
        """The weights of `compare` for the user's own styles, shape (comparisons,)."""
        return self.compared if self.own is None else self.own.compared

    def is_whole(self) -> bool:
        """Tell whether the shapes of the tensors go together."""
        (styles, read), outputs = self.weights.shape, len(self.text_kinds) + len(self.cultures) + 1
        return (
            len(self.names) == len(self.digests) == len(self.described) == styles
            and self.bias.shape == (styles,)
            and self.centre.shape == (self.width,)
            and self.width + len(self.hidden) == read
            and self.affect.shape == (2, read + 1)
            and (self.own is None or self._is_whole(self.own))
            and (self.words is None or self.words.is_whole(styles))
            and (self.words is not None or not self.reads_words)
            and self.told.start >= 0
            and (self.pools is None or self._goes_with(self.pools))
            and (self.scene is None or self.scene.shape == (outputs, read + 1))
        )

    def _goes_with(self, pools: Pools) -> bool:
        means, dimension = pools.queries.shape
        return (
            pools.values.shape[::2] == (means, dimension) and dimension == self.described.shape[1] - DECLARED
        )

    def _is_whole(self, own: OwnStyles) -> bool:
        outputs = len(self.names) + 3, len(own.hidden) + 1
        return own.out.shape == outputs and own.compared.shape == self.compared.shape


@lru_cache(maxsize=8)
def read_model(path: Path, mtime_ns: int, size: int) -> tuple[str, BriefModel]:
    """Return the identity of the encoder that a model was fitted to, and the model.

    Raises Unavailable for a file that is damaged or no such model.
    """
    del mtime_ns, size  # a file that was written anew is read anew
    tensors = read_tensors(path)
    try:
        about = json.loads(read_metadata(path)["about"])
        if "hidden" not in tensors:
            tensors = _without_hidden(tensors)
        model = BriefModel(
            names=tuple(about["styles"]),
            digests=tuple(about["descriptions"]),
            layers=tuple(about.get("layers", ())),
            centre=tensors.get("centre", np.zeros(tensors["hidden"].shape[1] - 1, np.float32)),
            hidden=tensors["hidden"],
            weights=tensors["weights"],
            bias=tensors["bias"],
            compared=tensors["compared"],
            step=float(tensors["step"][0]),
            affect=tensors["affect"],
            described=tensors["described"],
            unseen_penalty=float(about["unseen_penalty"]),
            own=_own(tensors),
            words=_words(tensors),
            reads_words=bool(about.get("reads_words", False)),
            application_layers=tuple(about.get("application_layers", ())),
            pools=_pools(tensors),
            text_kinds=tuple(about.get("text_kinds", ())),
            cultures=tuple(about.get("cultures", ())),
            scene=tensors.get("scene"),
        )
        if not model.is_whole():
            raise ValueError("its tensors do not go together")
        return str(about["encoder"]), model
    except (KeyError, ValueError, TypeError, IndexError) as error:
        problem = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise Unavailable(
            f"{path} is no model of the brief: {problem}; fit it again with fit_brief.py, or delete it"
        ) from None


def _own(tensors: dict[str, Array]) -> OwnStyles | None:
    if "own_hidden" not in tensors:
        return None
    return OwnStyles(tensors["own_hidden"], tensors["own_out"], tensors["own_compared"])


def _pools(tensors: dict[str, Array]) -> Pools | None:
    if "pool_queries" not in tensors:
        return None
    return Pools(tensors["pool_queries"], tensors["pool_values"])


def _words(tensors: dict[str, Any]) -> Words | None:
    if "words_weights" not in tensors:
        return None
    vocabulary = Vocabulary(tensors["words_terms"], tensors["words_rarity"])
    return Words(vocabulary, tensors["words_weights"], tensors["words_scale"], tensors["words_offset"])


def _without_hidden(tensors: dict[str, Array]) -> dict[str, Array]:
    """Return the tensors of a model without a hidden layer, as they were written at first, with one of no units."""
    weights, bias = tensors["weights"], tensors["bias"]
    styles, width = weights.shape
    if bias.shape != (styles,):
        raise ValueError("its tensors do not go together")
    return {
        **tensors,
        "hidden": np.zeros((0, width + 1), np.float32),
    }

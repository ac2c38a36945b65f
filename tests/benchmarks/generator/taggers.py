"""The taggers of musicnn (Pons and Serra 2019, ISC licence), computed in torch from its TensorFlow checkpoints.

`MTT_musicnn` and `MSD_musicnn` are the networks with musically motivated filters, `MTT_vgg` and `MSD_vgg` the plain
ones of 3 x 3 filters. They were trained on MagnaTagATune (MTT) and on the Million Song Dataset (MSD), 50 tags each.
A `Rater` tells from what MSD_musicnn hears how pleasant and how active people would call it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from tensor_bundle import read_bundle, read_constants
from torch.nn import functional

__all__ = ["HOW_TO_GET", "MODELS", "RATERS", "Rater", "Tagger", "patches_of"]

MODELS = ("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg")
RATERS = ("emomusic", "deam")
HOW_TO_GET = "`pip download --no-deps musicnn` and unpack the file (`unzip musicnn-*.whl -d FOLDER`)"
RATE, FFT, HOP, MELS = 16_000, 512, 256, 96
PATCH_FRAMES = 187
"""Three seconds."""
BATCH_NORM_EPSILON = 1e-3

Array = NDArray[np.float32]


class Tagger:
    """One network and the names of its tags."""

    def __init__(self, folder: Path, model: str) -> None:
        """Read `model` from `folder`, an unpacked package of musicnn. Raises OSError or ValueError."""
        package = folder / "musicnn" if (folder / "musicnn").is_dir() else folder
        self.model, self.tags = model, _tags(package / "configuration.py", model[:3])
        self._values = {
            name: torch.from_numpy(np.array(value, np.float32))
            for name, value in read_bundle(package / model).items()
            if value.dtype == np.float32
        }

    def chances(self, samples: Array, rate: int) -> Array:
        """Return the chance of each tag in every three seconds of mono `samples`, shape (patches, 50)."""
        return self.chances_in(patches_of(samples, rate))

    def chances_in(self, patches: Any) -> Array:
        """Return the chance of each tag in every patch of `patches_of`, shape (patches, 50)."""
        network = self._vgg if self.model.endswith("vgg") else self._musicnn
        with torch.inference_mode():
            chances: Array = torch.sigmoid(network(patches)).numpy()
        return chances

    def embedding(self, patches: Any) -> Array:
        """Return what the last layer but one says before it is rectified, shape (patches, 200); not for `vgg`."""
        with torch.inference_mode():
            embedding: Array = self._embedding(patches).numpy()
        return embedding

    # The networks. Tensors are (patches, channels, time, frequency).

    def _musicnn(self, patches: Any) -> Any:
        """Return the logits: the embedding, rectified, and one layer."""
        dense = self._embedding(patches).relu()
        return self._dense(self._normalized(dense, "batch_normalization_10"), "dense_1")

    def _embedding(self, patches: Any) -> Any:
        """Return wide and tall filters, three dense layers of filters in time, pooling, and a layer of 200."""
        signal = self._normalized(patches[:, None], "batch_normalization")
        padded = functional.pad(signal, (0, 0, 3, 3))
        timbral = [self._front(padded, 0), self._front(padded, 1)]
        temporal = [
            self._front(functional.pad(signal, (0, 0, (length - 1) // 2, length // 2)), 2 + number)
            for number, length in enumerate((128, 64, 32))
        ]
        front = torch.cat(timbral + temporal, dim=1)[:, :, :, 0].transpose(1, 2)[:, None]
        first = self._middle(front, 5)
        second = self._middle(first, 6) + first
        third = self._middle(second, 7) + second
        layers = torch.cat([front, first, second, third], dim=3)[:, 0]
        pooled = torch.stack([layers.amax(dim=1), layers.mean(dim=1)], dim=2).flatten(1)
        return self._dense(self._normalized(pooled, "batch_normalization_9"), "dense")

    def _front(self, signal: Any, number: int) -> Any:
        """Return filters of the front end, their loudest answer over all frequencies."""
        answer = self._filtered(signal, _numbered("conv2d", number), f"batch_normalization_{number + 1}")
        return answer.amax(dim=3, keepdim=True)

    def _middle(self, layer: Any, number: int) -> Any:
        """Return 64 filters of seven frames over all features, as features: (patches, 1, time, 64)."""
        padded = functional.pad(layer, (0, 0, 3, 3))
        answer = self._filtered(padded, f"conv2d_{number}", f"batch_normalization_{number + 1}")
        return answer.transpose(1, 3)

    def _vgg(self, patches: Any) -> Any:
        """Return the logits: five layers of 3 x 3 filters with pooling, one dense layer."""
        layer = self._normalized(patches[:, None], "batch_normalization")
        for number, (size, stride) in enumerate(
            [((4, 1), 2), ((2, 2), 2), ((2, 2), 2), ((2, 2), 2), ((4, 4), 4)], 1
        ):
            layer = self._filtered(
                functional.pad(layer, (1, 1, 1, 1)), f"{number}CNN", f"batch_normalization_{number}"
            )
            layer = functional.max_pool2d(layer, size, stride)
        return self._dense(layer.permute(0, 2, 3, 1).flatten(1), "dense")

    def _filtered(self, layer: Any, name: str, norm: str) -> Any:
        """Return a convolution without padding, rectified and then normalized."""
        weights = self._values[f"{name}/kernel"].permute(3, 2, 0, 1)
        answer = functional.conv2d(layer, weights, self._values[f"{name}/bias"]).relu()
        return self._normalized(answer, norm)

    def _normalized(self, layer: Any, name: str) -> Any:
        mean, variance, gamma, beta = (
            self._values[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return functional.batch_norm(layer, mean, variance, gamma, beta, eps=BATCH_NORM_EPSILON)

    def _dense(self, layer: Any, name: str) -> Any:
        return layer @ self._values[f"{name}/kernel"] + self._values[f"{name}/bias"]


class Rater:
    """Valence and energy as listeners rated songs, from the embedding of MSD_musicnn.

    These are linear models of Essentia (CC BY-NC-SA 4.0), `emomusic-musicnn-msd-1.pb` and `deam-musicnn-msd-1.pb`,
    fitted to the ratings of 1,000 songs (Soleymani and others 2013) and of 1,802 (Aljanaki and others 2017). Essentia
    states a correlation of 0.64 with the ratings.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Read the model of this name from `folder`. Raises OSError or ValueError."""
        self.name = name
        path = folder / f"{name}-musicnn-msd-1.pb"
        values = {key.split("_tf_")[0]: value for key, value in read_constants(path).items()}
        try:
            self._kernel, self._bias = values["dense_out/kernel"], values["dense_out/bias"]
            spread = np.sqrt(values["var"] + 1e-6)
            self._scale, self._shift = values["scale"] / spread, values["bias"]
            self._mean = values["mean"]
        except KeyError as error:
            raise ValueError(
                f"{path} has no constant {error}; give Essentia's frozen model of that name"
            ) from None

    def mood(self, embedding: Array) -> tuple[float, float]:
        """Return valence and energy (about 1 to 9), the mean over the patches of an embedding."""
        rated = ((embedding - self._mean) * self._scale + self._shift) @ self._kernel + self._bias
        valence, energy = rated.mean(axis=0)
        return float(valence), float(energy)


def patches_of(samples: Array, rate: int) -> Any:
    """Return the spectrograms of every three seconds, shape (patches, 187, 96)."""
    mel = log_mel(samples, rate)
    starts = range(0, mel.shape[0] - PATCH_FRAMES + 1, PATCH_FRAMES)
    return torch.from_numpy(np.stack([mel[start : start + PATCH_FRAMES] for start in starts]))


def log_mel(samples: Array, rate: int) -> Array:
    """Return the spectrogram that the networks read, shape (frames, 96), from mono samples."""
    if rate != RATE:
        samples = librosa.resample(samples, orig_sr=rate, target_sr=RATE)
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=FFT, hop_length=HOP, n_mels=MELS, pad_mode="reflect"
    )
    scaled: Array = np.log10(10_000 * power.T + 1).astype(np.float32)
    return scaled


def _numbered(name: str, number: int) -> str:
    """Return the name that TensorFlow gives to the layer of this number."""
    return f"{name}_{number}" if number else name


def _tags(configuration: Path, data: str) -> list[str]:
    """Return the names of the tags, which stand as a list in the package's configuration."""
    for statement in ast.parse(configuration.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == f"{data}_LABELS":
            return [str(tag) for tag in ast.literal_eval(statement.value)]
    raise ValueError(f"{configuration} has no list {data}_LABELS; give the folder of musicnn 0.1.0")

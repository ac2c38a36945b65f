"""A multilingual encoder: computed as sentence-transformers computes it, and chosen from end to end.

The checkpoints have random weights and the layout and architecture of the hub's; none of the hub's is here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import write_tiny_encoder

from music_catalog.text import encoder, minilm
from tests.command_line import data, run

TEXTS = [
    "calm rain on the roof",
    "ruhig regen das dach, Straße",
    "lluvia en el techo",
    "ฝนตกเบา ๆ บนหลังคา",
    "",
    "x",
    "the night of the sea " * 40,
]


KINDS = ("bert", "xlm-roberta")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        kind: write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny-multilingual", kind)
        for kind in KINDS
    }


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Path:
    return folders[request.param]


def test_numpy_computes_it_and_equals_sentence_transformers(folders: dict[str, Path]) -> None:
    # One process for all: its imports take most of the time.
    script = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "from sentence_transformers import SentenceTransformer\n"
        "texts = json.loads(sys.stdin.read())\n"
        "models = [SentenceTransformer(folder, device='cpu') for folder in sys.argv[1:]]\n"
        "print(json.dumps([model.encode(texts, normalize_embeddings=True).tolist() for model in models]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, folders.values())],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    for folder, vectors in zip(folders.values(), json.loads(done.stdout.splitlines()[-1]), strict=True):
        made = encoder.load(str(folder))
        assert isinstance(made, encoder.LocalEncoder)
        assert np.abs(made.encode(TEXTS) - np.asarray(vectors, dtype=np.float32)).max() < 1e-5


def test_a_long_text_is_cut_into_chunks_that_it_reads_whole(folder: Path) -> None:
    made = encoder.load(str(folder))
    assert made.max_tokens == 128
    text = "the rain on the roof. " * 80
    _, sizes = encoder._chunks(made, text)
    assert max(sizes) <= 126
    assert sum(sizes) >= 0.9 * made.count_tokens([text])[0]
    # Of one chunk of 200 tokens the last 72 would not be read.
    begun = "the rain on the roof. " * 20
    ends = [
        encoder.embed_document(made, begun + end * 10) for end in ("noche mar techo. ", "sea night calm. ")
    ]
    assert 126 < made.count_tokens([begun + "noche mar techo. " * 10])[0] <= encoder.CHUNK_TOKENS
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


def test_another_architecture_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({**json.loads((folder / "config.json").read_text()), "model_type": "mpnet"}), "utf-8"
    )
    with pytest.raises(encoder.Unavailable, match="reads only 'bert' and 'xlm-roberta'"):
        minilm.MiniLM(tmp_path)


def test_a_catalog_is_served_with_it_from_the_command_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_ENCODER", str(folder))

    def catalog(*arguments: str) -> dict:
        return data(run(*arguments, "--json", home=tmp_path))

    asked = ("--quality", "preview", "--duration", "1", "--backend", "procedural")
    first = catalog("find-or-make", "ruhig regen das dach", *asked)
    assert first["action"] == "generated"
    assert catalog("find-or-make", "ruhig regen das dach", *asked)["track"]["id"] == first["track"]["id"]
    near = catalog("find-or-make", "ruhig regen das dach nacht", "--dry-run", *asked)
    assert "tiny-multilingual@" in near["reason"]
    assert "catalog calibrate" in near["warnings"][-1]

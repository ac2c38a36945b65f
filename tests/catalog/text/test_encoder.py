"""The encoder: exact, for texts of any length, and clear when its weights are missing or wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.errors import InputError, MissingExtra, Unavailable
from music_catalog.text import encoder, minilm
from music_catalog.text import encoder_files as weights
from music_catalog.text.sentences import slices, split_sentences
from tests.fakes import WordHashEncoder

TEXTS = [
    "a",
    "Hello, world!",
    "",
    "안녕하세요 세상, 비가 조용히 내린다.",
    "猫が好きです。夜の海は静かだ。",
    "Straße, naïve café, ﬁ ligature Ⅷ, e\u0301",
    "😀 tab\tnewline\nnul-free \u200b zero width",
    "https://example.org/a?b=c " * 12,
    "word " * 253,
    "word " * 254,
    "word " * 300,
    "The river ran quietly past the mill while the town slept. " * 9,
    "".join(map(chr, range(33, 900))),
    "x" * 5000,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return weights.locate()


@pytest.fixture(scope="module")
def loaded() -> encoder.Encoder:
    return encoder.load()


def test_the_numpy_network_equals_sentence_transformers(folder: Path, loaded: encoder.Encoder) -> None:
    script = (
        "import json, sys, warnings; warnings.simplefilter('ignore')\n"
        "from sentence_transformers import SentenceTransformer\n"
        "from torch.nn.functional import normalize\n"
        "model, texts = SentenceTransformer(sys.argv[1], device='cpu'), json.loads(sys.stdin.read())\n"
        "def states(text):\n"
        "    tokens = model.tokenizer(text, truncation=True, max_length=model.max_seq_length, return_tensors='pt')\n"
        "    read = model[0].auto_model(**tokens, output_hidden_states=True)\n"
        "    return [state[0] for state in read.hidden_states[1:]]\n"
        "layers = [[normalize(one.mean(0), dim=0).tolist() for one in states(text)] for text in texts]\n"
        "fifth = [states(text)[4].tolist() for text in texts]\n"
        "print(json.dumps([model.encode(texts).tolist(), layers, fifth]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    )
    *means, fifth = json.loads(done.stdout.splitlines()[-1])
    vectors, layers = map(np.asarray, means)
    assert np.abs(loaded.encode(TEXTS) - vectors).max() < 1e-5
    read, tokens = loaded.encode_tokens(TEXTS)
    assert read.shape == layers.shape
    assert np.abs(read - layers).max() < 1e-5
    for states, expected in zip(tokens, fifth, strict=True):
        assert states.shape == np.shape(expected)
        assert np.abs(states - expected).max() < 1e-4


def test_a_vector_does_not_depend_on_its_neighbours(loaded: encoder.Encoder) -> None:
    together = loaded.encode(TEXTS)
    alone = np.concatenate([loaded.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-6
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert loaded.encode([]).shape == (0, loaded.dimension)


def test_vectors_alone_keep_no_states_of_tokens(
    loaded: encoder.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those of ten thousand texts would take gigabytes.
    monkeypatch.setattr(minilm.MiniLM, "encode_tokens", lambda *_: pytest.fail("states were kept"))
    assert loaded.encode(TEXTS[:2]).shape == (2, loaded.dimension)


@pytest.mark.parametrize("cores", [2, 3])
@pytest.mark.parametrize("texts", [TEXTS, [" ".join(TEXTS)], ["One word after the other is read. " * 25]])
def test_tokens_divided_among_cores_have_the_same_vectors(
    loaded: encoder.Encoder, monkeypatch: pytest.MonkeyPatch, texts: list[str], cores: int
) -> None:
    monkeypatch.setattr(minilm, "_cores", lambda: 1)
    on_one = loaded.encode_layers(texts)
    monkeypatch.setattr(minilm, "_cores", lambda: cores)
    divided = loaded.encode_layers(texts)
    assert len(minilm._parts(sum(loaded.count_tokens(texts)), cores)) == cores
    assert np.abs(on_one - divided).max() < 1e-6
    assert np.array_equal(divided, loaded.encode_layers(texts))
    for states, fifth in zip(loaded.encode_tokens(texts)[1], divided[:, 4], strict=True):
        assert np.abs(states.mean(0) / np.linalg.norm(states.mean(0)) - fifth).max() < 1e-6


def test_a_part_that_fails_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "_cores", lambda: 2)

    def work(part: slice, wait: Callable[[], object]) -> np.ndarray:
        if part.start:
            raise MemoryError
        wait()
        return np.ones(1)

    # The first part gives up too, and the work is tried in one part, which nobody keeps waiting.
    assert minilm._divided(work, 1000) == [1]


def test_without_a_second_thread_one_does_all(
    loaded: encoder.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(ThreadPoolExecutor):
        def submit(self, *given: object, **named: object) -> Future[object]:
            if self.started:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            self.started = True
            return super().submit(*given, **named)

        started = False

    expected = loaded.encode(TEXTS)
    monkeypatch.setattr(minilm, "_cores", lambda: 2)
    monkeypatch.setattr(minilm, "ThreadPoolExecutor", Ended)
    assert np.abs(loaded.encode(TEXTS) - expected).max() < 1e-6


def test_the_layers_of_a_long_text_are_the_means_of_its_chunks(loaded: encoder.Encoder) -> None:
    text = " ".join(f"Sentence number {number} of a very long report on rivers." for number in range(60))
    chunks, sizes = encoder._chunks(loaded, text)
    mean = np.average(loaded.encode_layers(chunks), axis=0, weights=sizes)
    read = encoder.embed_layers(loaded, text)
    assert len(chunks) > 2
    assert np.abs(read - mean / np.linalg.norm(mean, axis=1, keepdims=True)).max() < 1e-6
    assert np.array_equal(read[-1], encoder.embed_document(loaded, text))
    tokens = encoder.embed_tokens(loaded, text).tokens
    assert tokens is not None
    assert len(tokens) == sum(loaded.count_tokens(chunks)) + encoder.MARKERS * len(chunks)


def test_an_encoder_without_inner_layers_gives_its_last(loaded: encoder.Encoder) -> None:
    class Plain:
        identity, dimension = loaded.identity, loaded.dimension
        encode = staticmethod(loaded.encode)

    read = encoder.embed_layers(Plain(), "The sea was calm.")
    assert read.shape == (1, loaded.dimension)
    assert np.array_equal(read[0], loaded.encode(["The sea was calm."])[0])
    assert encoder.embed_tokens(Plain(), "The sea was calm.").tokens is None


@given(st.lists(st.integers(2, 512), max_size=60))
def test_packs_hold_every_text_once_and_no_more_than_they_may(lengths: list[int]) -> None:
    packs = minilm._packs(lengths)
    assert sorted(row for pack in packs for row in pack) == [*range(len(lengths))]
    assert all(packs)
    sizes = [sum(lengths[row] for row in pack) for pack in packs]
    assert max(sizes, default=0) <= minilm.PACK_TOKENS + 512
    assert len(packs) <= 1 + sum(lengths) // minilm.PACK_TOKENS


@given(st.integers(1, 5000), st.integers(1, 16))
def test_parts_hold_every_token_once_and_are_worth_a_core(tokens: int, cores: int) -> None:
    parts = minilm._parts(tokens, cores)
    assert [token for part in parts for token in range(part.start, part.stop)] == [*range(tokens)]
    assert len(parts) <= cores
    if len(parts) > 1:
        assert min(part.stop - part.start for part in parts) >= minilm.LEAST_TOKENS


def test_erf_gelu_is_exact() -> None:
    import math

    x = np.linspace(-9, 9, 4001, dtype=np.float32)
    exact = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    assert np.abs(minilm._gelu(x.reshape(1, -1))[0] - np.asarray(exact)).max() < 2e-6


def test_importing_and_opening_load_nothing_heavy() -> None:
    script = (
        "import sys; from music_catalog.text import encoder; encoder.load().encode(['calm']);"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_identity_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise AssertionError("looked for weights")

    monkeypatch.setattr(encoder, "locate", fail)
    made = encoder.load()
    assert made.identity == "all-MiniLM-L6-v2@53aa51172d14/384/pool-1"
    assert made.dimension == 384


def test_threads_share_one_network(loaded: encoder.Encoder) -> None:
    fresh = encoder.load()
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(fresh.encode(TEXTS[:4]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.abs(result - loaded.encode(TEXTS[:4])).max() < 1e-6 for result in results)


class TestDocuments:
    def test_a_short_text_is_exactly_its_encoding(self, loaded: encoder.Encoder) -> None:
        for text in ("x", TEXTS[3], "word " * 254):
            assert np.array_equal(encoder.embed_document(loaded, text), loaded.encode([text])[0])

    def test_the_end_of_a_long_text_counts(self, loaded: encoder.Encoder) -> None:
        start = "The old harbour lay still under the fog that morning. " * 40
        calm = encoder.embed_document(loaded, start + "Children laughed on the beach in the sun. " * 20)
        war = encoder.embed_document(loaded, start + "The army shelled the burning city all night. " * 20)
        assert np.array_equal(loaded.encode([start + "Children"])[0], loaded.encode([start + "The army"])[0])
        assert float(calm @ war) < 0.95

    def test_chunks_are_weighted_by_their_tokens(self, loaded: encoder.Encoder) -> None:
        long, short = "The sea was calm. " * 60, "Wolves howl."
        chunks, sizes = encoder._chunks(loaded, long + short)
        expected = np.asarray(sizes) @ loaded.encode(chunks)
        expected /= np.linalg.norm(expected)
        assert len(chunks) > 1
        assert np.allclose(encoder.embed_document(loaded, long + short), expected, atol=1e-6)

    @pytest.mark.parametrize(
        "text",
        ["猫が好き" * 500, "ab" * 30_000, "word " * 3_000, "1234567890" * 400, "😀" * 2_000, ". " * 2_000],
    )
    def test_every_chunk_fits_and_nothing_is_lost(self, loaded: encoder.Encoder, text: str) -> None:
        chunks, _ = encoder._chunks(loaded, text)
        counts = loaded.count_tokens(chunks)  # type: ignore[attr-defined]
        assert max(counts) <= encoder.CHUNK_TOKENS
        assert "".join("".join(chunks).split()) == "".join(text.split())

    def test_a_megabyte_is_sampled_from_first_to_last(self) -> None:
        text = "alpha beta. " * 40_000 + "omega psi. " * 40_000
        vector = encoder.embed_document(WordHashEncoder(), text)
        for half in ("alpha beta", "omega psi"):
            assert float(vector @ WordHashEncoder().encode([half])[0]) > 0.6

    @settings(max_examples=60, deadline=None)
    @given(st.text(min_size=1, max_size=3000))
    def test_any_text_gives_a_unit_vector_without_a_tokenizer_to_ask(self, text: str) -> None:
        class Bare:
            identity, dimension = "bare", 384
            encode = WordHashEncoder.encode

        vector = encoder.embed_document(Bare(), text)
        assert vector.dtype == np.float32
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=400), st.integers(1, 50))
    def test_sentences_and_slices_keep_every_word(self, text: str, width: int) -> None:
        assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
        assert all(sentence.strip() == sentence and sentence for sentence in split_sentences(text))
        parts = slices(text, width)
        assert all(len(part) <= width for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())

    def test_sentences_end_at_stops_of_any_script(self) -> None:
        text = 'He said "Stop!" Then it rained.\n- one\n- two\n\n猫が好き。夜だ！おわり'
        assert split_sentences(text) == [
            'He said "Stop!"',
            "Then it rained.",
            "- one",
            "- two",
            "猫が好き。",
            "夜だ！",
            "おわり",
        ]


class TestFaults:
    @pytest.fixture
    def copy(self, folder: Path, tmp_path: Path) -> Path:
        """A folder like the model's, its weights a hard link's worth of symlink."""
        target = tmp_path / "model"
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
        (target / "model.safetensors").symlink_to(folder / "model.safetensors")
        return target

    def test_a_folder_with_the_same_weights_is_the_same_encoder(
        self, copy: Path, loaded: encoder.Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert encoder.load(str(copy)).identity == loaded.identity
        monkeypatch.setenv("CATALOG_ENCODER", str(copy))
        assert np.array_equal(encoder.load().encode(["calm"]), loaded.encode(["calm"]))

    def test_other_weights_are_another_encoder(self, copy: Path, loaded: encoder.Encoder) -> None:
        data = bytearray((copy / "model.safetensors").read_bytes())
        data[-5] ^= 1
        (copy / "model.safetensors").unlink()
        (copy / "model.safetensors").write_bytes(data)
        made = encoder.load(str(copy))
        assert made.identity.startswith("model@")
        assert made.identity != loaded.identity

    def test_the_default_must_have_its_known_weights(
        self, copy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (copy / "model.safetensors").unlink()
        (copy / "model.safetensors").write_bytes(b"something else")
        monkeypatch.setattr(weights, "_package_folder", lambda: copy)
        with pytest.raises(Unavailable, match=r"has sha256 .* and not 53aa51172d14.*fetch it again"):
            encoder.load().encode(["x"])

    def test_a_truncated_file_is_named(self, copy: Path, folder: Path) -> None:
        (copy / "model.safetensors").unlink()
        with (folder / "model.safetensors").open("rb") as file:
            (copy / "model.safetensors").write_bytes(file.read(1_000_000))
        with pytest.raises(Unavailable, match="is not a whole safetensors file"):
            encoder.load(str(copy)).encode(["x"])

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"])
    def test_rubbish_for_weights_is_named(self, copy: Path, content: bytes) -> None:
        (copy / "model.safetensors").unlink()
        (copy / "model.safetensors").write_bytes(content)
        with pytest.raises(Unavailable, match="is not a whole safetensors file"):
            encoder.load(str(copy)).encode(["x"])

    def test_another_architecture_is_refused(self, copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
        with pytest.raises(Unavailable, match="hidden_act 'relu'"):
            minilm.MiniLM(copy)

    def test_a_broken_tokenizer_is_named(self, copy: Path) -> None:
        (copy / "tokenizer.json").write_text("{")
        with pytest.raises(Unavailable, match="tokenizer"):
            encoder.load(str(copy)).encode(["x"])

    def test_missing_folders_and_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="does not exist"):
            encoder.load(str(tmp_path / "none"))
        with pytest.raises(Unavailable, match=r"lacks config\.json, model\.safetensors"):
            encoder.load(str(tmp_path))
        with pytest.raises(InputError):
            encoder.load(" ")


def test_a_foreign_model_goes_through_its_own_library_lazily(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = json.loads((other / "1_Pooling" / "config.json").read_text())
    config.update(pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
    (other / "1_Pooling" / "config.json").write_text(json.dumps(config))
    before = "sentence_transformers" in sys.modules
    made = encoder.load(str(other))
    assert isinstance(made, encoder.TransformerEncoder)
    assert made.dimension == 384
    assert ("sentence_transformers" in sys.modules) == before


def test_a_foreign_model_without_its_library_is_one_sentence_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = encoder.TransformerEncoder(tmp_path, "foreign@1/384/pool-1", 384)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"not installed; pip install 'music-catalog\[encoders\]'$"):
        made.encode(["x"])


class TestWordHash:
    def test_it_is_stable_across_processes(self) -> None:
        code = (
            "from tests.fakes import WordHashEncoder as W; print(W().encode(['calm rain'])[0][:3].tolist())"
        )
        runs = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(runs) == 1

    def test_shared_words_lie_closer(self) -> None:
        rain, storm, other = WordHashEncoder().encode(["calm rain at night", "calm rain", "tax law"])
        assert float(rain @ storm) > 0.5 > 0.3 > abs(float(rain @ other))


def blas_threads() -> list[int]:
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture
def _every_blas() -> None:
    """Look for libraries anew: other tests may have loaded some since the first text was read."""
    minilm._blas.cache_clear()


@pytest.mark.usefixtures("_every_blas")
def test_encoding_holds_blas_to_one_thread_and_gives_it_back(
    loaded: encoder.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    real = minilm._layer_norm
    monkeypatch.setattr(minilm, "_layer_norm", lambda *args: (seen.append(blas_threads()), real(*args))[1])
    before = blas_threads()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for encode in (
            lambda: loaded.encode(["calm"]),
            lambda: one.submit(loaded.encode, ["calm"]).result(),
            lambda: other.submit(loaded.encode, ["calm"]).result(),
        ):
            seen.clear()
            encode()
            assert seen
            assert all(count == 1 for counts in seen for count in counts)
            assert blas_threads() == before


@pytest.mark.usefixtures("_every_blas")
def test_blas_is_given_back_by_the_thread_that_encodes_last() -> None:
    before = blas_threads()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        first, second = minilm.single_threaded_blas(), minilm.single_threaded_blas()
        one.submit(first.__enter__).result()
        other.submit(second.__enter__).result()
        one.submit(first.__exit__, None, None, None).result()
        assert all(count == 1 for count in blas_threads())
        other.submit(second.__exit__, None, None, None).result()
        assert blas_threads() == before

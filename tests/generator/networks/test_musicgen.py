"""The decoder against `transformers` on small random weights, and against itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from tiny_musicgen import generate_codes

from music_catalog.generator.cpu.decoder import ProcessorDecoder
from music_catalog.generator.errors import WeightsError
from music_catalog.generator.networks.musicgen import (
    Condition,
    DecoderLayer,
    MusicgenConfig,
    MusicgenDecoder,
    Span,
    quantize,
    sanitize,
)
from music_catalog.generator.networks.sampling import Sampling

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CHROMA_LENGTH = 20
SHAPES = {
    "mono": {},
    "stereo": {"num_codebooks": 8, "audio_channels": 2},
    "one deep head": {"num_attention_heads": 1, "num_hidden_layers": 5, "ffn_dim": 24},
    "many heads": {"hidden_size": 64, "num_attention_heads": 16, "num_hidden_layers": 1},
    "text as wide as the decoder": {"hidden_size": 24, "num_attention_heads": 2},
    "two codebooks, large vocabulary": {"num_codebooks": 2, "vocab_size": 500},
}


@dataclass
class Pair:
    """One set of random weights in both implementations."""

    theirs: object
    ours: MusicgenDecoder
    folder: Path

    @property
    def config(self) -> MusicgenConfig:
        return self.ours.config

    def states(self, ids, mask=None):
        """Return the text encoder's output as both arrays; `ids` (batch, length)."""
        with torch.no_grad():
            states = self.theirs.text_encoder(ids, attention_mask=mask).last_hidden_state
        return states, mx.array(states.numpy())

    def tokens(self, batch: int, columns: int, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, self.config.num_codebooks, columns)
        return torch.randint(0, self.config.special_token + 1, shape, generator=generator)

    def reference_logits(self, tokens, **inputs) -> np.ndarray:
        """Return (batch, codebooks, columns, vocabulary)."""
        batch, books, columns = tokens.shape
        with torch.no_grad():
            logits = self.theirs(decoder_input_ids=tokens.reshape(batch * books, columns), **inputs).logits
        return logits.reshape(batch, books, -1, logits.shape[-1])[:, :, -columns:].numpy()


def build(folder: Path, melody: bool = False, seed: int = 0, **shape) -> Pair:
    """Write a small random checkpoint as `transformers` does, and read it back into our network."""
    torch.manual_seed(seed)
    theirs = reference(melody, **shape)
    theirs.save_pretrained(folder)
    config = MusicgenConfig.from_dict(json.loads((folder / "config.json").read_text()))
    return Pair(theirs, load(folder, config), folder)


def reference(melody: bool, **shape):
    kind = "MusicgenMelody" if melody else "Musicgen"
    make = lambda name: getattr(transformers, name)  # noqa: E731
    sizes = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 80,
        "vocab_size": 64,
        "num_codebooks": 4,
        **shape,
    }
    special = sizes["vocab_size"]
    decoder = make(f"{kind}DecoderConfig")(**sizes, pad_token_id=special, bos_token_id=special)
    text = transformers.T5Config(vocab_size=60, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    audio = transformers.EncodecConfig(
        num_filters=2,
        hidden_size=8,
        codebook_size=8,
        codebook_dim=8,
        num_lstm_layers=1,
        upsampling_ratios=[2, 2],
    )
    melody_sizes = {"chroma_length": CHROMA_LENGTH} if melody else {}
    config = make(f"{kind}Config")(text_encoder=text, audio_encoder=audio, decoder=decoder, **melody_sizes)
    model = make(f"{kind}ForConditionalGeneration")(config).eval()
    for name, parameter in model.named_parameters():
        # Wide enough that every part moves the logits, biases and norms included.
        offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.data = offset + 0.2 * torch.randn_like(parameter)
    for key in ("pad_token_id", "decoder_start_token_id", "bos_token_id"):
        setattr(model.generation_config, key, special)
    return model


def load(folder: Path, config: MusicgenConfig) -> MusicgenDecoder:
    weights: dict[str, mx.array] = {}
    for file in folder.glob("*.safetensors"):
        weights |= mx.load(str(file))
    model = MusicgenDecoder(config)
    model.load_weights(list(sanitize(weights).items()))
    return model


def one_hot(classes) -> np.ndarray:
    return np.eye(12, dtype=np.float32)[np.asarray(classes)]


def ids(batch: int, length: int, seed: int = 0):
    return torch.randint(3, 60, (batch, length), generator=torch.Generator().manual_seed(seed))


def logits_of(model, condition, tokens, **halves) -> np.ndarray:
    """Return the network's logits, having compared those of its form for a processor in single precision."""
    logits, in_kernels = (
        np.array(
            each(mx.array(tokens.numpy()), each.start(condition, tokens.shape[-1], **halves)).astype(
                mx.float32
            )
        )
        for each in (model, ProcessorDecoder(model))
    )
    assert model.dtype != mx.float32 or np.abs(in_kernels - logits).max() < 5e-5
    return logits


@pytest.fixture(scope="module")
def mono(tmp_path_factory) -> Pair:
    return build(tmp_path_factory.mktemp("mono"))


@pytest.fixture(scope="module")
def melody(tmp_path_factory) -> Pair:
    return build(tmp_path_factory.mktemp("melody"), melody=True)


def plain_condition(pair: Pair, batch: int = 2, length: int = 6, seed: int = 0) -> Condition:
    _, states = pair.states(ids(batch, length, seed))
    return Condition(states, mx.ones((batch, length), mx.bool_))


# Against transformers


@pytest.mark.parametrize("name", SHAPES)
def test_logits_equal_the_reference(name, tmp_path):
    pair = build(tmp_path, seed=len(name), **SHAPES[name])
    text, tokens = ids(3, 6), pair.tokens(3, 9)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    _, states = pair.states(text, mask)
    expected = pair.reference_logits(tokens, input_ids=text, attention_mask=mask)
    assert np.ptp(expected) > 1.0
    ours = logits_of(pair.ours, Condition(states, mx.array(mask.numpy()) == 1), tokens)
    assert np.abs(ours - expected).max() < 1e-4


@pytest.mark.parametrize(
    "shape",
    [{}, {"num_codebooks": 8, "audio_channels": 2}, {"hidden_size": 24, "num_attention_heads": 2}],
    ids=["mono", "stereo", "text as wide as the decoder"],
)
def test_melody_logits_equal_the_reference(shape, tmp_path):
    pair = build(tmp_path, melody=True, **shape)
    text, tokens = ids(2, 5), pair.tokens(2, 9)
    _, states = pair.states(text)
    mask = mx.ones((2, 5), mx.bool_)
    expected = []
    for seed in (1, 2):
        chroma = one_hot(np.random.default_rng(seed).integers(0, 12, (2, CHROMA_LENGTH)))
        inputs = {"input_ids": text, "input_features": torch.tensor(chroma)}
        expected.append(pair.reference_logits(tokens, **inputs))
        ours = logits_of(pair.ours, Condition(states, mask, mx.array(chroma)), tokens)
        assert np.abs(ours - expected[-1]).max() < 1e-4
    # A reference that ignored the melody would prove nothing.
    assert np.abs(expected[0] - expected[1]).max() > 0.01


@pytest.mark.parametrize("frames", [1, 7, CHROMA_LENGTH + 3])
def test_chroma_of_another_length_is_repeated_or_cut_as_in_the_reference(melody, frames):
    text, tokens = ids(2, 5), melody.tokens(2, 3)
    _, states = melody.states(text)
    chroma = one_hot(np.random.default_rng(0).integers(0, 12, (2, frames)))
    expected = melody.reference_logits(tokens, input_ids=text, input_features=torch.tensor(chroma))
    ours = logits_of(melody.ours, Condition(states, mx.ones((2, 5), mx.bool_), mx.array(chroma)), tokens)
    assert np.abs(ours - expected).max() < 1e-4


def test_melody_model_without_a_melody_equals_the_reference(melody):
    text, tokens = ids(2, 5), melody.tokens(2, 4)
    _, states = melody.states(text)
    expected = melody.reference_logits(tokens, input_ids=text)
    ours = logits_of(melody.ours, Condition(states, mx.ones((2, 5), mx.bool_)), tokens)
    assert np.abs(ours - expected).max() < 1e-4


def reference_codes(pair: Pair, frames: int, **inputs) -> np.ndarray:
    """Generate greedily with the reference; return the codes that it hands to its audio decoder."""
    taken = []

    def decode(codes, **_):
        taken.append(codes[0].numpy())
        return SimpleNamespace(audio_values=torch.zeros(codes.shape[1], 1, 1))

    pair.theirs.audio_encoder.decode = decode
    delay = max(pair.config.num_codebooks // pair.config.audio_channels - 1, 0)
    pair.theirs.generate(**inputs, do_sample=False, guidance_scale=3.0, max_new_tokens=frames + delay)
    if pair.config.audio_channels == 1:
        return taken[0]
    left, right = taken
    return np.stack([left, right], axis=2).reshape(left.shape[0], -1, left.shape[2])


@pytest.mark.parametrize("melodic", [False, True], ids=["plain", "melody"])
@pytest.mark.parametrize("channels", [1, 2])
def test_greedy_guided_generation_equals_the_reference(melodic, channels, tmp_path):
    # This seed leaves no two likeliest codes closer than 2e-4 on the way, well above rounding.
    pair = build(tmp_path, melodic, seed=10, num_codebooks=4 * channels, audio_channels=channels)
    text, frames = ids(2, 5), 220
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1 if melodic else 0, 1 if melodic else 0]])
    _, states = pair.states(text, mask)
    inputs = {"input_ids": text, "attention_mask": mask}
    chroma = one_hot(np.random.default_rng(0).integers(0, 12, (2, CHROMA_LENGTH))) if melodic else None
    if melodic:
        inputs["input_features"] = torch.tensor(chroma)
    expected = reference_codes(pair, frames, **inputs)
    assert len(np.unique(expected)) > 20
    condition = Condition(states, mx.array(mask.numpy()) == 1, None if chroma is None else mx.array(chroma))
    greedy = Sampling(do_sample=False)
    for model in (pair.ours, ProcessorDecoder(pair.ours)):
        codes = generate_codes(model, condition, frames=frames, seeds=[0, 1], sampling=greedy)
        assert np.array_equal(np.array(codes), expected)


def test_positions_far_out_equal_the_reference(mono):
    text, tokens = ids(1, 4), mono.tokens(1, 1600)
    _, states = mono.states(text)
    expected = mono.reference_logits(tokens, input_ids=text)
    ours = logits_of(mono.ours, Condition(states, mx.ones((1, 4), mx.bool_)), tokens)
    assert np.abs(ours - expected).max() < 2e-4


# Against itself


@pytest.mark.parametrize("which", ["mono", "melody"])
@pytest.mark.parametrize("pieces", [[1] * 12, [5, 1, 4, 2]])
def test_cached_steps_equal_one_pass(which, pieces, request):
    pair = request.getfixturevalue(which)
    condition, tokens = plain_condition(pair), mx.array(pair.tokens(2, 12).numpy())
    whole = pair.ours(tokens, pair.ours.start(condition, 12, unconditional=True))
    state, at, parts = pair.ours.start(condition, 12, unconditional=True), 0, []
    for size in pieces:
        parts.append(pair.ours(tokens[:, :, at : at + size], state))
        at += size
    assert mx.abs(mx.concatenate(parts, axis=2) - whole).max().item() < 1e-5


@pytest.mark.parametrize("which", ["mono", "melody"])
def test_compiled_steps_equal_one_pass_across_a_retrace(which, request, monkeypatch):
    monkeypatch.setattr("music_catalog.generator.networks.musicgen._COLUMN_STEP", 5)
    pair = request.getfixturevalue(which)
    mask = mx.arange(6) < mx.array([6, 3])[:, None]
    condition, tokens = (
        replace(plain_condition(pair), encoder_mask=mask),
        mx.array(pair.tokens(2, 12).numpy()),
    )
    whole = pair.ours(tokens, pair.ours.start(condition, 12, unconditional=True))
    state = pair.ours.start(condition, 12, unconditional=True)
    parts = [pair.ours(tokens[:, :, :2], state)]
    step = pair.ours.compiled_step(state)
    parts += [step(tokens[:, :, at : at + 1]) for at in range(2, 12)]
    assert mx.abs(mx.concatenate(parts, axis=2) - whole).max().item() < 1e-5


def test_unconditional_rows_skip_cross_attention_exactly(mono):
    condition, tokens = plain_condition(mono), mono.tokens(2, 7)
    both = logits_of(mono.ours, condition, tokens, unconditional=True)
    # Attending in full to text that is zero after its projection.
    empty = replace(condition, encoder_mask=mx.zeros((2, 6), mx.bool_))
    attended = logits_of(mono.ours, empty, tokens)
    alone = logits_of(mono.ours, condition, tokens, conditional=False, unconditional=True)
    assert np.isfinite(attended).all()
    assert np.abs(both[2:] - attended).max() < 1e-5
    assert np.abs(both[2:] - alone).max() < 1e-5
    assert np.abs(both[:2] - both[2:]).max() > 0.1


@pytest.mark.parametrize("which", ["mono", "melody"])
def test_negative_text_stands_in_the_unconditional_half(which, request):
    pair = request.getfixturevalue(which)
    condition, tokens = plain_condition(pair), pair.tokens(2, 7)
    other = condition.encoder_states[::-1] * 0.5
    mask = mx.arange(6) < mx.array([6, 3])[:, None]
    against = replace(condition, negative_states=other, negative_mask=mask)
    both = logits_of(pair.ours, against, tokens, unconditional=True)
    plain = logits_of(pair.ours, condition, tokens, unconditional=True)
    alone = logits_of(pair.ours, Condition(other, mask), tokens)
    assert np.abs(both[:2] - plain[:2]).max() < 1e-5, "the conditional half is as without"
    assert np.abs(both[2:] - alone).max() < 1e-5, "the other half is told the negative text"
    assert np.abs(both[2:] - plain[2:]).max() > 0.1
    second = logits_of(pair.ours, against, tokens, conditional=False, unconditional=True)
    assert np.abs(second - alone).max() < 1e-5, "also in a pass of its own"


@pytest.mark.parametrize("which", ["mono", "melody"])
def test_a_row_without_negative_text_is_unconditional(which, request):
    pair = request.getfixturevalue(which)
    mask = mx.arange(6) < mx.array([6, 4])[:, None]
    condition, tokens = replace(plain_condition(pair), encoder_mask=mask), pair.tokens(2, 7)
    first_only = mx.array([[True] * 5 + [False], [False] * 6])
    against = replace(condition, negative_states=condition.encoder_states * 0.5, negative_mask=first_only)
    both = logits_of(pair.ours, against, tokens, unconditional=True)
    plain = logits_of(pair.ours, condition, tokens, unconditional=True)
    assert np.abs(both[3] - plain[3]).max() < 1e-5
    assert np.abs(both[2] - plain[2]).max() > 0.1


@pytest.mark.parametrize("which", ["mono", "melody"])
def test_a_padded_row_equals_the_row_alone(which, request):
    pair = request.getfixturevalue(which)
    condition, tokens = plain_condition(pair), pair.tokens(2, 7)
    lengths = [6, 3]
    mask = mx.arange(6) < mx.array(lengths)[:, None]
    together = logits_of(pair.ours, replace(condition, encoder_mask=mask), tokens, unconditional=True)
    for row, length in enumerate(lengths):
        states = condition.encoder_states[row : row + 1, :length]
        single = Condition(states, mx.ones((1, length), mx.bool_))
        alone = logits_of(pair.ours, single, tokens[row : row + 1], unconditional=True)
        assert np.abs(together[[row, row + 2]] - alone).max() < 1e-5


@pytest.mark.parametrize("which", ["mono", "melody"])
@pytest.mark.parametrize("negative", [0, 2])
def test_a_row_without_text_equals_the_row_alone_beside_longer_texts(which, negative, request):
    pair = request.getfixturevalue(which)
    condition, tokens = plain_condition(pair), pair.tokens(2, 7)

    def shown(width, rows):
        """Return the rows as their texts are laid out in `width` columns: six tokens, none."""
        mask = mx.arange(width) < mx.array([6, 0])[rows, None]
        against = mx.arange(width) < mx.array([0, negative])[rows, None]
        states = condition.encoder_states[rows, :width]
        return Condition(states, mask, None, *((states * 0.5, against) if negative else ()))

    together = logits_of(pair.ours, shown(6, slice(0, 2)), tokens, unconditional=True)
    alone = logits_of(pair.ours, shown(max(1, negative), slice(1, 2)), tokens[1:], unconditional=True)
    assert np.abs(together[[1, 3]] - alone).max() < 1e-5


@pytest.mark.parametrize("which", ["mono", "melody"])
@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_half_precision_stays_half_through_the_blocks(which, dtype, request, monkeypatch):
    pair = request.getfixturevalue(which)
    model = load(pair.folder, pair.config)
    model.set_dtype(dtype)
    condition = plain_condition(pair)  # single precision, as the text encoder gives it
    state = model.start(condition, 3, unconditional=True)
    seen = []
    for layer, layer_state in zip(model.layers, state.layers, strict=True):
        x = mx.zeros((state.rows, 1, pair.config.hidden_size), dtype)
        made = layer(x, x, layer_state, Span(mx.array([0]), 1, None, None), model.out_norm)
        seen += [*(part.dtype for part in made), layer_state.columns.dtype]
        seen += [] if layer_state.text is None else [part.dtype for part in layer_state.text]
    state = model.start(condition, 3, unconditional=True)
    entered = []
    block = DecoderLayer.__call__
    monkeypatch.setattr(
        DecoderLayer, "__call__", lambda self, x, *rest: entered.append(x.dtype) or block(self, x, *rest)
    )
    hidden = model.hidden(mx.zeros((2, 4, 3), mx.int32), state)
    assert {*seen, *entered, hidden.dtype, model.logits(hidden).dtype} == {dtype}


def test_half_precision_is_close_to_single(mono):
    model = load(mono.folder, mono.config)
    condition, tokens = plain_condition(mono), mono.tokens(2, 7)
    single = logits_of(model, condition, tokens)
    model.set_dtype(mx.float16)
    assert np.abs(logits_of(model, condition, tokens) - single).max() < 0.05


@pytest.mark.parametrize(("bits", "worst"), [(8, 0.02), (4, 0.35)])
def test_quantized_weights_are_close_and_load_again(bits, worst, tmp_path):
    pair = build(tmp_path, hidden_size=64, ffn_dim=128)
    model, again = load(tmp_path, pair.config), MusicgenDecoder(pair.config)
    condition, tokens = plain_condition(pair), pair.tokens(2, 7)
    exact = logits_of(model, condition, tokens)
    quantize(model, bits)
    rough = logits_of(model, condition, tokens)
    assert np.linalg.norm(rough - exact) / np.linalg.norm(exact) < worst
    kinds = {type(module) for name, module in model.named_modules() if "proj" in name or "fc" in name}
    assert kinds == {nn.QuantizedLinear, nn.Linear}
    quantize(again, bits)
    again.load_weights(tree_flatten(model.parameters()))
    assert np.array_equal(logits_of(again, condition, tokens), rough)


def test_melody_model_quantizes(melody, tmp_path):
    pair = build(tmp_path, melody=True, hidden_size=64, ffn_dim=128)
    exact = logits_of(pair.ours, plain_condition(pair), pair.tokens(2, 3))
    quantize(pair.ours, 8)
    rough = logits_of(pair.ours, plain_condition(pair), pair.tokens(2, 3))
    assert np.linalg.norm(rough - exact) / np.linalg.norm(exact) < 0.02


@pytest.mark.parametrize(("columns", "capacity"), [(11, 256), (256, 256), (257, 512), (1504, 1536)])
def test_the_cache_is_allocated_once_in_whole_steps(mono, columns, capacity):
    """So that fifty durations take six sizes of buffers, which Metal's pool gives back to each other."""
    state = mono.ours.start(plain_condition(mono), columns, unconditional=True)
    shape = (2, 4, 4, capacity, 12)
    assert {layer.columns.shape for layer in state.layers} == {shape}
    mono.ours(mx.zeros((2, 4, 3), mx.int32), state)
    assert {layer.columns.shape for layer in state.layers} == {shape}


# Configuration and names


def test_configuration_is_read_from_the_checkpoint(melody):
    assert melody.config == MusicgenConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=80,
        vocab_size=64,
        text_dim=24,
        melody=True,
        chroma_length=CHROMA_LENGTH,
    )


def test_configuration_defaults_to_small_and_ignores_unknown_keys():
    config = MusicgenConfig.from_dict({"model_type": "musicgen", "decoder": {"layerdrop": 0.1}, "other": 1})
    assert config == MusicgenConfig()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "'bert'"),
        ({}, "None"),
        ({"model_type": "musicgen", "decoder": {"activation_function": "relu"}}, "'relu'"),
        ({"model_type": "musicgen", "decoder": {"num_attention_heads": 7}}, "7"),
        ({"model_type": "musicgen", "decoder": {"audio_channels": 2, "num_codebooks": 5}}, "5 codebooks"),
    ],
)
def test_another_architecture_is_refused(config, message):
    with pytest.raises(WeightsError, match=message):
        MusicgenConfig.from_dict(config)


def test_sanitize_takes_the_decoder_alone(mono):
    weights = {n: mx.array(p.detach().numpy()) for n, p in mono.theirs.decoder.named_parameters()}
    assert sanitize(weights).keys() == dict(tree_flatten(mono.ours.parameters())).keys() - {
        "text_proj.weight",
        "text_proj.bias",
    }


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("decoder.model.decoder.layers.0.self_attn.k_proj.weight", "part k of layers.0.self_attn"),
        ("decoder.lm_heads.1.weight", "part 1 of heads"),
    ],
)
def test_a_missing_part_is_named(mono, part, message):
    weights = {n: mx.array(p.detach().numpy()) for n, p in mono.theirs.named_parameters() if n != part}
    with pytest.raises(WeightsError, match=message):
        sanitize(weights)


@pytest.mark.parametrize("form", ["float16", "bfloat16", "8 bits", "4 bits"])
@pytest.mark.parametrize("melodic", [False, True], ids=["plain", "melody"])
def test_kernels_read_every_form_of_the_weights(form, melodic, tmp_path):
    pair = build(tmp_path, melodic, hidden_size=64, ffn_dim=96)
    packed, read = pair.ours, load(tmp_path, pair.config)
    if form.endswith("bits"):
        quantize(packed, int(form[0]), group_size=32)
        for name, module in packed.named_modules():
            if isinstance(module, nn.QuantizedLinear):
                sizes = {"group_size": 32, "bits": int(form[0])}
                weight = mx.dequantize(module.weight, module.scales, module.biases, **sizes)
                read.load_weights([(f"{name}.weight", weight)], strict=False)
    else:
        packed.set_dtype(getattr(mx, form))
        read.update(packed.parameters())
        read.set_dtype(mx.float32)
    mask = mx.arange(6) < mx.array([6, 3])[:, None]
    condition, tokens = replace(plain_condition(pair), encoder_mask=mask), mx.array(pair.tokens(2, 7).numpy())
    logits = [
        np.array(model(tokens, model.start(condition, 7, unconditional=True)))
        for model in (ProcessorDecoder(packed), read)
    ]
    # What is not in blocks, embeddings and the condition's projection, is computed in the type of the weights.
    assert np.abs(logits[0] - logits[1]).max() < {"float16": 0.05, "bfloat16": 0.4}.get(form, 5e-5)
    assert np.ptp(logits[1]) > 5

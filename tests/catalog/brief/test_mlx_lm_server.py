"""The reader against a real server, `mlx_lm.server`, with a tiny Llama of random weights: the protocol, and what
happens when a model knows nothing. Skipped where mlx_lm is not installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.request
from socket import socket

import pytest

from music_catalog import presets
from music_catalog.brief.endpoint import complete
from music_catalog.brief.language_model import LanguageModel, Unread
from music_catalog.presets import Reader

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mlx_lm") is None, reason="mlx_lm is not installed")

HIDDEN, HEADS, LAYERS, WIDE = 64, 4, 2, 128
TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"


def write_checkpoint(folder):
    """Write a Llama of random weights in the hub's layout, whose tokens are the 256 bytes and an end."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)} | {"</s>": len(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    random = np.random.default_rng(0)

    def weight(*shape):
        return random.normal(0, 0.5, shape).astype(np.float32)

    tensors = {
        "model.embed_tokens.weight": weight(len(vocabulary), HIDDEN),
        "lm_head.weight": weight(len(vocabulary), HIDDEN),
        "model.norm.weight": np.ones(HIDDEN, np.float32),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            tensors[f"{at}.self_attn.{name}.weight"] = weight(HIDDEN, HIDDEN)
        for name, shape in (
            ("gate_proj", (WIDE, HIDDEN)),
            ("up_proj", (WIDE, HIDDEN)),
            ("down_proj", (HIDDEN, WIDE)),
        ):
            tensors[f"{at}.mlp.{name}.weight"] = weight(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{at}.{name}.weight"] = np.ones(HIDDEN, np.float32)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "mlx"})
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "intermediate_size": WIDE,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": 1e-5,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 32_768,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": False,
        "eos_token_id": vocabulary["</s>"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "chat_template": TEMPLATE,
        "model_max_length": 32_768,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Yield the address of a server that is ready, and its model."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    write_checkpoint(folder)
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log.txt"
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(folder), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--max-tokens", "40"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    try:
        for _ in range(600):
            if process.poll() is not None:
                pytest.fail(f"mlx_lm.server ended: {log.read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(30)


def test_the_server_answers_in_the_form_that_is_read(server):
    url, model = server
    reader = Reader(base_url=url, model=model, timeout_s=120.0)
    messages = [{"role": "user", "content": "Soft rain."}]
    answer = complete(reader, messages, {"type": "json_object"}, time.monotonic() + 120)
    assert len(answer) > 10


def test_a_model_that_knows_nothing_gives_no_brief_and_a_sentence(server, tmp_path):
    url, model = server
    reader = Reader(base_url=url, model=model, timeout_s=240.0)
    styles = dict([*presets.load().styles.items()][:3])
    with pytest.raises(Unread) as caught:
        LanguageModel(reader, styles, tmp_path).read("", "Soft rain taps on the windows.")
    assert "gave no valid brief, also when told why" in str(caught.value)


def test_a_model_that_the_server_has_not_is_a_failure_in_one_sentence(server, tmp_path):
    url, _ = server
    reader = Reader(base_url=url, model="/no/such/model", timeout_s=120.0)
    with pytest.raises(Unread) as caught:
        LanguageModel(reader, presets.load().styles, tmp_path).read("", "Soft rain.")
    assert "\n" not in str(caught.value)

"""Write small random text encoders in the hub's layout: multilingual architectures with a unigram tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

__all__ = ["write_tiny_encoder"]

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = (
    *("rain", "night", "sea", "calm", "the", "a", "on", "of", "roof"),
    *("regen", "nacht", "meer", "ruhig", "das", "dach"),
    *("lluvia", "noche", "mar", "en", "el", "techo"),
)


def write_tiny_encoder(
    folder: Path,
    model_type: str = "bert",
    *,
    dimension: int = 24,
    layers: int = 12,
    max_tokens: int = 128,
    seed: int = 0,
) -> Path:
    """Write a model as sentence-transformers lays it out and return its folder.

    "bert" is what paraphrase-multilingual-MiniLM-L12-v2 states, "xlm-roberta" what larger multilingual models state;
    both have the tokenizer of XLM-RoBERTa.
    """
    tokenizer = _tokenizer()
    config = {
        "model_type": model_type,
        "architectures": ["BertModel" if model_type == "bert" else "XLMRobertaModel"],
        "hidden_size": dimension,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * dimension,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12 if model_type == "bert" else 1e-5,
        "max_position_embeddings": 514,
        "pad_token_id": 0 if model_type == "bert" else 1,
        "type_vocab_size": 2 if model_type == "bert" else 1,
        "vocab_size": tokenizer.get_vocab_size(),
    }
    (folder / "1_Pooling").mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(_weights(config, seed), str(folder / "model.safetensors"), metadata={"format": "pt"})
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    tokens = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    for name, content in {
        "config.json": config,
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": max_tokens, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 512,
            **tokens,
        },
        "special_tokens_map.json": tokens,
        "1_Pooling/config.json": {"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": True},
    }.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def _tokenizer() -> Tokenizer:
    pieces = [*((one, 0.0) for one in SPECIAL), ("▁", -4.0)]
    pieces += [(f"▁{word}", -3.0 - 0.01 * number) for number, word in enumerate(WORDS)]
    pieces += [(chr(code), -8.0) for code in range(33, 591)]
    pieces += [(letter, -8.0) for letter in "ฝนตกเบาหลัง"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _weights(config: dict, seed: int) -> dict[str, np.ndarray]:
    rng, size, wide = np.random.default_rng(seed), config["hidden_size"], config["intermediate_size"]

    def dense(*shape: int) -> np.ndarray:
        return (0.2 * rng.normal(size=shape)).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": dense(config["vocab_size"], size),
        "embeddings.position_embeddings.weight": dense(config["max_position_embeddings"], size),
        "embeddings.token_type_embeddings.weight": dense(config["type_vocab_size"], size),
        "embeddings.LayerNorm.weight": 1 + dense(size),
        "embeddings.LayerNorm.bias": dense(size),
        "pooler.dense.weight": dense(size, size),
        "pooler.dense.bias": dense(size),
    }
    shapes = {
        "attention.self.query": (size, size),
        "attention.self.key": (size, size),
        "attention.self.value": (size, size),
        "attention.output.dense": (size, size),
        "intermediate.dense": (wide, size),
        "output.dense": (size, wide),
    }
    for layer in range(config["num_hidden_layers"]):
        base = f"encoder.layer.{layer}."
        for name, shape in shapes.items():
            weights[f"{base}{name}.weight"], weights[f"{base}{name}.bias"] = dense(*shape), dense(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{base}{name}.weight"], weights[f"{base}{name}.bias"] = 1 + dense(size), dense(size)
    return weights

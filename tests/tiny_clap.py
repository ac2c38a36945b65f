"""A small CLAP checkpoint with random weights, in the layout of the hub's: what transformers saves, and a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

TEXT = (
    "a an the and with of in is that this music sounds piece slow fast felt piano rain calm happy sad dark drums solo "
    "plays slowly aggressive heavy metal distorted guitars falls on leaves cheerful ukulele tune deep bass techno beat "
    "choir sings cathedral warm strings synth night ocean wind jazz rock folk no"
)
WORDS = TEXT.split()


def write_clap(
    folder: Path, *, seed: int = 0, tells_apart: bool = True, pickled: bool = False, **audio: object
) -> Path:
    """Write a ClapModel of two small towers into `folder`; without `tells_apart` all texts get nearly one vector."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    folder.mkdir(parents=True, exist_ok=True)
    config = ClapConfig(
        text_config={
            "vocab_size": len(WORDS) + 4,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 66,
        },
        audio_config={
            "patch_embeds_hidden_size": 8,
            "hidden_size": 64,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 4, 8],
            "num_hidden_layers": 4,
            **audio,
        },
        projection_dim=512,
    )
    torch.manual_seed(seed)
    model = ClapModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            same = name.startswith("text_projection") and not tells_apart
            if parameter.dim() > 1:
                # As they are drawn, the vectors of all sounds and of all texts are nearly alike.
                parameter.normal_(0.0, 1e-4 if same else 0.25)
            elif same:
                parameter.normal_()
    model.save_pretrained(folder)
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50).save_pretrained(folder)
    write_tokenizer(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer of whole words with RoBERTa's markers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: place for place, word in enumerate(("<s>", "<pad>", "</s>", "<unk>", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 64,
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

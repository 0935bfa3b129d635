from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.small import make_pair, make_row, put, train


@pytest.fixture(scope="session", autouse=True)
def _libraries() -> None:
    """Every training looks for garbage as it begins: not among the libraries, which have none and take long."""
    import gc

    from distill.engines.quiet import quiet

    with quiet():
        from trl import SFTTrainer  # noqa: F401
    gc.collect()
    gc.freeze()


def filled(folder: Path, model: Path, teacher: Path, rows: int = 40, pairs: int = 0) -> Path:
    """A folder that holds `model`, `teacher`, `mix/train.jsonl` of rows of different lengths, and what a test trains."""
    (folder / "model").symlink_to(model)
    (folder / "teacher").symlink_to(teacher)
    (folder / "mix").mkdir()
    put(folder, [*map(make_row, range(rows)), *map(make_pair, range(pairs))])
    return folder


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> Path:
    return filled(tmp_path, tiny_model, sharp_model)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, sharp_model: Path) -> Path:
    """What a training of `test_resume.SPEC` writes that nothing happens to, made once for all that are killed."""
    import torch

    from tests.train.test_resume import SPEC

    torch.set_num_threads(1)  # as the processes that are killed: sums in the same order
    folder = filled(tmp_path_factory.mktemp("undisturbed"), tiny_model, sharp_model)
    train(folder, SPEC)
    return folder / "out"


@pytest.fixture(scope="session")
def byte_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of three layers whose tokens are bytes: where the whole vocabulary is computed, 200 times less of it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=[]))
    bare.pre_tokenizer, bare.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "bos_token": "<|im_start|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, **special)
    tokenizer.chat_template = (
        "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder = tmp_path_factory.mktemp("byte_model")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1024, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def bytes_folder(tmp_path: Path, byte_model: Path) -> Path:
    """`folder` with the model of bytes, and pairs besides."""
    return filled(tmp_path, byte_model, byte_model, rows=24, pairs=24)

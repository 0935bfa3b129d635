"""The same tokens under output layers of different sizes, and different tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.engines.vocabulary import align, check_same
from distill.errors import TrainError
from tests.conftest import TOKENS


def tokenizer_of(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_equal_tokens_with_equal_ids_are_the_same(tiny_model: Path) -> None:
    check_same(tokenizer_of(tiny_model), tokenizer_of(tiny_model), "S", "T")


def test_a_token_more_is_named_with_the_way_out(tiny_model: Path) -> None:
    other = tokenizer_of(tiny_model)
    other.add_tokens(["<one>"])
    with pytest.raises(TrainError) as error:
        check_same(tokenizer_of(tiny_model), other, "S", "T")
    text = str(error.value)
    assert f"{TOKENS} in S and {TOKENS + 1} in T, 1 of them not the same" in text
    assert f"'<one>' is none and {TOKENS}" in text
    assert "sft" in text and "answer" in text and "GOLD" in text


def test_the_same_tokens_in_another_order_are_different_ones() -> None:
    class Words:
        def __init__(self, *words: str) -> None:
            self.words = words

        def get_vocab(self) -> dict[str, int]:
            return {word: place for place, word in enumerate(self.words)}

    ours: Any = Words("a", "b", "c")
    theirs: Any = Words("a", "c", "b")
    with pytest.raises(
        TrainError, match=r"2 of them not the same. For the student and the teacher 'b' is 1 and 2; 'c'"
    ):
        check_same(ours, theirs, "S", "T")


@pytest.mark.parametrize("tied", [True, False])
def test_the_larger_output_layer_is_cut_to_the_smaller(tied: bool) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from distill.engines import adapters

    def model(size: int) -> Any:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=size, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, tie_word_embeddings=tied,
        )  # fmt: skip
        return LlamaForCausalLM(config).requires_grad_(False)

    for ours, theirs in ((40, 48), (48, 40)):
        student, teacher = adapters.attach(model(ours), 2, 4, 0.0, "all-linear", 0), model(theirs)
        ids = torch.arange(10)[None]
        before = [one(ids).logits[..., :40] for one in (student, teacher)]
        align(student, teacher)
        after = [one(ids).logits for one in (student, teacher)]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert student.config.vocab_size == teacher.config.vocab_size == 40
        assert all("lora_" in name for name, weight in student.named_parameters() if weight.requires_grad)

"""What may be said of servers to be started without changing an answer."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.start import FASTER, Kind, Start, options


def test_options_are_told_from_values_however_they_are_written() -> None:
    words = ["--max-num-seqs", 512, "--no-enable_prefix_caching", "--threads=-1", "-1", -2.5, "-ngl", "99"]
    assert list(options(words)) == ["max-num-seqs", "enable-prefix-caching", "threads", "ngl"]


@pytest.mark.parametrize("kind", FASTER)
def test_what_only_makes_it_faster_is_taken(kind: Kind) -> None:
    for name in FASTER[kind].split():
        Start(kind=kind, args=(f"--{name}", 1))


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("vllm", ("--quantization", "fp8")),
        ("vllm", ("--dtype=float16",)),
        ("vllm", ("--max-num-seqs", 8, "--chat_template", "x.jinja")),
        ("sglang", ("--kv-cache-dtype", "fp8_e5m2")),
        ("llama_cpp", ("--cache-type-k", "q8_0")),
        ("transformers", ("--quantization", "bnb-4bit")),
        ("transformers", ("--continuous-batching",)),  # 5.23 draws all answers as the first question says
    ],
)
def test_what_may_change_an_answer_belongs_to_the_engine(kind: Kind, args: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError, match=r"may change the answers .* engine\.args"):
        Start(kind=kind, args=args)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="vllm"):
        Start.model_validate({"kind": "ollama"})

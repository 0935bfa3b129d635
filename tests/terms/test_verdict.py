"""What is accepted, what a name must keep, what is asked of which form."""

from __future__ import annotations

import pytest

from distill.terms.input import Input
from distill.terms.outcome import described
from distill.terms.registry import shipped
from distill.terms.verdict import judge

LLAMA = Input("teacher's answers", "meta-llama/Llama-3.1-8B-Instruct", ("llama3.1",))
BASE = Input("base weights", "Qwen/Qwen3-0.6B", ("apache-2.0",))
UNKNOWN = Input("real data", "someone/data")


def test_what_was_accepted_with_a_reason_is_ok() -> None:
    assert judge([UNKNOWN], "commercial", shipped())["rows"].level == "review"
    for key in ("someone/data",):
        found = judge([UNKNOWN], "commercial", shipped(), accepted={key: "we wrote it ourselves"})["rows"]
        assert found.level == "ok"
        assert found.inputs[0].findings[0].accepted == "we wrote it ourselves"


def test_nothing_that_is_blocked_can_be_accepted() -> None:
    teacher = Input("teacher's answers", "gpt-4o", host="api.openai.com")
    accepted = {"gpt-4o": "please", "openai-business": "please"}
    assert judge([teacher], "research", shipped(), accepted=accepted)["rows"].level == "blocked"


def test_only_a_student_that_holds_llama_shows_built_with_llama() -> None:
    outputs = judge([BASE, LLAMA], "commercial", shipped(), "tutor")["merged"].conditions
    weights = judge([Input("base weights", "meta-llama/Llama-3.1-8B", ("llama3.1",))], "commercial", shipped(), "tutor")
    assert not any("Built with Llama" in text for text in outputs)
    assert any("Built with Llama" in text for text in weights["merged"].conditions)
    assert any("begin with 'Llama', and 'tutor' does not" in text for text in outputs)


def test_a_teachers_software_licence_asks_nothing_of_its_outputs() -> None:
    found = judge([Input("teacher's answers", "Qwen/Qwen3-32B", ("apache-2.0",))], "redistribute", shipped())
    assert found["merged"].conditions == {}


def test_rows_are_judged_without_the_base() -> None:
    found = judge([Input("base weights", "someone/base"), LLAMA], "research", shipped())
    assert (found["merged"].level, found["rows"].level) == ("review", "ok")


def test_nothing_at_all_is_review() -> None:
    assert judge([], "research", shipped())["merged"].level == "review"


def test_a_condition_is_said_once_with_all_that_ask_for_it() -> None:
    data = [Input("real data", name, ("cc-by-4.0",)) for name in ("one", "two")]
    (asked,) = judge(data, "research", shipped())["rows"].conditions.values()
    assert asked == ["cc-by-4.0"]


def level(one: Input, use: str = "research", **accepted: str) -> str:
    return judge([one], use, shipped(), accepted=accepted)["rows"].level  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "192.168.0.7", "::1", "gpu-4", "gpu.internal"])
def test_a_machine_of_ones_own_has_no_terms(host: str) -> None:
    assert level(Input("teacher's answers", "Qwen/Qwen3-32B", host=host)) == "ok"


@pytest.mark.parametrize("host", ["10.example.com", "127.evil.com", "2606:4700::6810:85e5", "api.example.com"])
def test_any_other_host_is_to_be_looked_at(host: str) -> None:
    assert level(Input("teacher's answers", "Qwen/Qwen3-32B", host=host)) == "review"


def test_a_services_names_are_those_of_what_it_serves() -> None:
    assert level(Input("teacher's answers", "xai-org/grok-1", ("apache-2.0",))) == "ok"
    assert level(Input("teacher's answers", "o1-labs/foo", ("mit",))) == "ok"
    assert level(Input("real data", "./claude/my.jsonl", ("mit",))) == "ok"
    passed_on = Input("teacher's answers", "gpt-4o", ("mit",), host="localhost")
    assert level(passed_on) == "review"


def test_names_are_read_in_any_case() -> None:
    usual = Input("teacher's answers", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", ("mit",))
    lower = Input("teacher's answers", "deepseek-ai/deepseek-r1-distill-llama-8b", ("mit",))
    merged = [judge([one], "redistribute", shipped(), "tutor")["merged"].level for one in (usual, lower)]
    assert merged == ["blocked", "blocked"]


def test_every_base_of_a_merged_model_counts() -> None:
    bases = ("Qwen/Qwen3-8B", "meta-llama/Meta-Llama-3-8B")
    assert level(Input("teacher's answers", "someone/merged", ("apache-2.0",), made_from=bases)) == "blocked"


def test_a_doubt_about_what_it_is_is_settled_by_its_name_alone() -> None:
    relabelled = Input("teacher's answers", "google/gemma-3-27b-it@abc", ("apache-2.0",))
    assert level(relabelled) == "review"
    assert level(relabelled, gemma="read") == "review"
    assert level(relabelled, **{"google/gemma-3-27b-it": "our own copy"}) == "ok"
    assert level(relabelled, **{"google/gemma-3-27b-it@abc": "our own copy"}) == "ok"


def test_a_licence_may_be_accepted_by_any_of_its_names() -> None:
    silent = Input("teacher's answers", "LiquidAI/LFM2-1.2B", ("lfm1.0",))
    assert level(silent) == "review"
    assert level(silent, **{"lfm-open-license-v1.0": "asked them"}) == "ok"


def test_what_is_accepted_and_asked_about_nowhere_is_named() -> None:
    told = described([UNKNOWN], "research", "tutor", {"someone/data": "ours", "tpyo": "?"}, shipped())
    assert told.unused == ("tpyo",)


def test_thresholds_are_conditions_for_whoever_it_is_given_to() -> None:
    found = judge([LLAMA], "commercial", shipped(), "tutor")["merged"].conditions
    assert any("700,000,000 users a month" in text for text in found)


def test_a_folder_whose_name_sounds_like_a_service_is_judged_by_its_base() -> None:
    bases = ("meta-llama/Meta-Llama-3-8B",)
    for name in ("./mistral-finetune", "./my-finetune"):
        one = Input("teacher's answers", name, ("apache-2.0",), made_from=bases)
        assert level(one, "redistribute") == "blocked", name


def test_what_says_nothing_of_its_terms_is_accepted_by_its_reference_alone() -> None:
    one = Input("real data", "someone/data", ("unknown",))
    assert level(one, unknown="fine") == "review"
    assert level(one, **{"someone/data": "ours"}) == "ok"

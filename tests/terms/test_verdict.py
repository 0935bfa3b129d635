"""What is accepted, what a name must keep, what is asked of which form."""

from __future__ import annotations

from distill.terms.registry import shipped
from distill.terms.verdict import Input, judge

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

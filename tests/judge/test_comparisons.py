"""Which items are judged, what the judge is shown of them, and what the controls are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.errors import DistillError
from distill.judge import comparisons
from distill.judge.comparisons import CONSTANT, Item
from distill.judge.settings import Judge
from distill.rows import Message, Provenance, Row

JUDGE = Judge(by="critic", pairs=(("student", "base"), ("student", "teacher")))


def item(question: str, root: str, *before: tuple[str, str]) -> Item:
    messages = tuple(
        Message.model_validate({"role": role, "content": text})
        for role, text in (*before, ("user", question), ("assistant", "by hand"))
    )
    made = Provenance(source="real", origin="d@1", method="real", root=root)
    return Item("heldout_real", Row(kind="chat", messages=messages, provenance=made))


def test_the_conversation_before_the_last_question_is_shown_apart() -> None:
    one = item("And then?", "r", ("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi.")).compared(
        "p", "x", "y"
    )
    assert one.before == "system: Be brief.\nuser: Hello\nassistant: Hi." and one.question == "And then?"
    assert item("Alone?", "r").compared("p", "x", "y").before == ""


def test_the_answer_to_another_item_is_of_another_root_and_another_text() -> None:
    items = [item("1?", "a"), item("2?", "a"), item("3?", "b"), item("4?", "c")]
    texts = dict(zip((one.key for one in items), ("yes", "no", "yes", "so"), strict=True))
    found = comparisons.controls(items, texts)
    shuffled = {one.question: one.a for one in found["shuffled"]}
    assert shuffled == {"1?": "so", "2?": "yes", "3?": "so", "4?": "yes"}, "never its own text, never of its own root"
    assert all(one.b == texts["heldout_real", one.item] for one in found["shuffled"])
    assert {one.a for one in found["constant"]} == {CONSTANT}
    assert all(one.a == one.b for one in found["same"])


def test_items_that_share_a_root_alone_have_nothing_to_be_exchanged_with() -> None:
    items = [item("1?", "a"), item("2?", "a")]
    texts = {one.key: f"answer {place}" for place, one in enumerate(items)}
    assert comparisons.controls(items, texts)["shuffled"] == ()


def test_every_pair_has_the_items_that_both_arms_answered() -> None:
    items = [item(f"{n}?", f"r{n}") for n in range(4)]
    of = lambda *places: {items[n].key: f"answer {n}" for n in places}  # noqa: E731
    first, second = comparisons.of_arms(
        JUDGE, items, {"student": of(0, 1, 2), "base": of(1, 2, 3), "teacher": of(0, 1, 2, 3)}
    )
    assert [one.question for one in first.comparisons] == ["1?", "2?"] and first.unanswered == 2
    assert [one.question for one in second.comparisons] == ["0?", "1?", "2?"] and second.unanswered == 1
    with pytest.raises(DistillError, match="by both arms of a pair \\(student/base, student/teacher\\)"):
        comparisons.of_arms(JUDGE, items, {"student": of(0), "base": of(1), "teacher": of(2)})


def test_an_empty_answer_is_one_and_a_missing_one_is_none(tmp_path: Path) -> None:
    line = '{"suite": "s", "item": "%s", "answer": %s}\n'
    (tmp_path / "items.jsonl").write_text(line % ("a", '""') + line % ("b", "null"), encoding="utf-8")
    assert comparisons.answers(tmp_path) == {("s", "a"): ""}

"""Worked answers: which are right, which one is the row, what is said of a question without any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.errors import SourceError
from distill.generate.author import Author, Unusable
from distill.generate.math import Math
from distill.generate.method import Candidate, Check
from distill.generate.settings import Generate, Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows
from tests.generate.conftest import MODEL, Canned, real, work

METHOD = Math(questions="chat", answers=3)
HENS = real("How many eggs do 3 hens lay?", "Two each: 3 * 2 = 6.\n#### 6")


def answered(method: Math, author: Author, texts: Sequence[str], row: Row = HENS, place: int = 0) -> Row:
    """The row that a candidate makes of the answers; `…` at the end of one: it was cut; `!` alone: the engine failed."""
    candidate = list(islice(method.candidates(work(author, [row], "math")), place + 1))[place]
    requests = next(candidate)
    completions = [
        Completion(request.key, text, "error" if text == "!" else "length" if text.endswith("…") else "stop", 1, 1)
        for request, text in zip(requests, texts, strict=True)
    ]
    return after_checks(candidate, completions)


def after_checks(candidate: Candidate, got: object) -> Row:
    try:
        while isinstance(check := candidate.send(got), Check):
            got = check.run()
    except StopIteration as stop:
        row: Row = stop.value
        return row
    raise AssertionError("it asks again")


def test_the_first_right_answer_is_kept_with_the_share_of_right_ones(author: Author) -> None:
    row = answered(METHOD, author, ["The answer is 5.", "3 + 3.\n\nThe answer is **6.00** eggs.", "6"])
    assert (row.kind, row.answer) == ("chat", "3 + 3.\n\nThe answer is **6.00** eggs.")
    assert row.evidence == {"reference": "6"} and row.scores == {"pass_rate": 0.666667}
    assert row.provenance.sampling["sample"] == 1 and row.provenance.sampling["answers"] == 3
    assert row.provenance.parents == (HENS.id,) and row.provenance.root == HENS.provenance.root


def test_the_student_is_shown_the_question_as_people_asked_it(author: Author) -> None:
    method = METHOD.model_copy(update={"system": "Be brief."})
    requests = next(next(method.candidates(work(author, [HENS], "math"))))
    assert [request.sample for request in requests] == [0, 1, 2]
    assert requests[0].messages[-1].content.startswith(f"{HENS.question}\n\n")
    row = answered(method, author, ["6", "6", "6"])
    assert [message.content for message in row.messages] == ["Be brief.", HENS.question, "6"]


def test_a_cut_answer_is_none_and_a_failed_request_does_not_count(author: Author) -> None:
    row = answered(METHOD, author, ["!", "The answer is 6…", "6"])
    assert row.answer == "6" and row.scores == {"pass_rate": 0.5}


def test_other_right_answers_make_rows_of_their_own(author: Author) -> None:
    method = METHOD.model_copy(update={"keep": 2})
    texts = ["It is 6.", "It is 6.", "The answer is 6."]
    assert [answered(method, author, texts, place=place).answer for place in (0, 1)] == ["It is 6.", "The answer is 6."]
    with pytest.raises(Unusable) as caught:
        answered(method, author, ["It is 6."] * 3, place=1)
    assert caught.value.reason == "no_other_right_answer"


def test_every_question_comes_once_before_one_comes_twice(author: Author) -> None:
    rows = [real(f"What is {number} + 1?", str(number + 1)) for number in range(5)]
    method = METHOD.model_copy(update={"keep": 2})
    asked = [next(candidate)[0].messages[-1].content for candidate in method.candidates(work(author, rows, "math"))]
    assert len(asked) == 10 and len(set(asked[:5])) == 5 and asked[5:] == asked[:5]


@pytest.mark.parametrize(
    ("row", "texts", "reason", "detail"),
    [
        (HENS, ["!", "!", "!"], "engine_error", ""),
        (HENS, ["I do not know.", "None.", "6 and…"], "no_final_answer", "(no final answer)"),
        (HENS, ["5", "7", "none"], "no_right_answer", "6 is right, said was 5, 7, (no final answer)"),
    ],
)
def test_what_is_refused_and_why(author: Author, row: Row, texts: list[str], reason: str, detail: str) -> None:
    with pytest.raises(Unusable) as caught:
        answered(METHOD, author, texts, row)
    assert caught.value.reason == reason and detail in caught.value.detail


def test_a_question_without_a_reference_is_refused_and_data_without_any_before_it_starts(author: Author) -> None:
    unknown = real("What is life?", "Nobody can say.")
    candidates = list(METHOD.candidates(work(author, [HENS, unknown], "math")))
    reasons = []
    for candidate in candidates:
        try:
            next(candidate)
        except Unusable as unusable:
            reasons.append(unusable.reason)
    assert reasons == ["no_reference"]
    with pytest.raises(SourceError, match="no row of 'chat' has an answer"):
        next(METHOD.candidates(work(author, [unknown], "math")))


def test_evidence_of_the_data_goes_before_its_answer(author: Author) -> None:
    row = HENS.model_copy(update={"evidence": {"reference": "7"}})
    assert answered(METHOD, author, ["6", "7", "6"], row).answer == "7"


def test_the_majority_decides_where_nothing_is_known(author: Author) -> None:
    method = Math(questions="chat", answers=4, check="majority")
    unknown = real("How many eggs do 3 hens lay?", None)
    row = answered(method, author, ["The answer is 5.", "The answer is 1/2.", r"\boxed{0.5}", "so it is 0.50"], unknown)
    assert row.answer == "The answer is 1/2."
    assert row.evidence == {"majority": r"\frac{1}{2}"} and row.scores == {"agreement": 0.75}
    for texts in (["5", "5", "6", "6"], ["5", "6", "7", "8"], ["5", "I do not know.", "None.", "None."]):
        with pytest.raises(Unusable) as caught:
            answered(method, author, texts, unknown)
        assert caught.value.reason == "no_majority"
    strict = method.model_copy(update={"agree": 0.8})
    with pytest.raises(Unusable):
        answered(strict, author, ["5", "5", "5", "6"], unknown)


@pytest.mark.parametrize("wrong", [{"check": "majority", "answers": 1}, {"answers": 2, "keep": 3}])
def test_what_cannot_be_asked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Math.model_validate({"questions": "chat", **wrong})


def test_the_stage_keeps_the_questions_that_were_answered(
    split: Path, tmp_path: Path, context: Context, use: Callable[[Callable[[Request], str]], Canned]
) -> None:
    """The conftest's rows have the number of their subject as a reference; of odd ones the second answer is right."""

    def say(request: Request) -> str:
        number = int(request.messages[0].content.split("?")[0].split()[-1])
        return f"The answer is {number if request.sample == number % 2 else -1}."

    rows = [real(f"What is subject {number}?", str(number)) for number in range(1, 31)]
    (split / "train" / "chat.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in rows), encoding="utf-8")
    engine = use(say)
    generate = Generate(rows=30, methods=(Math(questions="chat", answers=2),), budget={"candidates": 30})
    summary = run(
        Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=1),
        {"split": split},
        tmp_path,
        context,
    )
    written = list(read_rows(tmp_path / "rows.jsonl"))
    assert summary["counts"] == {"requested": 30, "parsed": 30, "failed": 0, "missing": 0} and len(engine.asked) == 60
    assert all(row.answer == f"The answer is {row.evidence['reference']}." for row in written)
    assert {row.provenance.sampling["sample"] for row in written} == {0, 1}
    assert {row.scores["pass_rate"] for row in written} == {0.5}

"""A synthetic test set: from held-out rows alone, confirmed by a second answer, exactly as many as asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context, Resolved
from distill.errors import YieldError
from distill.filter import stage as filtering
from distill.filter.contamination.contamination import Contamination
from distill.generate import benchmark
from distill.generate.author import Author, Unusable
from distill.generate.benchmark import Benchmark, Distinct, Spec
from distill.generate.method import Candidate, Work
from distill.generate.settings import Spec as GenerateSpec
from distill.generate.stage import run as generate
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows, root_of, write_rows
from tests.generate.conftest import MODEL, Canned, Say, real
from tests.generate.test_document_qa import passage

Use = Callable[[Say], Canned]
ANSWER = {"kind": "answer", "prompts": "chat"}
QA = {"kind": "document_qa", "documents": "docs"}
QUESTION = "How long does a worker bee live in summer?"


def section(method: dict[str, Any] = ANSWER, **fields: Any) -> Benchmark:
    return Benchmark.model_validate({"rows": 3, "methods": [method], **fields})


def spec(*methods: dict[str, Any], rows: int = 3, **fields: Any) -> Spec:
    one = Benchmark.model_validate({"rows": rows, "methods": list(methods) or [ANSWER], **fields})
    teachers = {name: {"model": MODEL} for name in one.asks}
    return Spec.model_validate({"teachers": teachers, "benchmark": one, "seed": 7, "templates": one.digest})


def number(text: str) -> str:
    return next(word for word in text.replace("?", " ").split() if word.isdigit())


def knowing(request: Request) -> str:
    """A teacher who answers with the question's number, at length and in short."""
    told = request.messages[-1].content
    place = number(told.rsplit("subject", 1)[-1])
    return f"{place}0" if "few words" in told else f"Of that subject it is known that it has {place}0 parts."


def rows_of(out: Path) -> list[Row]:
    return list(read_rows(out / "rows.jsonl"))


def test_items_descend_from_held_out_rows_alone(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    engine = use(knowing)
    summary = benchmark.run(spec(), {"split": split}, tmp_path, context)
    rows = rows_of(tmp_path)
    held = {row.provenance.root for row in read_rows(split / "heldout" / "chat.jsonl")}
    assert len(rows) == 3 and {row.provenance.root for row in rows} <= held
    for row in rows:
        place = number(row.question)
        assert (row.kind, row.evidence) == ("benchmark", {"reference": f"{place}0"})
        assert row.answer.endswith(f"{place}0 parts.")
        assert row.provenance.sampling["confirmed_by"] == f"{MODEL}@abc" and row.provenance.depth == 1
    assert summary["counts"]["parsed"] == 3
    counts = summary["counts"]
    assert counts["requested"] == counts["parsed"] + counts["failed"] + counts["missing"]
    lines = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert {line["reason"] for line in lines} <= {"surplus"} and len(lines) == counts["failed"]
    assert all(number(request.messages[-1].content.rsplit("subject", 1)[-1])[:1] == "1" for request in engine.asked)


def confirmed(author: Author, row: Row, text: str, finish: str = "stop", **fields: Any) -> Row:
    """What becomes of a method's row when the second answer is this."""

    def made() -> Candidate:
        return row
        yield

    one = section(**fields)
    work = Work("answer", author, {"judge": replace(author, origin="org/judge@1", terms=("own",), depth=2)}, {})
    candidate = one.confirmed(work, made())
    request = next(candidate)
    try:
        candidate.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type]
    except StopIteration as stop:
        found: Row = stop.value
        return found
    raise AssertionError("asked again")


def bee(answer: str = "A worker lives about six weeks.", **evidence: str) -> Row:
    made = real(QUESTION, answer)
    provenance = made.provenance.model_copy(update={"sampling": {"finish": "stop"}})
    return Row(kind="chat", messages=made.messages, evidence=evidence, provenance=provenance)


def test_another_model_confirms_and_is_named_with_its_terms(author: Author) -> None:
    row = confirmed(author, bee(), '"Six weeks."', confirm="judge")
    assert row.evidence == {"reference": "Six weeks"}
    assert row.provenance.sampling["confirmed_by"] == "org/judge@1"
    assert row.provenance.terms == ("cc-by-4.0", "own") and row.provenance.depth == 3
    assert row.id != bee().id


@pytest.mark.parametrize(
    ("row", "text", "finish", "reason"),
    [
        (bee(), "Eight weeks", "stop", "not_confirmed"),
        (bee(), "In summer", "stop", "not_confirmed"),
        (bee(), "It lives for about six weeks, as every beekeeper knows well", "stop", "long_reference"),
        (bee(), "...", "stop", "long_reference"),
        (bee(), "Six", "length", "unfinished_reference"),
        (bee(), "", "error", "engine_error"),
    ],
)
def test_what_is_not_confirmed(author: Author, row: Row, text: str, finish: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        confirmed(author, row, text, finish)
    assert caught.value.reason == reason


def test_half_an_answer_and_a_conversation_are_no_items(author: Author) -> None:
    cut = bee().provenance.model_copy(update={"sampling": {"finish": "length"}})
    with pytest.raises(Unusable, match="unfinished_answer"):
        confirmed(author, bee().model_copy(update={"provenance": cut}), "Six weeks")
    talk = (*bee().messages, *bee().messages)
    with pytest.raises(Unusable, match="several_turns"):
        confirmed(author, Row(kind="chat", messages=talk, provenance=bee().provenance), "Six weeks")


def test_the_second_answer_sees_the_passage_once() -> None:
    one = section()
    told = one.again(bee(passage="Bees live in a hive."))[-1].content
    assert told.count("Bees live in a hive.") == 1 and QUESTION in told
    inside = bee(passage="Bees live in a hive.").model_copy(
        update={"messages": real(f"Bees live in a hive.\n\n{QUESTION}").messages}
    )
    assert one.again(inside)[-1].content.count("Bees live in a hive.") == 1
    own = section(template="{{ question }} Briefly.")
    assert [message.content for message in own.again(bee())] == [f"{QUESTION} Briefly."]
    assert own.digest != one.digest


def test_questions_that_come_again_are_dropped_by_the_first_of_them() -> None:
    rows = [real("What is a fjord?"), real("What is a FJORD"), real("What is a delta of a river?")]
    near = real("What is a delta of the river?")
    provenance = near.provenance.model_copy(update={"root": rows[2].provenance.root})
    rows += [near, near.model_copy(update={"provenance": provenance})]
    judged = Distinct().together(rows)
    assert [one.verdict.reason for one in judged] == ["", "same_question", "", "", "same_question"]


def test_an_item_that_people_or_documents_of_the_training_side_ask_is_none(
    split: Path, context: Context, use: Use, tmp_path: Path
) -> None:
    texts = [f"Item {n} was found in cellar {n} near the old town." for n in range(9)]
    write_rows(split / "heldout" / "docs.jsonl", [passage(text, f"d{n}", "") for n, text in enumerate(texts)])
    write_rows(split / "train" / "docs.jsonl", [])
    asked = [real(f"Where was item {n} found?") for n in range(5)]
    write_rows(split / "train" / "chat.jsonl", asked)

    def say(request: Request) -> str:
        told = request.messages[-1].content
        place = number(told)
        if "quiz" in told:
            return f"Where was item {place} found?"
        return f"Cellar {place}" if "few words" in told else f"Item {place} was found in cellar {place}."

    use(say)
    benchmark.run(spec(QA, rows=4), {"split": split}, tmp_path, context)
    assert {row.evidence["reference"] for row in rows_of(tmp_path)} == {f"Cellar {n}" for n in range(5, 9)}
    lines = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert {line["reason"] for line in lines} == {"training_prompt"}


def test_too_few_confirmed_say_why(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(lambda request: "Something else" if "few words" in request.messages[-1].content else "It has many parts.")
    with pytest.raises(YieldError, match="benchmark: 0 of 3 rows were accepted") as caught:
        benchmark.run(spec(), {"split": split}, tmp_path, context)
    assert "answer.not_confirmed, such as" in str(caught.value) and "all that 'chat' offers" in str(caught.value)
    assert "hold out more (split.held_out_prompts)" in str(caught.value)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"kind": "magpie"}, "magpie starts from no data"),
        ({"kind": "continue", "passages": "docs"}, "continue makes rows of kind text"),
        ({"kind": "rank", "prompts": "chat", "by": {"judge": "judge"}}, "rank makes rows of kind preference"),
    ],
)
def test_methods_that_make_no_items(method: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(method)


@pytest.fixture
def made(split: Path, context: Context, use: Use, tmp_path: Path) -> dict[str, Path]:
    """The folders of a split and a benchmark of all its held-out prompts."""
    use(knowing)
    out = tmp_path / "benchmark"
    out.mkdir()
    benchmark.run(spec(rows=6, budget={"candidates": 6}), {"split": split}, out, context)
    return {"split": split, "benchmark": out}


def test_a_training_candidate_that_asks_a_benchmark_question_is_dropped_by_generation(
    made: dict[str, Path], context: Context, use: Use, tmp_path: Path
) -> None:
    taken = [row.question for row in rows_of(made["benchmark"])]
    # The held-out rows themselves are out of sight, so that the benchmark alone decides.
    write_rows(made["split"] / "heldout" / "chat.jsonl", [])
    use(lambda request: taken[request.sample % 6] if len(request.messages) > 1 and request.sample < 4 else "How so?")
    method = {"kind": "self_instruct", "seeds": "chat"}
    asked: dict[str, Any] = {"teachers": {"teacher": {"model": MODEL}}, "filter": ()}
    asked["generate"] = {"rows": 1, "methods": [method], "budget": {"candidates": 40}}
    generate(GenerateSpec.model_validate({**asked, "seed": 7}), made, tmp_path, context)
    assert not {root_of(row.messages) for row in rows_of(tmp_path)} & {
        row.provenance.root for row in rows_of(made["benchmark"])
    }
    lines = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert {line["reason"] for line in lines} == {"held_out", "written_before"}


def test_a_training_row_that_equals_a_benchmark_question_or_answer_is_dropped_by_the_filter(
    made: dict[str, Path], tmp_path: Path
) -> None:
    write_rows(made["split"] / "heldout" / "chat.jsonl", [])
    items = rows_of(made["benchmark"])
    guilty = [real(items[0].question.upper(), "No."), real("Something else?", items[1].answer)]
    innocent = real("What is known of moss?", "Much is known of moss.")
    rows = [
        Row(kind="chat", messages=row.messages, provenance=row.provenance.model_copy(update={"method": "answer"}))
        for row in (*guilty, innocent)
    ]
    folder = tmp_path / "generate"
    folder.mkdir()
    write_rows(folder / "rows.jsonl", rows)
    chain = filtering.Spec(filter=(Contamination(),), rows=1, shares={"answer": 1.0}, min_yield=0, student=None)
    out = tmp_path / "out"
    out.mkdir()
    context = Context(tmp_path, {MODEL: Resolved(MODEL, tmp_path, "abc")})
    summary = filtering.run(chain, {**made, "generate": folder}, out, context)
    assert list(read_rows(out / "kept.jsonl")) == [rows[2]]
    assert summary["dropped"] == {"contamination.answer_seen": 1, "contamination.question_seen": 1}

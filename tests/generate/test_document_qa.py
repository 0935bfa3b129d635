"""Questions about passages: which sentence is asked about, what becomes a row, what is refused and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.context import Context
from distill.generate.author import Author, Unusable
from distill.generate.document_qa import DocumentQA, asked_about
from distill.generate.method import Candidate
from distill.generate.settings import Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.rows import Message, Provenance, Row, read_rows, write_rows
from tests.generate.conftest import MODEL, Canned, Say, work

BEES = (
    "A hive holds 50,000 workers and one queen. A worker that hatches in summer lives about six weeks. "
    "The dance tells where the flowers are."
)
QUESTION = "How long does a worker bee live in summer?"
ANSWER = "A worker that hatches in summer lives about six weeks."
METHOD = DocumentQA(documents="docs")


def passage(text: str = BEES, root: str = "bees", title: str = "The honey bee") -> Row:
    made = Provenance(source="real", origin="org/docs@1", method="real", root=root, terms=("cc0-1.0",))
    messages = (Message(role="assistant", content=text),)
    return Row(kind="text", messages=messages, evidence={"title": title} if title else {}, provenance=made)


def first(author: Author, method: DocumentQA = METHOD, row: Row | None = None) -> tuple[Candidate, Request]:
    candidate = next(method.candidates(work(author, [row or passage()], "document_qa", "docs")))
    return candidate, next(candidate)


def say(candidate: Candidate, request: Request, text: str, finish: str = "stop") -> Request | Row:
    try:
        return candidate.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type]
    except StopIteration as stop:
        row: Row = stop.value
        return row


def answered(author: Author, question: str, answer: str, method: DocumentQA = METHOD) -> Row:
    candidate, request = first(author, method)
    asked = say(candidate, request, question)
    assert isinstance(asked, Request)
    row = say(candidate, asked, answer)
    assert isinstance(row, Row)
    return row


def refused(author: Author, question: str, answer: str | None = None, method: DocumentQA = METHOD) -> str:
    candidate, request = first(author, method)
    try:
        asked = say(candidate, request, question)
        assert isinstance(asked, Request) and answer is not None, asked
        return f"not refused: {say(candidate, asked, answer)}"
    except Unusable as unusable:
        return unusable.reason


def test_the_row_is_the_question_alone_and_the_passage_is_its_evidence(author: Author) -> None:
    row = answered(author, f"Question: {QUESTION}", ANSWER)
    assert [(m.role, m.content) for m in row.messages] == [("user", QUESTION), ("assistant", ANSWER)]
    assert (row.kind, row.evidence, row.scores) == ("chat", {"passage": BEES}, {"support": 1.0})
    made = row.provenance
    assert (made.parents, made.root, made.depth) == ((passage().id,), "bees", 1)
    assert made.terms == ("apache-2.0", "cc0-1.0") and made.method == "document_qa"


def test_the_passage_may_stand_before_the_question(author: Author) -> None:
    method = METHOD.model_copy(update={"with_passage": True, "system": "Be brief."})
    question = "What does the text say of a worker's life in summer?"
    row = answered(author, question, ANSWER, method)
    assert [message.role for message in row.messages] == ["system", "user", "assistant"]
    assert row.question == f"{BEES}\n\n{question}"


def test_an_example_is_shown_as_an_earlier_turn(author: Author) -> None:
    candidate, request = first(author)
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert "Eiffel" in request.messages[0].content and BEES in request.messages[2].content
    assert "Title: The honey bee" in request.messages[2].content
    assert request.sampling.max_new_tokens == METHOD.question_tokens
    asked = say(candidate, request, QUESTION)
    assert isinstance(asked, Request) and asked.messages[2].content.endswith(QUESTION)
    untitled = first(author, row=passage(title=""))[1]
    assert "Title:" not in untitled.messages[2].content


def test_questions_are_counted_by_passage_and_each_is_about_another_sentence() -> None:
    rows = [passage(), passage("Only this sentence here is worth a question. Not this one."), passage("# A heading")]
    found = list(asked_about(rows, 7, 2))
    assert [row.id for row, _ in found].count(rows[0].id) == 2
    assert [row.id for row, _ in found].count(rows[1].id) == 1
    assert {row.id for row, _ in found[:2]} == {rows[0].id, rows[1].id}, "all once before any is asked about twice"
    assert len({sentence for _, sentence in found}) == 3
    assert len(list(asked_about(rows, 7, 9))) == 4
    assert found == list(asked_about(rows[::-1], 7, 2))
    assert found != list(asked_about(rows, 8, 2))


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("A worker lives six weeks.", "no_question"),
        ("How long? How long does a worker live?", "no_question"),
        ("What does the passage say about workers?", "points_at_passage"),
        ("How long does she live?", "points_at_passage"),
        ("How do volcanoes erupt underground?", "off_passage"),
        ("", "empty_question"),
    ],
)
def test_questions_that_are_refused(author: Author, question: str, reason: str) -> None:
    assert refused(author, question) == reason


def test_a_question_that_is_cut_is_none(author: Author) -> None:
    candidate, request = first(author)
    with pytest.raises(Unusable) as caught:
        say(candidate, request, "How long does a worker bee live in", "length")
    assert caught.value.reason == "unfinished_question"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("It does not say.", "not_in_passage"),
        ("How long does a worker bee live in summer?", "asks_back"),
        ("As the passage says, she lives for six weeks.", "points_at_passage"),
        ("A worker lives about eight weeks.", "made_up_number"),
        ("A worker bee lives long in summer.", "adds_nothing"),
        ("A worker bee lives until the beekeeper harvests her honey.", "unsupported"),
        (" ", "empty_answer"),
    ],
)
def test_answers_that_are_refused(author: Author, answer: str, reason: str) -> None:
    assert refused(author, QUESTION, answer) == reason


def test_a_word_that_leads_to_the_passage_is_cut_off_and_may_stay_with_it(author: Author) -> None:
    told = "According to the text, a worker lives about six weeks."
    assert answered(author, QUESTION, told).answer == "A worker lives about six weeks."
    assert answered(author, QUESTION, told, METHOD.model_copy(update={"with_passage": True})).answer == told


def test_what_an_answer_repeats_of_its_question_proves_nothing(author: Author) -> None:
    question = "What is a worker that hatches in summer and lives six weeks?"
    assert refused(author, question, "A worker that hatches in summer and lives six weeks is a drone.") == "unsupported"


def test_the_threshold_is_the_recipes(author: Author) -> None:
    half = "About six weeks, says the beekeeper."
    assert refused(author, QUESTION, half, METHOD.model_copy(update={"support": 0.9})) == "unsupported"
    assert answered(author, QUESTION, half, METHOD.model_copy(update={"support": 0.6})).scores == {"support": 0.6667}


def test_the_stage_asks_each_passage_before_any_a_second_time(
    split: Path, context: Context, use: Callable[[Say], Canned], tmp_path: Path
) -> None:
    texts = [
        f"Item {n} was found in cellar {n} near the town. It is kept in room {n} of the great museum." for n in range(8)
    ]
    write_rows(split / "train" / "docs.jsonl", [passage(text, f"d{n}", "") for n, text in enumerate(texts)])

    def say(request: Request) -> str:
        last = request.messages[-1].content
        number = next(word for word in last.split() if word.isdigit())
        return f"Where was item {number} found?" if "quiz" in last else f"Item {number} was found near the town."

    use(say)
    methods = [{"kind": "document_qa", "documents": "docs", "questions": 2}]
    spec = Spec.model_validate(
        {
            "teachers": {"teacher": {"model": MODEL}},
            "generate": {"rows": 8, "methods": methods},
            "filter": (),
            "seed": 7,
        }
    )
    summary = run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len({row.provenance.root for row in rows[:8]}) == 8
    counts = summary["counts"]
    assert counts["requested"] == counts["parsed"] + counts["failed"] + counts["missing"]
    assert all(json.loads(line)["reason"] for line in (tmp_path / "failures.jsonl").read_text().splitlines())

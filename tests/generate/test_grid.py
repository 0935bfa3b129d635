"""Cells: their streams and quotas, what is asked for them, what is refused, and the books as coverage."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.generate.author import Author, Unusable
from distill.generate.grid import Grid
from distill.generate.method import Candidate
from distill.generate.settings import Generate, Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.quotas import quotas
from distill.rows import Row, read_rows
from tests.generate.conftest import MODEL, real, work

AXES = {"domain": ["law", "medicine"], "language": ["English", "Spanish", "German"]}
CELL = "grid[domain=law, language=Spanish]"


def grid(**fields: Any) -> Grid:
    return Grid.model_validate({"axes": AXES, **fields})


def first(author: Author, method: Grid, rows: list[Row] | None = None) -> tuple[Candidate, Request]:
    candidate = next(method.candidates(work(author, rows or [], CELL)))
    return candidate, next(candidate)


def answer(request: Request, text: str, finish: str = "stop") -> Completion:
    return Completion(request.key, text, finish, 1, 1)  # type: ignore[arg-type]


def test_every_cell_is_a_stream_with_its_part() -> None:
    streams = grid(share=0.6).streams()
    assert len(streams) == 6 and CELL in streams
    assert streams[CELL] == pytest.approx(0.1)


def test_weights_give_more_or_nothing() -> None:
    weights = [{"where": {"language": "German"}, "weight": 0}, {"where": {"domain": "law"}, "weight": 3}]
    streams = grid(weights=weights).streams()
    assert len(streams) == 5, "law in German is law, the later rule; medicine in German is nothing"
    assert streams["grid[domain=law, language=German]"] == pytest.approx(3 / 11)
    assert "grid[domain=medicine, language=German]" not in streams


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"axes": {"domain": ["law", "law"]}}, "stands twice"),
        ({"weights": [{"where": {"domain": "lwa"}, "weight": 1}]}, "no domain 'lwa' .law, medicine."),
        ({"weights": [{"where": {"tone": "rude"}, "weight": 1}]}, "no such axis"),
        ({"weights": [{"where": {"domain": d}, "weight": 0} for d in AXES["domain"]]}, "leave no cell"),
        ({"axes": {"domain": ["a=b"]}}, "pattern"),
        ({"varies": {"domain": ["law"]}}, "domain is an axis already"),
        ({"varies": {"place": []}}, "place is an axis already, or has no value"),
    ],
)
def test_impossible_grids_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        grid(**fields)


def test_the_cell_and_an_example_are_told_and_the_row_carries_its_cell(author: Author) -> None:
    seed = real("Can my landlord keep the deposit?")
    candidate, request = first(author, grid(seeds="chat", policy="Name a hotline."), [seed])
    told = request.messages[-1].content
    assert "domain: law; language: Spanish" in told and seed.question in told
    assert [message.role for message in request.messages] == ["user", "assistant"] * 2 + ["user"]
    question = candidate.send(answer(request, '"¿Puede mi casero quedarse con la fianza este año?"'))
    assert [m.content for m in question.messages] == [
        "Name a hotline.",
        "¿Puede mi casero quedarse con la fianza este año?",
    ]
    with pytest.raises(StopIteration) as stop:
        candidate.send(answer(question, "No puede, si el piso está como era."))
    row = stop.value.value
    assert row.provenance.method == CELL
    assert row.provenance.sampling["cell"] == {"domain": "law", "language": "Spanish"}
    assert row.provenance.parents == (seed.id,) and row.provenance.root == seed.provenance.root


def test_a_refusal_counts_only_where_the_recipe_says_so(author: Author) -> None:
    for allowed in (False, True):
        candidate, request = first(author, grid(refusals=allowed))
        question = candidate.send(answer(request, "¿Cómo escondo dinero?"))
        with pytest.raises((Unusable, StopIteration)) as ended:
            candidate.send(answer(question, "Lo siento, pero no puedo ayudarle con eso."))
        assert isinstance(ended.value, StopIteration if allowed else Unusable)
    assert isinstance(ended.value, StopIteration)
    assert ended.value.value.provenance.sampling["refused"] is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Write nothing but the question.", "recites_the_order"),
        ("How often should I brush my dog's teeth, and with what?", "recites_the_order"),
        ("I'd be happy to help. What is the question?", "speaks_as_assistant"),
        ("The law is the same for all of us.", "asks_nothing"),
        ("Can my landlord keep the whole deposit?", "copies_example"),
        ("Who pays for the repairs of the roof?", "question_in_another_language"),
        ("", "empty_question"),
        ("word " * 201, "long_question"),
    ],
)
def test_what_is_no_new_question_is_refused(author: Author, text: str, reason: str) -> None:
    candidate, request = first(author, grid(seeds="chat"), [real("Can my landlord keep the deposit?")])
    with pytest.raises(Unusable) as caught:
        candidate.send(answer(request, text))
    assert caught.value.reason == reason


def test_an_answer_in_another_language_than_the_cells_is_refused(author: Author) -> None:
    candidate, request = first(author, grid())
    question = candidate.send(answer(request, "¿Quién paga el techo?"))
    with pytest.raises(Unusable, match="answer_in_another_language"):
        candidate.send(answer(question, "The landlord has to pay for the roof."))


@pytest.mark.parametrize(("verdict", "reason"), [("No.", "outside_cell"), ("Well", "unclear_judgement")])
def test_a_model_may_judge_whether_a_question_fits(author: Author, verdict: str, reason: str) -> None:
    method = grid(judge="teacher")
    assert method.asks == ("teacher",)
    candidate, request = first(author, method)
    judged = candidate.send(answer(request, "¿Quién paga el techo?"))
    assert "- domain: law" in judged.messages[0].content and "¿Quién paga el techo?" in judged.messages[0].content
    with pytest.raises(Unusable, match=reason):
        candidate.send(answer(judged, verdict))
    candidate, request = first(author, method)
    question = candidate.send(answer(candidate.send(answer(request, "¿Quién paga el techo?")), "Yes, it does."))
    with pytest.raises(StopIteration) as stop:
        candidate.send(answer(question, "El casero."))
    assert stop.value.value.provenance.sampling["helped"] == [author.origin]


def test_what_varies_is_drawn_and_makes_no_cells(author: Author) -> None:
    method = grid(varies={"place": ["at home", "abroad", "at work"]})
    assert len(method.streams()) == 6
    candidates = list(islice(method.candidates(work(author, [], CELL)), 12))
    told = [next(candidate).messages[-1].content for candidate in candidates]
    assert {text.partition("place: ")[2].splitlines()[0] for text in told} == {"at home", "abroad", "at work"}


def test_one_question_is_asked_once_in_a_cell(author: Author) -> None:
    candidates = grid().candidates(work(author, [], CELL))
    one, two = next(candidates), next(candidates)
    first_request, second_request = next(one), next(two)
    assert first_request.key != second_request.key
    one.send(answer(first_request, "¿Quién paga el arreglo del techo?"))
    with pytest.raises(Unusable) as caught:
        two.send(answer(second_request, "¿Quién paga el arreglo del techo, por favor?"))
    assert caught.value.reason == "asked_before"


def test_each_cell_is_filled_and_the_books_are_the_coverage(
    split: Path, context: Context, use: Any, tmp_path: Path
) -> None:
    def say(request: Request) -> str:
        told = request.messages[-1].content
        return f"What of case {request.key}?" if "The person asks:" in told else "So it is."

    use(say)
    method = {"kind": "grid", "axes": {"domain": AXES["domain"], "land": AXES["language"]}}
    spec = {"teachers": {"teacher": {"model": MODEL}}, "generate": {"rows": 18, "methods": [method]}}
    summary = run(Spec.model_validate({**spec, "filter": (), "seed": 7}), {"split": split}, tmp_path, context)
    assert len(summary["by_method"]) == 6
    assert all(books["parsed"] >= 3 for books in summary["by_method"].values())
    assert {row.provenance.method for row in read_rows(tmp_path / "rows.jsonl")} == set(summary["by_method"])
    assert any(note.startswith("grid: 6 of 6 cells are full; lowest yield: ") for note in summary["notes"])
    assert any(note.startswith("grid: yield by land: ") for note in summary["notes"])


def test_a_thousand_cells_have_the_quotas_that_the_filter_gives_them() -> None:
    many = [f"value {number}" for number in range(32)]
    generate = Generate.model_validate({"rows": 5000, "methods": [{"kind": "grid", "axes": {"a": many, "b": many}}]})
    (parts,) = generate.quotas
    assert sum(parts.values()) == 5000 and quotas(5000, generate.shares) == parts


def test_questions_alike_that_are_judged_at_the_same_time_are_asked_once(author: Author) -> None:
    candidates = grid(judge="teacher").candidates(work(author, [], CELL))
    several = [next(candidates) for _ in range(3)]
    questions = [next(candidate) for candidate in several]
    judged = [one.send(answer(asked, "¿Quién paga el techo?")) for one, asked in zip(several, questions, strict=True)]
    assert isinstance(several[0].send(answer(judged[0], "Yes.")), Request)
    for candidate, request in zip(several[1:], judged[1:], strict=True):
        with pytest.raises(Unusable) as caught:
            candidate.send(answer(request, "Yes."))
        assert caught.value.reason == "asked_before"

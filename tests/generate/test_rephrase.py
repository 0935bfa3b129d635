"""Rows said anew: what is asked for each way, what stays, what is refused and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.generate import stage
from distill.generate.author import Author, Unusable
from distill.generate.faithful import compare, numbers
from distill.generate.rephrase import Rephrase
from distill.generate.settings import Generate, Spec
from distill.protocols import Completion, Request
from distill.rows import Message, Row, read_rows
from tests.generate.conftest import MODEL, Canned, Say, real, work

PARENT = real("Which mountain is the highest of Africa?", "Kilimanjaro, with 5895 metres.")
OTHERS = "What is the tallest peak on the African continent?"


def made(*ways: dict[str, Any], **fields: Any) -> Rephrase:
    return Rephrase.model_validate({"rows": "chat", "ways": ways or [{"kind": "paraphrase"}], **fields})


def play(method: Rephrase, author: Author, *sent: str | tuple[str, ...], rows: Sequence[Row] = (PARENT,)) -> Any:
    """Send answers to the first candidate, a tuple where it asks several at once: what it asked, and the row if any."""
    candidate = next(method.candidates(work(author, rows, "rephrase")))
    asked: list[Any] = [next(candidate)]
    for text in sent:
        wanted = asked[-1]
        texts = text if isinstance(text, tuple) else (text,)
        got = [
            Completion(one.key, said, "stop", 1, 1)
            for one, said in zip(wanted if isinstance(wanted, tuple) else (wanted,), texts, strict=True)
        ]
        try:
            asked.append(candidate.send(got if isinstance(wanted, tuple) else got[0]))
        except StopIteration as stop:
            return asked, stop.value
    return asked, None


def said(row: Row) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in row.messages]


def test_a_paraphrased_question_keeps_the_real_answer(author: Author) -> None:
    asked, row = play(made(), author, f'"{OTHERS}"')
    (request,) = asked[0]
    assert request.messages[-1].content == f"In other words: {PARENT.question}"
    assert said(row) == [("user", OTHERS), ("assistant", PARENT.answer)]
    assert (row.provenance.parents, row.provenance.root) == ((PARENT.id,), PARENT.provenance.root)
    told = row.provenance.sampling
    assert (told["way"], told["anew"]) == ({"kind": "paraphrase"}, ["question"])
    assert row.provenance.terms == ("apache-2.0", "cc-by-4.0")


def test_a_style_is_for_the_answer_and_a_translation_for_both(author: Author) -> None:
    asked, row = play(made({"kind": "style", "style": "like a pirate"}), author, "Arr, Kilimanjaro be 5895 metres!")
    assert asked[0][0].messages[-1].content == f"Like a pirate: {PARENT.answer}"
    assert said(row) == [("user", PARENT.question), ("assistant", "Arr, Kilimanjaro be 5895 metres!")]
    spanish = ("¿Cuál es la montaña más alta de África?", "El Kilimanjaro, con 5.895 metros.")
    asked, row = play(made({"kind": "translation", "to": "es"}), author, spanish)
    assert [PARENT.question in asked[0][0].messages[0].content, PARENT.answer in asked[0][1].messages[0].content] == [
        True
    ] * 2
    assert "into Spanish" in asked[0][0].messages[0].content
    assert said(row) == [("user", spanish[0]), ("assistant", spanish[1])]


def test_what_becomes_harder_is_answered_anew(author: Author) -> None:
    harder = "Why is the highest mountain of Africa not part of a range?"
    asked, row = play(made({"kind": "harder"}, system="Be brief."), author, (harder,), "It is a volcano.")
    assert said(row) == [("system", "Be brief."), ("user", harder), ("assistant", "It is a volcano.")]
    assert [message.role for message in asked[1].messages] == ["system", "user"]


def test_a_prompt_without_an_answer_gets_the_teachers(author: Author) -> None:
    prompt = real(PARENT.question, None)
    for way in ({"kind": "paraphrase"}, {"kind": "style", "style": "very polite", "of": ["answer"]}):
        _, row = play(made(way), author, (OTHERS,), "Kilimanjaro.", rows=[prompt])
        assert said(row) == [("user", OTHERS), ("assistant", "Kilimanjaro.")]
        assert row.provenance.sampling["anew"] == ["question"]


def test_the_first_exchange_of_a_conversation_with_its_system_message_and_evidence(author: Author) -> None:
    more = (Message(role="user", content="And of Asia?"), Message(role="assistant", content="Everest."))
    talk = PARENT.model_copy(
        update={
            "messages": (Message(role="system", content="Be kind."), *PARENT.messages, *more),
            "evidence": {"reference": "5895"},
        }
    )
    _, row = play(made(system="Be brief."), author, (OTHERS,), rows=[talk])
    assert said(row) == [("system", "Be kind."), ("user", OTHERS), ("assistant", PARENT.answer)]
    assert row.evidence == {"reference": "5895"}
    _, row = play(made({"kind": "harder"}), author, ("Why is it higher than all others?",), "So.", rows=[talk])
    assert row.evidence == {}, "the reference answers another question"


ASKED = "How many months of the 12 in a year have 31 days? Use `calendar`."


@pytest.mark.parametrize(
    ("way", "anew", "reason"),
    [
        ("paraphrase", "how many months of the 12 in a year have 31 days? use `calendar`", "copies_parent"),
        ("style", "How many months of the 12 in a year do have 31 days? Use `calendar`.", "copies_parent"),
        ("paraphrase", "I'm sorry, but I can't help with 12 or 31.", "refused"),
        ("paraphrase", "The question asks how many months have 31 days.", "talks_about_it"),
        ("paraphrase", "There are 7 months with 31 days.", "answers_it"),
        ("paraphrase", "How can I help you with the 12 months of 31 days, and `calendar`?", "speaks_as_assistant"),
        ("translation", "Siete de los meses del año los tienen.", "answers_it"),
        ("translation", "Which of the twelve that there are in all have that many?", "wrong_language"),
        ("paraphrase", "Use `calendar`: of twelve months, which last 31 days?", "changes_numbers"),
        ("paraphrase", "Of 12 months, how many last 31 days? Use a calendar.", "changes_code"),
        ("paraphrase", "With `calendar`, of 12 months, how many last 31 days? " + "And tell more. " * 20, "adds_text"),
    ],
)
def test_what_is_refused_and_why(way: str, anew: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        compare(anew, ASKED, way, language="Spanish" if way == "translation" else None)
    assert caught.value.reason == reason


def test_an_answer_that_becomes_a_question_is_none() -> None:
    with pytest.raises(Unusable, match="asks_back"):
        compare("Which country is Uruguay?", "Uruguay.", "paraphrase", asking=False)


def test_of_many_telling_words_one_is_left() -> None:
    with pytest.raises(Unusable, match="loses_subject"):
        compare("Which tea is the best?", "Who won the first football championship in Uruguay?", "paraphrase")
    compare("Which tea is the best?", "Who won the first football championship in Uruguay?", "harder")


@pytest.mark.parametrize(
    ("way", "before", "anew"),
    [
        ("paraphrase", ASKED, "With `calendar`, of 12 months, how many last 31 days?"),
        ("harder", "What is 3 times 4?", "What is 13 times 14, less 5?"),
        ("easier", "Why do tides come?", "What makes the sea rise?"),
        (
            "style",
            "Go on.",
            "Would you be so kind as to proceed, if it is no trouble at all to you and yours, dear sir or madam?",
        ),
        ("translation", "It costs 1,000.50 euros.", "Cuesta 1.000,50 euros."),
        ("paraphrase", "You are a waste.", "There is no use in you."),
    ],
)
def test_what_is_not(way: str, before: str, anew: str) -> None:
    compare(anew, before, way, language="es" if way == "translation" else None)


def test_numbers_are_the_same_in_other_digits_and_signs() -> None:
    assert numbers("1,000.5 and 12") == numbers("1.000,5, ١٢") == {"10005", "12"}


def test_a_broken_text_is_refused_with_its_part(author: Author) -> None:
    with pytest.raises(Unusable, match="empty_question"):
        play(made(), author, ("",))
    with pytest.raises(Unusable, match="empty_answer"):
        play(made({"kind": "paraphrase", "of": ["question", "answer"]}), author, (OTHERS, "..."))


@pytest.mark.parametrize(
    "text", ["Which mountain of Africa is taller than all the others?", "Is it, in other words: Kilimanjaro?"]
)
def test_words_of_the_prompt_file_are_refused(author: Author, text: str) -> None:
    with pytest.raises(Unusable, match="copies_prompt_file"):
        play(made(), author, (text,))


@pytest.mark.parametrize(("verdict", "reason"), [("No.", "changes_meaning"), ("Perhaps.", "unclear_judgement")])
def test_a_model_may_judge_the_meaning(author: Author, verdict: str, reason: str) -> None:
    method = made(judge="teacher")
    with pytest.raises(Unusable, match=reason):
        play(method, author, (OTHERS,), verdict)
    asked, row = play(method, author, (OTHERS,), "Yes, they do.")
    assert PARENT.question in asked[1].messages[0].content and OTHERS in asked[1].messages[0].content
    assert row.provenance.sampling["helped"] == [author.origin] and method.asks == ("teacher",)
    _, row = play(made({"kind": "harder"}, judge="teacher"), author, ("Why is it the highest?",), "So.")
    assert row is not None, "a harder question means something else"


def test_every_row_comes_by_every_way_and_ways_are_even(author: Author) -> None:
    rows = [real(f"What about subject {number}?") for number in range(6)]
    method = made({"kind": "paraphrase"}, {"kind": "easier"}, {"kind": "harder"})
    asked = [next(one)[0].messages for one in islice(method.candidates(work(author, rows)), 18)]
    done = [(turns[-1].content.partition(": ")[2], turns[0].content[:60]) for turns in asked]
    assert len(set(done)) == 18 and {text for text, _ in done[:6]} == {row.question for row in rows}
    assert {sum(kind == way for _, kind in done[:6]) for way in {kind for _, kind in done}} == {2}


def test_long_rows_are_left(author: Author) -> None:
    assert list(made(longest=5).candidates(work(author, [PARENT]))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"ways": []},
        {"ways": [{"kind": "sing"}]},
        {"ways": [{"kind": "style"}]},
        {"ways": [{"kind": "paraphrase", "of": []}]},
    ],
)
def test_what_a_recipe_cannot_ask(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rephrase.model_validate({"rows": "chat", **fields})


def test_the_stage_makes_them(split: Path, tmp_path: Path, context: Context, use: Callable[[Say], Canned]) -> None:
    def say(request: Request) -> str:
        number = request.messages[-1].content.rpartition(" ")[2]
        return f"Is there anything to say of number {number}"

    use(say)
    generate = Generate(rows=10, methods=(made(),))
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=7)
    stage.run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) >= 10 and all(row.answer == "so it is" for row in rows)

"""Training rows that hold what is evaluated on, and rows that do not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.filter.bindings import Bindings
from distill.filter.contamination import said as texts_read
from distill.filter.contamination.contamination import Contamination
from distill.protocols import Verdict
from distill.rows import Message, Row
from distill.words import terms
from tests.filter.make import chat

QUESTION = "What is the capital of France?"
LONG = (
    "A farmer sells forty eggs on Monday, half as many on Tuesday and three times as many on Wednesday as on both days "
    "before; how many eggs does the farmer sell in these three days all together?"
)
ANSWER = "The farmer sells forty eggs and twenty eggs and then one hundred and eighty."
EVALUATED = [chat(QUESTION, "Paris."), chat(LONG, ANSWER), chat("Is water wet?")]


def judged(row: Row, evaluated: list[Row] = EVALUATED, **fields: float | bool) -> Verdict:
    return Contamination(**fields).bind(Bindings(evaluated=evaluated)).judge([row])[0]  # type: ignore[arg-type]


def test_it_judges_real_rows_and_each_by_itself() -> None:
    assert Contamination.judges_real and Contamination().scope == "row"


@pytest.mark.parametrize(
    "question", [QUESTION, "what is the capital of FRANCE", "  What is the capital - of France ?!"]
)
def test_question_seen(question: str) -> None:
    verdict = judged(chat(question, "I do not know."))
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "question_seen", 1.0)
    assert verdict.evidence == f"{EVALUATED[0].id}: what is the capital of france"


def test_a_prompt_without_an_answer_is_evaluated_on_too() -> None:
    assert judged(chat("Is water wet?", "Yes")).reason == "question_seen"


def test_answer_seen_when_it_is_long_enough() -> None:
    verdict = judged(chat("How many eggs?", ANSWER.upper()))
    assert verdict.reason == "answer_seen"
    assert verdict.evidence is not None and verdict.evidence.startswith(EVALUATED[1].id + ": the farmer")
    assert judged(chat("Where is the Eiffel tower?", "Paris.")).keep
    assert judged(chat("Where is the Eiffel tower?", "Paris."), min_answer_words=1).reason == "answer_seen"


def test_overlap_of_a_long_text() -> None:
    verdict = judged(chat(f"Solve this riddle for me, please. {LONG} Explain every step.", "240"))
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "overlap", 1.0)
    assert verdict.evidence is not None and verdict.evidence.startswith(f"{EVALUATED[1].id}: a farmer sells forty eggs")
    part = judged(chat(" ".join(LONG.split()[:-4]), "240"))
    assert part.reason == "overlap" and part.score is not None and 0.7 <= part.score < 1
    assert judged(chat(" ".join(LONG.split()[:-4]), "240"), overlap=0.95).keep


def test_overlap_of_a_text_of_few_words() -> None:
    evaluated = [chat("Name the three largest islands of the Pacific Ocean by area")]
    assert (
        judged(chat("Tell me: name the three largest islands of the Pacific Ocean by area", "x"), evaluated).reason
        == "overlap"
    )
    assert judged(chat("Tell me: is water wet? Say yes or no.", "x")).keep, "three words are found by equality alone"


def test_a_short_question_is_found_as_a_sentence_of_a_longer_text() -> None:
    for text in (
        f"Tell me: {QUESTION} Be brief.",
        f"Hello.\n{QUESTION}",
        f'He asked "{QUESTION}" and left.',
        f"Go on! {QUESTION}",
    ):
        verdict = judged(chat(text, "x"))
        assert (verdict.reason, verdict.evidence) == (
            "question_inside",
            f"{EVALUATED[0].id}: what is the capital of france",
        )
    assert judged(chat("Hello!", "Hello.", QUESTION, "x")).reason == "question_inside"
    for text in (
        "What is the capital of France and of Spain?",
        "I know what is the capital of France",
        "Is water wet? Yes.",
    ):
        assert judged(chat(text, "x")).keep, "the sentence goes on, begins earlier, or has three words"
    assert judged(chat("Quiz me.", f"Gladly: {QUESTION}")).keep, "short questions are not looked for in answers"


def test_a_text_is_cut_into_sentences_once_however_many_questions_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [f"What is the capital of land{n}?" for n in range(40)]
    # None of them is a sentence by itself.
    text = ". ".join(f"Say {question[:-1].lower()} and more" for question in questions)
    read = []
    monkeypatch.setattr(texts_read, "terms", lambda part: read.append(part) or terms(part))
    assert judged(chat(text, "x"), [chat(question) for question in questions], reworded=False).keep
    assert sum(map(len, read)) < 2.5 * (len(text) + sum(map(len, questions)))


def test_one_word_may_be_all_the_difference_of_a_short_text() -> None:
    evaluated = [chat("Write a function that returns the sum of all even numbers in a list of length five")]
    for text, keep in (("length six", True), ("length of five", False)):
        asked = evaluated[0].question.replace("length five", text)
        assert judged(chat(asked, "x"), evaluated, reworded=False).keep == keep


def test_the_same_words_in_another_order_or_of_another_template_are_not_the_same() -> None:
    assert judged(chat(LONG.replace("eggs", "hens").replace("Monday", "Sunday").replace("three", "two"), "x")).keep
    assert judged(chat(" ".join(reversed(LONG.split())), "x")).keep


def test_answers_thoughts_and_evidence_are_looked_at() -> None:
    assert judged(chat("Write a riddle.", f"Here it is: {LONG}")).reason == "overlap"
    thought = chat("Write a riddle.", "Sure.")
    message = Message(role="assistant", content="Sure.", reasoning=f"Maybe this: {LONG}")
    assert judged(thought.model_copy(update={"messages": (thought.messages[0], message)})).reason == "overlap"
    benchmark = chat("Compute it").model_copy(update={"evidence": {"reference": ANSWER}})
    assert judged(chat("q", ANSWER), [benchmark]).reason == "answer_seen"


def test_a_system_message_is_no_contamination() -> None:
    evaluated = [chat("Is water wet?", system=LONG)]
    assert judged(chat("How are you?", "Fine", system=LONG), evaluated).keep


def test_short_turns_in_the_middle_mean_nothing_alone() -> None:
    evaluated = [chat("The sky is blue.", "It is.", "Why?")]
    assert judged(chat("Why?", "Because."), evaluated).keep
    assert judged(chat("Grass is green.", "It is.", "Why?", "Because."), evaluated).keep
    assert judged(chat("The sky is blue.", "It is so.", "Why?", "Light."), evaluated).reason == "question_seen"
    assert judged(chat("the sky is blue", "Yes"), evaluated).reason == "question_seen"
    later = "And how many of them were sold on the day before?"
    assert judged(chat(later, "Six."), [chat("Eggs.", "Yes?", later)]).reason == "question_seen"


def test_of_several_evaluated_texts_the_best_match_is_named() -> None:
    other = chat(LONG.replace("farmer", "baker"))
    assert (judged(chat(LONG + " Now.", "x"), [other, EVALUATED[1]]).evidence or "").startswith(EVALUATED[1].id)


def test_empty_texts_match_nothing() -> None:
    assert judged(chat("", ""), [chat("", ""), chat("", system="s")]).keep
    assert judged(chat("anything at all", "x"), []).keep


def test_scripts_without_spaces() -> None:
    evaluated = [chat("太阳系中最大的行星是哪一颗行星")]
    assert judged(chat("太阳系中最大的行星是哪一颗行星？", "木星"), evaluated).reason == "question_seen"
    assert judged(chat("请回答：太阳系中最大的行星是哪一颗行星，谢谢", "木星"), evaluated).reason == "overlap"
    assert judged(chat("太阳系中最小的行星叫什么名字", "水星"), evaluated).keep


def test_batches_change_nothing() -> None:
    rows = [chat(QUESTION, "x"), chat("fine", "y"), chat("q", ANSWER), chat(f"Hm. {LONG}", "z"), chat("", "")]
    bound = Contamination().bind(Bindings(evaluated=EVALUATED))
    assert bound.judge(rows) == [bound.judge([row])[0] for row in rows]
    assert bound.judge([]) == []


def test_the_shorter_ngram_must_be_shorter() -> None:
    with pytest.raises(ValidationError, match="short_ngram is 14, above ngram, which is 13"):
        Contamination(short_ngram=14)


def test_operators_are_part_of_a_question() -> None:
    assert judged(chat("What is 2 * 2?", "4"), [chat("What is 2 + 2?")]).keep
    assert judged(chat("what is 2 +  2", "4"), [chat("What is 2 + 2?")]).reason == "question_seen"
    assert judged(chat("How old is C?", "x"), [chat("How old is C++?")]).keep


def test_what_many_evaluated_texts_share_hides_none_of_them() -> None:
    head = "This question refers to the following table of the yearly exports of all countries of the world; look it up there:"
    evaluated = [chat(f"{head} how large were those of land number {number} in its best year?") for number in range(60)]
    assert judged(chat(f"{head} which one is the first by alphabet?", "x"), evaluated, reworded=False).keep
    last = evaluated[-1].question
    assert judged(chat(f"Well then. {last}", "x"), evaluated, reworded=False).reason == "overlap"


def test_broken_and_endless_texts() -> None:
    broken = LONG.replace("eggs", "\ud800 eggs \udfff")
    for row in (chat(broken, "x"), chat("\ud800", "\udfff"), chat("", ""), chat("\x00", "﷽" * 100)):
        verdict = judged(row)
        (verdict.evidence or "").encode()
    assert judged(chat(broken, "x")).reason == "question_seen", "what is no character is no word"
    endless = "ten words that say nothing at all about any farmer " * 200_000
    assert judged(chat("Go on.", endless)).keep
    verdict = judged(chat("Go on.", endless + LONG))
    assert verdict.reason == "overlap" and len(verdict.evidence or "") < 250
    assert judged(chat("q", "x"), [chat(endless)]).keep


def test_parts_of_a_batch_change_nothing() -> None:
    rows = [
        chat(f"{LONG} {number}", "x") if number % 7 == 0 else chat(f"Tell me of {number}.", "x")
        for number in range(300)
    ]
    verdicts = Contamination().bind(Bindings(evaluated=EVALUATED)).judge(rows)
    assert [verdict.keep for verdict in verdicts] == [number % 7 != 0 for number in range(300)]


def item(question: str, answer: str) -> Row:
    """As a suite asks it: after an example, in words of its own."""
    said = [
        ("user", "Question: Is fire hot?"),
        ("assistant", "Yes."),
        ("user", f"Question: {question}"),
        ("assistant", answer),
    ]
    messages = tuple(Message.model_validate({"role": role, "content": content}) for role, content in said)
    return chat(question, answer).model_copy(update={"messages": messages, "evidence": {"question": question}})


def test_an_item_is_looked_for_by_its_own_question() -> None:
    evaluated = [item(QUESTION, "Paris."), item("Who sings?", "Ann."), item(LONG, ANSWER)]
    assert judged(chat(QUESTION, "I do not know."), evaluated).reason == "question_seen"
    assert judged(chat("who sings", "Nobody."), evaluated).reason == "question_seen"
    assert judged(chat("How many eggs?", ANSWER), evaluated).reason == "answer_seen"
    assert judged(chat(f"Solve this: {LONG}", "240"), evaluated).reason == "overlap"
    # Examples are not asked: they may come from the very data that is trained on.
    assert judged(chat("Is fire hot?", "Yes."), evaluated).keep
    assert judged(chat("Question: Is fire hot?", "Yes."), evaluated).keep

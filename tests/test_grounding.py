"""Words and numbers of an answer that stand in a passage, and words that point at one."""

from __future__ import annotations

import pytest

from distill.grounding import LEAD, NOT_SAID, POINTS, agree, made_up, numbers, support, terms, vague

PASSAGE = "The Great Barrier Reef is more than 2,300 kilometres long. Corals grow one to ten centimetres a year."


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("Corals grow ten centimetres a year.", 1.0),
        ("The reef is 2300 kilometres long.", 1.0),
        ("The reefs are growing.", 1.0),
        ("A reef's coral.", 1.0),
        ("The coral is made of plastic.", 0.5),
        ("Plastic bottles.", 0.0),
        ("So it is.", 0.0),
    ],
)
def test_support_is_the_share_of_words_of_meaning(answer: str, share: float) -> None:
    assert support(terms(answer), PASSAGE) == share


def test_any_of_several_sources_supports() -> None:
    assert support(terms("Corals in Australia."), PASSAGE, "Australia") == 1.0


def test_scripts_without_spaces_are_measured_by_their_characters() -> None:
    assert support(terms("珊瑚"), "珊瑚是动物。") == 1.0
    assert support(terms("珊瑚虫"), "珊瑚是动物。") == pytest.approx(2 / 3)


def test_numbers_are_the_same_in_figures_and_in_words() -> None:
    assert numbers("In 1,500 cases, twenty-four of them, at 2.5 and 0,7 metres, ten times") == {
        "1500", "24", "2.5", "07", "10",
    }  # fmt: skip
    assert numbers("One by one, and someone often") == set()


@pytest.mark.parametrize(
    ("answer", "invented"),
    [
        ("It is 2300 kilometres long.", set()),
        ("It grows 10 centimetres.", set()),
        ("It grows by 1 centimetre.", set()),
        ("It is 2,400 kilometres long.", {"2400"}),
        ("It has twelve parts.", {"12"}),
    ],
)
def test_numbers_that_the_passage_does_not_have(answer: str, invented: set[str]) -> None:
    assert made_up(answer, PASSAGE) == invented


@pytest.mark.parametrize(
    "question",
    [
        "What does the passage say about corals?",
        "What is the author's opinion?",
        "Why is this text about reefs?",
        "According to the following paragraph, what grows?",
        "What is mentioned in the first sentence above, the excerpt?",
        "What is described above?",
        "What does it say about algae?",
        "What is the answer to this question?",
    ],
)
def test_words_that_point_at_a_text(question: str) -> None:
    assert POINTS.search(question)


@pytest.mark.parametrize(
    "question",
    [
        "How long is the Great Barrier Reef?",
        "Which document did King John sign in 1215?",
        "What is a passage of arms?",
        "Why was the Bible printed as a text for all?",
    ],
)
def test_words_that_do_not(question: str) -> None:
    assert not POINTS.search(question) and not vague(question)


@pytest.mark.parametrize(
    ("question", "unclear"),
    [
        ("What is this?", True),
        ("What did he do?", True),
        ("What are these 49 letters?", True),
        ("How long does it live?", True),
        ("What does it mean to lose algae?", False),
        ("Is it true that corals are animals?", False),
        ("Why do corals turn white when they starve?", False),
        ("What did Darwin write in his book?", False),
    ],
)
def test_questions_about_nobody_knows_what(question: str, unclear: bool) -> None:
    assert vague(question) is unclear


@pytest.mark.parametrize(
    "answer",
    [
        "It does not say.",
        "The text doesn't mention the colour.",
        "This is not mentioned in the passage.",
        "There is no information about that.",
        "The passage does not give a number.",
        "I don't know.",
        "It cannot be determined from the text.",
        "The name isn't explicitly stated.",
    ],
)
def test_an_answer_that_there_is_none(answer: str) -> None:
    assert NOT_SAID.search(answer)


@pytest.mark.parametrize(
    "answer",
    ["A gear does not save work.", "It is not known for its size but for its colours.", "They gave no ground."],
)
def test_an_answer_with_a_not_in_it(answer: str) -> None:
    assert not NOT_SAID.search(answer)


def test_a_lead_is_taken_for_one() -> None:
    assert LEAD.sub("", "According to the passage, corals grow.") == "corals grow."
    assert LEAD.sub("", "In the sea corals grow.") == "In the sea corals grow."


@pytest.mark.parametrize(
    ("reference", "answer", "question", "same"),
    [
        ("Paris", "Paris.", "What is the capital of France?", True),
        ("Paris", "The capital of France is Paris.", "What is the capital of France?", True),
        ("Lyon", "The capital of France is Paris.", "What is the capital of France?", False),
        ("France", "The capital of France is Paris.", "What is the capital of France?", False),
        ("1,500", "He set about 1500 letters.", "How many?", True),
        ("42", "There are 24.", "How many?", False),
        ("forty-two", "There are 42.", "How many?", True),
        ("Yes", "Yes, they do.", "Do bees dance?", True),
        ("Yes", "No, they do not.", "Do bees dance?", False),
        ("Dance", "Yes, they dance.", "Do bees dance?", False),
        ("It is", "It is what it is.", "What?", False),
    ],
)
def test_what_agrees(reference: str, answer: str, question: str, same: bool) -> None:
    assert agree(reference, answer, question) is same

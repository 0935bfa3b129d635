"""How many words in a row an answer has from a corpus: exactly, told, and dropped only where it is asked for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from distill.context import Context, Runtime
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.contamination.runs import NGRAM, Corpus
from distill.filter.contamination.verbatim import Verbatim
from distill.filter.opener import Opener
from distill.sources.references import resolve
from tests.filter.make import chat, pair, text

DRAWN = random.Random(3)
BOOK = [f"w{DRAWN.randrange(5000)}" for _ in range(400)]


def chain(folder: Path, **settings_of: Any) -> Chain:
    (folder / "book.jsonl").write_text(json.dumps({"body": " ".join(BOOK)}) + "\n", encoding="utf-8")
    spec = Verbatim.model_validate({"corpora": {"book": {"data": "./book.jsonl", "text": "body"}}, **settings_of})
    resolved = {ref: resolve(ref, "data", folder, folder, folder / "cache") for ref in spec.data}
    return Chain([spec], Bindings(open=Opener(Context(folder / "cache", resolved, Runtime()))))


def rows() -> list[Any]:
    copied = "So it says: " + " ".join(BOOK[40:100]) + " and no more."
    return [
        chat("Q?", copied),
        chat("Q?", " ".join(BOOK[40 : 40 + NGRAM]).upper() + "!"),
        chat(copied, "Yes."),
        chat("Q?", " ".join(BOOK[40:47])),
        pair("Q?", "Yes.", copied),
        text(copied),
    ]


def test_runs_are_measured_and_nothing_is_dropped_unless_it_is_asked_for(tmp_path: Path) -> None:
    looked = chain(tmp_path)
    found = list(looked.judge(rows()))
    assert [one.row.scores["verbatim"] for one in found] == [60, NGRAM, 0, 0, 60, 60]
    assert all(one.verdict.keep for one in found)
    assert looked.notes == [
        "verbatim: 3 of 6 rows (50.0%) share more than 50 words in a row with book (kept); the longest run is 60 words, of book"
    ]


def test_above_the_limit_they_are_dropped_with_what_they_share(tmp_path: Path) -> None:
    looked = chain(tmp_path, drop=True, max_run=59)
    found = list(looked.judge(rows()))
    assert [one.verdict.reason for one in found] == ["copied", "", "", "", "copied", "copied"]
    evidence = found[0].verdict.evidence
    assert evidence is not None and evidence.startswith("book ") and BOOK[40] in evidence and "60 words" in evidence
    assert [one.verdict.keep for one in chain(tmp_path, drop=True, max_run=60).judge(rows())] == [True] * 6


def test_what_people_said_before_the_answer_is_not_the_teachers(tmp_path: Path) -> None:
    copied = " ".join(BOOK[40:100])
    given, own = chat("Q?", copied, "And?", "Yes."), chat("Q?", copied, "And?", "Yes.", method="conversation@other")
    assert [one.row.scores["verbatim"] for one in chain(tmp_path).judge([given, own])] == [0, 60]


def test_a_run_does_not_go_on_from_one_text_into_the_next() -> None:
    corpus = Corpus([BOOK[:20], BOOK[20:40]])
    found = corpus.longest(BOOK[:40])
    assert found is not None and (found.words, found.text, found.start) == (20, 0, 0)
    assert Corpus([]).longest(BOOK) is None and Corpus([["a"]]).longest(["a"] * 20) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=60), st.lists(st.sampled_from("abc"), max_size=60))
def test_the_longest_run_is_that_of_trying_all(one: list[str], other: list[str]) -> None:
    best = 0
    for i in range(len(one)):
        for j in range(len(other)):
            length = 0
            while i + length < len(one) and j + length < len(other) and one[i + length] == other[j + length]:
                length += 1
            best = max(best, length)
    found = Corpus([one]).longest(other)
    assert (found.words if found else 0) == (best if best >= NGRAM else 0)

"""Answers against their evidence: a program, a number, a passage; and rows that have none."""

from __future__ import annotations

from typing import Any

import pytest

from distill.context import Context, Ranks
from distill.filter.bindings import Bindings, FilterSpec
from distill.filter.chain import Chain
from distill.filter.opener import Opener
from distill.filter.text.refusal import Refusal
from distill.filter.verification import verify
from distill.filter.verification.code import Code
from distill.filter.verification.json_schema import JsonSchema
from distill.filter.verification.mathematics import Math
from distill.filter.verification.passage import Grounded
from distill.protocols import KEEP, Verdict
from distill.rows import Row
from tests.filter.make import chat

TESTS = "assert double(2) == 4\nassert double(-3) == -6\nassert double(0) == 0"
RIGHT = "It doubles:\n```python\ndef double(x):\n    return x + x\n```"
WRONG = "```python\ndef double(x):\n    return x * x\n```"


def row(question: str, answer: str, **evidence: str) -> Row:
    made = chat(question, answer)
    return Row(kind="chat", messages=made.messages, evidence=evidence, provenance=made.provenance)


def verdict(spec: FilterSpec, *rows: Row) -> Verdict:
    return spec.bind(Bindings()).judge(rows)[0]


@pytest.mark.parametrize("kind", [Code, Math, JsonSchema, Grounded])
def test_a_row_without_evidence_is_kept_unless_it_is_required(kind: Any) -> None:
    for bare in (row("q", "a"), row("q", "a", tests=" ", reference="", schema="\n", passage="")):
        assert verdict(kind(), bare) == KEEP
        found = verdict(kind(require=True), bare)
        assert (found.keep, found.reason, found.evidence) == (False, "missing_evidence", f"it has no {kind.NEEDS}")


def test_verdicts_come_in_the_order_of_the_rows_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row("q", RIGHT if n % 3 else WRONG, tests=TESTS) for n in range(7)]
    for threads in (1, 4):
        monkeypatch.setattr(verify, "processors", lambda threads=threads: threads)
        found = Code().bind(Bindings()).judge(rows)
        assert [one.keep for one in found] == [bool(n % 3) for n in range(7)]


def test_processes_that_share_the_rows_share_the_processors(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(verify, "processors", lambda: 8)
    ranks = Ranks(rank=1, world=4)
    bound = Math().bind(Bindings(open=Opener(Context(tmp_path, {}, ranks=ranks))))
    assert isinstance(bound, verify.InThreads) and bound.threads == 2


def test_no_program_is_run_for_a_row_that_is_dropped_already(monkeypatch: pytest.MonkeyPatch) -> None:
    run = []
    monkeypatch.setattr(Code, "check", lambda _, row: run.append(row.question) or KEEP)
    rows = [row("one", RIGHT, tests=TESTS), row("two", "I cannot provide that.", tests=TESTS)]
    judged = list(Chain([Refusal(), Code()], Bindings()).judge(rows))
    assert run == ["one"] and [result.filter for result in judged] == ["", "refusal"]
    assert not any(kind.AUDITED for kind in (Code, Math, JsonSchema, Grounded))


def test_code_that_passes_its_tests_is_kept() -> None:
    assert verdict(Code(), row("Double it.", RIGHT, tests=TESTS)) == KEEP
    assert verdict(Code(), row('def double(x):\n    "Twice x."\n', "    return 2 * x\n", tests=TESTS)) == KEEP


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (WRONG, "failed_tests", "AssertionError"),
        ("```python\ndef double(x):\n    while True: pass\n```", "failed_tests", "timeout"),
        ("```python\ndef triple(x):\n    return 3 * x\n```", "failed_tests", "NameError"),
        ("I add it to itself.", "no_program", "I add"),
        ("", "no_program", ""),
    ],
)
def test_code_that_does_not_is_dropped_and_said_why(answer: str, reason: str, said: str) -> None:
    found = verdict(Code(limits={"seconds": 1}), row("Double it.", answer, tests=TESTS))
    assert (found.keep, found.reason) == (False, reason)
    assert found.evidence is not None and said in found.evidence and len(found.evidence) < 420


def test_tests_are_tried_where_that_is_asked_for() -> None:
    says_nothing = row("Double it.", RIGHT, tests="assert callable(double)")
    assert verdict(Code(), says_nothing) == KEEP
    found = verdict(Code(rejects=0.5), says_nothing)
    assert (found.reason, found.score) == ("vacuous_tests", 0.0)
    assert verdict(Code(rejects=0.5), row("Double it.", RIGHT, tests=TESTS)) == KEEP
    assert verdict(Code(rejects=0.5), row("Double it.", WRONG, tests=TESTS)).reason == "failed_tests"


@pytest.mark.parametrize(
    ("reference", "answer", "reason"),
    [
        ("42", "6 * 7 = 42, so the answer is 42.", ""),
        ("0.75", "That is \\boxed{\\frac{3}{4}}.", ""),
        ("She has 6 * 7 = 42.\n#### 42", "In all 42", ""),
        ("42", "So the answer is 41.", "wrong_answer"),
        ("42", "I cannot say.", "no_final_answer"),
        ("42", "", "no_final_answer"),
    ],
)
def test_mathematics_by_the_reference(reference: str, answer: str, reason: str) -> None:
    found = verdict(Math(), row("How many?", answer, reference=reference))
    assert found.reason == reason and found.keep == (not reason)
    assert not reason or (found.evidence is not None and "42 is right" in found.evidence)


def test_what_cannot_be_compared_is_said_to_be_so() -> None:
    assert (
        verdict(Math(), row("q", "The answer is \\boxed{9^{9^{9^{9}}}+x}.", reference="\\frac{")).reason == "undecided"
    )


PASSAGE = "The mill was built in 1832 by Thomas Grey. It has fifty-two windows and stands on the river Wear."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Thomas Grey built it in 1832.", ""),
        ("According to the text, it has 52 windows.", ""),
        ("It was built by Thomas Grey in 1840.", "made_up_number"),
        ("A rich baker from London paid for the golden roof.", "unsupported"),
        ("Yes.", ""),
        ("", ""),
    ],
)
def test_answers_by_their_passage(answer: str, reason: str) -> None:
    found = verdict(Grounded(), row("Who built the mill, and when?", answer, passage=PASSAGE))
    assert found.reason == reason and found.keep == (not reason)


def test_the_share_that_the_passage_supports_is_the_score() -> None:
    half = row("Who built it?", "Thomas Grey, helped by Martha Lindqvist.", passage=PASSAGE)
    assert verdict(Grounded(support=0), half).score == verdict(Grounded(), half).score == 0.4
    assert verdict(Grounded(), half).evidence == "not in the passage: help, lindqvist, martha"


def test_a_passage_that_the_question_shows_is_not_the_question() -> None:
    shown = row(f"{PASSAGE}\n\nWho built the mill?", "Thomas Grey, in 1832.", passage=PASSAGE)
    assert verdict(Grounded(), shown).score == 1.0
    reckoned = row(f"{PASSAGE}\nHow many are 7 less?", "7 less than 52 windows are 45.", passage=PASSAGE)
    found = verdict(Grounded(), reckoned)
    assert (found.reason, found.evidence) == ("made_up_number", "45: 7 less than 52 windows are 45.")
    assert verdict(Grounded(numbers=False), reckoned).keep

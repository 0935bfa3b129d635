"""Candidates moved on together: waves, duplicates, ranks, and what is never answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.context import Context, Ranks
from distill.generate.author import Author, Unusable
from distill.generate.drive import Driver, Outcome
from distill.generate.method import Candidate
from distill.protocols import Completion, Request
from distill.rows import Message, Row
from tests.generate.conftest import Alone, Canned, echo, real


def steps(author: Author, words: Sequence[str]) -> Candidate:
    """Asks one word after the other and returns the last answer."""
    for word in words:
        request = author.ask([Message(role="user", content=word)])
        completion = yield request
    return author.row(request, completion, "steps", [real("Why?")])


def give_up() -> Candidate:
    raise Unusable("no_words", "none")
    yield


def run(driver: Driver, candidates: Sequence[Candidate]) -> list[dict[int, Outcome]]:
    return list(driver.run(candidates, lambda: "test"))


def answers(waves: list[dict[int, Outcome]]) -> dict[int, str]:
    return {place: outcome.row.answer for wave in waves for place, outcome in wave.items() if outcome.row}


def test_each_wave_is_one_call_and_each_candidate_gets_its_own_answer(author: Author, context: Context) -> None:
    engine = Canned(echo)
    waves = run(
        Driver(Alone(engine), context), [steps(author, words) for words in (["a"], ["b", "c"], ["d", "e", "f"])]
    )
    assert [sorted(wave) for wave in waves] == [[0], [1], [2]]
    assert answers(waves) == {0: "answer 0 to a", 1: "answer 0 to c", 2: "answer 0 to f"}
    assert [request.messages[0].content for request in engine.asked] == ["a", "b", "d", "c", "e", "f"]


def test_one_question_asked_by_two_is_answered_and_counted_once(author: Author, context: Context) -> None:
    engine = Canned(echo)
    driver = Driver(Alone(engine), context)
    waves = run(driver, [steps(author, ["a"]), steps(author, ["a"])])
    assert answers(waves) == {0: "answer 0 to a", 1: "answer 0 to a"}
    assert len(engine.asked) == 1
    run(driver, [steps(author, ["a"])])
    assert (driver.spent.prompt_tokens, driver.spent.new_tokens) == (5, 4)


def test_what_cannot_be_used_ends_alone(author: Author, context: Context) -> None:
    waves = run(Driver(Alone(Canned(echo)), context), [give_up(), steps(author, ["a"])])
    assert waves[0][0] == Outcome(None, "no_words", "none")
    assert waves[0][1].row is not None
    assert run(Driver(Alone(Canned(echo)), context), [give_up()]) == [{0: Outcome(None, "no_words", "none")}]
    assert run(Driver(Alone(Canned(echo)), context), []) == []


def test_a_request_without_a_completion_is_missing_and_an_error_is_failed(author: Author, context: Context) -> None:
    def say(request: Request) -> str | Completion | None:
        word = request.messages[0].content
        failed = Completion(request.key, "", "error", 0, 0, error="boom")
        return {"lost": None, "bad": failed}.get(word, "fine")

    (wave,) = run(Driver(Alone(Canned(say)), context), [steps(author, [word]) for word in ("lost", "bad", "good")])
    assert (wave[0].reason, wave[1].reason, wave[1].detail) == ("missing", "engine_error", "boom")
    assert wave[2].row is not None


def test_all_ranks_have_all_answers_though_each_asks_its_share(author: Author, tmp_path: Path) -> None:
    """Two ranks that answer every other request, and a gather that joins what both said."""

    class Half(Canned):
        def generate(self, requests: Sequence[Request]) -> Any:
            return super().generate(requests[rank::2])

    class Two(Ranks):
        def gather(self, items: Sequence[Any]) -> list[Any]:
            others = Half(echo)
            nonlocal rank
            rank = 1
            said = list(others.generate(both))
            rank = 0
            return [*items, *said]

    rank, both = 0, [next(steps(author, [word])) for word in "abcd"]
    context = replace(Context(tmp_path, {}), ranks=Two(0, 2))
    waves = run(Driver(Half(echo), context), [steps(author, [word]) for word in "abcd"])
    assert answers(waves) == {place: f"answer 0 to {word}" for place, word in enumerate("abcd")}
    rows: list[Row | None] = [outcome.row for outcome in waves[0].values()]
    assert None not in rows

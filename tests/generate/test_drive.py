"""Candidates moved on together: waves, duplicates, ranks, and what is never answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.context import Context, Ranks
from distill.endpoint import Price
from distill.generate.author import Author, Unusable, user
from distill.generate.drive import Driver, Outcome
from distill.generate.method import Candidate, Check, Score, Scored
from distill.generate.purse import Purse
from distill.generate.spent import Limit
from distill.protocols import Completion, Request, ScoreRequest, TokenScores
from distill.rows import Message, Row, root_of
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
    waves = run(Driver(Alone(Half(echo)), context), [steps(author, [word]) for word in "abcd"])
    assert answers(waves) == {place: f"answer 0 to {word}" for place, word in enumerate("abcd")}
    rows: list[Row | None] = [outcome.row for outcome in waves[0].values()]
    assert None not in rows


def several(author: Author) -> Candidate:
    """Asks two things at once, then has something run, then has the better answer scored."""
    requests = tuple(author.ask([user(word)]) for word in ("one", "two"))
    completions: list[Completion] = yield requests
    length: int = yield Check(lambda: len(completions[1].text))
    scored: Scored = yield Score("judge", (user("q"), Message(role="assistant", content=completions[1].text)))
    return author.row(requests[1], completions[1], "several", [], scores={"length": length, "logprob": scored.logprob})


@dataclass
class Liking:
    """A scorer that finds every token as likely as the answer is long."""

    asked: int = 0

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        for request in requests:
            self.asked += 1
            tokens = np.zeros(3, np.int32)
            likely = np.full(3, -float(len(request.messages[-1].content)), np.float32)
            nothing = np.zeros((3, top_k))
            yield TokenScores(request.key, tokens, likely, tokens, nothing.astype(np.int32), nothing.astype(np.float32))


def test_several_things_are_asked_at_once_run_and_scored(author: Author, context: Context) -> None:
    engine, judge = Canned(echo), Liking()
    *_, wave = run(Driver(Alone(engine, judge), context), [several(author), several(author)])
    row = wave[0].row
    assert row is not None and row.answer == "answer 0 to two"
    assert row.scores == {"length": 15, "logprob": -15.0}
    assert (len(engine.asked), judge.asked) == (2, 1), "what two ask alike is asked once"
    assert row.provenance.parents == () and row.provenance.root == root_of(row.messages)


def test_the_budget_ends_the_asking_and_what_came_is_kept(author: Author, context: Context) -> None:
    engine = Canned(echo)
    driver = Driver(Alone(engine), context, Purse(Limit(tokens=20)))
    waves = run(driver, [steps(author, [word, "more"]) for word in "abcd"])
    became = [outcome for wave in waves for outcome in wave.values()]
    assert driver.exhausted and driver.spent.tokens == 27, "three answers of 9 tokens passed the limit"
    assert {outcome.reason for outcome in became} == {"missing"} and len(became) == 4
    assert "budget" in became[0].detail
    assert run(driver, [steps(author, ["e"])])[0][0].reason == "missing"
    assert len(engine.asked) == 4, "nothing is asked once the budget is spent"


def test_money_is_what_the_server_says_or_the_price_of_the_tokens(author: Author, context: Context) -> None:
    def say(request: Request) -> Completion:
        stated = 0.5 if request.messages[0].content == "stated" else None
        return Completion(request.key, "fine", "stop", 1_000_000, 2_000_000, cost=stated)

    driver = Driver(Alone(Canned(say)), context, Purse(prices={"teacher": Price(prompt=1, completion=2)}))
    run(driver, [steps(author, ["stated"]), steps(author, ["by price"])])
    assert driver.spent.cost == 0.5 + 5.0
    assert [driver.by_place[place].cost for place in (0, 1)] == [0.5, 5.0]


def test_each_is_asked_of_the_model_it_is_for(author: Author, context: Context) -> None:
    engines = {"teacher": Canned(echo), "judge": Canned(lambda _: "judged")}

    class Two:
        def engine(self, name: str) -> Canned:
            return engines[name]

        def scorer(self, name: str) -> Any: ...

    judge = replace(author, name="judge")
    waves = run(Driver(Two(), context), [steps(author, ["same"]), steps(judge, ["same"])])
    assert answers(waves) == {0: "answer 0 to same", 1: "judged"}

"""Pairs: who ranks, which two answers are taken, what is no pair."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.errors import SourceError
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.duplicates.near import ExactDuplicate
from distill.filter.text.finished import Finished
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.generate.author import Author, Unusable
from distill.generate.method import Candidate, Score, Scored, Work
from distill.generate.rank import Rank
from distill.generate.settings import Generate, Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows
from tests.generate.conftest import MODEL, Canned, real

SKY = real("Why is the sky blue?", None)
GOOD, FAIR, BAD = "It scatters blue light most.", "Because of the air.", "It is not."
JUDGED = {"prompts": "chat", "answers": 3, "by": {"judge": "judge"}}


@pytest.fixture
def cast(author: Author) -> dict[str, Author]:
    return {"teacher": author, "judge": replace(author, origin="org/judge@1", terms=("mit",), depth=2, name="judge")}


def asked(method: Rank, cast: dict[str, Author], rows: Sequence[Row], say: Callable[[Any], Any]) -> Row:
    """The row of the first candidate, when `say` answers all that it asks."""
    candidate = next(method.candidates(Work("rank", cast["teacher"], cast, {"chat": rows})))
    return to_the_end(candidate, say)


def to_the_end(candidate: Candidate, say: Callable[[Any], Any]) -> Row:
    try:
        wanted = next(candidate)
        while True:
            wanted = candidate.send([answered(one, say(one)) for one in wanted])
    except StopIteration as stop:
        row: Row = stop.value
        return row


def answered(one: Any, said: Any) -> Any:
    if not isinstance(said, str):
        return said
    return Completion(one.key, said.rstrip("…"), "length" if said.endswith("…") else "stop", 1, 1)


def writes(*answers: str) -> Callable[[Any], Any]:
    """The teacher gives these answers; a judge that marks alone loves the long ones; one that compares, too."""
    marks = {GOOD: 9, FAIR: 6, BAD: 2}

    def say(one: Any) -> Any:
        if isinstance(one, Score):
            return Scored(-1 / len(one.messages[-1].content), 5)
        if one.to == "teacher":
            return answers[one.sample]
        shown = sorted((text for text in marks if text in one.messages[0].content), key=one.messages[0].content.index)
        if "Compare" in one.messages[0].content:
            return json.dumps({"why": "", "better": "A" if marks[shown[0]] > marks[shown[1]] else "B"})
        return json.dumps({"why": "so", "score": marks[shown[0]]})

    return say


def test_the_best_is_set_against_the_worst(cast: dict[str, Author]) -> None:
    row = asked(Rank.model_validate(JUDGED), cast, [SKY], writes(FAIR, BAD, GOOD))
    assert row.kind == "preference" and row.answer == GOOD and row.rejected[0].content == BAD
    assert [message.role for message in row.rejected] == ["assistant"]
    assert row.scores == {"chosen": 9, "rejected": 2, "margin": 7}
    drawn = row.provenance.sampling
    assert (drawn["sample"], drawn["rejected_sample"], drawn["ranked_by"]["judge"]) == (2, 1, "judge")


def test_the_judge_leaves_its_terms_and_depth(cast: dict[str, Author]) -> None:
    row = asked(Rank.model_validate(JUDGED), cast, [SKY], writes(FAIR, BAD, GOOD))
    assert row.provenance.terms == ("apache-2.0", "mit", "cc-by-4.0") and row.provenance.depth == 3
    assert row.provenance.sampling["helped"] == ["org/judge@1"]
    assert row.provenance.origin.startswith("org/teacher@") and row.provenance.parents == (SKY.id,)


def test_a_judge_is_asked_cold_and_sees_what_was_said_before(cast: dict[str, Author]) -> None:
    seen: list[Request] = []

    def say(one: Request) -> Any:
        if one.to == "judge":
            seen.append(one)
        return writes(FAIR, BAD, GOOD)(one)

    longer = SKY.model_copy(update={"messages": (*real("Hello", "Hi!").messages, *SKY.messages)})
    asked(Rank.model_validate(JUDGED), cast, [longer], say)
    assert len(seen) == 3 and {one.sampling.temperature for one in seen} == {0}
    assert "user: Hello\nassistant: Hi!" in seen[0].messages[0].content and seen[0].schema is not None


def test_pairs_are_compared_in_both_orders(cast: dict[str, Author]) -> None:
    method = Rank.model_validate({**JUDGED, "by": {"judge": "judge", "compare": "pairs"}})
    row = asked(method, cast, [SKY], writes(FAIR, BAD, GOOD))
    assert (row.answer, row.rejected[0].content) == (GOOD, BAD)
    assert row.scores == {"chosen": 1, "rejected": 0, "margin": 1}


def test_a_judge_that_looks_at_the_place_finds_no_pair(cast: dict[str, Author]) -> None:
    method = Rank.model_validate({**JUDGED, "by": {"judge": "judge", "compare": "pairs"}})

    def first(one: Request) -> Any:
        return '{"better": "A"}' if one.to == "judge" else writes(FAIR, BAD, GOOD)(one)

    with pytest.raises(Unusable) as caught:
        asked(method, cast, [SKY], first)
    assert caught.value.reason == "tie" and caught.value.detail == "0.5, 0.5, 0.5"


def test_a_win_in_one_order_alone_counts_half(cast: dict[str, Author]) -> None:
    method = Rank.model_validate({**JUDGED, "answers": 2, "by": {"judge": "judge", "compare": "pairs"}})

    def undecided(one: Request) -> Any:
        if one.to == "teacher":
            return (GOOD, BAD)[one.sample]
        text = one.messages[0].content
        return json.dumps({"better": "A" if text.index(GOOD) < text.index(BAD) else "tie"})

    with pytest.raises(Unusable) as caught:
        asked(method, cast, [SKY], undecided)
    assert caught.value.detail == "0.5, 0.5"


@pytest.mark.parametrize("compare", ["alone", "pairs"])
def test_a_judgement_that_cannot_be_read_is_missing_and_not_a_score(cast: dict[str, Author], compare: str) -> None:
    method = Rank.model_validate({**JUDGED, "by": {"judge": "judge", "compare": compare}})

    def mute(of: str) -> Callable[[Request], Any]:
        return lambda one: "hm" if one.to == "judge" and of in str(one.messages) else writes(FAIR, BAD, GOOD)(one)

    row = asked(method, cast, [SKY], mute(BAD))
    assert (row.answer, row.rejected[0].content) == (GOOD, FAIR)
    with pytest.raises(Unusable) as caught:
        asked(method, cast, [SKY], mute(""))
    assert caught.value.reason == "not_judged"


def test_a_models_own_probabilities(cast: dict[str, Author]) -> None:
    method = Rank.model_validate({**JUDGED, "by": {"logprob": "judge"}})
    assert method.asks == method.scored_by == ("judge",)
    row = asked(method, cast, [SKY], writes(FAIR, BAD, GOOD))
    assert (row.answer, row.rejected[0].content) == (GOOD, BAD)
    nothing = Scored(float("nan"), 0, "too long")
    with pytest.raises(Unusable) as caught:
        asked(method, cast, [SKY], lambda one: nothing if isinstance(one, Score) else writes(FAIR, BAD, GOOD)(one))
    assert caught.value.reason == "not_judged"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((GOOD, f"{FAIR}…", f"{BAD}…"), "too_few_answers"),
        ((GOOD, GOOD, f"{BAD}…"), "same_answers"),
        (("", " ", GOOD), "too_few_answers"),
    ],
)
def test_what_is_no_pair(cast: dict[str, Author], answers: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        asked(Rank.model_validate(JUDGED), cast, [SKY], writes(*answers))
    assert caught.value.reason == reason


def test_a_failed_engine_is_not_a_tie(cast: dict[str, Author]) -> None:
    failed = Completion("", "", "error", 0, 0, error="no route to it")
    with pytest.raises(Unusable) as caught:
        asked(Rank.model_validate(JUDGED), cast, [SKY], lambda _: failed)
    assert (caught.value.reason, caught.value.detail) == ("engine_error", "no route to it")


def test_equal_scores_and_small_differences_are_no_pair() -> None:
    assert Rank.model_validate(JUDGED).pair([3.0, None, 5.0, 5.0, 1.0, 1.0], "0") == (2, 4)
    for margin, scores in ((0, [3.0, 3.0]), (2.5, [3.0, 5.0])):
        with pytest.raises(Unusable) as caught:
            Rank.model_validate({**JUDGED, "margin": margin}).pair(scores, "0")
        assert caught.value.reason == "tie"


def test_any_worse_answer_may_be_drawn() -> None:
    method = Rank.model_validate({**JUDGED, "margin": 2, "rejected": "random"})
    drawn = [method.pair([5.0, 1.0, 9.0, 8.0, 2.0], f"{number:015x}") for number in range(9)]
    assert set(drawn) == {(2, 0), (2, 1), (2, 4)} and drawn == [
        method.pair([5.0, 1.0, 9.0, 8.0, 2.0], f"{number:015x}") for number in range(9)
    ]


def scored(answer: str, score: float | None, question: str = "Why is the sky blue?", **of: Any) -> Row:
    row = real(question, answer, **of)
    return row if score is None else row.model_copy(update={"scores": {"people": score}})


def test_people_rank_what_people_wrote(cast: dict[str, Author]) -> None:
    method = Rank(prompts="chat", by="people", margin=2)
    rows = [scored(FAIR, 3), scored(GOOD, 5, terms=("mit",)), scored(BAD, 1), scored("Unscored.", None)]
    row = asked(method, cast, rows, pytest.fail)
    assert (row.answer, row.rejected[0].content) == (GOOD, BAD)
    assert row.scores == {"chosen": 5, "rejected": 1, "margin": 4}
    made = row.provenance
    assert (made.source, made.origin, made.method, made.depth) == ("real", "org/data@1", "rank", 0)
    assert made.terms == ("mit", "cc-by-4.0") and made.parents == (rows[1].id, rows[2].id)
    assert made.root == rows[0].provenance.root and made.sampling == {"ranked_by": "people"}
    assert method.asks == () and method.several == 1


def test_what_people_have_not_scored(cast: dict[str, Author]) -> None:
    method = Rank(prompts="chat", by="people")
    work = Work("rank", cast["teacher"], cast, {"chat": [scored(GOOD, None)]})
    with pytest.raises(SourceError, match="no row of 'chat' has a score"):
        next(method.candidates(work))
    rows = [scored(GOOD, 2), scored(GOOD, 1, "And at night?"), scored(BAD, 1, "And at night?")]
    candidates = method.candidates(replace(work, rows={"chat": rows}))
    reasons = []
    for candidate in candidates:
        try:
            to_the_end(candidate, pytest.fail)
        except Unusable as unusable:
            reasons.append(unusable.reason)
    assert sorted(reasons) == ["not_judged", "tie"]


def test_pairs_go_through_the_filters_by_their_chosen_answer(
    split: Path, tmp_path: Path, context: Context, use: Callable[[Callable[[Request], str]], Canned]
) -> None:
    def say(request: Request) -> str:
        if "Judge an answer" in request.messages[0].content:
            return json.dumps({"score": 1 + 4 * ("answer 1" in request.messages[0].content)})
        return f"answer {request.sample} to {request.messages[-1].content}"

    use(say)
    method = Rank.model_validate({"prompts": "chat", "answers": 2, "by": {"judge": "teacher"}})
    generate = Generate(rows=8, methods=(method,))
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=1)
    run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert len(rows) >= 8 and all(row.answer.startswith("answer 1") for row in rows)
    assert all(row.rejected[0].content.startswith("answer 0") for row in rows)
    chain = Chain([Finished(), Refusal(), Repetition(), ExactDuplicate()], Bindings())
    assert all(judged.verdict.keep for judged in chain.together(rows))
    sorry = "I'm sorry, but as an AI language model I cannot help with that."
    refused = tuple(message.model_copy(update={"content": sorry}) for message in rows[0].rejected)
    beside, instead = (
        rows[0].model_copy(update={"rejected": refused}),
        rows[1].model_copy(update={"messages": (rows[1].messages[0], *refused)}),
    )
    assert [judged.filter for judged in chain.together([beside, instead, beside])] == ["", "refusal", "exact_duplicate"]

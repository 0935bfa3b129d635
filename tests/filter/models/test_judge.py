"""The judge: what it is asked, what is read of its answer, and that nothing is asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill import templates
from distill.context import Context, Ranks
from distill.engines import teacher
from distill.engines.batches import share
from distill.engines.store import AnswerStore, StoredEngine
from distill.engines.teacher import Teacher
from distill.errors import TemplateError
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.models import judge as judging
from distill.filter.models.judge import Judge
from distill.filter.opener import Opener
from distill.filter.stage import prompts_digest
from distill.protocols import Completion, Judged, Request, Verdict
from distill.rows import Row
from tests.beside import together
from tests.filter.make import chat, pair, text

Say = Callable[[Request], str | Completion | None]
GOOD, BAD = chat("Capital of France?", "Paris."), chat("Capital of Spain?", "I like cheese.")


@dataclass
class Canned:
    """Says what a test says, to this rank's share of what is not known."""

    say: Say
    ranks: Ranks = Ranks()
    name: str = "canned"
    template: str = "template"
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
        new = [request for request in requests if request.key not in known]
        for request in share(new[::-1], self.ranks.rank, self.ranks.world):
            self.asked.append(request)
            said = self.say(request)
            if isinstance(said, str):
                said = Completion(request.key, said, "stop", 1, 1)
            if said is not None:
                yield said

    def late(self) -> list[Completion]:
        return []

    def close(self) -> None: ...


Ask = Callable[..., tuple[list[Verdict], list[Request]]]


def mark(score: object, reason: str = "so it is") -> str:
    return json.dumps({"reason": reason, "score": score})


def by_answer(request: Request) -> str:
    return mark(5) if "Paris" in request.messages[0].content else mark(2, "it is about cheese")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Judge rows by a judge that says what it is told to; answers are stored in one folder."""

    def judged(
        spec: Judge, rows: Sequence[Row], say: Say, ranks: Ranks | None = None
    ) -> tuple[list[Verdict], list[Request]]:
        one = ranks or Ranks()
        engine = Canned(say, one)
        stored = StoredEngine(engine, AnswerStore(tmp_path / "answers"), one)
        names: list[str] = []

        def opened(*_: Any, teacher: str, **__: Any) -> StoredEngine:
            names.append(teacher)
            return stored

        if one.world == 1:
            monkeypatch.setattr(teacher, "open_engine", opened)
        who = Teacher(model="J")
        opener = Opener(Context(tmp_path, {}, ranks=one), {spec.by: who})
        if one.world > 1:
            opener._models._engines[spec.by] = stored
        verdicts = spec.bind(Bindings(open=opener)).judge(rows)
        assert set(names) <= {spec.by}
        return verdicts, engine.asked

    return judged


def test_a_mark_keeps_or_drops_with_its_reason(ask: Ask) -> None:
    verdicts, asked = ask(Judge(), [GOOD, BAD], by_answer)
    assert verdicts == [Verdict(True, score=5), Verdict(False, "low_score", 2, "2: it is about cheese")]
    assert len(asked) == 2


def test_the_judge_is_told_rubric_scale_question_and_answer_and_answers_a_form(ask: Ask) -> None:
    row = chat("Hello", "Hi.", "Capital of France?", "Paris.", system="Be brief.")
    _, (request,) = ask(Judge(rubric="Only cheese counts.", scale=(0, 7), by="critic"), [row], by_answer)
    (message,) = request.messages
    for part in ("Only cheese counts.", "from 0 (worst) to 7", "system: Be brief.\nuser: Hello\nassistant: Hi."):
        assert part in message.content
    assert "<question>\nCapital of France?\n</question>" in message.content
    assert "<answer>\nParis.\n</answer>" in message.content and request.to == "critic"
    schema = json.loads(request.schema or "")
    assert schema["required"] == ["reason", "score"] and list(schema["properties"]) == ["reason", "score"]
    assert schema["properties"]["score"] == {"maximum": 7, "minimum": 0, "title": "Score", "type": "integer"}
    assert request.sampling.temperature == 0


def test_a_text_has_no_question_and_of_a_pair_the_chosen_answer_is_read(ask: Ask) -> None:
    _, asked = ask(Judge(), [text("Bees are insects."), pair("Capital?", "Paris.", "Rome!")], by_answer)
    said = [request.messages[0].content for request in asked[::-1]]
    assert "<question>" not in said[0] and "Bees are insects." in said[0] and "You mark a text" in said[0]
    assert "Paris." in said[1] and "Rome" not in said[1]


def test_what_a_row_rests_on_is_shown(ask: Ask) -> None:
    row = chat("When?", "At noon.").model_copy(update={"evidence": {"passage": "The train goes at noon."}})
    _, (request,) = ask(Judge(), [row], by_answer)
    assert "<passage>\nThe train goes at noon.\n</passage>" in request.messages[0].content


def test_what_is_no_form_is_asked_to_be_mended_once(ask: Ask) -> None:
    say = lambda request: "five of five" if len(request.messages) == 1 else f"Sorry.\n```json\n{mark(5)}\n```"  # noqa: E731
    (verdict,), asked = ask(Judge(), [GOOD], say)
    assert verdict == Verdict(True, score=5)
    assert [message.role for message in asked[1].messages] == ["user", "assistant", "user"]
    assert "there is no JSON object in it" in asked[1].messages[-1].content


@pytest.mark.parametrize(
    ("said", "evidence", "times"),
    [
        ("five", "there is no JSON object in it: five", 2),
        (mark(0), "score: Input should be greater than or equal to 1", 2),
        (mark(9), "score: Input should be less than or equal to 5", 2),
        (mark("good"), "score: Input should be a valid integer", 2),
        ('{"reason": "none"}', "score: Field required", 2),
        ("", "there is no JSON object in it", 1),
        (Completion("", '{"reason": "it goes on', "length", 1, 1), "there is no JSON object in it", 1),
        (Completion("", "", "error", 1, 1, error="no room"), "no room", 1),
        (None, "never answered", 1),
    ],
)
def test_what_cannot_be_read_is_missing_and_never_a_score(
    ask: Ask, said: str | Completion | None, evidence: str, times: int
) -> None:
    def say(request: Request) -> str | Completion | None:
        return said if isinstance(said, str | None) else Completion(**{**vars(said), "request": request.key})

    (verdict,), asked = ask(Judge(min_score=1), [GOOD], say)
    assert (verdict.keep, verdict.reason, verdict.score) == (False, "missing", None)
    assert (verdict.evidence or "").startswith(evidence) and len(asked) == times
    (kept,), _ = ask(Judge(min_score=1, missing="keep"), [GOOD], say)
    assert (kept.keep, kept.reason, kept.score) == (True, "missing", None)


def test_rows_kept_without_a_mark_are_told(tmp_path: Path) -> None:
    opener = Opener(Context(tmp_path, {}), {"teacher": Teacher(model="J")})
    opener._models._engines["teacher"] = Canned(lambda _: "no")  # type: ignore[assignment]
    opener._models._engines["teacher"].generate = lambda _: iter(())  # type: ignore[method-assign]
    chain = Chain([Judge(missing="keep")], Bindings(open=opener))
    assert [one.row.scores for one in chain.judge([GOOD, BAD])] == [{}, {}]
    assert chain.notes == ["judge: 2 of 2 rows could not be measured and were kept"]


def test_another_threshold_asks_nothing_again(ask: Ask) -> None:
    first, asked = ask(Judge(min_score=4), [GOOD, BAD], by_answer)
    again, nothing = ask(Judge(min_score=2), [GOOD, BAD], by_answer)
    assert len(asked) == 2 and nothing == []
    assert [one.keep for one in first] == [True, False]
    assert again == [Verdict(True, score=5), Verdict(True, score=2)], "the least mark is kept"
    _, new = ask(Judge(rubric="Something else."), [GOOD, BAD], by_answer)
    assert len(new) == 2


def test_several_judgements_are_averaged_and_those_that_are_missing_left_out(ask: Ask) -> None:
    marks = {0: "no", 1: mark(4, "well"), 2: mark(1)}
    (verdict,), asked = ask(Judge(samples=3, temperature=1, min_score=3), [GOOD], lambda one: marks[one.sample])
    assert verdict == Verdict(False, "low_score", 2.5, "2.5: well") and len(asked) == 4


@pytest.mark.parametrize("answer", ["", " \n", "x" * 300_000])
def test_what_no_judge_can_read_is_not_sent(ask: Ask, answer: str) -> None:
    (verdict,), asked = ask(Judge(), [chat("q", answer)], by_answer)
    assert verdict.reason == "missing" and not asked


def test_broken_characters_are_sent_as_question_marks(ask: Ask) -> None:
    (verdict,), (request,) = ask(Judge(), [chat("q", "Paris \ud800 नमस्ते")], by_answer)
    assert verdict.keep and "Paris ? नमस्ते" in request.messages[0].content


def test_what_an_answer_says_makes_no_template(ask: Ask) -> None:
    _, (request,) = ask(Judge(), [chat("q", "{{ 7 * 7 }} {% raw %}")], by_answer)
    assert "{{ 7 * 7 }} {% raw %}" in request.messages[0].content


def test_the_recipes_own_prompt_is_used_and_is_part_of_the_key(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = Judge(templates={"verdict": "Mark: {{ answer }}"})
    _, (request,) = ask(own, [GOOD], by_answer)
    assert request.messages[0].content == "Mark: Paris."
    shipped = prompts_digest([Judge()])
    assert shipped and prompts_digest([own]) not in ("", shipped)
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "verdict.md.j2").write_text("Another: {{ answer }}")
    monkeypatch.setattr(judging, "PROMPTS", tmp_path)
    templates.shipped.cache_clear()
    assert prompts_digest([Judge()]) not in ("", shipped)
    with pytest.raises(TemplateError, match="anwser") as caught:
        ask(Judge(templates={"verdict": "{{ anwser }}"}), [GOOD], by_answer)
    assert caught.value.where == "filter (judge): templates.verdict"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": (5, 1)}, "from the worst mark to the best"),
        ({"min_score": 6}, "min_score 6 is not on the scale, which is 1 to 5"),
        ({"samples": 2}, "at temperature 0 all 2 judgements are the same"),
        ({"templates": {"verdcit": "x"}}, "there are: verdict, repair"),
        ({"templates": {"verdict": "{{ answer"}}, "template 'verdict': .*not a Jinja template"),
    ],
)
def test_impossible_judges_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Judge(**fields)


def test_a_kept_row_carries_its_mark_under_the_judges_name(ask: Ask, tmp_path: Path) -> None:
    ask(Judge(), [GOOD, BAD], by_answer)  # fills the store
    opener = Opener(Context(tmp_path, {}), {"teacher": Teacher(model="J")})
    opener._models._engines["teacher"] = StoredEngine(
        Canned(lambda _: None), AnswerStore(tmp_path / "answers"), Ranks()
    )
    judged: list[Judged] = list(Chain([Judge(name="clarity")], Bindings(open=opener)).judge([GOOD, BAD]))
    assert judged[0].row.scores == {"clarity": 5.0} and judged[1].verdict.score == 2


def test_ranks_share_the_asking_and_all_know_all_marks(ask: Ask) -> None:
    rows = [chat(f"Question {n}?", "Paris." if n % 2 else "Cheese.") for n in range(6)]
    results = together(
        2, lambda ranks: ask(Judge(), rows, lambda one: "no" if len(one.messages) == 1 else by_answer(one), ranks)
    )
    assert results[0][0] == results[1][0] and [one.keep for one in results[0][0]] == [False, True] * 3
    assert len(results[0][1]) == len(results[1][1]) == 6

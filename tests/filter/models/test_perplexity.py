"""Perplexity and difficulty: against transformers' own loss, by a real small model, and what is said of the tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context, Ranks, Resolved
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.models.difficulty import Difficulty
from distill.filter.models.likelihood import Likelihood
from distill.filter.models.perplexity import Perplexity, tail_kept
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from distill.sources.references import resolve
from tests.beside import together
from tests.conftest import SMOL
from tests.filter.make import chat, text

ROWS = [chat("Name a river.", "The Rhine is one."), chat("Say more.", "It flows to the sea."), text("Bees make honey.")]


@pytest.fixture
def opened(tiny_model: Path, tmp_path: Path) -> Callable[..., Opener]:
    """Opens a model of random weights; what it said is kept in one folder."""
    resolved = {"tiny": Resolved("tiny", tiny_model, "tiny-1")}
    return lambda ranks=None: Opener(Context(tmp_path / "cache", resolved, ranks=ranks or Ranks()))


def judge(spec: Perplexity | Difficulty, rows: Sequence[Row], opener: Opener) -> list[Verdict]:
    one: Any = spec.bind(Bindings(open=opener))
    if spec.scope == "pool":
        one.survey(rows)
    return one.judge(rows)


def test_the_loss_is_that_of_the_model_itself(opened: Callable[..., Opener], tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)

    def loss(before: str, said: str) -> float:
        head, tail = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, said))
        labels = torch.tensor([[-100] * len(head) + tail])
        with torch.inference_mode():
            return float(model(torch.tensor([head + tail]), labels=labels).loss)

    one = Likelihood(opened(), "tiny")
    row = ROWS[0]
    before = tokenizer.apply_chat_template(
        [{"role": "user", "content": row.question}], tokenize=False, add_generation_prompt=True
    )
    assert one.losses([row], "conversation") == [pytest.approx(loss(before, row.answer), abs=1e-4)]
    assert one.losses([row, ROWS[2]], "nothing") == [
        pytest.approx(loss("", said.answer), abs=1e-4) for said in (row, ROWS[2])
    ]
    # Both halves of the ratio are of the same tokens: all but the first, which has none before it where it is alone.
    (first, *rest) = tokenizer(row.answer, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(first) + tokenizer.decode(rest) == row.answer
    given = loss(before + tokenizer.decode(first), tokenizer.decode(rest))
    assert one.pairs([row]) == [(pytest.approx(given, abs=1e-4), pytest.approx(loss("", row.answer), abs=1e-4))]


def test_bounds_drop_at_both_ends_and_the_score_is_kept(opened: Callable[..., Opener]) -> None:
    values = [one.score or 0 for one in judge(Perplexity(model="tiny"), ROWS, opened())]
    low, middle, high = sorted(values)
    spec = Perplexity(model="tiny", min=(low + middle) / 2, max=(middle + high) / 2, name="surprise")
    judged = list(Chain([spec], Bindings(open=opened())).judge(ROWS))
    reasons = {one.verdict.reason: one for one in judged}
    assert set(reasons) == {"", "too_predictable", "too_surprising"}
    assert reasons[""].row.scores == {"surprise": middle} and reasons["too_surprising"].verdict.score == high
    assert reasons["too_predictable"].verdict.evidence == f"perplexity {low:g}, under {spec.min:g}"


def test_shares_drop_the_ends_of_all_whatever_the_order(opened: Callable[..., Opener]) -> None:
    rows = [chat(f"Question {n}?", f"Answer number {n} it is.") for n in range(10)]
    spec = Perplexity(model="tiny", drop_lowest=0.2, drop_highest=0.1)
    verdicts = judge(spec, rows, opened())
    by_value = sorted(zip([one.score or 0 for one in verdicts], verdicts, strict=True), key=lambda pair: pair[0])
    reasons = [one.reason for _, one in by_value]
    assert reasons == ["too_predictable"] * 2 + [""] * 7 + ["too_surprising"]
    assert judge(spec, rows[::-1], opened()) == verdicts[::-1]


def test_what_was_scored_is_kept_and_needs_no_model(
    opened: Callable[..., Opener], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [judge(spec, ROWS, opened()) for spec in (Perplexity(model="tiny"), Difficulty(model="tiny"))]
    monkeypatch.setattr("distill.engines.models.load", lambda *_: pytest.fail("the model was loaded"))
    assert before == [judge(spec, ROWS, opened()) for spec in (Perplexity(model="tiny"), Difficulty(model="tiny"))]
    assert all(one.reason == "too_surprising" for one in judge(Perplexity(model="tiny", max=1), ROWS, opened()))


@pytest.mark.parametrize(
    ("answer", "why"),
    [("", "there is no answer"), (" \n", "there is no answer"), ("x" * 300_000, "300001 characters")],
)
def test_what_cannot_be_scored_is_missing(opened: Callable[..., Opener], answer: str, why: str) -> None:
    for spec in (Perplexity(model="tiny"), Difficulty(model="tiny")):
        assert judge(spec, [chat("q", answer)], opened()) == [Verdict(False, "missing", None, why)]
        kept = spec.model_copy(update={"missing": "keep"})
        assert judge(kept, [chat("q", answer)], opened()) == [Verdict(True, "missing", None, why)]


def test_a_row_too_long_for_the_model_and_broken_characters(opened: Callable[..., Opener]) -> None:
    long, broken = chat("q", "word " * 3000), chat("q", "so \ud800 it नमस्ते is")
    verdicts = judge(Perplexity(model="tiny"), [long, broken], opened())
    assert verdicts[0].reason == "missing" and "2048" in (verdicts[0].evidence or "")
    assert verdicts[1].keep and verdicts[1].score


def test_a_text_answers_nothing_and_one_token_has_no_difficulty(opened: Callable[..., Opener]) -> None:
    verdicts = judge(Difficulty(model="tiny"), [ROWS[2], chat("How many?", "7")], opened())
    assert verdicts[0] == Verdict(True)
    assert verdicts[1] == Verdict(False, "missing", None, "no token that another one precedes")


def test_ranks_share_the_scoring_and_all_know_all_scores(opened: Callable[..., Opener]) -> None:
    rows = [chat(f"Question {n}?", f"Answer {n} " * (n + 1)) for n in range(6)]
    specs = (Perplexity(model="tiny"), Difficulty(model="tiny", max=9), Perplexity(model="tiny", drop_highest=0.5))
    before: Any = opened().scorer("tiny")
    model = before._loaded()

    def rank(ranks: Ranks) -> list[list[Verdict]]:
        opener = opened(ranks)
        mine: Any = opener.scorer("tiny")
        # Two threads cannot load at once, as transformers patches itself while it does, nor ask one model at once.
        mine._model = deepcopy(model)
        return [judge(spec, rows, opener) for spec in specs]

    one, two = together(2, rank)
    assert one == two and all(verdict.score for verdicts in one for verdict in verdicts)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Perplexity, {"min": 9, "max": 3}, "min is 9, above max"),
        (Perplexity, {"drop_lowest": 0.5, "drop_highest": 0.5}, "leave nothing"),
        (Perplexity, {"drop_lowest": 0.5, "max": 3}, "not both"),
        (Difficulty, {"min": 2}, "min is 2, above max, which is 1"),
    ],
)
def test_impossible_bounds_are_refused(kind: type[Perplexity], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(model="tiny", **fields)


def test_the_tail_that_is_left_is_told_with_a_warning_where_it_is_thinned() -> None:
    values = [float(n) for n in range(100)]
    assert tail_kept(values[:95], values[95:]) == (
        "50% of the most surprising 10 of 100 rows were kept, and 100% of the others; a student that misses what "
        "surprises collapses sooner: drop less there, or as much elsewhere"
    )
    assert (
        tail_kept(values[9:], values[:9])
        == "100% of the most surprising 10 of 100 rows were kept, and 90% of the others"
    )
    assert tail_kept(values[:10], []) is None and tail_kept([], []) is None
    assert tail_kept([], values[:20]) == "0% of the most surprising 2 of 20 rows were kept, and 0% of the others"


def test_the_chain_hands_on_what_is_said_of_the_tail(opened: Callable[..., Opener]) -> None:
    rows = [chat(f"Question {n}?", f"Answer number {n} it is.") for n in range(20)]
    chain = Chain([Perplexity(model="tiny", drop_highest=0.1)], Bindings(open=opened()))
    assert sum(one.verdict.keep for one in chain.judge(rows)) == 18
    (note,) = chain.notes
    assert note.startswith("perplexity: 0% of the most surprising 2 of 20 rows were kept, and 100% of the others; ")


@pytest.fixture(scope="module")
def smol(tmp_path_factory: pytest.TempPathFactory, smol_models: Path) -> Opener:
    folder = tmp_path_factory.mktemp("smol")
    (folder / "models").symlink_to(smol_models)
    return Opener(Context(folder, {SMOL: resolve(SMOL, "model", folder, folder, folder)}))


def test_a_real_model_finds_sense_likelier_than_its_words_in_disorder(smol: Opener) -> None:
    said = "The heart pumps blood through the body, which carries oxygen to the muscles."
    mixed = "Blood the oxygen muscles through pumps body, carries the heart to which the the."
    repeated = "The heart. " * 12
    texts = [text(said), text(mixed), text(repeated)]
    one, other, third = (verdict.score or math.nan for verdict in judge(Perplexity(model=SMOL), texts, smol))
    assert third < one < other / 3


def test_a_real_model_is_helped_by_the_question_that_was_asked(smol: Opener) -> None:
    asked = {
        "What does the heart do?": "The heart pumps blood through the body, which carries oxygen to the muscles.",
        "How do I boil an egg?": "Put the egg into boiling water for seven minutes, then cool it under cold water.",
        "Why do leaves turn red in autumn?": "The green pigment is broken down, and the red pigments become visible.",
    }
    questions, answers = list(asked), list(asked.values())
    right = [chat(question, answer) for question, answer in asked.items()]
    wrong = [chat(questions[place - 1], answer) for place, answer in enumerate(answers)]
    own, others = (judge(Difficulty(model=SMOL, max=None), rows, smol) for rows in (right, wrong))
    assert all((one.score or 0) < (other.score or 0) for one, other in zip(own, others, strict=True))
    assert all((one.score or 9) < 0.8 for one in own)

"""rows: N means N accepted: rounds, top-ups, quotas, order, counts, and an error that says what to change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill import templates
from distill.context import Context
from distill.errors import SourceError, YieldError
from distill.generate import method
from distill.generate.self_instruct import SelfInstruct
from distill.generate.settings import Generate, Spec
from distill.generate.stage import run, templates_digest
from distill.protocols import KEEP, Judged, Request, Verdict
from distill.rows import Row, read_rows, root_of
from tests.generate.conftest import MODEL, Canned, Say, echo

Use = Callable[[Say], Canned]
ANSWER = {"kind": "answer", "prompts": "chat"}
SELF = {"kind": "self_instruct", "seeds": "chat"}


def spec(methods: Sequence[dict[str, Any]] = (ANSWER,), **generate: Any) -> Spec:
    asked = {"methods": list(methods), **generate}
    return Spec.model_validate({"teachers": {"teacher": {"model": MODEL}}, "generate": asked, "filter": (), "seed": 7})


def number(row: Row) -> int:
    return int("".join(filter(str.isdigit, row.question)))


@dataclass
class Taking:
    """Filters that drop by a rule; the second is a set filter that is asked only of all rows."""

    alone_drops: Callable[[Row], bool] = lambda _: False
    together_drops: Callable[[Row], bool] = lambda _: False
    calls: int = 0

    def alone(self, rows: Sequence[Row]) -> list[Judged]:
        drop = Verdict(False, "too_odd", evidence="it is odd")
        return [Judged(row, drop, "length") if self.alone_drops(row) else Judged(row, KEEP, "") for row in rows]

    def together(self, rows: Sequence[Row]) -> list[Judged]:
        self.calls += 1
        copy = Verdict(False, "copy")
        judged = self.alone(rows)
        return [
            Judged(one.row, copy, "near_duplicate") if one.verdict.keep and self.together_drops(one.row) else one
            for one in judged
        ]


def rows_of(out: Path) -> list[Row]:
    return list(read_rows(out / "rows.jsonl"))


def new(request: Request) -> str:
    """A question that is like no other."""
    number = request.sample + 1000
    return f"How would one explain {number}a {number}b {number}c to a child?"


def writer() -> Say:
    """A teacher that writes a new instruction each time and answers what it is asked."""
    written = Counter[str]()

    def say(request: Request) -> str:
        if len(request.messages) == 1:
            return echo(request)
        written["n"] += 1
        return "How would one explain {0}a {0}b {0}c to a child?".format(request.sample + 1000)

    return say


def test_without_filters_a_tenth_more_is_asked_once(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    engine = use(echo)
    summary = run(spec(rows=20), {"split": split}, tmp_path, context)
    assert summary["counts"] == {"requested": 22, "parsed": 22, "failed": 0, "missing": 0}
    assert summary["rounds"] == 1 and len(engine.asked) == 22 and engine.closed
    assert len(rows_of(tmp_path)) == 22 and (tmp_path / "failures.jsonl").read_text() == ""
    assert summary["tokens"] == {"prompt": 22 * 5, "new": sum(len(row.answer.split()) for row in rows_of(tmp_path))}
    assert summary["templates"] == {"teacher": "template-hash"}


def test_it_asks_on_until_enough_are_accepted(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    accept = Taking(lambda row: number(row) % 2 == 1)
    summary = run(spec(rows=16), {"split": split}, tmp_path, replace(context, accept=accept))
    kept = [row for row in rows_of(tmp_path) if number(row) % 2 == 0]
    assert len(kept) >= 16 and summary["rounds"] >= 2
    assert summary["counts"]["requested"] <= 40


def test_set_filters_are_topped_up(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    accept = Taking(together_drops=lambda row: number(row) % 4 == 0)
    run(spec(rows=24), {"split": split}, tmp_path, replace(context, accept=accept))
    assert sum(number(row) % 4 != 0 for row in rows_of(tmp_path)) >= 24
    assert 2 <= accept.calls <= 4


def test_top_ups_end_after_three(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    accept = Taking(together_drops=lambda _: True)
    with pytest.raises(YieldError, match=r"0 of 2 rows were accepted") as caught:
        run(
            spec([{**ANSWER, "samples": 30}], rows=2, budget={"candidates": 1000}),
            {"split": split},
            tmp_path,
            replace(context, accept=accept),
        )
    assert accept.calls == 4
    assert "offers" not in str(caught.value), "neither prompts nor budget were the limit"
    assert "near_duplicate.copy, such as" in str(caught.value)


def test_rows_grow_when_more_are_asked_for(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    outs = []
    for rows in (10, 20):
        outs.append(tmp_path / str(rows))
        outs[-1].mkdir()
        run(spec(rows=rows), {"split": split}, outs[-1], context)
    few, many = map(rows_of, outs)
    assert [row.id for row in many[: len(few)]] == [row.id for row in few]


def test_the_same_bytes_whatever_the_order_of_arrival(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    texts = []
    for name in ("backward", "forward"):
        engine = use(writer())
        if name == "forward":
            generate = engine.generate
            engine.generate = lambda requests, ask=generate: ask(requests[::-1])  # type: ignore[method-assign]
        out = tmp_path / name
        out.mkdir()
        run(spec([{**ANSWER, "share": 0.6}, {**SELF, "share": 0.4}], rows=20), {"split": split}, out, context)
        texts.append((out / "rows.jsonl").read_bytes())
    assert texts[0] == texts[1]


def test_methods_have_their_quotas_and_are_interleaved(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(writer())
    methods = [{**ANSWER, "share": 0.75}, {**SELF, "share": 0.25}]
    summary = run(spec(methods, rows=21), {"split": split}, tmp_path, context)
    by = summary["by_method"]
    assert (by["answer"]["parsed"], by["self_instruct"]["parsed"]) == (18, 5)
    by_method = Counter(row.provenance.sampling.get("prompt_template") is None for row in rows_of(tmp_path))
    assert by_method == {True: 18, False: 5}, "rows tell of the prompt files they were asked with"
    for name in ("requested", "parsed", "failed", "missing"):
        assert sum(books[name] for books in by.values()) == summary["counts"][name]
    assert [row.provenance.method[0] for row in rows_of(tmp_path)][:9] == list("aaasaaaas")


def test_counts_add_up_when_things_go_wrong(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    def say(request: Request) -> str | None:
        place = int("".join(filter(str.isdigit, request.messages[-1].content)))
        return None if place % 5 == 0 else "" if place % 5 == 1 else "fine"

    use(say)
    summary = run(spec(rows=20), {"split": split}, tmp_path, context)
    counts = summary["counts"]
    assert counts["requested"] == counts["parsed"] + counts["failed"] + counts["missing"]
    assert counts["failed"] > 0 and counts["missing"] > 0
    failures = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert Counter(line["reason"] for line in failures) == {
        "empty_answer": counts["failed"],
        "missing": counts["missing"],
    }
    assert set(failures[0]) == {"method", "index", "reason", "detail"}


def test_an_instruction_of_the_held_out_side_is_not_taken(
    split: Path, context: Context, use: Use, tmp_path: Path
) -> None:
    def say(request: Request) -> str:
        if len(request.messages) == 1:
            return "fine"
        return "what about SUBJECT 101" if request.sample == 0 else new(request)

    use(say)
    run(spec([SELF], rows=4), {"split": split}, tmp_path, context)
    (failure,) = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert (failure["reason"], failure["index"]) == ("held_out", 0)
    held = {row.provenance.root for row in read_rows(split / "heldout" / "chat.jsonl")}
    assert not held & {root_of(row.messages) for row in rows_of(tmp_path)}


def test_all_prompts_asked_is_said_with_reasons_and_examples(
    split: Path, context: Context, use: Use, tmp_path: Path
) -> None:
    use(echo)
    accept = Taking(lambda row: number(row) % 2 == 1)
    with pytest.raises(YieldError) as caught:
        run(spec(rows=30), {"split": split}, tmp_path, replace(context, accept=accept))
    text = str(caught.value)
    assert "20 of 30 rows were accepted, from 40 candidates" in text
    assert "which are all that 'chat' offers" in text and "more prompts or samples" in text
    assert "20 length.too_odd, such as 'What about subject" in text and "(it is odd)" in text


def test_a_spent_budget_is_said(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(lambda _: "")
    with pytest.raises(YieldError, match=r"0 of 8 rows were accepted, from 10 candidates") as caught:
        run(spec(rows=8, budget={"candidates": 10}), {"split": split}, tmp_path, context)
    assert "raise generate.budget.candidates (now 10)" in str(caught.value)
    assert "10 answer.empty_answer" in str(caught.value)


def test_a_yield_far_under_the_floor_stops_early(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    engine = use(lambda request: "" if len(request.messages) == 1 else new(request))
    with pytest.raises(YieldError, match=r"under generate.min_yield 0.5"):
        run(spec([SELF], rows=31, min_yield=0.5), {"split": split}, tmp_path, context)
    assert len(engine.asked) == 2 * 35, "one round of 35 candidates, two requests each"


def test_a_data_set_that_is_not_there_names_those_that_are(
    split: Path, context: Context, use: Use, tmp_path: Path
) -> None:
    use(echo)
    with pytest.raises(SourceError, match=r"no rows of 'chta'; there are: chat"):
        run(spec([{**ANSWER, "prompts": "chta"}], rows=1), {"split": split}, tmp_path, context)


def test_a_student_as_teacher_brings_depth_and_terms(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "student.json").write_text(json.dumps({"depth": 2, "terms": ["mit"]}))
    resolved = {MODEL: replace(context.resolved[MODEL], path=folder, terms=())}
    run(spec(rows=1), {"split": split}, tmp_path, replace(context, resolved=resolved))
    (row, *_) = rows_of(tmp_path)
    assert row.provenance.depth == 3 and row.provenance.terms == ("mit", "cc-by-4.0")


def test_two_entries_of_one_method_each_have_their_own_quota() -> None:
    halves = Generate.model_validate(
        {"rows": 5, "methods": [{**ANSWER, "share": 0.3}, {**ANSWER, "share": 0.3}, {**SELF, "share": 0.4}]}
    )
    assert halves.shares == {"answer": 0.3, "answer#2": 0.3, "self_instruct": 0.4}
    assert halves.quotas == [{"answer": 2}, {"answer#2": 1}, {"self_instruct": 2}]
    axes = {"kind": "grid", "axes": {"tone": ["kind", "curt"]}, "share": 0.5}
    grids = Generate.model_validate({"rows": 4, "methods": [axes, axes]})
    assert [list(quotas) for quotas in grids.quotas] == [
        ["grid[tone=kind]", "grid[tone=curt]"],
        ["grid#2[tone=kind]", "grid#2[tone=curt]"],
    ]


def test_prompt_files_of_two_methods_of_one_kind_are_both_in_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {**SELF, "share": 0.5, "templates": {"instruction": "Write one."}}
    methods = Generate.model_validate({"rows": 5, "methods": [{**SELF, "share": 0.5}, own]}).methods
    before = templates_digest(methods)
    monkeypatch.setattr(templates, "shipped", lambda *_: "edited")
    assert templates_digest(methods) != before
    assert templates_digest(methods[1:]) == templates_digest(methods[1:][::-1])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 4, "methods": [{**ANSWER, "share": 0.5}]}, "must sum to 1, not 0.5"),
        ({"rows": 9, "methods": [ANSWER], "budget": {"candidates": 8}}, "is less than rows 9"),
        ({"rows": 4, "methods": [{**ANSWER, "samples": 2}], "sampling": {"temperature": 0}}, "2 answers to one prompt"),
    ],
)
def test_impossible_recipes_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Generate.model_validate(fields)


def test_the_prompt_file_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = [SelfInstruct(seeds="chat")]
    before = templates_digest(asked)
    (tmp_path / "self_instruct").mkdir()
    (tmp_path / "self_instruct" / "instruction.md.j2").write_text("Write something else.")
    monkeypatch.setattr(method, "PROMPTS", tmp_path)
    templates.shipped.cache_clear()
    assert before and templates_digest(asked) not in ("", before)
    templates.shipped.cache_clear()
    assert templates_digest(Generate(rows=1, methods=({"kind": "answer", "prompts": "chat"},)).methods) == ""  # type: ignore[arg-type]

"""The stage: files, quotas, books that add up, and the error of a run that kept too little."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.context import Context, Resolved
from distill.errors import ArtifactError, SourceError, YieldError
from distill.filter.chain import AnyFilter
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate
from distill.filter.models.select import Select
from distill.filter.stage import Spec, acceptance, run
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.protocols import Summary
from distill.rows import Row, read_rows, write_rows
from tests.beside import together
from tests.filter.make import Places, chat, word_tokenizer

CHAIN: tuple[AnyFilter, ...] = (Finished(), ExactDuplicate(), Contamination())


def spec(rows: int, filters: Sequence[AnyFilter] = CHAIN, min_yield: float = 0, **shares: float) -> Spec:
    return Spec(filter=tuple(filters), rows=rows, shares=shares or {"answer": 1.0}, min_yield=min_yield, student="toy")


def folders(
    root: Path, rows: Sequence[Row], real: Sequence[Row] = (), heldout: Sequence[Row] = (), failures: Sequence[Any] = ()
) -> dict[str, Path]:
    """The folders that the stage reads, as the stages before it leave them."""
    inputs = {name: root / name for name in ("split", "heldout", "generate")}
    for folder in (inputs["split"] / "train", inputs["split"] / "heldout", inputs["heldout"], inputs["generate"]):
        folder.mkdir(parents=True, exist_ok=True)
    write_rows(inputs["split"] / "train" / "chat.jsonl", real)
    write_rows(inputs["split"] / "heldout" / "chat.jsonl", heldout)
    write_rows(inputs["heldout"] / "rows.jsonl", [])
    write_rows(inputs["generate"] / "rows.jsonl", rows)
    lines = [
        json.dumps({"method": m, "index": i, "reason": r, "detail": "d"}) + "\n" for i, (m, r) in enumerate(failures)
    ]
    (inputs["generate"] / "failures.jsonl").write_text("".join(lines))
    return inputs


def context(root: Path, **more: Any) -> Context:
    return Context(cache=root / "cache", resolved={"toy": Resolved("toy", root / "toy", "1")}, **more)


def go(root: Path, spec: Spec, inputs: dict[str, Path], **more: Any) -> tuple[Summary, Path]:
    out = root / "out"
    out.mkdir(parents=True, exist_ok=True)
    return run(spec, inputs, out, context(root, **more)), out


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:  # splitlines() would cut at U+0085 and U+2028, which texts may hold
        return [json.loads(line) for line in file]


ROWS = [chat("a", "one"), chat("b", "two", finish="length"), chat("A", "One."), chat("c", "three"), chat("d", "four")]


def test_every_row_goes_to_one_place(tmp_path: Path) -> None:
    real = [chat("r", "real"), chat("held", "real too"), chat("only asked")]
    real = [row.model_copy(update={"provenance": chat("r", "x", real=True).provenance}) for row in real]
    inputs = folders(tmp_path, ROWS, real, [chat("d"), chat("held")], [("answer", "bad_format"), ("answer", "missing")])
    summary, out = go(tmp_path, spec(2), inputs)

    assert list(read_rows(out / "kept.jsonl")) == [ROWS[0], ROWS[3]]
    assert list(read_rows(out / "real.jsonl")) == [real[0]]
    dropped = lines(out / "dropped.jsonl")
    assert [(line["filter"], line["reason"]) for line in dropped] == [
        ("finished", "truncated"),
        ("exact_duplicate", "same_pair"),
        ("contamination", "question_seen"),
        ("contamination", "question_seen"),
    ]
    assert dropped[1]["evidence"] == ROWS[0].id and dropped[1]["score"] == 1.0
    ids = [line["row"].pop("id") for line in dropped]
    assert ids == [row.id for row in (ROWS[1], ROWS[2], ROWS[4], real[1])]
    assert [Row.model_validate(line["row"]) for line in dropped] == [ROWS[1], ROWS[2], ROWS[4], real[1]]

    ledger = json.loads((out / "ledger.json").read_text())
    reasons = {"contamination.question_seen": 1, "exact_duplicate.same_pair": 1, "finished.truncated": 1}
    teacher = {"requested": 7, "kept": 2, "dropped": reasons, "failed": 1, "missing": 1}
    assert ledger["teacher"] == teacher and ledger["by_method"] == {"answer": teacher}
    assert ledger["real"] == {
        "requested": 2, "kept": 1, "dropped": {"contamination.question_seen": 1}, "failed": 0, "missing": 0,
    }  # fmt: skip
    assert ledger["examples"]["finished.truncated"] == {"question": "b", "answer": "two", "evidence": "… two"}
    assert set(ledger["examples"]) == set(reasons)
    assert summary["counts"] == {"requested": 7, "kept": 2, "dropped": 3, "failed": 1, "missing": 1}
    assert summary["real"] == {"requested": 2, "kept": 1, "dropped": 1, "failed": 0, "missing": 0}
    assert summary["dropped"] == reasons


def test_each_method_has_its_quota_in_request_order_and_the_rest_is_surplus(tmp_path: Path) -> None:
    rows = [chat(f"q{n}", f"a{n}", method="self_instruct" if n % 2 else "answer") for n in range(12)]
    summary, out = go(tmp_path, spec(5, answer=0.7, self_instruct=0.3), folders(tmp_path, rows))
    assert [row.question for row in read_rows(out / "kept.jsonl")] == ["q0", "q1", "q2", "q4", "q6"]
    ledger = json.loads((out / "ledger.json").read_text())
    assert ledger["by_method"]["answer"]["dropped"] == {"quota.surplus": 2}
    assert ledger["by_method"]["self_instruct"]["dropped"] == {"quota.surplus": 5}
    assert lines(out / "dropped.jsonl")[0]["evidence"] == "1 rows of self_instruct are asked for"
    assert summary["accepted_share"] == 1.0


def test_generations_own_counts_are_taken_and_checked(tmp_path: Path) -> None:
    inputs = folders(tmp_path, ROWS)
    counts = {"requested": 9, "parsed": 5, "failed": 3, "missing": 1}
    manifest = inputs["generate"] / "manifest.json"
    manifest.write_text(json.dumps({"summary": {"counts": counts, "by_method": {"answer": counts}}}))
    summary, _ = go(tmp_path, spec(3), inputs)
    assert summary["counts"] == {"requested": 9, "kept": 3, "dropped": 2, "failed": 3, "missing": 1}

    write_rows(inputs["generate"] / "rows.jsonl", ROWS[:4])
    with pytest.raises(ArtifactError, match="9 rows of answer were requested, but 8 are accounted for"):
        go(tmp_path, spec(2), inputs)


def test_too_few_rows_stop_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    evil = "b\x1b[31m\u202e" + "x" * 400
    inputs = folders(tmp_path, [*ROWS, chat("e", evil, finish="length")], failures=[("answer", "bad_format")])
    with pytest.raises(YieldError) as caught:
        go(tmp_path, spec(5), inputs)
    text = str(caught.value)
    assert "3 of 5 rows kept; the filters accepted 3 of 7, and must accept 0%" in text
    assert "  2 finished.truncated: 'b' -> 'two'" in text
    assert "  1 exact_duplicate.same_pair: 'A' -> 'One.'" in text
    assert "  1 failed to be generated" in text
    assert "raise generate.sampling.max_new_tokens" in text
    assert "\x1b" not in text and "\u202e" not in text and len(text) < 900
    assert len(lines(tmp_path / "out" / "dropped.jsonl")) == 3
    assert json.loads((tmp_path / "out" / "ledger.json").read_text())["teacher"]["kept"] == 3


def test_examples_in_the_message_are_short_and_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[31m\u202e\x07" + "x" * 10_000
    with pytest.raises(YieldError) as caught:
        go(tmp_path, spec(1), folders(tmp_path, [chat(evil, evil, finish="length")]))
    text = str(caught.value)
    assert "\\x1b" in text and not set(text) & set("\x1b\u202e\x07") and len(text) < 700


def test_a_yield_under_the_floor_stops_the_run_surplus_counted_in(tmp_path: Path) -> None:
    rows = [chat(f"q{n}", "a", finish="stop" if n < 6 else "length") for n in range(10)]
    inputs = folders(tmp_path, rows)
    assert go(tmp_path, spec(2, min_yield=0.6), inputs)[0]["accepted_share"] == 0.6
    with pytest.raises(YieldError, match="the filters accepted 6 of 10, and must accept 61%"):
        go(tmp_path, spec(2, min_yield=0.61), inputs)


def test_no_candidates_at_all(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="0 of 1 rows kept"):
        go(tmp_path, spec(1), folders(tmp_path, []))


def test_an_empty_chain_keeps_what_is_asked_for(tmp_path: Path) -> None:
    summary, out = go(tmp_path, spec(5, []), folders(tmp_path, ROWS, [chat("r", "x", real=True)], [chat("r")]))
    assert list(read_rows(out / "kept.jsonl")) == ROWS
    assert len(lines(out / "real.jsonl")) == 1 and summary["notes"] == []


def test_ten_thousand_copies_of_one_row_are_one_and_are_noted(tmp_path: Path) -> None:
    summary, out = go(tmp_path, spec(1, [ExactDuplicate()]), folders(tmp_path, [ROWS[0]] * 10_000))
    assert len(lines(out / "kept.jsonl")) == 1
    (note,) = summary["notes"]
    assert note.startswith(
        f"9999 of 10000 rows were dropped as exact_duplicate.same_pair because of one row, {ROWS[0].id}"
    )


def test_an_evaluated_row_that_drops_much_is_noted_by_its_id(tmp_path: Path) -> None:
    asked = chat("held out")
    rows = [chat("held out", f"answer {n}") for n in range(3)] + [chat(f"q{n}", "a") for n in range(5)]
    summary, _ = go(tmp_path, spec(5, [Contamination()]), folders(tmp_path, rows, heldout=[asked]))
    (note,) = summary["notes"]
    assert note.startswith(f"3 of 8 rows were dropped as contamination.question_seen because of one row, {asked.id}:")


def test_a_method_without_a_share_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'evolve', which has no share of the rows; there are: answer"):
        go(tmp_path, spec(1), folders(tmp_path, [chat("q", "a", method="evolve")]))


def test_tokens_are_counted_by_the_students_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "config.json").write_text("{}")
    word_tokenizer(tmp_path / "toy")
    rows = [chat("a", "one two"), chat("b", "one two three")]
    _, out = go(tmp_path, spec(1, [Length(max_tokens=2)]), folders(tmp_path, rows))
    assert [(line["reason"], line["score"]) for line in lines(out / "dropped.jsonl")] == [("too_long", 3)]


def test_generation_accepts_as_the_stage_does(tmp_path: Path) -> None:
    inputs = folders(tmp_path, ROWS, heldout=[chat("d")])
    before = {name: inputs[name] for name in ("split", "heldout")}
    accept = acceptance(spec(2), before, context(tmp_path))
    kept = [judged.row for judged in accept.together(ROWS) if judged.verdict.keep]
    _, out = go(tmp_path, spec(2), inputs)
    assert kept == list(read_rows(out / "kept.jsonl"))
    assert [judged.verdict.keep for judged in accept.alone(ROWS)] == [True, False, True, True, False]


def test_what_was_not_chosen_is_no_loss_and_filters_have_their_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.filter.opener.Opener.embedder", lambda *_: Places())
    rows = [chat(f"q{n}", f"{angle} degrees") for n, angle in enumerate((0, 1, 2, 3, 90))]
    summary, out = go(tmp_path, spec(3, [Select()], min_yield=1), folders(tmp_path, rows))
    assert summary["counts"]["dropped"] == 2 and summary["accepted_share"] == 1
    assert {(line["filter"], line["reason"]) for line in lines(out / "dropped.jsonl")} == {("select", "not_chosen")}
    (note,) = summary["notes"]
    assert note.startswith("select: 1 of 3 chosen rows are like another chosen one")


def test_two_ranks_keep_the_same_rows_and_one_writes_them(tmp_path: Path) -> None:
    inputs = folders(tmp_path, ROWS)
    alone, written = go(tmp_path / "alone", spec(3), inputs)
    results = together(2, lambda ranks: go(tmp_path / str(ranks.rank), spec(3), inputs, ranks=ranks))
    assert [summary for summary, _ in results] == [alone, alone] and alone["counts"]["kept"] == 3
    assert {p.name: p.read_bytes() for p in results[0][1].iterdir()} == {
        p.name: p.read_bytes() for p in written.iterdir()
    }
    assert list(results[1][1].iterdir()) == []


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    inputs = folders(tmp_path, ROWS)
    _, out = go(tmp_path, spec(3), inputs)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    go(tmp_path, spec(3), inputs)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    assert set(first) == {"kept.jsonl", "real.jsonl", "dropped.jsonl", "ledger.json"}


SOME_ROWS = st.lists(
    st.builds(
        chat,
        st.sampled_from("abcdef"),
        st.sampled_from(["one", "two", "", "I cannot provide that."]),
        finish=st.sampled_from(["stop", "stop", "length"]),
        method=st.sampled_from(["answer", "self_instruct"]),
    ),
    max_size=30,
)
FAILURES = st.lists(
    st.tuples(st.sampled_from(["answer", "evolve"]), st.sampled_from(["missing", "bad_format"])), max_size=5
)


@settings(max_examples=50, deadline=None)
@given(rows=SOME_ROWS, failures=FAILURES, asked=st.integers(0, 12))
def test_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], failures: list[Any], asked: int
) -> None:
    root = tmp_path_factory.mktemp("counts")
    people = [row.provenance.model_copy(update={"source": "real"}) for row in rows[:3]]
    real = [row.model_copy(update={"provenance": made}) for row, made in zip(rows, people, strict=False)]
    inputs = folders(root, rows, real, rows[:2], failures)
    (root / "out").mkdir()
    try:
        run(spec(asked, answer=2.0, self_instruct=1.0), inputs, root / "out", context(root))
    except YieldError:
        assert len(lines(root / "out" / "kept.jsonl")) < asked
    ledger = json.loads((root / "out" / "ledger.json").read_text())
    for account in (ledger["teacher"], ledger["real"], *ledger["by_method"].values()):
        lost = sum(account["dropped"].values()) + account["failed"] + account["missing"]
        assert account["requested"] == account["kept"] + lost
    assert ledger["teacher"]["requested"] == len(rows) + len(failures)
    written = {name: len(lines(root / "out" / f"{name}.jsonl")) for name in ("kept", "real", "dropped")}
    assert written["kept"] == ledger["teacher"]["kept"] <= asked
    assert written["dropped"] == sum(sum(ledger[source]["dropped"].values()) for source in ("teacher", "real"))
    assert sum(written.values()) == len(rows) + len(rows[:3])

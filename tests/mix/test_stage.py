"""The mix: its proportion, its order, its proof that both sides are apart, and its card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from distill.context import Context, Resolved
from distill.errors import DistillError
from distill.mix.proportion import real_rows
from distill.mix.stage import Mix, Spec, run
from distill.rows import Message, Provenance, Row, read_rows, root_of, write_rows


def row(question: str, source: Literal["teacher", "real"], root: str = "", answer: str | None = "It is so.") -> Row:
    messages = [Message(role="user", content=question)]
    if answer is not None:
        messages.append(Message(role="assistant", content=answer))
    provenance = Provenance(
        source=source,
        origin="org/teacher@1" if source == "teacher" else "org/data@1",
        method="answer" if source == "teacher" else "real",
        root=root or root_of(messages),
        terms=("mit",),
    )
    return Row(kind="prompt" if answer is None else "chat", messages=tuple(messages), provenance=provenance)


TEACHER = [row(f"Taught question {i}?", "teacher") for i in range(12)]
REAL = [row(f"Real question {i}?", "real") for i in range(9)]
HELD = [row(f"Held question {i}?", "real") for i in range(4)]
TOLD = [row(f"Held question {i}?", "teacher", answer="Teacher says.") for i in range(4)]


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    folders = {name: tmp_path / name for name in ("split", "heldout", "filter", "out")}
    for folder in (*folders.values(), folders["split"] / "heldout"):
        folder.mkdir()
    put(folders, TEACHER, REAL, HELD, TOLD)
    books = {"requested": 12, "kept": 12, "dropped": {}, "failed": 0, "missing": 0}
    (folders["filter"] / "ledger.json").write_text(json.dumps({"teacher": books, "real": {**books, "kept": 9}}))
    return folders


def put(
    folders: dict[str, Path], teacher: Sequence[Row], real: Sequence[Row], held: Sequence[Row], told: Sequence[Row]
) -> None:
    write_rows(folders["filter"] / "kept.jsonl", teacher)
    write_rows(folders["filter"] / "real.jsonl", real)
    write_rows(folders["split"] / "heldout" / "chat.jsonl", held)
    write_rows(folders["heldout"] / "rows.jsonl", told)


def mix(inputs: dict[str, Path], fraction: float = 0.25, seed: int = 3) -> list[Row]:
    run(Spec(mix=Mix(real_fraction=fraction), seed=seed), inputs, inputs["out"], Context(inputs["out"], {}))
    return list(read_rows(inputs["out"] / "train.jsonl"))


def ids(rows: Sequence[Row]) -> list[str]:
    return [row.id for row in rows]


def test_the_fraction_is_of_all_rows(inputs: dict[str, Path]) -> None:
    out = inputs["out"]
    summary = run(Spec(mix=Mix(real_fraction=0.25), seed=3), inputs, out, Context(out, {}))
    assert summary["counts"] == {"teacher": 12, "real": 4, "train_rows": 16, "heldout_rows": 8}
    assert summary["real_fraction"] == 0.25
    train = list(read_rows(out / "train.jsonl"))
    assert sorted(ids(train)) == sorted({*ids(TEACHER), *(i for i in ids(REAL) if i in ids(train))})
    assert ids(list(read_rows(out / "heldout.jsonl"))) == ids([*HELD, *TOLD])


def test_the_shuffle_is_of_seed_and_content_alone(inputs: dict[str, Path]) -> None:
    once = ids(mix(inputs))
    put(inputs, TEACHER[::-1], REAL[::-1], HELD, TOLD)
    assert ids(mix(inputs)) == once
    assert ids(mix(inputs, seed=4)) != once
    sources = [row.provenance.source for row in mix(inputs)]
    assert sources != sorted(sources) and sources != sorted(sources, reverse=True)


def test_more_real_rows_keep_those_already_drawn(inputs: dict[str, Path]) -> None:
    few, many = ({row.id for row in mix(inputs, f) if row.provenance.source == "real"} for f in (0.1, 0.4))
    assert len(few) == 1 and len(many) == 8 and few < many


OLD = [row(f"Old question {i}?", "teacher") for i in range(6)]
OLD_REAL = [row(f"Old real question {i}?", "real") for i in range(3)]


def mixed(inputs: dict[str, Path], **fields: object) -> list[Row]:
    """With the rows of an earlier run."""
    path = inputs["out"] / "earlier.jsonl"
    write_rows(path, [*OLD, *OLD_REAL])
    spec = Spec(mix=Mix.model_validate({"earlier": ["run:old/mix"], **fields}), seed=3, max_depth=None)
    resolved = {"run:old/mix": Resolved("run:old/mix", path, "key")}
    run(spec, inputs, inputs["out"], Context(inputs["out"], resolved))
    return list(read_rows(inputs["out"] / "train.jsonl"))


def test_rows_of_earlier_runs_are_kept_and_added_to(inputs: dict[str, Path]) -> None:
    assert set(ids(mixed(inputs, real_fraction=0))) == {*ids(TEACHER), *ids(OLD), *ids(OLD_REAL)}
    filled = [row for row in mixed(inputs, real_fraction=0.25) if row.provenance.source == "real"]
    assert len(filled) == 6 and set(ids(OLD_REAL)) < set(ids(filled)), "18 of teachers, 3 real ones there, 3 more"


def test_a_number_of_rows_is_drawn_in_the_proportion(inputs: dict[str, Path]) -> None:
    for fraction, real in ((0.0, 0), (0.5, 4), (0.25, 2)):
        summary = run(
            Spec(mix=Mix(real_fraction=fraction, rows=8), seed=3), inputs, inputs["out"], Context(inputs["out"], {})
        )
        assert (summary["counts"]["train_rows"], summary["counts"]["real"]) == (8, real)
    drawn = mixed(inputs, real_fraction=0.0, rows=10)
    assert (
        len(drawn) == 10 and {row.id for row in drawn} & set(ids(OLD)) and {row.id for row in drawn} & set(ids(TEACHER))
    )
    assert sum(row.provenance.source == "real" for row in mixed(inputs, real_fraction=0.5, rows=10)) == 5
    with pytest.raises(DistillError, match=r"takes 15 of the teacher's and 5 real rows; there are 12 and 9"):
        run(Spec(mix=Mix(rows=20), seed=3), inputs, inputs["out"], Context(inputs["out"], {}))


def test_real_rows_alone_need_no_teacher(inputs: dict[str, Path]) -> None:
    write_rows(inputs["filter"] / "kept.jsonl", [])
    assert set(ids(mix(inputs, 1.0))) == set(ids(REAL))
    run(Spec(mix=Mix(real_fraction=1, rows=5), seed=3), inputs, inputs["out"], Context(inputs["out"], {}))
    assert len(list(read_rows(inputs["out"] / "train.jsonl"))) == 5


def test_an_earlier_row_that_is_too_deep_is_refused(inputs: dict[str, Path]) -> None:
    path = inputs["out"] / "earlier.jsonl"
    deep = OLD[0].model_copy(update={"provenance": OLD[0].provenance.model_copy(update={"depth": 3})})
    write_rows(path, [deep])
    spec = Spec(mix=Mix(earlier=("run:old/mix",)), seed=3, max_depth=2)
    with pytest.raises(DistillError, match="3 generations of models away"):
        run(spec, inputs, inputs["out"], Context(inputs["out"], {"run:old/mix": Resolved("run:old/mix", path, "key")}))


def test_no_real_rows_where_none_are_asked_for(inputs: dict[str, Path]) -> None:
    assert sorted(ids(mix(inputs, 0.0))) == sorted(ids(TEACHER))


def test_too_few_real_rows_name_both_numbers_and_the_fraction_that_fits(inputs: dict[str, Path]) -> None:
    with pytest.raises(DistillError, match=r"beside 12 teacher rows needs 12 real rows, not 9") as caught:
        mix(inputs, 0.5)
    assert "real_fraction to 0.428 or less" in str(caught.value)


@given(some.floats(0.01, 0.95), some.integers(1, 500), some.integers(0, 500))
def test_the_fraction_that_is_suggested_fits(fraction: float, teacher: int, there: int) -> None:
    if round(fraction / (1 - fraction) * teacher) <= there:
        assert real_rows(fraction, teacher, there) <= there
        return
    with pytest.raises(DistillError, match=r"real_fraction to [\d.]+ or less") as caught:
        real_rows(fraction, teacher, there)
    suggested = float(str(caught.value).split("real_fraction to ")[1].split()[0])
    assert suggested < fraction
    assert real_rows(suggested, teacher, there) <= there


def test_no_teacher_row_is_an_error(inputs: dict[str, Path]) -> None:
    put(inputs, [], REAL, HELD, TOLD)
    with pytest.raises(DistillError, match="no teacher row was kept"):
        mix(inputs)


def text(content: str, source: Literal["teacher", "real"], root: str = "") -> Row:
    messages = (Message(role="assistant", content=content),)
    provenance = row("q", source, root or root_of(messages)).provenance
    return Row(kind="text", messages=messages, provenance=provenance)


def pair(question: str) -> Row:
    one = row(question, "teacher")
    instead = (Message(role="assistant", content="It is not so."),)
    return Row(kind="preference", messages=one.messages, rejected=instead, provenance=one.provenance)


def item(question: str, root: str) -> Row:
    one = row(question, "teacher", root, answer="Yes.")
    evidence = {"reference": "yes"}
    return Row(kind="benchmark", messages=one.messages, evidence=evidence, provenance=one.provenance)


def test_every_kind_goes_to_its_file(inputs: dict[str, Path]) -> None:
    told = [text(f"Taught text {i}.", "teacher") for i in range(3)]
    people = [text(f"Text {i} of people.", "real", f"document {i}") for i in range(9)]
    pairs = [pair(f"Which is better, {i}?") for i in range(4)]
    held = [*HELD, text("A text held out.", "real")]
    put(inputs, [*TEACHER[:9], *told, *pairs], [*REAL, *people], held, TOLD)
    items = [item(f"Asked {i}?", held[i].provenance.root) for i in range(2)]
    bench = inputs["out"].parent / "benchmark"
    bench.mkdir()
    write_rows(bench / "rows.jsonl", items)
    out = inputs["out"]
    summary = run(Spec(mix=Mix(real_fraction=0.5), seed=3), {**inputs, "benchmark": bench}, out, Context(out, {}))

    train = list(read_rows(out / "train.jsonl"))
    assert {row.kind for row in train} == {"chat", "text"} and len(train) == 24
    assert {row.kind for row in train if row.provenance.source == "real"} == {"chat", "text"}
    assert sorted(ids(list(read_rows(out / "preference.jsonl")))) == sorted(ids(pairs))
    assert ids(list(read_rows(out / "benchmark.jsonl"))) == ids(items)
    assert ids(list(read_rows(out / "heldout.jsonl"))) == ids([*held, *TOLD])
    assert summary["counts"] == {
        "teacher": 12, "real": 12, "train_rows": 24, "heldout_rows": 9,
        "validation_rows": 1, "preference_rows": 4, "benchmark_rows": 2,
    }  # fmt: skip
    chats = sum(row.kind == "chat" for row in train)
    assert summary["kinds"] == {"chat": chats, "text": 24 - chats, "preference": 4, "benchmark": 2}
    assert summary["real_fraction"] == 0.5
    card = (out / "README.md").read_text()
    assert "| preference.jsonl | 4 | 4 preference |" in card and "| benchmark.jsonl | 2 | 2 benchmark |" in card


def test_pairs_alone_make_no_training_file_of_people(inputs: dict[str, Path]) -> None:
    put(inputs, [pair("Which?")], REAL, HELD, TOLD)
    assert mix(inputs, 0.5) == []
    assert len(list(read_rows(inputs["out"] / "preference.jsonl"))) == 1
    assert "### Row 0" in (inputs["out"] / "README.md").read_text()


@pytest.mark.parametrize("kind", ["chat", "preference", "text"])
def test_nothing_of_a_benchmark_is_trained_on(inputs: dict[str, Path], kind: str) -> None:
    guilty = {"chat": row("asked 1", "teacher"), "preference": pair("Asked 1!"), "text": text("?", "teacher", "doc")}
    put(inputs, [*TEACHER, guilty[kind]], REAL, HELD, TOLD)
    bench = inputs["out"].parent / "benchmark"
    bench.mkdir()
    write_rows(bench / "rows.jsonl", [item("Asked 1?", "doc")])
    with pytest.raises(DistillError, match="1 training rows share a prompt with held-out rows"):
        run(Spec(mix=Mix(), seed=3), {**inputs, "benchmark": bench}, inputs["out"], Context(inputs["out"], {}))


@pytest.mark.parametrize(
    "guilty",
    [
        row("held QUESTION 2", "teacher", root="another root", answer="Other words."),
        row("Entirely other words?", "teacher", root=HELD[2].provenance.root),
    ],
    ids=["same prompt", "same root"],
)
def test_a_prompt_on_both_sides_names_its_rows(inputs: dict[str, Path], guilty: Row) -> None:
    put(inputs, [*TEACHER, guilty], REAL, HELD, TOLD)
    with pytest.raises(DistillError, match=f"1 training rows share a prompt with held-out rows: {guilty.id}") as caught:
        mix(inputs)
    assert TOLD[2].id in str(caught.value)
    assert not (inputs["out"] / "train.jsonl").exists()


def test_a_held_out_prompt_without_any_answer_is_held_out_too(inputs: dict[str, Path]) -> None:
    asked = row("Never answered?", "real", answer=None)
    put(inputs, [*TEACHER, row("never answered", "teacher")], REAL, [*HELD, asked], TOLD)
    with pytest.raises(DistillError, match="share a prompt"):
        mix(inputs)
    put(inputs, TEACHER, REAL, [*HELD, asked], TOLD)
    mix(inputs)
    assert asked.id not in (inputs["out"] / "heldout.jsonl").read_text()


def test_the_card_is_beside_the_rows(inputs: dict[str, Path]) -> None:
    mix(inputs)
    card = (inputs["out"] / "README.md").read_text()
    assert "16 rows to train on" in card and "| teacher | org/teacher@1 | 12 | mit |" in card


def watched(inputs: dict[str, Path], rows: int = 64, fraction: float = 0.25) -> tuple[list[Row], list[str]]:
    out = inputs["out"]
    spec = Spec(mix=Mix(real_fraction=fraction, validation_rows=rows), seed=3)
    path = out / "validation.jsonl"
    path.unlink(missing_ok=True)
    notes = run(spec, inputs, out, Context(out, {}))["notes"]
    return (list(read_rows(path)) if path.exists() else []), notes


def test_rows_to_watch_on_share_no_prompt_with_what_is_trained_on(inputs: dict[str, Path]) -> None:
    real = [row(f"Real question {i}?", "real") for i in range(60)]
    taken = [row(f"Real question {i}?", "teacher", answer="Taught.") for i in range(0, 60, 2)]
    put(inputs, taken, real, HELD, TOLD)
    found, notes = watched(inputs, rows=5)
    train = list(read_rows(inputs["out"] / "train.jsonl"))
    assert len(found) == 5 and not notes
    assert all(one.provenance.source == "real" for one in found)
    assert not {one.provenance.root for one in found} & {one.provenance.root for one in train}
    assert "| validation.jsonl | 5 | 5 chat |" in (inputs["out"] / "README.md").read_text()
    more, notes = watched(inputs, rows=64)
    assert len(more) == 6 and ids(more)[:5] == ids(found), "a tenth of the real rows, by hash"
    assert "6 real rows of 64" in notes[0]
    assert ids(list(read_rows(inputs["out"] / "train.jsonl"))) == ids(train), "the mix is the same"
    assert watched(inputs, rows=0) == ([], [])


def test_what_the_mix_needs_is_not_watched_on(inputs: dict[str, Path]) -> None:
    put(inputs, TEACHER, [row(f"Real question {i}?", "real") for i in range(12)], HELD, TOLD)
    found, notes = watched(inputs, fraction=0.5)
    assert found == [] and "0 real rows of 64" in notes[0]


def test_data_that_was_only_asked_about_is_on_the_card_and_handed_on_to_the_student(inputs: dict[str, Path]) -> None:
    asked = row("Taught question 3?", "real", answer=None)
    made = asked.provenance.model_copy(update={"origin": "org/asked@1", "terms": ("cc-by-sa-4.0",)})
    (inputs["split"] / "train").mkdir()
    write_rows(inputs["split"] / "train" / "asked.jsonl", [asked.model_copy(update={"provenance": made})])
    held = HELD[0].model_copy(update={"provenance": HELD[0].provenance.model_copy(update={"origin": "org/held@1"})})
    write_rows(inputs["split"] / "heldout" / "chat.jsonl", [held])
    mix(inputs, 0)
    handed_on = [{"source": "real", "origin": "org/asked@1", "terms": ["cc-by-sa-4.0"], "rows": 0}]
    assert json.loads((inputs["out"] / "asked.json").read_text()) == handed_on
    card = (inputs["out"] / "README.md").read_text()
    for origin in ("org/asked@1", "org/held@1"):
        assert f"| real | {origin} | asked about, or held out |" in card
    assert "license: other" in card and "license_name: cc-by-sa-4.0-and-mit" in card
    assert "org/asked@1" in (inputs["out"] / "LICENSE.md").read_text()
    assert (inputs["out"] / "licences" / "mit.txt").is_file() and (inputs["out"] / "croissant.json").is_file()


def test_every_seed_that_a_row_was_made_from_is_handed_on_step_by_step(inputs: dict[str, Path]) -> None:
    first, second = (row(f"Seed {number}?", "real", answer=None) for number in (1, 2))

    def of(one: Row, **made: object) -> Row:
        return one.model_copy(update={"provenance": one.provenance.model_copy(update=made)})

    seeds = [of(first, origin="org/first@1"), of(second, origin="org/second@1", terms=("cc-by-nc-4.0",))]
    dropped = of(row("A step between?", "teacher"), root="elsewhere", parents=(seeds[1].id,))
    kept = of(row("What came of it?", "teacher"), root=seeds[0].provenance.root, parents=(seeds[0].id, dropped.id))
    put(inputs, [*TEACHER, kept], REAL, [*HELD, of(row("Tested?", "real", answer=None), origin="org/test@1")], TOLD)
    record = {"filter": "length", "reason": "too_long", "row": {"id": dropped.id, **dropped.model_dump()}}
    (inputs["filter"] / "dropped.jsonl").write_text(json.dumps(record) + "\n")
    (inputs["split"] / "train").mkdir()
    write_rows(inputs["split"] / "train" / "seeds.jsonl", [*seeds, of(row("Never shown?", "real"), origin="org/not@1")])
    mix(inputs)
    handed_on = json.loads((inputs["out"] / "asked.json").read_text())
    assert [(one["origin"], one["terms"]) for one in handed_on] == [
        ("org/first@1", ["mit"]),
        ("org/second@1", ["cc-by-nc-4.0"]),
    ]
    assert "org/second@1" in (inputs["out"] / "README.md").read_text()
    assert "org/test@1" not in json.dumps(handed_on), "the student learns nothing of it"


def test_what_a_test_set_was_made_from_is_on_the_card_and_not_the_students(inputs: dict[str, Path]) -> None:
    asked = row("Of which page?", "real", answer=None)
    page = asked.model_copy(update={"provenance": asked.provenance.model_copy(update={"origin": "org/pages@1"})})
    (item,) = [row("What does the page say?", "teacher")]
    made = item.provenance.model_copy(update={"root": page.provenance.root, "parents": (page.id,)})
    item = item.model_copy(update={"kind": "benchmark", "provenance": made})
    put(inputs, TEACHER, REAL, [*HELD, page], [*TOLD, item])
    mix(inputs)
    assert "| real | org/pages@1 | asked about, or held out |" in (inputs["out"] / "README.md").read_text()
    assert json.loads((inputs["out"] / "asked.json").read_text()) == []
